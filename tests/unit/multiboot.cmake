# SPDX-License-Identifier: MIT
radon_unit_test(multiboot
    SOURCES tests/unit/test_multiboot.c hv/boot/multiboot.c hv/boot/memmap.c)
