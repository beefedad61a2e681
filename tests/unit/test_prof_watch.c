/* SPDX-License-Identifier: MIT */
/*
 * What becomes of the handlers that radon-prof made: kept, made anew, given up, and the one reason code of each
 * decision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "fastpath/core/program.h"
#include "prof_daemon.h"

/* ------------------------------------------------------------------ out of the hypervisor's hands */

static long size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) ? -1 : (long)st.st_size;
}

static void test_disagreed(void **state)
{
    char path[96];
    long captured;
    uint32_t id;

    (void)state;
    make_active();
    id = only_handler()->id;
    captured = (long)prof.candidate[0].blob_bytes[0];
    assert_int_equal(prof.candidate[0].rounds, 1);
    retire(RADON_FAST_DISAGREED);
    assert_decided("retire", "hypervisor", "DISAGREED");
    snprintf(path, sizeof(path), "%s/evidence/%u.txt", folder, id);
    assert_true(size_of(path) > 0);
    snprintf(path, sizeof(path), "%s/evidence/%u-0.cap", folder, id);
    assert_int_equal(size_of(path), captured);
    run(200000, GETPPID, 500000);
    assert_int_equal(fake.installs, 1); /* never again */
}

/* That it was refused for several vCPUs before does not bring it back when there is one. */
static void test_disagreed_with_two_vcpus(void **state)
{
    (void)state;
    fake.vcpus = 2;
    synth_says = SYNTH_LOCKED;
    run(600, GETPPID, 500000);
    assert_int_equal(synth_runs, 1);
    synth_says = SYNTH_OK;
    run(3000, GETPPID, 500000);
    retire(RADON_FAST_DISAGREED);
    fake.vcpus = 1;
    run(200000, GETPPID, 500000);
    assert_int_equal(fake.installs, 1);
}

static void test_text_changed(void **state)
{
    (void)state;
    prof.policy.again_ms = 2000;
    make_active();
    retire(RADON_FAST_TEXT_CHANGED);
    assert_decided("retire", "hypervisor", "TEXT_CHANGED");
    run(prof.policy.again_ms / 2, GETPPID, 500000);
    assert_int_equal(fake.installs, 1);
    run(prof.policy.again_ms + 600, GETPPID, 500000);
    assert_int_equal(fake.installs, 2);
    retire(RADON_FAST_TEXT_CHANGED); /* again, soon: twice the wait */
    assert_int_equal(prof.candidate[0].retry_at - prof.candidate[0].since_ns,
                     2000000ull * prof.policy.again_ms);
}

static void test_removed_by_hand(void **state)
{
    (void)state;
    make_active();
    fake.handlers = 0;
    run(200000, GETPPID, 500000);
    assert_decided("retire", "hypervisor", "REMOVED");
    assert_int_equal(fake.installs, 1);
}

static void test_next_daemon_adopts(void **state)
{
    (void)state;
    make_active();
    prof_end(&prof, false);
    prof.now_ns = prof.tsc = 0;
    prof.ranked_tsc = prof.ranked_ns = 0;
    assert_true(prof_begin(&prof));
    assert_decided("keep", "policy", "HANDLED");
    run(600, GETPPID, 1);
    assert_int_equal(fake.installs, 1);
    prof_end(&prof, true);
    assert_int_equal(fake.handlers, 0);
    assert_true(prof_begin(&prof));
}

/* ------------------------------------------------------------------ in shadow */

static void test_no_agreement(void **state)
{
    (void)state;
    run(600 + prof.policy.shadow_ms, GETPPID, 500000);
    assert_decided("retire", "policy", "NO_AGREEMENT");
    assert_int_equal(fake.handlers, 0);
}

/* What synthesis takes is not counted. */
static void test_slow_synthesis(void **state)
{
    (void)state;
    synth_takes = 2000000ull * prof.policy.shadow_ms;
    run(600 + 2 * prof.policy.shadow_ms, GETPPID, 500000);
    run(prof.policy.shadow_ms / 2, GETPPID, 500000);
    assert_int_equal(only_handler()->state, RADON_FAST_SHADOW);
    run(prof.policy.shadow_ms, GETPPID, 500000);
    assert_decided("retire", "policy", "NO_AGREEMENT");
}

static void test_hardly_hits_in_shadow(void **state)
{
    (void)state;
    run(600, GETPPID, 500000);
    only_handler()->agreed = 60;
    only_handler()->passes[RADON_FAST_PASS_CHOSEN] = 230;
    tick();
    assert_int_equal(only_handler()->state, RADON_FAST_SHADOW);
    only_handler()->passes[RADON_FAST_PASS_CHOSEN] = 260;
    tick();
    assert_decided("retire", "policy", "LOW_HITS");
    assert_int_equal(fake.handlers, 0);
}

