/* SPDX-License-Identifier: MIT */
/*
 * The tables of hot sites (hv/trace/sites.c): what is counted is counted once, for its vCPU and kind, also
 * when there are many more places than rows; the same place of several vCPUs finds room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace/sites_int.h"

#define OVERFLOW ((uint64_t)RADON_SITE_OVERFLOW << 40)
#define IRET (__HYPERVISOR_iret | (uint64_t)RADON_SITE_HYPERCALL << 32)
#define OWNERS (3u * MAX_VCPUS) /* vCPUs of three domains */

static struct site_row rows[SITE_ROWS];
static struct site_time times[SITE_ROWS];
static struct site_table table = { .rows = rows, .times = times };

static void empty_table(void)
{
    memset(rows, 0, sizeof(rows));
    memset(times, 0, sizeof(times));
}

static uint64_t key_of(unsigned int owner, unsigned int kind, uint32_t number)
{
    return (uint64_t)(owner / MAX_VCPUS) << 48 | (uint64_t)(owner % MAX_VCPUS) << SITE_VCPU_SHIFT |
           (uint64_t)kind << 32 | number;
}

static unsigned int owner_of(uint64_t key)
{
    return (unsigned int)(key >> 48) * MAX_VCPUS + (key >> SITE_VCPU_SHIFT) % MAX_VCPUS;
}

static struct site_row *count_one(uint64_t key, uint64_t address, uint64_t cost)
{
    struct site_row *row = sites_find_in(&table, key, address);

    sites_add(row, cost);
    times[row - rows].time[1] += cost;
    times[row - rows].looks[1]++;
    return row;
}

/* By vCPU and kind, and of what rows say of themselves. */
static struct sums {
    uint64_t count[OWNERS][RADON_SITE_KINDS], cost[OWNERS][RADON_SITE_KINDS];
} did, found, found_by_time;

static void sum_up(void)
{
    memset(&found, 0, sizeof(found));
    memset(&found_by_time, 0, sizeof(found_by_time));
    for (unsigned int i = 0; i < SITE_ROWS; i++) {
        unsigned int owner = owner_of(rows[i].key), kind = (uint8_t)(rows[i].key >> 32);

        if (!rows[i].key)
            continue;
        found.count[owner][kind] += sites_count(rows[i].cost);
        found.cost[owner][kind] += rows[i].total;
        found_by_time.count[owner][kind] += times[i].looks[1];
        found_by_time.cost[owner][kind] += times[i].time[1];
    }
}

static void check_sums(void)
{
    sum_up();
    assert_memory_equal(&found, &did, sizeof(did));
    assert_memory_equal(&found_by_time, &did, sizeof(did));
}

/* `places` for each of `owners` vCPUs, by the thousand; some far more often than others. */
static void at_random(unsigned int owners, unsigned int places, unsigned int entries)
{
    empty_table();
    memset(&did, 0, sizeof(did));
    for (unsigned int i = 0; i < entries; i++) {
        unsigned int owner = (unsigned int)rand() % owners, kind = 1 + (unsigned int)rand() % 6;
        unsigned int place = (unsigned int)rand() % (rand() % 4 ? places / 8 + 1 : places);
        uint64_t cost = (uint64_t)(rand() % 100000);

        count_one(key_of(owner, kind, place % 5), 0xffffffff81000000 + 16ul * place, cost);
        did.count[owner][kind]++;
        did.cost[owner][kind] += cost;
    }
    check_sums();
}

static void sums_stay_exact(void **state)
{
    (void)state;
    srand(1);
    at_random(1, 20, 10000);
    at_random(1, 5000, 100000);
    at_random(4, 3000, 100000);
    at_random(16, 300, 100000);
}

/* With six kinds of overflow rows for each of 128 vCPUs there are few rows for anything else. */
static void sums_stay_exact_with_all_vcpus(void **state)
{
    (void)state;
    srand(2);
    at_random(MAX_VCPUS, 400, 200000);
}

/* Then they are only those of the table. */
static void more_that_stays_than_there_are_rows(void **state)
{
    uint64_t all = 0, time = 0;

    (void)state;
    empty_table();
    srand(3);
    for (unsigned int i = 0; i < 100000; i++)
        count_one(key_of((unsigned int)rand() % OWNERS, 1 + (unsigned int)rand() % 6, 0),
                  (uint64_t)rand(), 1);
    for (unsigned int i = 0; i < SITE_ROWS; i++) {
        assert_true(rows[i].key & OVERFLOW);
        all += sites_count(rows[i].cost);
        time += times[i].time[1];
    }
    assert_int_equal(all, 100000);
    assert_int_equal(time, 100000);
}

/* vCPUs of one kernel, of several domains too, enter from the same places. */
static void the_same_places_of_many(void **state)
{
    static const unsigned int owners[] = { 0, 1, 2, 3, 4, 5, 6, 7, 40, 41, 42, 43,
                                           MAX_VCPUS, MAX_VCPUS + 1, 2 * MAX_VCPUS, 2 * MAX_VCPUS + 1 };

    (void)state;
    empty_table();
    for (unsigned int place = 0; place < 20; place++)
        for (unsigned int i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
            count_one(key_of(owners[i], RADON_SITE_SYSCALL, 39), 0x401000 + 7ul * place, 100);
    for (unsigned int i = 0; i < SITE_ROWS; i++)
        assert_true(!rows[i].key || (!(rows[i].key & OVERFLOW) && sites_count(rows[i].cost) == 1));
}

/* What vcpu_hot.site_iret_row points to stays that row. */
static void iret_rows_stay(void **state)
{
    struct site_row *iret[MAX_VCPUS];

    (void)state;
    empty_table();
    srand(4);
    for (unsigned int vcpu = 0; vcpu < MAX_VCPUS; vcpu++) {
        iret[vcpu] = sites_find_in(&table, key_of(vcpu, 0, 0) | IRET, 0);
        for (unsigned int i = 0; i < 300; i++)
            count_one(key_of(vcpu, RADON_SITE_TRAP, (uint32_t)rand() % 8), (uint64_t)rand(), 1);
    }
    for (unsigned int vcpu = 0; vcpu < MAX_VCPUS; vcpu++) {
        assert_int_equal(iret[vcpu]->key, key_of(vcpu, 0, 0) | IRET);
        assert_ptr_equal(sites_find_in(&table, key_of(vcpu, 0, 0) | IRET, 0), iret[vcpu]);
    }
}

/* The rarest of a window goes. */
static void what_is_hot_keeps_its_row(void **state)
{
    struct site_row *hot;

    (void)state;
    empty_table();
    srand(5);
    for (unsigned int i = 0; i < 1000; i++)
        count_one(key_of(0, RADON_SITE_SYSCALL, 39), 0x401000, 100);
    for (unsigned int i = 0; i < 50000; i++)
        count_one(key_of(0, RADON_SITE_PAGE_FAULT, 4), (uint64_t)rand(), 100);
    hot = count_one(key_of(0, RADON_SITE_SYSCALL, 39), 0x401000, 100);
    assert_int_equal(sites_count(hot->cost), 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_stay_exact),
        cmocka_unit_test(sums_stay_exact_with_all_vcpus),
        cmocka_unit_test(more_that_stays_than_there_are_rows),
        cmocka_unit_test(the_same_places_of_many),
        cmocka_unit_test(iret_rows_stay),
        cmocka_unit_test(what_is_hot_keeps_its_row),
    };

    return cmocka_run_group_tests_name("sites", tests, NULL, NULL);
}
