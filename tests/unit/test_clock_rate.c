/* SPDX-License-Identifier: MIT */
/*
 * The rate of a counter from readings that are interrupted: a processor, a counter and a host are
 * played here, with all that a busy host does to the readings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../hv/x86/clock_rate.h"

#define PIT_HZ 1193182.0
#define PPM    20.0

struct machine {
    double hz;            /* of the TSC */
    double counter_hz;
    double now, started;  /* seconds */
    uint64_t tsc_base;
    uint32_t from;        /* the count at the start */
    double interrupted;   /* how probable before each step */
    double most;          /* seconds that an interruption takes */
    double access;        /* seconds that an access takes, and up to half as much again */
};

static double chance(void)
{
    return rand() / (RAND_MAX + 1.0);
}

static uint64_t tsc_of(struct machine *m)
{
    if (chance() < m->interrupted)
        m->now += chance() * m->most;
    m->now += 10e-9;
    return m->tsc_base + (uint64_t)(m->now * m->hz);
}

static struct clock_reading read_counter(struct machine *m)
{
    struct clock_reading r;

    r.before = tsc_of(m);
    if (chance() < m->interrupted)
        m->now += chance() * m->most;
    m->now += m->access * (0.5 + 0.25 * chance());
    r.count = m->from - (uint32_t)((m->now - m->started) * m->counter_hz);
    m->now += m->access * (0.5 + 0.25 * chance());
    r.after = tsc_of(m);
    return r;
}

static void take(struct machine *m, struct clock_reading *readings)
{
    for (unsigned int i = 0; i < CLOCK_READINGS; i++) {
        readings[i] = read_counter(m);
        m->now += 2 * m->access; /* the bytes of the count */
    }
}

/* How far off the rate is, in parts of a million; below 0: none was found. */
static double error_of(struct machine *m, double between)
{
    struct clock_reading first[CLOCK_READINGS], last[CLOCK_READINGS];
    uint64_t tsc, counted;
    double rate;

    m->started = m->now;
    take(m, first);
    m->now += between;
    take(m, last);
    if (!clock_rate(first, last, &tsc, &counted))
        return -1;
    rate = (double)tsc / (double)counted / (m->hz / m->counter_hz);
    return rate > 1 ? (rate - 1) * 1e6 : (1 - rate) * 1e6;
}

static struct machine pit_of(double hz)
{
    return (struct machine){ .hz = hz, .counter_hz = PIT_HZ, .from = 65535, .access = 1e-6 };
}

static void test_quiet(void **state)
{
    static const double hz[] = { 1e8, 1e9, 2.096e9, 5.7e9 };

    (void)state;
    for (unsigned int i = 0; i < sizeof(hz) / sizeof(hz[0]); i++)
        for (unsigned int round = 0; round < 100; round++) {
            struct machine m = pit_of(hz[i]);
            double error;

            m.now = chance();
            error = error_of(&m, 0.02);
            assert_true(error >= 0 && error < PPM);
        }
}

/* One in twenty steps is interrupted for up to 3 ms: the old way, of one reading each, was off by a tenth. */
static void test_interrupted(void **state)
{
    unsigned int found = 0;

    (void)state;
    for (unsigned int round = 0; round < 1000; round++) {
        struct machine m = pit_of(2.096e9);
        double error;

        m.interrupted = 0.05;
        m.most = 3e-3;
        m.from = ~0u; /* where it wraps around, the caller says */
        error = error_of(&m, 0.02);
        found += error >= 0;
        assert_true(error < PPM);
    }
    assert_int_equal(found, 1000);
}

/* The APIC timer: a faster counter, and accesses that take less. */
static void test_fast_counter(void **state)
{
    (void)state;
    for (unsigned int round = 0; round < 100; round++) {
        struct machine m = { .hz = 2.096e9, .counter_hz = 1e9, .from = ~0u, .access = 1e-7,
                             .interrupted = 0.05, .most = 3e-3 };
        double error = error_of(&m, 0.02);

        assert_true(error >= 0 && error < PPM);
    }
}

static void test_far_tsc(void **state)
{
    struct machine m = pit_of(3e9);
    double error;

    (void)state;
    m.tsc_base = ~0UL - 3000000; /* it wraps in between */
    error = error_of(&m, 0.02);
    assert_true(error >= 0 && error < PPM);
}

static void test_too_few(void **state)
{
    struct machine m = pit_of(2e9);

    (void)state;
    m.interrupted = 1;
    m.most = 1;
    assert_true(error_of(&m, 0.02) < 0);
}

static void test_stands_still(void **state)
{
    struct machine m = pit_of(2e9);

    (void)state;
    m.counter_hz = 0;
    assert_true(error_of(&m, 0.02) < 0);
    m.counter_hz = -PIT_HZ; /* up */
    m.from = 0;
    assert_true(error_of(&m, 0.02) < 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet),       cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_fast_counter), cmocka_unit_test(test_far_tsc),
        cmocka_unit_test(test_too_few),     cmocka_unit_test(test_stands_still),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
