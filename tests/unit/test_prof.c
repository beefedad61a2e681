/* SPDX-License-Identifier: MIT */
/*
 * The daemon's decisions, on a hypervisor of a few lines: what is captured, installed, made anew, left
 * alone, and the one reason code of each decision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fastpath/core/program.h"
#include "fastpath/profile/explain.h"
#include "prof_fake.h"

#define GETPPID 110u
#define READ 0u

static struct fake fake;
static struct prof prof;
static struct log logged;
static char folder[] = "/tmp/radon-prof-XXXXXX";
static char log_path[64];

/* ------------------------------------------------------------------ a synthesis */

static enum synth_reason synth_says;
static unsigned int synth_runs, synth_captures;
static bool synth_one_vcpu;
static unsigned int synth_paths;

static int toy_synth(const struct synth_input *in, struct synth_output *out)
{
    struct fast_header head = {
        .magic = FAST_MAGIC, .version = FAST_VERSION, .header_bytes = sizeof(head),
        .total_bytes = sizeof(head) + 16, .insns = 2,
        .attach_kind = in->capture[0].head->kind, .attach_number = in->capture[0].head->number,
    };

    memset(out, 0, sizeof(*out));
    synth_runs++;
    synth_captures = in->nr_captures;
    synth_one_vcpu = in->one_vcpu;
    out->reason = synth_says;
    out->paths = synth_paths;
    out->explanation = strdup("made up\n");
    if (synth_says != SYNTH_OK) {
        snprintf(out->detail, sizeof(out->detail), "\"quoted\"\n\\ and more");
        return -1;
    }
    snprintf(head.name, sizeof(head.name), "%s", in->name ? in->name : "unnamed");
    out->program_bytes = head.total_bytes;
    out->program = calloc(1, out->program_bytes);
    memcpy(out->program, &head, sizeof(head));
    ((uint8_t *)out->program)[sizeof(head)] = 0xb7;
    ((uint8_t *)out->program)[sizeof(head) + 8] = 0x95;
    return 0;
}

static void toy_free(struct synth_output *out)
{
    free(out->program);
    free(out->explanation);
}

unsigned int synth_split(const void *buffer, size_t bytes, struct synth_capture *capture,
                         unsigned int room, bool *bad)
{
    const struct radon_capture_head *head = buffer;
    unsigned int n = 0;

    *bad = bytes % sizeof(*head) != 0;
    for (; n < room && (n + 1) * sizeof(*head) <= bytes; n++)
        capture[n] = (struct synth_capture){ .head = &head[n] };
    return n;
}

const char *synth_reason_name(enum synth_reason reason)
{
    return reason == SYNTH_HYPERCALL ? "HYPERCALL" : "other";
}

/* ------------------------------------------------------------------ the world */

