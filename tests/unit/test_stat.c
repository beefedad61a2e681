/* SPDX-License-Identifier: MIT */
/*
 * radon-stat's arithmetic: bins, percentiles against the costs themselves, rows added up over CPUs
 * and kinds, samples multiplied, and names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracing/stat/names.h"
#include "tracing/stat/result.h"

/* ------------------------------------------------------------------ bins */

static void bins_are_the_hypervisors(void **state)
{
    (void)state;
    assert_int_equal(histogram_bin(0), 0);
    assert_int_equal(histogram_bin(31), 0);
    assert_int_equal(histogram_bin(32), 1);
    assert_int_equal(histogram_bin(63), 1);
    assert_int_equal(histogram_bin(UINT64_MAX), RADON_SITE_BINS - 1);
    for (unsigned int bin = 1; bin < RADON_SITE_BINS; bin++) {
        assert_int_equal(histogram_bin(histogram_from(bin)), bin);
        assert_int_equal(histogram_bin(histogram_from(bin) - 1), bin - 1);
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The bounds hold the true percentile, and the value lies between them. */
static void percentiles_are_bounds(void **state)
{
    static const double percents[] = { 0.001, 1, 25, 50, 75, 90, 99, 99.9, 100 };
    uint64_t cost[257];

    (void)state;
    srand(7);
    for (int round = 0; round < 500; round++) {
        size_t n = 1 + (size_t)rand() % 257;
        struct histogram h = { 0 };

        for (size_t i = 0; i < n; i++) {
            cost[i] = (uint64_t)rand() >> rand() % 31;
            histogram_add(&h, cost[i]);
        }
        qsort(cost, n, sizeof(cost[0]), compare_u64);
        assert_int_equal(h.max, cost[n - 1]);
        for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
            struct percentile p;
            double rank = percents[i] / 100 * (double)n;
            size_t at = (size_t)rank;

            if ((double)at < rank)
                at++;
            assert_true(histogram_percentile(&h, percents[i], &p));
            assert_true(p.from <= cost[at ? at - 1 : 0]);
            assert_true(p.below >= cost[at ? at - 1 : 0]);
            assert_true(p.value >= (double)p.from && p.value <= (double)p.below);
        }
    }
}

static void percentile_by_hand(void **state)
{
    struct histogram h = { 0 };
    struct percentile p;

    (void)state;
    assert_false(histogram_percentile(&h, 50, &p));
    for (int i = 0; i < 3; i++)
        histogram_add(&h, 100); /* bin 64..127 */
    histogram_add(&h, 1000);    /* bin 512..1023 */
    assert_true(histogram_percentile(&h, 50, &p));
    assert_int_equal(p.from, 64);
    assert_int_equal(p.below, 128);
    assert_true(p.value > 106.66 && p.value < 106.67); /* 64 + 64 * 2 / 3 */
    assert_true(histogram_percentile(&h, 100, &p));
    assert_int_equal(p.below, 1000); /* the largest is known */
    assert_true(p.value == 1000);
}

static void equal_costs_are_known(void **state)
{
    struct histogram h = { 0 };
    struct percentile p;

    (void)state;
    for (int i = 0; i < 3; i++)
        histogram_add(&h, 17);
    assert_true(histogram_percentile(&h, 50, &p));
    assert_true(p.value == 17 && p.from == 17 && p.below == 17);
}

/* ------------------------------------------------------------------ rows */

static struct radon_site site(uint16_t domain, uint8_t kind, uint32_t number, uint64_t address,
                              uint64_t n, uint64_t each)
{
    struct radon_site s = { .domain = domain,
                            .kind = kind,
                            .number = number,
                            .address = address,
                            .count = n,
                            .total = n * each,
                            .max = each };

    s.cost[histogram_bin(each)] = (uint32_t)n;
    return s;
}

static struct radon_site of_vcpu(uint16_t vcpu, struct radon_site s)
{
    s.vcpu = vcpu;
    return s;
}

static void add(struct stat_table *t, int32_t cpu, struct radon_site s, uint32_t period)
{
    uint64_t bad = 0;

    assert_true(stat_add_site(t, cpu, &s, period, &bad));
    assert_int_equal(bad, 0);
}

static void rows_are_added_up(void **state)
{
    struct stat_table raw = { 0 }, all = { 0 }, cpus = { 0 };
    struct stat_by by_cpu = { .cpu = true }, by_none = { 0 };
    struct stat_sums sums;

    (void)state;
    add(&raw, 0, site(0, RADON_SITE_HYPERCALL, 23, 0x1000, 5, 100), 1);
    add(&raw, 0, site(0, RADON_SITE_HYPERCALL, 23, 0x2000, 7, 40), 1);
    add(&raw, 1, site(0, RADON_SITE_HYPERCALL, 23, 0x1000, 11, 300), 1);
    add(&raw, 1, site(3, RADON_SITE_HYPERCALL, 23, 0x1000, 13, 20), 1);
    add(&raw, 1, site(3, RADON_SITE_SYSCALL, 39, 0x1000, 1, 20), 1);
    assert_int_equal(raw.nr, 5);
    assert_true(stat_group(&all, &raw, &by_none, STAT_EVENTS));
    stat_sort(&all, STAT_BY_COUNT);
    assert_int_equal(all.nr, 2);
    assert_int_equal(all.row[0].count, 36);
    assert_int_equal(all.row[0].cost.total, 500 + 280 + 3300 + 260);
    assert_int_equal(all.row[0].cost.max, 300);
    assert_int_equal(all.row[0].cost.bin[histogram_bin(100)], 5);
    stat_sum(&all, &sums);
    assert_int_equal(sums.count, 37);
    assert_int_equal(sums.kind_count[RADON_SITE_SYSCALL], 1);
    assert_true(stat_group(&cpus, &raw, &by_cpu, STAT_EVENTS));
    stat_sort(&cpus, STAT_BY_NAME);
    assert_int_equal(cpus.nr, 3);
    assert_int_equal(cpus.row[0].key.cpu, 0);
    assert_int_equal(cpus.row[0].count, 12);
    stat_free(&raw);
    stat_free(&all);
    stat_free(&cpus);
}

static void vcpus_of_one_cpu_are_apart(void **state)
{
    struct stat_table raw = { 0 }, vcpus = { 0 }, all = { 0 };
    struct stat_by by_vcpu = { .domain = true, .vcpu = true }, by_none = { 0 };
    struct radon_site evicted = site(0, RADON_SITE_SYSCALL, 0, 0, 2, 64);

    (void)state;
    evicted.flags = RADON_SITE_OVERFLOW;
    add(&raw, 1, of_vcpu(1, site(0, RADON_SITE_SYSCALL, 39, 0x1000, 5, 100)), 1);
    add(&raw, 1, of_vcpu(3, site(0, RADON_SITE_SYSCALL, 39, 0x1000, 7, 40)), 1);
    add(&raw, 1, of_vcpu(3, site(2, RADON_SITE_SYSCALL, 39, 0x1000, 11, 40)), 1);
    add(&raw, 0, of_vcpu(3, site(0, RADON_SITE_SYSCALL, 39, 0x1000, 13, 50)), 1);
    add(&raw, 1, of_vcpu(3, evicted), 1);
    assert_true(stat_group(&vcpus, &raw, &by_vcpu, STAT_EVENTS));
    stat_sort(&vcpus, STAT_BY_COUNT);
    assert_int_equal(vcpus.nr, 4);
    assert_int_equal(vcpus.row[0].key.vcpu, 1);
    assert_int_equal(vcpus.row[0].count, 5);
    assert_int_equal(vcpus.row[1].key.vcpu, 3); /* of domain 0, on both CPUs */
    assert_int_equal(vcpus.row[1].count, 20);
    assert_int_equal(vcpus.row[1].cost.total, 7 * 40 + 13 * 50);
    assert_true(vcpus.row[2].key.overflow && vcpus.row[2].key.vcpu == 3);
    assert_int_equal(vcpus.row[3].key.domain, 2);
    assert_true(stat_group(&all, &raw, &by_none, STAT_EVENTS));
    assert_int_equal(all.nr, 2);
    assert_int_equal(all.row[0].count + all.row[1].count, 38);
    stat_free(&raw);
    stat_free(&vcpus);
    stat_free(&all);
}

static void samples_stand_for_many(void **state)
{
    struct stat_table t = { 0 };
    struct radon_site s = site(0, RADON_SITE_PAGE_FAULT, 6, 0x400000, 3, 1000);

    (void)state;
    s.bounced = 2;
    s.bounced_total = 9000;
    s.bounced_max = 5000;
    s.bounced_cost[histogram_bin(5000)] = 2;
    add(&t, 0, s, 499);
    assert_int_equal(t.row[0].count, 3 * 499);
    assert_int_equal(t.row[0].samples, 3);
    assert_int_equal(t.row[0].cost.total, 3000 * 499);
    assert_int_equal(t.row[0].cost.max, 1000);
    assert_int_equal(t.row[0].to_iret.n, 2 * 499);
    assert_int_equal(t.row[0].to_iret.total, 9000 * 499);
    stat_free(&t);
}

/* What was seen more often says how long it took: timed entries, or looks. */
static void looks_stand_for_time(void **state)
{
    struct stat_table t = { 0 };
    struct radon_site s = site(0, RADON_SITE_SYSCALL, 57, 0x400000, 1, 1000);

    (void)state;
    s.bounced = 1;
    s.bounced_total = 300000;
    s.bounced_looks = 10;
    s.bounced_time = 10500000;
    add(&t, 0, s, 499);
    assert_int_equal(t.row[0].count, 499);
    assert_int_equal(t.row[0].samples, 11);
    assert_int_equal(t.row[0].cost.total, 1000 * 499);
    assert_int_equal(t.row[0].to_iret.total, 10500000);
    s = site(0, RADON_SITE_HYPERCALL, 26, 0, 0, 0); /* never timed */
    s.looks = 3;
    s.time = 3100000;
    add(&t, 0, s, 499);
    assert_int_equal(t.row[1].count, 0);
    assert_int_equal(t.row[1].cost.total, 3100000);
    s.count = 4;
    s.total = 40;
    add(&t, 0, s, 499);
    assert_int_equal(t.row[1].cost.total, 3100000 + 40 * 499);
    stat_free(&t);
}

static void rubbish_is_counted(void **state)
{
    struct stat_table t = { 0 };
    uint64_t bad = 0;

    (void)state;
    for (unsigned int kind = 0; kind < 256; kind++) {
        struct radon_site s = site(0, (uint8_t)kind, UINT32_MAX, 0, 1, 1);

        assert_true(stat_add_site(&t, 0, &s, 1, &bad));
    }
    assert_int_equal(bad, 256 - (RADON_SITE_KINDS - 1));
    assert_int_equal(t.nr, RADON_SITE_KINDS - 1);
    stat_free(&t);
}

/* A row for each key, however many; none twice. */
static void many_rows(void **state)
{
    struct stat_table t = { 0 };

    (void)state;
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 20000; i++)
            add(&t, (int32_t)(i % 3), site(0, RADON_SITE_TRAP, i % 7, i, i + 1, 50), 1);
    assert_int_equal(t.nr, 20000);
    for (size_t i = 0; i < t.nr; i++)
        assert_int_equal(t.row[i].count, 2 * (t.row[i].key.address + 1));
    stat_free(&t);
}

