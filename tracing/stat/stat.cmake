# SPDX-License-Identifier: MIT
# radon-stat, static so that it runs in any domain 0; and its arithmetic, which the unit tests use too.

set(STAT_SYSCALLS ${CMAKE_BINARY_DIR}/tracing/stat/syscalls.h)
add_custom_command(OUTPUT ${STAT_SYSCALLS}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/tracing/stat
    COMMAND sh ${CMAKE_SOURCE_DIR}/tracing/stat/mksyscalls.sh ${CMAKE_C_COMPILER} ${STAT_SYSCALLS}
    DEPENDS ${CMAKE_SOURCE_DIR}/tracing/stat/mksyscalls.sh VERBATIM)

add_executable(radon-stat
    tracing/stat/main.c tracing/stat/options.c tracing/stat/sites.c
    tracing/stat/recording.c tracing/stat/save.c tracing/stat/table.c tracing/stat/histogram.c tracing/stat/names.c
    tracing/stat/fields.c tracing/stat/print.c ${STAT_SYSCALLS})
add_dependencies(radon-stat hv_revision)
target_include_directories(radon-stat PRIVATE
    ${CMAKE_SOURCE_DIR}/hv/include ${CMAKE_BINARY_DIR}/hv/include ${CMAKE_BINARY_DIR}/tracing/stat)
target_compile_definitions(radon-stat PRIVATE _GNU_SOURCE)
target_compile_options(radon-stat PRIVATE -std=gnu11 -Wall -Wextra -Werror)
target_link_libraries(radon-stat PRIVATE radon_program radon_trace_reader radon_xen radon_symbols)
target_link_options(radon-stat PRIVATE -static)
set_target_properties(radon-stat PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)
