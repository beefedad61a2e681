# SPDX-License-Identifier: MIT
# Records as LTTng events.
add_test(NAME lttng COMMAND python3 tests/tracing/test_lttng.py ${CMAKE_BINARY_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(lttng PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
radon_unit_test(sorter SOURCES tests/unit/test_sorter.c tracing/reader/sorter.c)