static void evicted_rows(void **state)
{
    struct stat_table raw = { 0 }, t = { 0 };
    struct stat_by by = { 0 };
    struct radon_site s = site(0, RADON_SITE_PAGE_FAULT, 0, 0, 4, 50);
    struct stat_sums sums;
    char name[STAT_NAME_MAX];

    (void)state;
    s.flags = RADON_SITE_OVERFLOW;
    s.count = 2;
    add(&raw, 1, s, 1);
    s.number = 7; /* says nothing there */
    s.count = 4;
    add(&raw, 0, s, 1);
    s.count = 2;
    add(&raw, 1, s, 1);
    assert_int_equal(raw.nr, 2); /* one a CPU */
    add(&raw, 1, site(0, RADON_SITE_PAGE_FAULT, 0, 0, 1, 50), 1);
    assert_true(stat_group(&t, &raw, &by, STAT_EVENTS));
    stat_sort(&t, STAT_BY_COUNT);
    assert_int_equal(t.nr, 2);
    assert_int_equal(t.row[0].count, 8);
    assert_string_equal(stat_name(&t.row[0].key, name), "page_fault:evicted");
    stat_sum(&t, &sums);
    assert_int_equal(sums.overflow, 8);
    stat_free(&raw);
    stat_free(&t);
}

