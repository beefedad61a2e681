# SPDX-License-Identifier: MIT
# Recordings in babeltrace2, and as CTF.
add_executable(make_recording tests/tracing/make_recording.c)
target_link_libraries(make_recording PRIVATE radon_trace_reader)
target_compile_options(make_recording PRIVATE -std=gnu11 -Wall -Wextra -Werror)
set_target_properties(make_recording PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)

add_test(NAME babeltrace COMMAND python3 tests/tracing/test_babeltrace.py ${CMAKE_BINARY_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(babeltrace PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)

# The analyses for Trace Compass.
add_test(NAME tracecompass COMMAND python3 tests/tracing/test_tracecompass.py ${CMAKE_BINARY_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(tracecompass PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 60)

# Chrome's trace format.
add_test(NAME trace_export COMMAND python3 tests/tracing/test_export.py ${CMAKE_BINARY_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})

# How fast the readers are.
add_test(NAME trace_speed COMMAND python3 tests/tracing/test_speed.py ${CMAKE_BINARY_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(trace_speed PROPERTIES TIMEOUT 120)
