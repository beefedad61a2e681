# SPDX-License-Identifier: MIT
# source.radon.trace for babeltrace2: built where libbabeltrace2-dev is.

find_path(BABELTRACE2_INCLUDE babeltrace2/babeltrace.h)
find_library(BABELTRACE2_LIBRARY babeltrace2)
if(BABELTRACE2_INCLUDE AND BABELTRACE2_LIBRARY)
    add_library(babeltrace-plugin-radon MODULE
        tracing/babeltrace/plugin.c tracing/babeltrace/index.c tracing/babeltrace/classes.c
        tracing/babeltrace/iterator.c ${RADON_TRACE_READER_SOURCES})
    target_include_directories(babeltrace-plugin-radon PRIVATE
        ${CMAKE_SOURCE_DIR}/hv/include ${BABELTRACE2_INCLUDE})
    target_compile_options(babeltrace-plugin-radon PRIVATE
        -std=gnu11 -Wall -Wextra -Werror)
    target_link_libraries(babeltrace-plugin-radon PRIVATE ${BABELTRACE2_LIBRARY})
    set_target_properties(babeltrace-plugin-radon PROPERTIES PREFIX ""
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)
endif()