/* Routines: numbers of one kind fall together, addresses without a symbol stay apart. */
static void routines(void **state)
{
    static const char routine[] = "xen_iret";
    struct stat_table raw = { 0 }, t = { 0 };
    struct stat_by by = { 0 };

    (void)state;
    add(&raw, 0, site(0, RADON_SITE_HYPERCALL, 1, 0x1000, 1, 50), 1);
    add(&raw, 0, site(0, RADON_SITE_HYPERCALL, 2, 0x1010, 2, 50), 1);
    add(&raw, 0, site(0, RADON_SITE_HYPERCALL, 2, 0x2000, 4, 50), 1);
    add(&raw, 0, site(0, RADON_SITE_HYPERCALL, 2, 0x3000, 8, 50), 1);
    raw.row[0].routine = raw.row[1].routine = routine;
    assert_true(stat_group(&t, &raw, &by, STAT_ROUTINES));
    stat_sort(&t, STAT_BY_COUNT);
    assert_int_equal(t.nr, 3);
    assert_int_equal(t.row[0].count, 8);
    assert_int_equal(t.row[0].key.address, 0x3000);
    assert_int_equal(t.row[2].count, 3);
    assert_string_equal(t.row[2].routine, routine);
    stat_free(&raw);
    stat_free(&t);
}

