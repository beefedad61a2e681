# SPDX-License-Identifier: MIT
radon_unit_test(profile SOURCES tests/unit/test_profile.c tracing/profile/profile.c
    tracing/profile/file.c tracing/profile/tree.c tracing/profile/flame.c tracing/profile/report.c
    LIBS m)
radon_unit_test(profile_collect SOURCES tests/unit/test_profile_collect.c
    tracing/profile/profile.c tracing/profile/tree.c tracing/profile/collect.c
    tracing/profile/orc.c tracing/symbols/symtab.c tracing/symbols/user.c tracing/symbols/maps.c
    tracing/symbols/elfsyms.c tracing/reader/calls.c tracing/reader/names.c LIBS elf z)