static int begin(void **state)
{
    (void)state;
    fake_begin(&fake);
    memset(&prof, 0, sizeof(prof));
    synth_says = SYNTH_OK;
    synth_runs = synth_captures = 0;
    synth_paths = 1;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (unsigned int i = 0; i < 3; i++) {
        static const char *const names[] = { "handlers", "evidence", "refused" };
        char path[64];

        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    assert_true(log_open(&logged, log_path, 1 << 20, false));
    prof = (struct prof){ .backend = &fake.backend, .log = &logged, .folder = folder,
                          .synth = toy_synth, .synth_free = toy_free };
    policy_default(&prof.policy);
    assert_true(prof_begin(&prof));
    return 0;
}

static int end(void **state)
{
    char command[96];

    (void)state;
    prof_end(&prof, false);
    log_close(&logged);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static void tick(void)
{
    unsigned int wait;

    assert_true(prof_tick(&prof, &wait));
    fake.ns += wait * 1000000ull;
}

/* Ticks for so long, with so many entries of the call a second, of so many cycles each. */
static void run_cycles(unsigned int ms, uint32_t number, uint64_t entries_a_second, uint64_t cycles)
{
    uint64_t until = fake.ns + ms * 1000000ull, before = fake.ns, owed = 0;

    while (fake.ns < until) {
        tick();
        owed += (fake.ns - before) * entries_a_second;
        before = fake.ns;
        fake_entries(&fake, number, owed / 499000000000ull, cycles);
        owed %= 499000000000ull;
    }
}

static void run(unsigned int ms, uint32_t number, uint64_t entries_a_second)
{
    run_cycles(ms, number, entries_a_second, 1000);
}

/* The last decision of the log about that point (0: the daemon) with that name. */
static bool last_entry(const char *what, struct log_entry *found)
{
    FILE *f = fopen(log_path, "r");
    char line[4096];
    struct log_entry e;
    bool any = false;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        assert_true(log_parse(line, &e));
        if (!strcmp(decision_name(e.decision), what)) {
            *found = e;
            any = true;
        }
    }
    fclose(f);
    return any;
}

static void assert_decided(const char *what, const char *by, const char *reason)
{
    struct log_entry e;

    assert_true(last_entry(what, &e));
    assert_string_equal(e.by, by);
    assert_string_equal(e.reason, reason);
}

static struct radon_fast_info *only_handler(void)
{
    assert_int_equal(fake.handlers, 1);
    return &fake.handler[0];
}

static void make_active(void)
{
    struct radon_fast_info *h;

    run(600, GETPPID, 500000);
    h = only_handler();
    assert_int_equal(h->state, RADON_FAST_SHADOW);
    h->state = RADON_FAST_ACTIVE;
    h->agreed = prof.policy.agreements;
    tick();
    assert_decided("activate", "hypervisor", "AGREED");
}

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

static void test_two_vcpus(void **state)
{
    (void)state;
    fake.vcpus = 2;
    run(600, GETPPID, 500000);
    assert_int_equal(synth_runs, 1);
    assert_false(synth_one_vcpu);
}

/* ------------------------------------------------------------------ refusals */

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

static void test_dry_run(void **state)
{
    (void)state;
    prof.dry_run = true;
    run(600, GETPPID, 500000);
    assert_decided("refuse", "policy", "DRY_RUN");
    assert_int_equal(synth_runs, 1);
    assert_int_equal(fake.installs, 0);
}

/* ------------------------------------------------------------------ what becomes of handlers */

static void retire(enum radon_fast_reason why)
{
    only_handler()->state = RADON_FAST_RETIRED;
    only_handler()->reason = (uint8_t)why;
    tick();
    assert_int_equal(fake.handlers, 0);
}

static void test_disagreed(void **state)
{
    char path[96];
    uint32_t id;

    (void)state;
    make_active();
    id = only_handler()->id;
    retire(RADON_FAST_DISAGREED);
    assert_decided("retire", "hypervisor", "DISAGREED");
    snprintf(path, sizeof(path), "%s/evidence/%u.txt", folder, id);
    assert_int_equal(access(path, R_OK), 0);
    run(200000, GETPPID, 500000);
    assert_int_equal(fake.installs, 1); /* never again */
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

static void test_no_agreement(void **state)
{
    (void)state;
    run(600 + prof.policy.shadow_ms, GETPPID, 500000);
    assert_decided("retire", "policy", "NO_AGREEMENT");
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

/* ------------------------------------------------------------------ explain */

static const struct explained *row_named(const struct explanation *e, const char *name)
{
    char text[FAST_POINT_TEXT];

    for (unsigned int i = 0; i < e->nr; i++)
        if (!strcmp(explained_name(&e->row[i], text), name))
            return &e->row[i];
    fail_msg("no row %s", name);
    return NULL;
}

static void add_site(uint8_t kind, uint32_t number, uint64_t address, uint64_t bounced)
{
    fake.site[fake.sites++] = (struct radon_site){ .kind = kind, .number = number,
                                                   .address = address, .count = 100, .total = 5000,
                                                   .bounced = bounced,
                                                   .bounced_total = bounced * 1000 };
}

static void test_explain(void **state)
{
    struct explanation e;
    FILE *f;

    (void)state;
    make_active();
    only_handler()->hits = 77;
    only_handler()->passes[RADON_FAST_PASS_EVENT] = 3;
    synth_says = SYNTH_HYPERCALL;
    run(600, READ, 500000);
    fake.site[fake.sites] = fake.site[0]; /* the same call from elsewhere */
    fake.site[fake.sites++].address++;
    add_site(RADON_SITE_SYSCALL, 1, 0x400000, 0);
    add_site(RADON_SITE_SYSCALL, 2, 0x400000, 1000);
    add_site(RADON_SITE_SYSCALL, 3, 0x400000, 1);
    add_site(RADON_SITE_HYPERCALL, 32, 0, 0);
    add_site(RADON_SITE_HYPERCALL, 29 | 3 << 8, 0, 0);
    add_site(RADON_SITE_INTERRUPT, 40, 0, 0);
    add_site(RADON_SITE_PAGE_FAULT, 3, 0xffffffff81000000, 0);
    add_site(RADON_SITE_SYSCALL, 0, 0, 0);
    fake.site[fake.sites - 1].flags = RADON_SITE_OVERFLOW;
    fake.handler[fake.handlers++] = (struct radon_fast_info){
        .id = ++fake.last_id, .state = RADON_FAST_ACTIVE, .attach_kind = FAST_ATTACH_HYPERCALL,
        .attach_number = 29, .hits = 5 };
    f = fopen(log_path, "r");
    assert_int_equal(explain(&fake.backend, 0, f, true, &e), 0);
    assert_int_equal(e.nr, 10);
    assert_string_equal(row_named(&e, "syscall:getppid")->verdict, "handled");
    assert_int_equal(row_named(&e, "syscall:getppid")->hits, 77);
    assert_int_equal(row_named(&e, "syscall:getppid")->passes, 3);
    assert_int_equal(row_named(&e, "syscall:getppid")->count,
                     2 * 499 * fake.site[0].count);
    assert_string_equal(row_named(&e, "syscall:read")->reason, "HYPERCALL");
    assert_string_equal(row_named(&e, "syscall:read")->by, "synthesis");
    assert_string_equal(row_named(&e, "syscall:write")->reason, "NEVER_BACK");
    assert_string_equal(row_named(&e, "syscall:open")->reason, "NOT_YET");
    assert_string_equal(row_named(&e, "syscall:close")->reason, "COLD");
    assert_string_equal(row_named(&e, "hypercall:event_channel_op/0")->reason, "NOT_BOUNCED");
    assert_string_equal(row_named(&e, "hypercall:sched_op/3")->verdict, "handled");
    assert_int_equal(row_named(&e, "hypercall:sched_op/3")->hits, 5);
    assert_string_equal(row_named(&e, "interrupt:40")->reason, "NO_POINT");
    assert_string_equal(row_named(&e, "page_fault:0xffffffff81000000")->reason, "KERNEL_MODE");
    assert_string_equal(row_named(&e, "syscall:(evicted)")->reason, "EVICTED");
    for (unsigned int i = 1; i < e.nr; i++)
        assert_true(e.row[i - 1].cycles >= e.row[i].cycles);
    explain_free(&e);
    fclose(f);
    assert_int_equal(explain(&fake.backend, 0, NULL, false, &e), 0);
    assert_string_equal(row_named(&e, "syscall:open")->reason, "NO_DAEMON");
    assert_string_equal(row_named(&e, "syscall:read")->reason, "NO_DAEMON");
    explain_free(&e);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_hot_becomes_active), TEST(test_cold_is_left), TEST(test_costliest_first),
        TEST(test_never_bounced), TEST(test_found_by_looks), TEST(test_looks_alone_are_not_enough), TEST(test_two_vcpus), TEST(test_synthesis_refuses),
        TEST(test_verifier_refuses), TEST(test_install_fails), TEST(test_capture_long),
        TEST(test_capture_switched), TEST(test_capture_never_comes), TEST(test_too_long_to_record), TEST(test_some_are_short_enough), TEST(test_long_is_tried), TEST(test_by_hand),
        TEST(test_excluded), TEST(test_switched_off), TEST(test_dry_run), TEST(test_disagreed),
        TEST(test_text_changed), TEST(test_removed_by_hand), TEST(test_no_agreement),
        TEST(test_rare_path), TEST(test_new_path),
        TEST(test_passes_too_often), TEST(test_passes_for_events_are_nobodys_fault),
        TEST(test_never_hits), TEST(test_next_daemon_adopts), TEST(test_many_addresses), TEST(test_no_gain), TEST(test_gain_of_the_way_back), TEST(test_hardly_hits_in_shadow), TEST(test_no_path_more), TEST(test_passes_take_less), TEST(test_passes_take_more), TEST(test_long_by_few), TEST(test_explain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
