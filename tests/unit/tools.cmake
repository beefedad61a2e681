# SPDX-License-Identifier: MIT
radon_unit_test(rings SOURCES tests/unit/test_rings.c tracing/xen/rings.c INCLUDES .)
radon_unit_test(stat
    SOURCES tests/unit/test_stat.c tracing/stat/histogram.c tracing/stat/table.c tracing/stat/names.c
        tracing/stat/fields.c tracing/xen/domains.c tracing/xen/access.c tracing/xen/device.c
        tracing/reader/catalogue.c tracing/reader/values.c tracing/reader/names.c
        tracing/reader/calls.c
    DEFINES _GNU_SOURCE __XEN_TOOLS__ INCLUDES .)
target_include_directories(unit_stat PRIVATE ${CMAKE_BINARY_DIR}/tracing/stat)
add_dependencies(unit_stat radon-stat)
radon_unit_test(select
    SOURCES tests/unit/test_select.c tracing/record/select.c tracing/reader/catalogue.c
        tracing/reader/values.c tracing/reader/names.c tracing/reader/calls.c
    DEFINES _GNU_SOURCE INCLUDES .)
radon_unit_test(stat_read
    SOURCES tests/unit/test_stat_read.c tracing/stat/sites.c tracing/stat/save.c
        tracing/stat/table.c tracing/stat/histogram.c tracing/stat/names.c
        tracing/reader/catalogue.c tracing/reader/values.c tracing/reader/names.c
        tracing/reader/calls.c
    DEFINES _GNU_SOURCE INCLUDES .)
target_include_directories(unit_stat_read PRIVATE ${CMAKE_BINARY_DIR}/tracing/stat)
add_dependencies(unit_stat_read radon-stat)
