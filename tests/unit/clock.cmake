# SPDX-License-Identifier: MIT
radon_unit_test(clock_rate SOURCES tests/unit/test_clock_rate.c hv/x86/clock_rate.c)
