# SPDX-License-Identifier: MIT
radon_unit_test(sites SOURCES tests/unit/test_sites.c hv/trace/sites.c)