/* Another way than the common one was recorded by chance, and does not come again. */
static void test_rare_path(void **state)
{
    uint32_t first;

    (void)state;
    run(600, GETPPID, 500000);
    assert_int_equal(fake.capture.flags, RADON_CAPTURE_OTHERS); /* not what the daemon does itself */
    assert_int_equal(fake.capture.skip, 0);
    first = only_handler()->id;
    only_handler()->agreed = 128 * prof.policy.agreements - 1;
    only_handler()->agreed_in_row = prof.policy.agreements - 1;
    tick();
    assert_int_equal(only_handler()->id, first);
    only_handler()->agreed++;
    tick();
    assert_decided("retire", "policy", "RARE_PATH");
    run(600 + prof.policy.again_ms, GETPPID, 500000);
    assert_int_not_equal(only_handler()->id, first);
    assert_int_equal(fake.capture.skip, 6); /* of other occurrences */
    assert_int_equal(prof.candidate[0].failures, 0);
    only_handler()->agreed = 128 * prof.policy.agreements; /* the hypervisor is about to activate it */
    only_handler()->agreed_in_row = prof.policy.agreements;
    tick();
    assert_int_equal(fake.handlers, 1);
}

/* An active handler is compared again, since a path came up that never was. */
static void test_new_path(void **state)
{
    (void)state;
    make_active();
    only_handler()->activated = 1;
    only_handler()->passes[RADON_FAST_PASS_CHOSEN] = 100000; /* long before */
    only_handler()->state = RADON_FAST_SHADOW;
    only_handler()->agreed = 1000000;
    only_handler()->agreed_in_row = 1;
    tick();
    assert_decided("shadow", "policy", "NEW_PATH");
    tick();
    assert_int_equal(prof.candidate[0].stage, STAGE_SHADOW);
    only_handler()->state = RADON_FAST_ACTIVE;
    only_handler()->agreed_in_row = prof.policy.agreements;
    tick();
    assert_int_equal(prof.candidate[0].stage, STAGE_ACTIVE);
    only_handler()->state = RADON_FAST_SHADOW;
    only_handler()->agreed_in_row = 1;
    tick();
    only_handler()->agreed += 128 * prof.policy.agreements;
    tick();
    assert_decided("retire", "policy", "RARE_PATH");
    assert_int_equal(fake.handlers, 0);
}

/* ------------------------------------------------------------------ hits and passes */

static void test_passes_too_often(void **state)
{
    struct radon_fast_info *h;

    (void)state;
    make_active();
    h = only_handler();
    h->hits = 700;
    h->passes[RADON_FAST_PASS_CHOSEN] = 300;
    tick();
    assert_decided("recapture", "policy", "PATHS");
    synth_paths = 2;
    run(100, GETPPID, 1);
    assert_int_equal(synth_captures, 2 * prof.policy.occurrences);
    assert_int_equal(fake.installs, 2);
    only_handler()->state = RADON_FAST_ACTIVE; /* the old one is gone */
    tick();
    /* In vain: the other paths cannot be done. */
    synth_says = SYNTH_HYPERCALL;
    h = only_handler();
    h->hits = 700;
    h->passes[RADON_FAST_PASS_CHOSEN] = 300;
    run(100, GETPPID, 1);
    assert_decided("keep", "synthesis", "HYPERCALL");
    assert_int_equal(only_handler()->state, RADON_FAST_ACTIVE);
    h->hits = 1400;
    h->passes[RADON_FAST_PASS_CHOSEN] = 600;
    run(100, GETPPID, 1);
    assert_int_equal(fake.captures, 3);
}

static void test_no_path_more(void **state)
{
    (void)state;
    make_active();
    only_handler()->hits = 700;
    only_handler()->passes[RADON_FAST_PASS_CHOSEN] = 300;
    run(100, GETPPID, 1);
    assert_decided("keep", "policy", "ENOUGH_PASSES");
    assert_int_equal(fake.installs, 1);
}

/* It hits more often than not; but what that saves is less than what the passes take, or more. */
static void check_passes(uint64_t cycles, unsigned int handlers)
{
    test_no_path_more(NULL);
    only_handler()->hits = 1400;
    only_handler()->cycles = 1400 * cycles;
    only_handler()->passes[RADON_FAST_PASS_CHOSEN] = 600;
    tick();
    assert_int_equal(fake.handlers, handlers);
}

