# SPDX-License-Identifier: MIT
radon_unit_test(symbols SOURCES tests/unit/test_symbols.c tracing/symbols/symtab.c
    tracing/symbols/kallsyms.c tracing/symbols/kallsyms_image.c tracing/symbols/elfsyms.c tracing/symbols/maps.c
    tracing/symbols/user.c tracing/symbols/hvsyms.c LIBS elf z)
