/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's use of performance counters, on model processors: found, or not; programmed; each
 * overflow a sample and nothing else one; as before at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/pmu.h"
#include "hv/xenpub.h"
#include "pmu_model.h"

#define USER   0x10000ull
#define OS     0x20000ull
#define INT    0x100000ull
#define ENABLE 0x400000ull
#define EVENT  (0xc0 | USER | OS)
#define PERIOD 100003u

static const struct pmu_model kinds[] = {
    { .version = 1, .counters = 2, .width = 40 },
    { .version = 2, .counters = 4, .width = 48 },
    { .version = 5, .counters = 8, .width = 48 },
    { .amd = true, .version = 0, .counters = 4, .width = 48 },
    { .amd = true, .version = 1, .counters = 6, .width = 48 },
    { .amd = true, .version = 2, .counters = 6, .width = 48 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct pmu_model cpu[2];
static unsigned int firmware_counts; /* of its counters are at work */
static unsigned int taken[3]; /* by enum pmu_nmi, since begin() */

/* CPUs of that kind, as firmware leaves them: something in every register, another thing each time. */
static void begin(const struct pmu_model *kind)
{
    static unsigned int begun;

    memset(taken, 0, sizeof(taken));
    begun++;
    for (unsigned int n = 0; n < 2; n++) {
        cpu[n] = *kind;
        for (unsigned int i = 0; i < MODEL_COUNTERS; i++) {
            cpu[n].select[i] = 0x3c + i + USER;
            cpu[n].count[i] = 100 * begun + i + n;
        }
        cpu[n].global_ctl = 2;
    }
    model = &cpu[0];
    pmu_find();
}

static enum pmu_nmi take_nmi(unsigned int n)
{
    enum pmu_nmi got = pmu_nmi(n);

    taken[got]++;
    if (got == PMU_OVERFLOW) {
        uint64_t sum = cpu[n].count[0] + cpu[n].count[1];

        model_count(5000); /* of the NMI itself: they are not counted, but by what firmware has at work */
        assert_int_equal(cpu[n].count[0] + cpu[n].count[1] - sum, 5000 * firmware_counts);
        pmu_go_on(n);
    }
    return got;
}

static void deliver(unsigned int n)
{
    model = &cpu[n];
    while (cpu[n].pending) {
        cpu[n].pending--;
        take_nmi(n);
    }
}

static bool is_as_before(unsigned int n, const struct pmu_model *before)
{
    return !memcmp(cpu[n].select, before->select, sizeof(before->select)) &&
           !memcmp(cpu[n].count, before->count, sizeof(before->count)) &&
           cpu[n].global_ctl == before->global_ctl && !cpu[n].overflows && !cpu[n].entry_open &&
           !cpu[n].faults;
}

/* ------------------------------------------------------------------ what there is */

static void test_found(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        struct pmu_model before;

        begin(&kinds[k]);
        before = cpu[0];
        assert_int_equal(pmu_check(EVENT, PERIOD), 0);
        assert_true(is_as_before(0, &before));
        assert_int_equal(pmu_nmi(0), PMU_NOT_MINE);
    }
}

/* -XEN_ENODEV, and registers were read at the most. */
static void check_none(struct pmu_model kind)
{
    begin(&kind);
    assert_int_equal(pmu_check(EVENT, PERIOD), -XEN_ENODEV);
    assert_int_equal(pmu_nmi(0), PMU_NOT_MINE);
}

static void test_none(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        struct pmu_model kind = kinds[k];

        kind.forgetful = true;
        check_none(kind);
        kind = kinds[k];
        kind.absent = true;
        check_none(kind);
        assert_int_equal(cpu[0].writes, 0);
        kind = kinds[k];
        kind.no_entry = true;
        check_none(kind);
        assert_int_equal(cpu[0].writes, 0);
    }
    check_none((struct pmu_model){ .version = 0, .counters = 4, .width = 48 });
    check_none((struct pmu_model){ .version = 2, .counters = 0, .width = 48 });
    check_none((struct pmu_model){ .version = 2, .counters = 4, .width = 31 });
}

