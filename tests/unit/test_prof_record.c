/* SPDX-License-Identifier: MIT */
/*
 * From a hot entry to a handler that works: recording, synthesis, verifier, installation, and the one reason
 * code of whatever goes wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "fastpath/core/program.h"
#include "prof_daemon.h"

/* ------------------------------------------------------------------ from hot to active */

static void test_hot_becomes_active(void **state)
{
    struct log_entry hot, active;

    (void)state;
    make_active();
    assert_int_equal(synth_runs, 1);
    assert_int_equal(synth_captures, prof.policy.occurrences);
    assert_true(synth_one_vcpu);
    assert_true(last_entry("capture", &hot) && last_entry("activate", &active));
    assert_int_equal(hot.point.kind, FAST_ATTACH_SYSCALL);
    assert_int_equal(hot.point.number, GETPPID);
    assert_int_equal(active.handler, only_handler()->id);
    assert_true(prof_settled(&prof));
}

static void test_two_vcpus(void **state)
{
    (void)state;
    fake.vcpus = 2;
    run(600, GETPPID, 500000);
    assert_int_equal(synth_runs, 1);
    assert_false(synth_one_vcpu);
}

/* What several vCPUs stood in the way of is tried anew when there is one, however often it was refused. */
static void test_one_vcpu_again(void **state)
{
    (void)state;
    fake.vcpus = 2;
    synth_says = SYNTH_LOCKED;
    run(1000000, GETPPID, 500000);
    assert_int_equal(synth_runs, prof.policy.failures);
    fake.vcpus = 1;
    synth_says = SYNTH_OK;
    run(1000, GETPPID, 500000);
    assert_int_equal(synth_runs, prof.policy.failures + 1);
    assert_true(synth_one_vcpu);
    assert_int_equal(only_handler()->state, RADON_FAST_SHADOW);
}

static void test_dry_run(void **state)
{
    (void)state;
    prof.dry_run = true;
    run(600, GETPPID, 500000);
    assert_decided("refuse", "policy", "DRY_RUN");
    assert_int_equal(synth_runs, 1);
    assert_int_equal(fake.installs, 0);
}

/* ------------------------------------------------------------------ recording */

static void check_capture_end(enum radon_capture_end how, const char *reason)
{
    fake.capture_end = how;
    run(600, GETPPID, 500000);
    assert_decided("refuse", "policy", reason);
    assert_int_equal(synth_runs, 0);
}

static void test_capture_long(void **state)
{
    (void)state;
    check_capture_end(RADON_CAPTURE_LONG, "LONG");
}

static void test_capture_switched(void **state)
{
    (void)state;
    check_capture_end(RADON_CAPTURE_SWITCHED, "SWITCHED");
}

static void test_capture_never_comes(void **state)
{
    (void)state;
    fake.capture_ms = 1000000;
    run(600, GETPPID, 500000); /* it was hot a moment ago, and so would have come within some intervals */
    assert_decided("refuse", "policy", "NO_CAPTURE");
    assert_int_equal(fake.stops, fake.captures);
}

/* ------------------------------------------------------------------ making */

static void test_synthesis_refuses(void **state)
{
    struct log_entry e;

    (void)state;
    synth_says = SYNTH_HYPERCALL;
    run(600, GETPPID, 500000);
    assert_decided("refuse", "synthesis", "HYPERCALL");
    assert_true(last_entry("refuse", &e));
    assert_string_equal(e.text, "\"quoted\"\n\\ and more");
    assert_int_equal(fake.installs, 0);
    run(1000000, GETPPID, 500000);
    assert_int_equal(synth_runs, prof.policy.failures); /* then never again */
}

static void test_verifier_refuses(void **state)
{
    (void)state;
    fake.refusal = FAST_JUMP_BACK;
    run(600, GETPPID, 500000);
    assert_decided("refuse", "verifier", "JUMP_BACK");
}

static void test_install_fails(void **state)
{
    (void)state;
    fake.install_rc = -ENOSPC;
    run(600, GETPPID, 500000);
    assert_decided("refuse", "hypervisor", "LIMIT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAEMON_TEST(test_hot_becomes_active),
        DAEMON_TEST(test_two_vcpus),
        DAEMON_TEST(test_one_vcpu_again),
        DAEMON_TEST(test_dry_run),
        DAEMON_TEST(test_capture_long),
        DAEMON_TEST(test_capture_switched),
        DAEMON_TEST(test_capture_never_comes),
        DAEMON_TEST(test_synthesis_refuses),
        DAEMON_TEST(test_verifier_refuses),
        DAEMON_TEST(test_install_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
