/* SPDX-License-Identifier: MIT */
/*
 * Whether radon-prof looks at an entry: by what it costs, by the policy, by who has it already.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fastpath/core/program.h"
#include "prof_daemon.h"

/* ------------------------------------------------------------------ what costs */

static void test_cold_is_left(void **state)
{
    (void)state;
    run(3000, GETPPID, 1000); /* 0.1 % of the time */
    assert_int_equal(fake.captures, 0);
}

static void test_costliest_first(void **state)
{
    (void)state;
    tick();
    fake_entries(&fake, GETPPID, 100, 1000);
    fake_entries(&fake, READ, 50, 3000);
    tick();
    assert_int_equal(fake.captures, 1);
    assert_int_equal(fake.capture.number, READ);
}

static void test_never_bounced(void **state)
{
    (void)state;
    tick();
    fake_entries(&fake, GETPPID, 1000, 1000);
    fake.site[0].bounced = 0; /* they all went to other tasks, or a handler did them */
    tick();
    assert_int_equal(fake.captures, 0);
}

/* Few and long: no entry was timed, but it was there when the hypervisor looked. */
static void test_found_by_looks(void **state)
{
    (void)state;
    tick();
    fake_entries(&fake, GETPPID, 8, 1000); /* 4 ms, of READ: 6 */
    fake_entries(&fake, READ, 0, 0);
    fake.site[1].bounced_looks = 6;
    fake.site[1].bounced_time = 6000000;
    tick();
    assert_int_equal(fake.captures, 1);
    assert_int_equal(fake.capture.number, READ);
}

/* Looks do not make a candidate of what always ends with another task, nor of what is cold. */
static void test_looks_alone_are_not_enough(void **state)
{
    (void)state;
    tick();
    fake_entries(&fake, GETPPID, 1000, 1000);
    fake.site[0].bounced = 0;
    fake.site[0].bounced_looks = 80;
    fake.site[0].bounced_time = 80000000;
    fake_entries(&fake, READ, 0, 0);
    fake.site[1].bounced_looks = 2;
    fake.site[1].bounced_time = 2000000;
    tick();
    assert_int_equal(fake.captures, 0);
}

static void test_many_addresses(void **state)
{
    (void)state;
    make_active();
    for (unsigned int round = 0; round < 8; round++) {
        fake.sites = 1;
        for (unsigned int i = 0; i < 1000; i++)
            fake.site[fake.sites++] = (struct radon_site){
                .kind = RADON_SITE_PAGE_FAULT, .number = 6, .count = 1, .bounced = 1,
                .bounced_total = 10, .address = 0x7f0000000000 + 4096 * (1000 * round + i),
            };
        run(2000, GETPPID, 1);
    }
    assert_in_range(prof.nr, 1, 2048);
    assert_in_range(prof.room, 1, 4096);
    retire(RADON_FAST_TEXT_CHANGED); /* it is still known */
}

/* ------------------------------------------------------------------ too long to record */

/* Longer than what can be recorded: no single step is wasted on it. */
static void test_too_long_to_record(void **state)
{
    (void)state;
    prof.cycles_each = 1;
    run_cycles(1500, GETPPID, 20000, 60000);
    assert_decided("refuse", "policy", "LONG");
    assert_int_equal(fake.captures, 0);
    assert_int_equal(fake.handlers, 0);
}

/* Nobody knows yet how long an instruction takes; and where it takes long, it is not too long. */
static void test_long_is_tried(void **state)
{
    (void)state;
    run_cycles(600, GETPPID, 20000, 40000);
    assert_int_equal(fake.captures, 1);
    prof.cycles_each = 12;
    run_cycles(600, READ, 20000, 40000);
    assert_int_equal(fake.captures, 2);
    assert_int_equal(fake.capture.number, READ);
}

/* One in three is short: worth a try. */
static void test_some_are_short_enough(void **state)
{
    (void)state;
    prof.cycles_each = 1;
    tick();
    fake_entries(&fake, GETPPID, 100, 600);
    fake_entries(&fake, GETPPID, 200, 60000);
    tick();
    assert_true(fake.captures > 0);
}

/* Hardly an entry was timed, and yet they take their time: each is long. */
static void test_long_by_few(void **state)
{
    (void)state;
    prof.cycles_each = 1;
    tick();
    fake_entries(&fake, GETPPID, 1, 0);
    fake.site[0].bounced_looks = 80;
    fake.site[0].bounced_time = 80000000;
    tick();
    assert_int_equal(fake.captures, 0);
    assert_decided("refuse", "policy", "LONG");
}

/* ------------------------------------------------------------------ the policy */

static void test_by_hand(void **state)
{
    (void)state;
    fake_add_handler(&fake, FAST_ATTACH_SYSCALL, GETPPID)->state = RADON_FAST_ACTIVE;
    run(600, GETPPID, 500000);
    assert_decided("refuse", "policy", "BY_HAND");
    assert_int_equal(fake.captures, 0);
}

static void test_excluded(void **state)
{
    char error[64];

    (void)state;
    assert_true(policy_set(&prof.policy, "exclude", "syscall:getppid", error, sizeof(error)));
    run(600, GETPPID, 500000);
    assert_decided("refuse", "policy", "EXCLUDED");
    assert_int_equal(fake.captures, 0);
}

static void test_switched_off(void **state)
{
    (void)state;
    fake.on = false;
    run(600, GETPPID, 500000);
    assert_decided("stop", "policy", "OFF");
    assert_int_equal(fake.captures, 0);
    fake.on = true;
    run(600, GETPPID, 500000);
    assert_int_equal(fake.installs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAEMON_TEST(test_cold_is_left),
        DAEMON_TEST(test_costliest_first),
        DAEMON_TEST(test_never_bounced),
        DAEMON_TEST(test_found_by_looks),
        DAEMON_TEST(test_looks_alone_are_not_enough),
        DAEMON_TEST(test_many_addresses),
        DAEMON_TEST(test_too_long_to_record),
        DAEMON_TEST(test_long_is_tried),
        DAEMON_TEST(test_some_are_short_enough),
        DAEMON_TEST(test_long_by_few),
        DAEMON_TEST(test_by_hand),
        DAEMON_TEST(test_excluded),
        DAEMON_TEST(test_switched_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
