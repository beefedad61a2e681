# SPDX-License-Identifier: MIT
radon_unit_test(prof_trace SOURCES tests/unit/test_prof_trace.c fastpath/profile/trace.c
    fastpath/profile/log.c fastpath/profile/names.c fastpath/profile/table.c
    fastpath/core/refusal.c tracing/reader/reader.c tracing/reader/catalogue.c
    tracing/reader/values.c tracing/reader/names.c tracing/reader/calls.c tracing/reader/writer.c
    INCLUDES . fastpath/core DEFINES _GNU_SOURCE)
target_include_directories(unit_prof_trace PRIVATE ${CMAKE_BINARY_DIR}/hv/include
    ${CMAKE_BINARY_DIR}/fastpath/include)
add_dependencies(unit_prof_trace radon_profile)
