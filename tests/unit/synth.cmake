# SPDX-License-Identifier: MIT
# Synthesis, against what a child process really does when it plays the guest kernel.
file(GLOB synth_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/fastpath/synth/*.c)
foreach(name insns paths strange)
    radon_unit_test(synth_${name}
        SOURCES tests/unit/test_synth_${name}.c tests/unit/synth_world.c tests/unit/synth_entry.S
            tests/unit/synth_calls.c tests/unit/synth_guest.c tests/unit/synth_guest_cases.c ${fast_core} ${synth_files}
        INCLUDES . fastpath/core fastpath/synth
        LIBS Zydis)
endforeach()
foreach(name guards imply places witness)
    radon_unit_test(synth_${name}
        SOURCES tests/unit/test_synth_${name}.c tests/unit/synth_states.c ${fast_core} ${synth_files}
        INCLUDES . fastpath/core fastpath/synth
        LIBS Zydis
        DEFINES GRAPH_MAX_NODES=2048)
endforeach()
# What the child runs is what a kernel is: no sanitizer, no vector register.
set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/unit/synth_guest.c
    ${CMAKE_SOURCE_DIR}/tests/unit/synth_guest_cases.c PROPERTIES COMPILE_OPTIONS
    "-O2;-fno-sanitize=all;-fno-stack-protector;-mgeneral-regs-only;-fcf-protection=none;-fno-builtin;-fno-strict-aliasing")

# Files of captures (fuzz.cmake).
radon_fuzz(synth 120 SOURCES tests/fuzz/capture_agree.c tests/fuzz/capture_form.c tests/fuzz/capture_replay.c
    tests/fuzz/capture_twin.c ${fast_core} ${synth_files} LIBS Zydis INCLUDES . fastpath/core fastpath/synth
    DEFINES _GNU_SOURCE GRAPH_MAX_NODES=2048)