static void test_used_by_firmware(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        struct pmu_model before;

        begin(&kinds[k]);
        cpu[0].select[0] |= ENABLE;
        cpu[0].global_ctl |= 1;
        firmware_counts = 1;
        before = cpu[0];
        pmu_find();
        assert_int_equal(pmu_check(EVENT, PERIOD), 0);
        pmu_start(0, EVENT, PERIOD);
        assert_int_equal(cpu[0].select[0], before.select[0]);
        assert_int_equal(cpu[0].select[1], EVENT | INT | ENABLE);
        model_count(PERIOD);
        deliver(0);
        assert_int_equal(taken[PMU_OVERFLOW], 1);
        firmware_counts = 0;
        pmu_stop(0);
        cpu[0].count[0] = before.count[0]; /* which went on */
        assert_true(is_as_before(0, &before));
        for (unsigned int i = 0; i < kinds[k].counters; i++)
            cpu[0].select[i] |= ENABLE;
        pmu_find();
        assert_int_equal(pmu_check(EVENT, PERIOD), -XEN_ENODEV);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        uint64_t allowed = kinds[k].amd ? 0xfff87ffffull : 0xff87ffffull;

        begin(&kinds[k]);
        for (unsigned int bit = 0; bit < 64; bit++)
            assert_int_equal(pmu_check(EVENT | 1ull << bit, PERIOD),
                             allowed >> bit & 1 ? 0 : -XEN_EINVAL);
        assert_int_equal(pmu_check(0xc0, PERIOD), -XEN_EINVAL); /* at neither level */
        assert_int_equal(pmu_check(0xc0 | OS, PERIOD), 0);
        assert_int_equal(pmu_check(0xc0 | USER, PERIOD), 0);
        assert_int_equal(pmu_check(0x300 | USER, PERIOD), kinds[k].amd ? 0 : -XEN_EINVAL);
        assert_int_equal(pmu_check(EVENT, 0), -XEN_EINVAL);
        assert_int_equal(pmu_check(EVENT, PMU_PERIOD_MIN - 1), -XEN_EINVAL);
        assert_int_equal(pmu_check(EVENT, PMU_PERIOD_MIN), 0);
        assert_int_equal(pmu_check(EVENT, PMU_PERIOD_MAX), 0);
        assert_int_equal(pmu_check(EVENT, PMU_PERIOD_MAX + 1), -XEN_EINVAL);
    }
}

/* ------------------------------------------------------------------ at work */

static void check_periods(const struct pmu_model *kind, uint32_t period)
{
    struct pmu_model before;

    begin(kind);
    before = cpu[0];
    pmu_start(0, EVENT, period);
    for (unsigned int round = 0; round < 50; round++) {
        model_count(period - 1);
        assert_int_equal(cpu[0].pending, 0);
        model_count(1);
        assert_int_equal(cpu[0].pending, 1);
        model_count(round); /* until it is taken */
        deliver(0);
        assert_int_equal(cpu[0].overflows, 0);
    }
    assert_int_equal(taken[PMU_OVERFLOW], 50);
    assert_int_equal(taken[PMU_LATE] + taken[PMU_NOT_MINE], 0);
    pmu_stop(0);
    assert_true(is_as_before(0, &before));
    model_count(1ull << 39);
    assert_int_equal(cpu[0].pending, 0);
}

static void test_overflows(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        check_periods(&kinds[k], PERIOD);
        check_periods(&kinds[k], PMU_PERIOD_MIN);
        check_periods(&kinds[k], PMU_PERIOD_MAX);
    }
}

static void test_event_as_asked(void **state)
{
    const uint64_t event = 0x03c4014eull | USER; /* count mask 3, edge, inverted */

    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        begin(&kinds[k]);
        pmu_start(0, event, PERIOD);
        assert_int_equal(cpu[0].select[0], event | INT | ENABLE);
        pmu_stop(0);
        assert_int_equal(cpu[0].faults, 0);
    }
}

/* Between overflows an NMI is somebody else's, and nothing changes by it. */
static void test_foreign_nmi(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        unsigned int writes;

        begin(&kinds[k]);
        pmu_start(0, EVENT, PERIOD);
        writes = cpu[0].writes;
        assert_int_equal(take_nmi(0), PMU_NOT_MINE);
        model_count(PERIOD - 1);
        assert_int_equal(take_nmi(0), PMU_NOT_MINE);
        assert_int_equal(cpu[0].writes, writes);
        model_count(1);
        deliver(0);
        assert_int_equal(taken[PMU_OVERFLOW], 1);
        pmu_stop(0);
        assert_int_equal(take_nmi(0), PMU_NOT_MINE);
    }
}

