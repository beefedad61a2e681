# SPDX-License-Identifier: MIT
# radon-relay and the LTTng-UST provider that it loads: built where liblttng-ust-dev is.

find_path(LTTNG_UST_INCLUDE lttng/tracepoint.h)
find_library(LTTNG_UST_LIBRARY lttng-ust)
if(LTTNG_UST_INCLUDE AND LTTNG_UST_LIBRARY)
    add_library(radon-lttng MODULE tracing/lttng/provider.c)
    # lttng/events.h is included by that name from LTTng's headers.
    target_include_directories(radon-lttng PRIVATE
        ${CMAKE_SOURCE_DIR}/tracing ${CMAKE_SOURCE_DIR}/hv/include ${LTTNG_UST_INCLUDE})
    target_compile_options(radon-lttng PRIVATE -std=gnu11 -Wall -Wextra -Werror)
    target_link_libraries(radon-lttng PRIVATE ${LTTNG_UST_LIBRARY} ${CMAKE_DL_LIBS})
    set_target_properties(radon-lttng PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)

    add_executable(radon-relay tracing/lttng/relay.c)
    target_compile_options(radon-relay PRIVATE -std=gnu11 -Wall -Wextra -Werror)
    target_compile_definitions(radon-relay PRIVATE _GNU_SOURCE)
    target_link_libraries(radon-relay PRIVATE radon_trace_reader ${CMAKE_DL_LIBS})
    set_target_properties(radon-relay PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)
endif()
