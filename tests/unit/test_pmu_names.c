/* SPDX-License-Identifier: MIT */
/*
 * Events by name: what radon-profile asks the hypervisor for, on processors that libpfm4 is told are here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <perfmon/pfmlib.h>

#include "tracing/profile/pmu.h"

#define USER 0x10000u
#define OS   0x20000u

static const struct row {
    const char *processor, *event;
    enum pmu_answer answer;
    uint64_t select;
    const char *text; /* a part of it */
} rows[] = {
    { "skl", "INST_RETIRED", PMU_FOUND, 0xc0 | USER | OS, "Skylake" },
    { "skl", "INST_RETIRED:ANY_P:u", PMU_FOUND, 0xc0 | USER, "" },
    { "skl", "skl::INST_RETIRED:k", PMU_FOUND, 0xc0 | OS, "" },
    { "skl", "L2_RQSTS:MISS:u", PMU_FOUND, 0x3f24 | USER, "" },
    { "skl", "CPU_CLK_THREAD_UNHALTED:c=2:i:e", PMU_FOUND, 0x0284003c | 1u << 23 | USER | OS, "" },
    { "skl", "FRONTEND_RETIRED:DSB_MISS", PMU_NOT_ONE, 0, "second register" },
    { "skl", "INST_RETIRED:NONSENSE", PMU_UNKNOWN, 0, "attribute" },
    { "skl", "NONSENSE", PMU_UNKNOWN, 0, "knows no event NONSENSE" },
    { "skl", "RETIRED_INSTRUCTIONS", PMU_NOT_HERE, 0, "not supported on this machine" },
    { "amd64_k8_revg", "RETIRED_INSTRUCTIONS", PMU_FOUND, 0xc0 | USER | OS, "K8" },
    { "amd64_fam19h_zen4", "CYCLES_NOT_IN_HALT:k", PMU_FOUND, 0x76 | OS, "Zen4" },
    /* Its number has more than eight bits. */
    { "amd64_fam19h_zen4", "RETIRED_FUSED_INSTRUCTIONS", PMU_FOUND, 1ull << 32 | 0xd0 | USER | OS, "" },
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct pmu_event e;

        setenv("LIBPFM_FORCE_PMU", r->processor, 1);
        pfm_terminate();
        print_message("%s %s\n", r->processor, r->event); /* which one it is that fails */
        assert_int_equal(pmu_ask(r->event, &e), r->answer);
        if (r->answer == PMU_FOUND)
            assert_int_equal(e.select, r->select);
        assert_non_null(strstr(e.text, r->text));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(test_names) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
