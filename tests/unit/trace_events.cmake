# SPDX-License-Identifier: MIT
radon_unit_test(trace_events SOURCES tests/unit/test_trace_events.c tests/unit/trace_emitter.c
    hv/trace/ring.c tracing/reader/reader.c tracing/reader/catalogue.c tracing/reader/values.c
    tracing/reader/names.c tracing/reader/calls.c tracing/reader/writer.c)

# docs/trace-events.md is what the catalogue makes.
add_test(NAME trace_events_doc
    COMMAND sh -c "build=$1; \"$build/tracing/trace-events-doc\" | cmp - docs/trace-events.md || {
        echo \"docs/trace-events.md is stale: $build/tracing/trace-events-doc > docs/trace-events.md\"
        exit 1; }" sh ${CMAKE_BINARY_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
