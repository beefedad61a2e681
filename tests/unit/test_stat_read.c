/* SPDX-License-Identifier: MIT */
/*
 * What radon-stat reads: the hypervisor's tables in one answer or many, answers that make no sense,
 * and files of its own that are whole, cut at every byte, or damaged.  The sanitizers watch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracing/stat/sites.h"
#include "tracing/stat/stat.h"

/* ------------------------------------------------------------------ a hypervisor */

static struct {
    struct radon_site rows[40];
    uint32_t nr, most; /* rows of each CPU; given in one answer */
    uint32_t mode, period;
    bool rubbish;
    uint32_t set_mode, set_period;
    unsigned int calls;
} hv;

void *xen_buffer(struct xen *x, size_t bytes)
{
    (void)x;
    return calloc(1, bytes);
}

void xen_buffer_free(void *buffer, size_t bytes)
{
    (void)bytes;
    free(buffer);
}

bool xen_fail(struct xen *x, const char *format, ...)
{
    (void)x, (void)format;
    return false;
}

static void scramble(void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rand() % 4 == 0)
            ((uint8_t *)at)[i] = (uint8_t)rand();
}

static void answer(struct radon_sites_read *op)
{
    struct radon_site *to = (struct radon_site *)(uintptr_t)op->rows;
    uint32_t from = op->first < hv.nr ? op->first : hv.nr, n = 0;

    if (op->flags & RADON_SITES_RESET) { /* what was read is gone */
        n = hv.nr - from < hv.most ? hv.nr - from : hv.most;
        memcpy(to, hv.rows + from, n * sizeof(*to));
        memmove(hv.rows + from, hv.rows + from + n, (hv.nr - from - n) * sizeof(*to));
        hv.nr -= n;
        op->first = hv.nr - from;
    } else {
        while (from + n < hv.nr && n < hv.most) {
            to[n] = hv.rows[from + n];
            n++;
        }
        op->first = hv.nr - from - n;
    }
    op->room = n;
    op->mode = hv.mode;
    op->period = hv.period;
    op->entries = hv.nr;
    op->since = 1000 + op->cpu;
}

bool radon_call(struct xen *x, enum radon_cmd cmd, void *arg, size_t bytes, const char *what)
{
    struct radon_sites_control *c = arg;

    (void)x, (void)what;
    hv.calls++;
    if (cmd == RADON_SITES_READ) {
        answer(arg);
    } else if (c->get_only) {
        c->mode = hv.mode;
        c->period = hv.period;
    } else {
        hv.set_mode = c->mode;
        hv.set_period = c->period;
    }
    if (hv.rubbish)
        scramble(arg, bytes);
    return true;
}

static void machine(uint32_t nr, uint32_t most, uint32_t mode)
{
    memset(&hv, 0, sizeof(hv));
    hv.nr = nr;
    hv.most = most;
    hv.mode = mode;
    hv.period = mode == RADON_SITES_SAMPLED ? 7 : 1;
    for (uint32_t i = 0; i < nr; i++)
        hv.rows[i] = (struct radon_site){ .address = 64 * i,
                                          .kind = RADON_SITE_TRAP,
                                          .count = i + 1,
                                          .total = 10 * (i + 1),
                                          .cost = { i + 1 } };
}

static uint64_t sum_of(const struct stat_table *t)
{
    struct stat_sums sums;

    stat_sum(t, &sums);
    return sums.count;
}

/* ------------------------------------------------------------------ reading the tables */

static void every_row_once(void **state)
{
    (void)state;
    for (uint32_t most = 1; most <= 41; most += 4)
        for (int reset = 0; reset < 2; reset++) {
            struct stat_table t = { 0 };
            struct sites_answer a;
            struct sites s;
            struct xen x;

            machine(40, most, RADON_SITES_EXACT);
            assert_true(sites_open(&s, &x, 1));
            assert_true(sites_read(&s, 0, reset, &t, &a));
            assert_int_equal(t.nr, 40);
            assert_int_equal(sum_of(&t), 820);
            assert_int_equal(a.since, 1000);
            sites_close(&s);
            stat_free(&t);
        }
}

static void cpus_and_periods(void **state)
{
    struct stat_table t = { 0 };
    struct sites_answer a;
    struct sites s;
    struct xen x;

    (void)state;
    machine(10, 10, RADON_SITES_SAMPLED);
    assert_true(sites_open(&s, &x, 3));
    assert_true(sites_read(&s, 0, false, &t, &a));
    assert_int_equal(t.nr, 30);
    assert_int_equal(sum_of(&t), 3 * 55 * 7);
    assert_int_equal(a.period, 7);
    sites_close(&s);
    stat_free(&t);
}

static void the_mode_comes_back(void **state)
{
    static const uint32_t before[] = { RADON_SITES_OFF, RADON_SITES_SAMPLED, RADON_SITES_EXACT };
    static const uint32_t after[] = { RADON_SITES_OFF, RADON_SITES_SAMPLED, RADON_SITES_SAMPLED };
    struct sites s;
    struct xen x;

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        machine(1, 1, before[i]);
        assert_true(sites_open(&s, &x, 1));
        assert_true(sites_set(&s, RADON_SITES_EXACT, 0));
        assert_int_equal(hv.set_mode, RADON_SITES_EXACT);
        sites_close(&s);
        assert_int_equal(hv.set_mode, after[i]);
        machine(1, 1, before[i]); /* nothing was set: nothing is put back */
        hv.set_mode = 99;
        assert_true(sites_open(&s, &x, 1));
        sites_close(&s);
        assert_int_equal(hv.set_mode, 99);
    }
}

