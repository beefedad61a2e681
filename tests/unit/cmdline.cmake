# SPDX-License-Identifier: MIT
radon_unit_test(cmdline
    SOURCES tests/unit/test_cmdline.c hv/boot/cmdline.c hv/boot/cmdline_value.c)
