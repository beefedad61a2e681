# SPDX-License-Identifier: MIT
radon_unit_test(trace SOURCES tests/unit/test_trace.c hv/trace/ring.c)
