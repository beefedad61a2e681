/* SPDX-License-Identifier: MIT */
/* Records of several CPUs, given in pieces of one CPU's, come out in order of time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>

#include "../../tracing/reader/sorter.h"

static struct trace_record at(uint64_t tsc, unsigned int cpu, uint32_t mark)
{
    return (struct trace_record){ .tsc = tsc, .cpu = cpu, .has_tsc = true, .words = 1, .data = { mark } };
}

/* Pieces of up to 50 records of 4 CPUs, none more than a window behind another's. */
static void test_order(void **state)
{
    uint64_t now[4] = { 0 }, last = 0, given = 0, taken = 0;
    struct trace_record rec;
    struct sorter s;

    (void)state;
    srand(1);
    sorter_init(&s, 1000, 1 << 20);
    for (int piece = 0; piece < 2000; piece++) {
        unsigned int cpu = (unsigned int)piece % 4;
        uint64_t until = (uint64_t)(piece / 4 + 1) * 300;

        while (now[cpu] < until) {
            rec = at(now[cpu], cpu, 0);
            assert_true(sorter_add(&s, &rec));
            given++;
            now[cpu] += (uint64_t)rand() % 20;
        }
        while (sorter_take(&s, false, &rec)) {
            assert_true(rec.tsc >= last);
            last = rec.tsc;
            taken++;
        }
        assert_true(s.nr < 4 * 2000);   /* no more than a few windows are held */
    }
    while (sorter_take(&s, true, &rec)) {
        assert_true(rec.tsc >= last);
        last = rec.tsc;
        taken++;
    }
    assert_int_equal(given, taken);
    sorter_free(&s);
}

/* Records of one time stay in the order of the stream. */
static void test_ties(void **state)
{
    struct trace_record rec;
    struct sorter s;

    (void)state;
    sorter_init(&s, 10, 100);
    for (uint32_t i = 0; i < 50; i++) {
        rec = at(i / 10, i % 3, i);
        assert_true(sorter_add(&s, &rec));
    }
    for (uint32_t i = 0; i < 50; i++) {
        assert_true(sorter_take(&s, true, &rec));
        assert_int_equal(rec.data[0], i);
    }
    assert_false(sorter_take(&s, true, &rec));
    sorter_free(&s);
}

/* Beyond the limit the earliest goes, whatever the time; below it waits. */
static void test_limit(void **state)
{
    struct trace_record rec;
    struct sorter s;

    (void)state;
    sorter_init(&s, UINT64_C(1) << 40, 8);
    for (uint32_t i = 0; i < 8; i++) {
        rec = at(100 - i, 0, i);
        assert_true(sorter_add(&s, &rec));
        assert_false(sorter_take(&s, false, &rec));
    }
    rec = at(200, 0, 8);
    assert_true(sorter_add(&s, &rec));
    assert_true(sorter_take(&s, false, &rec));
    assert_int_equal(rec.tsc, 93);
    assert_false(sorter_take(&s, false, &rec));
    sorter_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
