# SPDX-License-Identifier: MIT
radon_unit_test(trace_reader SOURCES tests/unit/test_trace_reader.c
    tracing/reader/reader.c tracing/reader/catalogue.c tracing/reader/values.c
    tracing/reader/names.c tracing/reader/calls.c tracing/reader/counts.c
    tracing/reader/writer.c)
