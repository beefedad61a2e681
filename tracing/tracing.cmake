# SPDX-License-Identifier: MIT
# Reading recordings: a library, and radon-trace, static so that it runs in any domain 0.

set(RADON_TRACE_READER_SOURCES
    tracing/reader/reader.c tracing/reader/catalogue.c tracing/reader/values.c
    tracing/reader/names.c tracing/reader/calls.c tracing/reader/counts.c
    tracing/reader/writer.c tracing/reader/sorter.c)
add_library(radon_trace_reader STATIC ${RADON_TRACE_READER_SOURCES})
target_include_directories(radon_trace_reader PUBLIC ${CMAKE_SOURCE_DIR}/hv/include)
target_compile_options(radon_trace_reader PRIVATE -std=gnu11 -Wall -Wextra -Werror)
set_target_properties(radon_trace_reader PROPERTIES
    ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)

# Talking to the hypervisor from domain 0.
add_library(radon_xen STATIC
    tracing/xen/access.c tracing/xen/device.c tracing/xen/memory.c tracing/xen/event.c
    tracing/xen/domains.c tracing/xen/rings.c)
target_include_directories(radon_xen PRIVATE ${CMAKE_SOURCE_DIR}/hv/include)
target_compile_definitions(radon_xen PRIVATE __XEN_TOOLS__)
target_compile_options(radon_xen PRIVATE -std=gnu11 -Wall -Wextra -Werror)
set_target_properties(radon_xen PROPERTIES
    ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)

add_library(radon_program STATIC tracing/program/program.c)
target_compile_definitions(radon_program PRIVATE _GNU_SOURCE)
target_compile_options(radon_program PRIVATE -std=gnu11 -Wall -Wextra -Werror)
set_target_properties(radon_program PROPERTIES
    ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)

add_executable(radon-trace tracing/tool/main.c tracing/tool/report.c tracing/tool/console.c
    tracing/tool/export.c
    tracing/record/options.c tracing/record/select.c tracing/record/session.c
    tracing/record/record.c tracing/record/snapshot.c)
add_dependencies(radon-trace hv_revision)
target_include_directories(radon-trace PRIVATE ${CMAKE_BINARY_DIR}/hv/include)
target_compile_definitions(radon-trace PRIVATE _GNU_SOURCE __XEN_TOOLS__)
target_compile_options(radon-trace PRIVATE -std=gnu11 -Wall -Wextra -Werror)
target_link_libraries(radon-trace PRIVATE radon_trace_reader radon_xen radon_program)
target_link_options(radon-trace PRIVATE -static)
set_target_properties(radon-trace PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)

include(tracing/symbols/symbols.cmake)

# The babeltrace2 plugin and the LTTng relay are for where their libraries are.
include(tracing/babeltrace/babeltrace.cmake)
include(tracing/lttng/lttng.cmake)
include(tracing/stat/stat.cmake)

# docs/trace-events.md
add_executable(trace-events-doc tracing/reader/document.c)
target_compile_options(trace-events-doc PRIVATE -std=gnu11 -Wall -Wextra -Werror)
target_link_libraries(trace-events-doc PRIVATE radon_trace_reader)
set_target_properties(trace-events-doc PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)
include(tracing/profile/profile.cmake)
