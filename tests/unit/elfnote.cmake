# SPDX-License-Identifier: MIT
radon_unit_test(elfnote
    SOURCES tests/unit/test_elfnote.c hv/boot/elfnote.c hv/boot/elfnote_xen.c)
