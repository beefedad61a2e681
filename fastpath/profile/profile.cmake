# SPDX-License-Identifier: MIT
# The tools for fast handlers in domain 0: radon-handler, radon-prof, radon-explain.

set(PROFILE_DIR ${CMAKE_BINARY_DIR}/fastpath)
set(PROFILE_SYSCALLS ${PROFILE_DIR}/include/syscalls.h)
add_custom_command(OUTPUT ${PROFILE_SYSCALLS}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROFILE_DIR}/include
    COMMAND sh ${CMAKE_SOURCE_DIR}/tracing/stat/mksyscalls.sh ${CMAKE_C_COMPILER}
        ${PROFILE_SYSCALLS}
    DEPENDS ${CMAKE_SOURCE_DIR}/tracing/stat/mksyscalls.sh VERBATIM)

set(fast_core_sources
    fastpath/core/disasm.c fastpath/core/emit_x86.c fastpath/core/helpers.c
    fastpath/core/interp.c fastpath/core/isa.c fastpath/core/isa_alu.c fastpath/core/jit_alu.c fastpath/core/jit_call.c fastpath/core/jit_compare.c fastpath/core/jit_flow.c fastpath/core/jit_guest.c fastpath/core/jit_lean.c fastpath/core/jit_lean_plan.c fastpath/core/jit_lean_take.c
    fastpath/core/jit_x86.c fastpath/core/program.c fastpath/core/refusal.c fastpath/core/run.c
    fastpath/core/text.c fastpath/core/verdict.c fastpath/core/verifier.c
    fastpath/core/verify_alu.c fastpath/core/verify_flow.c fastpath/core/verify_memory.c
    fastpath/core/verify_state.c fastpath/load/object.c)

# The library of all three.
add_library(radon_profile STATIC ${fast_core_sources} ${PROFILE_SYSCALLS}
    fastpath/profile/backend_xen.c fastpath/profile/ops.c fastpath/profile/names.c
    fastpath/profile/table.c fastpath/profile/log.c fastpath/profile/policy.c
    fastpath/profile/handler_file.c)
add_dependencies(radon_profile hv_revision)
target_include_directories(radon_profile PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/fastpath/core
    ${CMAKE_SOURCE_DIR}/hv/include ${CMAKE_BINARY_DIR}/hv/include ${PROFILE_DIR}/include)
target_compile_definitions(radon_profile PRIVATE __XEN_TOOLS__)
target_link_libraries(radon_profile PUBLIC radon_xen)

# Zydis is a shared library in Debian; where there is a static one, the programs are static.
find_library(ZYDIS_STATIC libZydis.a)
find_library(ZYCORE_STATIC libZycore.a)

function(profile_program name)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE radon_profile)
    if(ZYDIS_STATIC AND ZYCORE_STATIC)
        target_link_libraries(${name} PRIVATE ${ZYDIS_STATIC} ${ZYCORE_STATIC})
        target_link_options(${name} PRIVATE -static)
    else()
        target_link_libraries(${name} PRIVATE Zydis)
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROFILE_DIR})
    target_compile_options(${name} PRIVATE -std=gnu11 -Wall -Wextra -Werror)
endfunction()
target_compile_options(radon_profile PRIVATE -std=gnu11 -Wall -Wextra -Werror)
set_target_properties(radon_profile PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${PROFILE_DIR})

profile_program(radon-handler fastpath/profile/handler_main.c fastpath/profile/handler_list.c
    fastpath/profile/handler_programs.c fastpath/profile/handler_log.c fastpath/profile/dump.c)

profile_program(radon-explain fastpath/profile/explain_main.c fastpath/profile/explain.c)

# The daemon, and what makes handlers (fastpath/synth/synth.cmake).
profile_program(radon-prof fastpath/profile/prof_main.c fastpath/profile/prof.c
    fastpath/profile/rank.c fastpath/profile/record.c fastpath/profile/make.c
    fastpath/profile/watch.c fastpath/profile/keep.c fastpath/profile/kernel.c
    fastpath/profile/trace.c)
target_compile_definitions(radon-prof PRIVATE _GNU_SOURCE)
target_link_libraries(radon-prof PRIVATE radon_synth radon_profile Zydis radon_symbols
    radon_trace_reader)