/* Any answer ends it, in bounded time, within the buffer. */
static void rubbish_answers(void **state)
{
    (void)state;
    srand(11);
    for (int round = 0; round < 3000; round++) {
        struct stat_table t = { 0 };
        struct sites_answer a;
        struct sites s;
        struct xen x;

        machine(40, 1 + (uint32_t)rand() % 40, RADON_SITES_EXACT);
        assert_true(sites_open(&s, &x, 2));
        hv.rubbish = true;
        scramble(hv.rows, sizeof(hv.rows));
        sites_read(&s, 0, rand() % 2, &t, &a);
        assert_true(hv.calls < 3000);
        sites_close(&s);
        stat_free(&t);
    }
}

/* ------------------------------------------------------------------ kept counts */

static const char first_name[] = "xen_mc_flush", second_name[] = "touch";

static void fill(struct stat_table *t)
{
    for (uint32_t i = 0; i < 9; i++) {
        struct stat_key key = { (int32_t)(i % 2), STAT_ANY, 3, RADON_SITE_TRAP, i == 8, i, 8 * i };
        struct stat_row *r = stat_row(t, &key);

        assert_non_null(r);
        r->count = i + 1;
        r->samples = i;
        histogram_add(&r->cost, 100 * i);
        histogram_add(&r->to_iret, 1000);
        r->routine = i < 3 ? first_name : i < 5 ? second_name : NULL;
    }
}

/* A file of it in memory: the caller frees it. */
static char *save(size_t *n)
{
    struct stat_result r = {
        .source = STAT_SAMPLED, .period = 7, .cpus = 2, .tsc_hz = 12345, .cycles = 99
    };
    struct stat_table t = { 0 };
    char *bytes;
    FILE *out = open_memstream(&bytes, n);

    fill(&t);
    assert_true(stat_save(out, &r, &t));
    fclose(out);
    stat_free(&t);
    return bytes;
}

static const char *load(const char *bytes, size_t n, struct stat_saved *saved)
{
    /* On the heap and no longer than it is, so that reading too far is seen. */
    FILE *in = fmemopen((void *)(uintptr_t)bytes, n ? n : 1, "r");
    const char *wrong = stat_load(in, saved);

    fclose(in);
    return wrong;
}

static void kept_and_read_again(void **state)
{
    struct stat_saved saved;
    struct stat_table t = { 0 }, routines = { 0 };
    struct stat_by by = { 0 };
    size_t n;
    char *bytes = save(&n);

    (void)state;
    fill(&t);
    assert_true(stat_is_saved(bytes, n));
    assert_null(load(bytes, n, &saved));
    assert_int_equal(saved.result.source, STAT_SAMPLED);
    assert_int_equal(saved.result.period, 7);
    assert_int_equal(saved.result.tsc_hz, 12345);
    assert_int_equal(saved.rows.nr, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_memory_equal(&saved.rows.row[i].key, &t.row[i].key, sizeof(t.row[i].key));
        assert_memory_equal(&saved.rows.row[i].cost, &t.row[i].cost, sizeof(t.row[i].cost));
        assert_int_equal(saved.rows.row[i].samples, t.row[i].samples);
        if (t.row[i].routine)
            assert_string_equal(saved.rows.row[i].routine, t.row[i].routine);
        else
            assert_null(saved.rows.row[i].routine);
    }
    /* Equal names are one routine. */
    assert_ptr_equal(saved.rows.row[0].routine, saved.rows.row[2].routine);
    assert_true(stat_group(&routines, &saved.rows, &by, STAT_ROUTINES));
    assert_int_equal(routines.nr, 6);
    stat_free(&routines);
    stat_saved_free(&saved);
    stat_free(&t);
    free(bytes);
}

static void cut_files_are_refused(void **state)
{
    struct stat_saved saved;
    size_t n;
    char *bytes = save(&n);

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        char *part = malloc(cut + 1);

        memcpy(part, bytes, cut);
        part[cut] = 0;
        assert_non_null(load(part, cut, &saved));
        stat_saved_free(&saved);
        free(part);
    }
    free(bytes);
}

static void damaged_files(void **state)
{
    struct stat_saved saved;
    size_t n;
    char *bytes = save(&n);

    (void)state;
    srand(13);
    for (int round = 0; round < 20000; round++) {
        char *copy = malloc(n);
        int changes = 1 + rand() % 8;

        memcpy(copy, bytes, n);
        while (changes--)
            copy[(size_t)rand() % n] = (char)rand();
        if (!load(copy, n, &saved))
            for (size_t i = 0; i < saved.rows.nr; i++)
                if (saved.rows.row[i].routine)
                    assert_true(strlen(saved.rows.row[i].routine) < n);
        stat_saved_free(&saved);
        free(copy);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_once),      cmocka_unit_test(cpus_and_periods),
        cmocka_unit_test(the_mode_comes_back), cmocka_unit_test(rubbish_answers),
        cmocka_unit_test(kept_and_read_again), cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(damaged_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
