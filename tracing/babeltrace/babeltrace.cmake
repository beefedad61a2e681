# SPDX-License-Identifier: MIT
# source.radon.trace for babeltrace2: built where libbabeltrace2-dev is.

find_package(PkgConfig)
if(PKG_CONFIG_FOUND)
    pkg_check_modules(BABELTRACE2 babeltrace2)
endif()
if(BABELTRACE2_FOUND)
    add_library(babeltrace-plugin-radon MODULE
        tracing/babeltrace/plugin.c tracing/babeltrace/index.c tracing/babeltrace/classes.c
        tracing/babeltrace/iterator.c ${RADON_TRACE_READER_SOURCES})
    target_include_directories(babeltrace-plugin-radon PRIVATE
        ${CMAKE_SOURCE_DIR}/hv/include ${BABELTRACE2_INCLUDE_DIRS})
    target_compile_options(babeltrace-plugin-radon PRIVATE
        -std=gnu11 -Wall -Wextra -Werror)
    target_link_libraries(babeltrace-plugin-radon PRIVATE ${BABELTRACE2_LINK_LIBRARIES})
    set_target_properties(babeltrace-plugin-radon PROPERTIES PREFIX ""
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)
endif()
