# SPDX-License-Identifier: MIT
radon_unit_test(acpi SOURCES tests/unit/test_acpi.c hv/x86/acpi.c)