/* What is in a hypercall's row already is in none of the sums. */
static void parts(void **state)
{
    struct stat_table raw = { 0 }, level[STAT_LEVELS] = { 0 };
    struct stat_by by = { .vcpu = true };
    char name[STAT_NAME_MAX];

    (void)state;
    add(&raw, 0, site(0, RADON_SITE_HYPERCALL, 26, 0x1000, 4, 900), 1);
    add(&raw, 0, site(0, RADON_SITE_OPERATION, 26 | 5 << 8, 0, 8, 100), 1);
    add(&raw, 0, site(0, RADON_SITE_OPERATION, 26 | 6 << 8, 0, 2, 50), 1);
    add(&raw, 1, site(0, RADON_SITE_OPERATION, 26 | 6 << 8, 0, 3, 60), 1);
    add(&raw, 1, site(0, RADON_SITE_SUBCALL, 14, 0, 1, 70), 1);
    for (unsigned int i = 0; i < STAT_LEVELS; i++) {
        assert_true(stat_group(&level[i], &raw, &by, i));
        stat_sort(&level[i], STAT_BY_TOTAL);
    }
    assert_int_equal(level[STAT_EVENTS].nr, 1);
    assert_int_equal(level[STAT_ROUTINES].nr, 1);
    assert_int_equal(level[STAT_PARTS].nr, 3);
    assert_int_equal(level[STAT_PARTS].row[0].cost.total, 800);
    assert_int_equal(level[STAT_PARTS].row[1].count, 5);
    assert_int_equal(level[STAT_PARTS].row[1].cost.max, 60);
    assert_string_equal(stat_name(&level[STAT_PARTS].row[1].key, name),
                        "operation:mmuext_op.tlb_flush_local");
    assert_int_equal(level[STAT_PARTS].row[2].key.kind, RADON_SITE_SUBCALL);
    for (unsigned int i = 0; i < STAT_LEVELS; i++)
        stat_free(&level[i]);
    stat_free(&raw);
}

/* ------------------------------------------------------------------ names and fields */