static void test_passes_take_less(void **state)
{
    (void)state;
    check_passes(300, 1);
}

static void test_passes_take_more(void **state)
{
    (void)state;
    check_passes(800, 0);
    assert_decided("retire", "policy", "LOW_HITS");
}

static void test_passes_for_events_are_nobodys_fault(void **state)
{
    (void)state;
    make_active();
    only_handler()->hits = 100;
    only_handler()->passes[RADON_FAST_PASS_EVENT] = 900;
    only_handler()->passes[RADON_FAST_PASS_STATE] = 900;
    run(1000, GETPPID, 1);
    assert_int_equal(fake.captures, 1);
}

/* Removed in a tick that takes long: at its end the entry's rest may be over, and nobody else's handler is there. */
static void test_removed_in_a_long_tick(void **state)
{
    struct log_entry e;

    (void)state;
    make_active();
    fake_entries(&fake, READ, 100, 10000);
    tick();
    assert_int_equal(fake.capture.number, READ);
    synth_takes = 5000000000ull;
    only_handler()->passes[RADON_FAST_PASS_CHOSEN] = 1000;
    fake_entries(&fake, GETPPID, 100, 10000);
    fake.ns += 2 * prof.policy.tick_ms * 1000000ull;
    tick();
    assert_decided("retire", "policy", "LOW_HITS");
    assert_false(last_entry("refuse", &e));
    assert_int_equal(fake.capture.number, GETPPID);
}

static void test_never_hits(void **state)
{
    (void)state;
    make_active();
    synth_says = SYNTH_HYPERCALL;
    for (unsigned int i = 1; i < 4 && fake.handlers; i++) {
        only_handler()->passes[RADON_FAST_PASS_CHOSEN] = 1000 * i;
        run(100, GETPPID, 1);
    }
    assert_decided("retire", "policy", "LOW_HITS");
    assert_int_equal(fake.handlers, 0);
}

static void test_no_gain(void **state)
{
    (void)state;
    make_active(); /* of entries that took 1000 cycles */
    only_handler()->hits = 10000;
    only_handler()->cycles = 500 * 10000;
    tick();
    assert_int_equal(only_handler()->state, RADON_FAST_ACTIVE);
    only_handler()->hits = 20000;
    only_handler()->cycles = 20000 * 990;
    tick();
    assert_decided("retire", "policy", "NO_GAIN");
    assert_int_equal(fake.handlers, 0);
    run(200000, GETPPID, 500000);
    assert_int_equal(fake.installs, 1);
}

/* What is saved has the guest kernel's iret in it: a bin of 64 to 127 cycles, and 26 that no stamp sees. */
static void test_gain_of_the_way_back(void **state)
{
    (void)state;
    fake.site[fake.sites++] = (struct radon_site){ .kind = RADON_SITE_HYPERCALL, .number = 23,
                                                   .count = 50, .total = 50 * 500,
                                                   .cost = { 0, 0, 20, 0, 0, 30 } };
    make_active();
    only_handler()->hits = 10000;
    only_handler()->cycles = 1060 * 10000; /* of 1122, of which 5 % are to be saved */
    tick();
    assert_int_equal(only_handler()->state, RADON_FAST_ACTIVE);
    only_handler()->hits = 20000;
    only_handler()->cycles = 1070 * 20000;
    tick();
    assert_decided("retire", "policy", "NO_GAIN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAEMON_TEST(test_disagreed),
        DAEMON_TEST(test_disagreed_with_two_vcpus),
        DAEMON_TEST(test_text_changed),
        DAEMON_TEST(test_removed_by_hand),
        DAEMON_TEST(test_next_daemon_adopts),
        DAEMON_TEST(test_no_agreement),
        DAEMON_TEST(test_slow_synthesis),
        DAEMON_TEST(test_hardly_hits_in_shadow),
        DAEMON_TEST(test_rare_path),
        DAEMON_TEST(test_new_path),
        DAEMON_TEST(test_passes_too_often),
        DAEMON_TEST(test_no_path_more),
        DAEMON_TEST(test_passes_take_less),
        DAEMON_TEST(test_passes_take_more),
        DAEMON_TEST(test_passes_for_events_are_nobodys_fault),
        DAEMON_TEST(test_never_hits),
        DAEMON_TEST(test_removed_in_a_long_tick),
        DAEMON_TEST(test_no_gain),
        DAEMON_TEST(test_gain_of_the_way_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
