# SPDX-License-Identifier: MIT
radon_unit_test(trace_events SOURCES tests/unit/test_trace_events.c tests/unit/trace_emitter.c
    hv/trace/ring.c tracing/reader/reader.c tracing/reader/catalogue.c tracing/reader/values.c
    tracing/reader/names.c tracing/reader/calls.c tracing/reader/writer.c)
