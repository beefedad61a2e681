# SPDX-License-Identifier: MIT
radon_unit_test(pmu
    SOURCES tests/unit/test_pmu.c tests/unit/pmu_model.c hv/x86/pmu.c hv/x86/pmu_detect.c)
radon_unit_test(pmu_names SOURCES tests/unit/test_pmu_names.c tracing/profile/pmu.c LIBS pfm INCLUDES .)
