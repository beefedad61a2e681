/* SPDX-License-Identifier: MIT */
/*
 * The part of rbench that all rows share. Promised: warm-up samples are not recorded, what a row
 * subtracts is subtracted from its own sample, the run that counts events records no time, a
 * failing row says why, the median is one, and rows.def has no two rows of one name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

static const struct row latency = { .id = "t", .title = "t", .unit = UNIT_NS };
static const struct row bandwidth = { .id = "b", .title = "b", .unit = UNIT_MBS };
static const struct settings set = { .dir = "/tmp", .tiny = "/bin/true", .scale = 1 };

static void test_warmup_is_not_recorded(void **state)
{
    struct result out = { 0 };
    struct bench b = { .row = &latency, .set = &set, .out = &out, .samples = 3, .warmup = 2 };
    unsigned turns = 0;

    (void)state;
    for (; bench_more(&b); turns++) {
        bench_start(&b);
        bench_stop(&b, 10 + turns);
        bench_overhead(&b, 100 + turns);
    }
    assert_int_equal(turns, 5);
    assert_int_equal(out.taken, 3);
    assert_int_equal(out.ops, 14);
    assert_true(out.has_overhead);
    assert_int_equal(out.overhead[0], 102);
    assert_int_equal(out.overhead[2], 104);
}

static void test_clock_reads_are_taken_off(void **state)
{
    struct result out = { 0 };
    struct bench b = { .row = &latency, .set = &set, .out = &out, .samples = 1 };

    (void)state;
    b.clock_cost = 1000000000;
    bench_start(&b);
    bench_stop(&b, 1);
    assert_true(out.ns[0] < -900000000);
}

/* With ticks so far apart that a busy host does not matter, nor where a sample would begin without them. */
static void test_samples_begin_behind_a_tick(void **state)
{
    enum { TRIES = 9, TICK = 50000000, SOON = TICK / 10, QUIET = 10000000 };
    struct result out = { 0 };
    struct bench b = { .row = &latency, .set = &set, .out = &out, .samples = 2 * TRIES };
    unsigned soon = 0;

    (void)state;
    bench_find_tick(&b);
    assert_true(b.tick_ns >= 1000000 && b.tick_ns <= 10000000 && b.tick_at <= now_ns());
    b.tick_ns = TICK;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = now_ns(), sample, other;

        bench_start(&b);
        sample = b.begin;
        bench_stop(&b, 1);
        other = bench_begin(&b);
        assert_true(sample >= before + QUIET && other >= sample + QUIET);
        assert_true(bench_since(&b, other) < SOON);
        soon += (sample - b.tick_at) % TICK < SOON;
        soon += (other - b.tick_at) % TICK < SOON;
    }
    assert_true(soon > TRIES);
}

static void test_counting_records_no_time(void **state)
{
    struct result out = { 0 };
    struct bench b = {
        .row = &latency, .set = &set, .out = &out, .samples = 1, .warmup = 1, .counting = true
    };

    (void)state;
    while (bench_more(&b)) {
        bench_start(&b);
        bench_stop(&b, 7);
        bench_overhead(&b, 5);
    }
    assert_int_equal(out.taken, 0);
    assert_false(out.has_overhead);
    assert_true(out.counted);
    assert_int_equal(out.event_ops, 7);
}

static void test_values(void **state)
{
    struct result out = { .taken = 3, .ops = 10, .ns = { 1000, 300, 500 } };

    (void)state;
    assert_true(sample_value(&latency, &out, 0) == 100.0);
    assert_true(median_value(&latency, &out) == 50.0);
    out.taken = 2;
    assert_true(median_value(&latency, &out) == 65.0);
    out.has_overhead = true;
    out.overhead[0] = 900;
    assert_true(sample_value(&latency, &out, 0) == 10.0);
    assert_true(sample_value(&bandwidth, &out, 0) == 100.0);
}

static void test_rows_are_distinct_and_explained(void **state)
{
    (void)state;
    assert_true(row_count >= 30 && row_count <= MAX_ROWS);
    for (size_t i = 0; i < row_count; i++) {
        assert_true(strlen(rows[i].help) > 20);
        assert_true(rows[i].samples > 2 && rows[i].samples <= MAX_SAMPLES && rows[i].ops > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].id, rows[j].id);
    }
}

/* Run a row in a process; its result is in shared memory, as in rbench. */
static struct result *run_row(const struct row *row, const struct settings *s)
{
    struct result *out = mmap(NULL, sizeof(*out), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, pid = fork();

    if (pid == 0) {
        struct bench b = { .row = row, .set = s, .out = out, .samples = 2, .warmup = 1 };

        b.ops = row->ops / 10 ? row->ops / 10 : 1;
        row->run(&b);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), out->error[0] ? 1 : 0);
    return out;
}

static const struct row *row_named(const char *id)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].id, id) == 0)
            return &rows[i];
    fail_msg("no row %s", id);
    return NULL;
}

static void test_wrong_result_fails_the_row(void **state)
{
    struct row row = *row_named("compute");
    struct result *out;

    (void)state;
    out = run_row(&row, &set);
    assert_string_equal(out->error, "");
    assert_int_equal(out->taken, 2);
    row.p2++;
    out = run_row(&row, &set);
    assert_non_null(strstr(out->error, "wrong result: checksum"));
    assert_int_equal(out->taken, 0); /* the first warm-up sample ended it */
}

static void test_missing_program_fails_the_row(void **state)
{
    struct settings s = set;
    struct result *out;

    (void)state;
    s.tiny = "/nonexistent/tiny";
    out = run_row(row_named("exec"), &s);
    assert_non_null(strstr(out->error, "execve /nonexistent/tiny: errno 2"));
    out = run_row(row_named("sh"), &s);
    assert_non_null(strstr(out->error, "child ended with wait status"));
}

static void test_missing_directory_fails_the_row(void **state)
{
    struct settings s = set;
    static const char *const ids[] = { "stat", "create_0k", "mmap", "page_fault" };

    (void)state;
    s.dir = "/nonexistent";
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_non_null(strstr(run_row(row_named(ids[i]), &s)->error, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warmup_is_not_recorded),
        cmocka_unit_test(test_clock_reads_are_taken_off),
        cmocka_unit_test(test_samples_begin_behind_a_tick),
        cmocka_unit_test(test_counting_records_no_time),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_rows_are_distinct_and_explained),
        cmocka_unit_test(test_wrong_result_fails_the_row),
        cmocka_unit_test(test_missing_program_fails_the_row),
        cmocka_unit_test(test_missing_directory_fails_the_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
