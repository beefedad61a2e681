/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "fastpath/core/program.h"
#include "prof_daemon.h"

struct fake fake;
struct prof prof;
char folder[] = "/tmp/radon-prof-XXXXXX";
char log_path[64];
static struct log logged;

/* ------------------------------------------------------------------ a synthesis */

enum synth_reason synth_says;
unsigned int synth_runs, synth_captures, synth_paths;
bool synth_one_vcpu;
uint64_t synth_takes;

static int toy_synth(const struct synth_input *in, struct synth_output *out)
{
    struct fast_header head = {
        .magic = FAST_MAGIC, .version = FAST_VERSION, .header_bytes = sizeof(head),
        .total_bytes = sizeof(head) + 16, .insns = 2,
        .attach_kind = in->capture[0].head->kind, .attach_number = in->capture[0].head->number,
    };

    memset(out, 0, sizeof(*out));
    fake.ns += synth_takes;
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

int daemon_begin(void **state)
{
    (void)state;
    fake_begin(&fake);
    memset(&prof, 0, sizeof(prof));
    synth_says = SYNTH_OK;
    synth_runs = synth_captures = 0;
    synth_takes = 0;
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

int daemon_end(void **state)
{
    char command[96];

    (void)state;
    prof_end(&prof, false);
    log_close(&logged);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

void tick(void)
{
    unsigned int wait;

    assert_true(prof_tick(&prof, &wait));
    fake.ns += wait * 1000000ull;
}

void run_cycles(unsigned int ms, uint32_t number, uint64_t entries_a_second, uint64_t cycles)
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

void run(unsigned int ms, uint32_t number, uint64_t entries_a_second)
{
    run_cycles(ms, number, entries_a_second, 1000);
}

bool last_entry(const char *what, struct log_entry *found)
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

void assert_decided(const char *what, const char *by, const char *reason)
{
    struct log_entry e;

    assert_true(last_entry(what, &e));
    assert_string_equal(e.by, by);
    assert_string_equal(e.reason, reason);
}

struct radon_fast_info *only_handler(void)
{
    assert_int_equal(fake.handlers, 1);
    return &fake.handler[0];
}

void make_active(void)
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

void retire(enum radon_fast_reason why)
{
    only_handler()->state = RADON_FAST_RETIRED;
    only_handler()->reason = (uint8_t)why;
    tick();
    assert_int_equal(fake.handlers, 0);
}
