# SPDX-License-Identifier: MIT
# A short run of each fuzzer of tests/fuzz (driver.c): what was found before, and RUNS inputs made of it, always the same.
# About a second each; libFuzzer (the command at the head of each) is for longer ones.
function(radon_fuzz name runs)
    cmake_parse_arguments(F "" "" "SOURCES;LIBS;DEFINES;INCLUDES" ${ARGN})
    radon_unit_test(fuzz_${name} SOURCES tests/fuzz/fuzz_${name}.c tests/fuzz/driver.c ${F_SOURCES}
        LIBS ${F_LIBS} INCLUDES ${F_INCLUDES}
        DEFINES FUZZ_NAME="${name}" FUZZ_RUNS=${runs} ${F_DEFINES})
endfunction()

set(fuzz_reader
    tracing/reader/reader.c tracing/reader/catalogue.c tracing/reader/values.c
    tracing/reader/names.c tracing/reader/calls.c)

# The hypervisor's.
radon_fuzz(acpi 15000 SOURCES hv/x86/acpi.c)
radon_fuzz(bzimage 2000 SOURCES hv/boot/bzimage.c hv/boot/unpack.c hv/boot/unpack_lzma.c hv/boot/unpack_text.c
    LIBS lzma z zstd lz4)
radon_fuzz(cmdline 30000 SOURCES hv/boot/cmdline.c hv/boot/cmdline_value.c)
radon_fuzz(decode 100000 SOURCES tests/unit/decode_oracle.c hv/x86/decode.c hv/x86/decode_rows.c hv/x86/decode_args.c
    hv/x86/decode_operand.c LIBS Zydis)
radon_fuzz(elf 50000 SOURCES hv/boot/elfnote.c hv/boot/elfnote_xen.c)
radon_fuzz(multiboot 50000 SOURCES hv/boot/multiboot.c hv/boot/memmap.c)

# Handlers; synthesis is with its other tests (synth.cmake).
radon_fuzz(asm 1500 SOURCES fastpath/load/asm.c ${fast_core} INCLUDES fastpath/core fastpath/load)
radon_fuzz(btf 20000 SOURCES fastpath/handlers/btf.c)
radon_fuzz(fast 3000 SOURCES tests/unit/fast_world.c tests/unit/fast_random.c tests/unit/real_memory.c ${fast_core}
    INCLUDES fastpath/core)
radon_fuzz(handler 4000 SOURCES fastpath/profile/handler_file.c fastpath/load/object.c ${fast_core}
    INCLUDES . fastpath/core DEFINES _GNU_SOURCE)
radon_fuzz(prof 15000 SOURCES fastpath/profile/policy.c fastpath/profile/log.c fastpath/profile/names.c
    fastpath/profile/table.c fastpath/core/refusal.c INCLUDES . fastpath/core DEFINES _GNU_SOURCE)
target_include_directories(unit_fuzz_prof PRIVATE ${CMAKE_BINARY_DIR}/hv/include
    ${CMAKE_BINARY_DIR}/fastpath/include)
add_dependencies(unit_fuzz_prof radon_profile)

# Tracing.
radon_fuzz(console 5000 SOURCES tracing/tool/console.c tracing/reader/writer.c ${fuzz_reader} DEFINES _GNU_SOURCE)
radon_fuzz(profile 2000 SOURCES tracing/profile/profile.c tracing/profile/file.c tracing/profile/tree.c
    tracing/profile/flame.c tracing/profile/report.c tracing/symbols/symtab.c tracing/symbols/kallsyms_image.c LIBS m)
radon_fuzz(stat_report 150 SOURCES tracing/stat/recording.c tracing/stat/save.c tracing/stat/table.c
    tracing/stat/histogram.c tracing/stat/names.c ${fuzz_reader} DEFINES _GNU_SOURCE)
target_include_directories(unit_fuzz_stat_report PRIVATE ${CMAKE_BINARY_DIR}/tracing/stat)
add_dependencies(unit_fuzz_stat_report radon-stat)
radon_fuzz(symbols 1000 SOURCES tracing/symbols/symtab.c tracing/symbols/kallsyms.c tracing/symbols/maps.c
    tracing/symbols/elfsyms.c tracing/profile/btf.c tracing/profile/kcore.c LIBS elf DEFINES _GNU_SOURCE)
radon_fuzz(trace_reader 1500 SOURCES tracing/reader/counts.c tracing/reader/sorter.c tracing/tool/export.c ${fuzz_reader})