/* Another NMI sees the overflow before the counter's own has come, which Intel's tells by its entry. */
static void test_another_comes_first(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        if (kinds[k].amd)
            continue;
        begin(&kinds[k]);
        pmu_start(0, EVENT, PERIOD);
        model_count(PERIOD);
        cpu[0].entry_open = true; /* not delivered yet */
        assert_int_equal(take_nmi(0), PMU_OVERFLOW);
        cpu[0].entry_open = false; /* now */
        deliver(0);
        assert_int_equal(taken[PMU_LATE], 1);
        assert_true(cpu[0].entry_open);
        assert_int_equal(take_nmi(0), PMU_NOT_MINE);
        model_count(PERIOD);
        deliver(0);
        assert_int_equal(taken[PMU_OVERFLOW], 2);
        pmu_stop(0);
    }
}

/* ------------------------------------------------------------------ the end */

static void nmi_in_stop(void)
{
    assert_int_equal(cpu[0].pending, 1);
    deliver(0);
}

/* An NMI on its way when the counter is stopped is the counter's, and the only one that is. */
static void test_stopped_with_an_nmi_on_its_way(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++)
        for (unsigned int inside = 0; inside < 2; inside++) {
            struct pmu_model before;

            begin(&kinds[k]);
            before = cpu[0];
            pmu_start(0, EVENT, PERIOD);
            model_count(PERIOD);
            cpu[0].at_select = inside ? nmi_in_stop : NULL;
            pmu_stop(0);
            assert_true(is_as_before(0, &before));
            deliver(0);
            assert_int_equal(taken[PMU_LATE], 1);
            assert_int_equal(taken[PMU_OVERFLOW], 0);
            assert_true(is_as_before(0, &before));
            assert_int_equal(take_nmi(0), PMU_NOT_MINE);
        }
}

static void test_stopped_twice_and_begun_anew(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        struct pmu_model before;

        begin(&kinds[k]);
        before = cpu[0];
        pmu_stop(0);
        assert_true(is_as_before(0, &before));
        for (unsigned int round = 0; round < 3; round++) {
            pmu_start(0, EVENT, PERIOD + round);
            model_count(PERIOD + round);
            deliver(0);
            model_count(PERIOD / 2);
            pmu_stop(0);
            pmu_stop(0);
            assert_true(is_as_before(0, &before));
        }
        assert_int_equal(taken[PMU_OVERFLOW], 3);
    }
}

static void test_two_cpus(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < KINDS; k++) {
        struct pmu_model before[2];

        begin(&kinds[k]);
        memcpy(before, cpu, sizeof(before));
        for (unsigned int n = 0; n < 2; n++) {
            model = &cpu[n];
            pmu_start(n, EVENT, PERIOD);
            model_count(PERIOD / 2);
        }
        model = &cpu[0];
        model_count(PERIOD / 2 + 1);
        deliver(0);
        assert_int_equal(taken[PMU_OVERFLOW], 1);
        assert_int_equal(cpu[1].pending, 0);
        pmu_stop(0);
        assert_true(is_as_before(0, &before[0]));
        model = &cpu[1];
        model_count(PERIOD / 2 + 1);
        deliver(1);
        assert_int_equal(taken[PMU_OVERFLOW], 2);
        pmu_stop(1);
        assert_true(is_as_before(1, &before[1]));
    }
}

/* The last one: that word cannot be taken back. */
static void test_trusted(void **state)
{
    struct pmu_model kind = kinds[3];

    (void)state;
    pmu_trust();
    kind.forgetful = true;
    begin(&kind);
    assert_int_equal(pmu_check(EVENT, PERIOD), 0);
    pmu_start(0, EVENT, PERIOD);
    assert_int_equal(pmu_nmi(0), PMU_OVERFLOW); /* the counter reads 0 */
    pmu_go_on(0);
    pmu_stop(0);
    assert_int_equal(pmu_nmi(0), PMU_LATE);
    kind = kinds[3];
    kind.absent = true;
    check_none(kind);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_used_by_firmware),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_overflows),
        cmocka_unit_test(test_event_as_asked),
        cmocka_unit_test(test_foreign_nmi),
        cmocka_unit_test(test_another_comes_first),
        cmocka_unit_test(test_stopped_with_an_nmi_on_its_way),
        cmocka_unit_test(test_stopped_twice_and_begun_anew),
        cmocka_unit_test(test_two_cpus),
        cmocka_unit_test(test_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