static const char *name_of(uint8_t kind, uint32_t number)
{
    static char name[STAT_NAME_MAX];
    struct stat_key key = { .kind = kind, .number = number };

    return stat_name(&key, name);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(name_of(RADON_SITE_SYSCALL, 110), "syscall:getppid");
    assert_string_equal(name_of(RADON_SITE_SYSCALL, 99999), "syscall:99999");
    assert_string_equal(name_of(RADON_SITE_HYPERCALL, 23), "hypercall:iret");
    assert_string_equal(name_of(RADON_SITE_HYPERCALL, 29 | 1 << 8), "hypercall:sched_op.block");
    assert_string_equal(name_of(RADON_SITE_HYPERCALL, 29 | 200 << 8), "hypercall:sched_op.200");
    assert_string_equal(name_of(RADON_SITE_SUBCALL, 1), "subcall:mmu_update");
    assert_string_equal(name_of(RADON_SITE_TRAP, 13), "trap:general_protection");
    assert_string_equal(name_of(RADON_SITE_PAGE_FAULT, 6), "trap:page_fault.user-write-absent");
    assert_string_equal(name_of(RADON_SITE_PAGE_FAULT, 0x11),
                        "trap:page_fault.kernel-fetch-protected");
    assert_string_equal(name_of(RADON_SITE_EMULATION, RADON_EMUL_PTWR), "emulation:ptwr");
    assert_string_equal(name_of(RADON_SITE_INTERRUPT, 250), "interrupt:250");
}

/* No kind or number overruns or gives an empty name. */
static void names_of_rubbish(void **state)
{
    (void)state;
    srand(3);
    for (int i = 0; i < 100000; i++) {
        uint32_t number = (uint32_t)rand() >> rand() % 31;
        size_t length = strlen(name_of((uint8_t)(rand() % 256), number));

        assert_true(length > 0 && length < STAT_NAME_MAX);
    }
}

static void fields_are_the_same_for_all(void **state)
{
    struct stat_field a[STAT_FIELDS_MAX], b[STAT_FIELDS_MAX];
    struct stat_result result = { .tsc_hz = 1000000000 };
    struct stat_row none = { .key = { STAT_ANY, STAT_ANY, STAT_ANY, 0, false, 0, 0 } };
    struct stat_row full = { .key = { 0, 1, 2, RADON_SITE_TRAP, false, 3, 0x1234 }, .count = 2 };
    struct stat_sums sums = { .count = 8, .total = 400 };
    unsigned int n;

    (void)state;
    histogram_add(&full.cost, 100);
    histogram_add(&full.to_iret, 200);
    n = stat_fields(&result, &none, true, &sums, a);
    assert_int_equal(n, stat_fields(&result, &full, false, &sums, b));
    assert_true(n <= STAT_FIELDS_MAX);
    for (unsigned int i = 0; i < n; i++) {
        assert_string_equal(a[i].name, b[i].name);
        if (!strcmp(b[i].name, "address"))
            assert_string_equal(b[i].value, "0x0000000000001234");
        if (!strcmp(b[i].name, "time_share"))
            assert_string_equal(b[i].value, "0.250000");
        if (!strcmp(b[i].name, "max_ns"))
            assert_string_equal(b[i].value, "100.0");
        if (!strcmp(a[i].name, "max_ns") || !strcmp(a[i].name, "domain"))
            assert_string_equal(a[i].value, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_are_the_hypervisors),
        cmocka_unit_test(percentiles_are_bounds),
        cmocka_unit_test(percentile_by_hand),
        cmocka_unit_test(equal_costs_are_known),
        cmocka_unit_test(rows_are_added_up),
        cmocka_unit_test(vcpus_of_one_cpu_are_apart),
        cmocka_unit_test(samples_stand_for_many), cmocka_unit_test(looks_stand_for_time),
        cmocka_unit_test(rubbish_is_counted),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(evicted_rows),
        cmocka_unit_test(routines),
        cmocka_unit_test(parts),
        cmocka_unit_test(names),
        cmocka_unit_test(names_of_rubbish),
        cmocka_unit_test(fields_are_the_same_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
