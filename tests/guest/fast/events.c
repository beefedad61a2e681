/* SPDX-License-Identifier: MIT */
/* The trace events of handlers and captures: each as often as it happened, and nothing unless asked. */
#include "events.h"

#include "capture.h"

#include "prog.h"

#include <xen/trace.h>

#define NR 41

static const uint32_t numbers[NR_EVENTS] = {
#define EVENT(name, id, fields, text) id,
#define EVENT_VAR(name, id, text) id,
#include "../../../tracing/events.def"
};

struct seen_event seen[EVENTS_MOST];
unsigned int nr_seen;
static uint8_t kept[8 * 4096];

/* rax = 5, unless rdi is 1. */
static const struct fast_insn five[] = {
    LDX(2, 1, CTX(rdi)), JEQI(2, 1, 4), MOVI(2, 5), STX(1, 2, CTX(rax)), MOVI(0, 1), EXIT,
    MOVI(0, 0), EXIT,
};

/* ------------------------------------------------------------------ recording */

static void record(const enum event *events, unsigned int n, uint32_t mode)
{
    struct radon_trace_control op = { .mode = mode, .pages = 8, .domain = RADON_DOMID_ANY,
                                      .vcpus = ~0ul };

    for (unsigned int i = 0; i < n; i++)
        op.events[events[i] / 64] |= 1ul << events[i] % 64;
    ktest_require(radon_op(RADON_TRACE_CONTROL, &op) == 0);
}

static void note(const uint32_t *p)
{
    for (unsigned int e = 0; e < NR_EVENTS && nr_seen < EVENTS_MOST; e++)
        if (numbers[e] == (*p & 0x0fffffff)) {
            seen[nr_seen].event = (enum event)e;
            memcpy(seen[nr_seen++].words, p + 3, 4 * (*p >> 28 & 7));
        }
}

/* What is in the rings already is gone. */
void events_begin(const enum event *events, unsigned int n)
{
    struct radon_trace_control op = { .mode = RADON_TRACE_OFF, .pages = 4,
                                      .domain = RADON_DOMID_ANY, .vcpus = ~0ul };

    ktest_require(radon_op(RADON_TRACE_CONTROL, &op) == 0);
    record(events, n, RADON_TRACE_FLIGHT);
}

void events_end(void)
{
    struct radon_trace_read r = { .buffer = (uint64_t)kept, .bytes = sizeof(kept) };

    record(NULL, 0, RADON_TRACE_OFF);
    ktest_require(radon_op(RADON_TRACE_READ, &r) == 0);
    nr_seen = 0;
    for (uint64_t at = 0; at < r.bytes;) {
        const uint32_t *p = (const uint32_t *)(kept + at);

        note(p);
        at += 4 * (3 + (*p >> 28 & 7));
    }
}

void check_record(unsigned int i, enum event event, const uint32_t *words, unsigned int n)
{
    check(i < nr_seen);
    if (i >= nr_seen)
        return;
    check_eq(seen[i].event, event);
    for (unsigned int w = 0; w < n; w++)
        check_eq(seen[i].words[w], words[w]);
}

/* ------------------------------------------------------------------ cases */

static void life(void)
{
    static const enum event want[] = { EV_fast_install, EV_fast_state, EV_fast_hit, EV_fast_pass,
                                       EV_fast_refuse };
    static const struct fast_insn loop[] = { MOVI(0, 1), I(0x05, 0, 0, -2, 0), EXIT };
    const uint32_t kind = FAST_ATTACH_SYSCALL;
    uint32_t id;

    test_case("install, hits, passes, states and a refusal, in this order");
    events_begin(want, sizeof(want) / sizeof(want[0]));
    id = (uint32_t)install(PROGRAM(NR, five), RADON_FAST_INSTALL_ACTIVE);
    user_syscall(NR, 0, 0);
    user_syscall(NR, 1, 0);
    user_syscall(NR, 0, 0);
    control(id, RADON_FAST_DISABLED);
    user_syscall(NR, 0, 0);
    control(id, RADON_FAST_ACTIVE);
    control(id, RADON_FAST_RETIRED);
    install(PROGRAM(NR, loop), RADON_FAST_INSTALL_ACTIVE);
    events_end();
    check_eq(nr_seen, 9);
    CHECK_RECORD(0, EV_fast_install, id, 0, kind, NR, 0, 0);
    CHECK_RECORD(1, EV_fast_state, id, kind, NR, 0, RADON_FAST_ACTIVE, 0);
    CHECK_RECORD(2, EV_fast_hit, id, kind, NR, 0, 0);
    check(seen[2].words[5] > 0);
    CHECK_RECORD(3, EV_fast_pass, id, kind, NR, 0, 0, RADON_FAST_PASS_CHOSEN);
    CHECK_RECORD(4, EV_fast_hit, id, kind, NR, 0, 0);
    CHECK_RECORD(5, EV_fast_state, id, kind, NR, RADON_FAST_ACTIVE, RADON_FAST_DISABLED, 0);
    CHECK_RECORD(6, EV_fast_state, id, kind, NR, RADON_FAST_DISABLED, RADON_FAST_ACTIVE, 0);
    CHECK_RECORD(7, EV_fast_state, id, kind, NR, RADON_FAST_ACTIVE, RADON_FAST_RETIRED,
                 RADON_FAST_REMOVED);
    check_eq(seen[8].event, EV_fast_refuse);
    check_eq(seen[8].words[2], 1);
}

/* A hit is as any other hypercall to who records those. */
static void of_hypercalls(void)
{
    static const enum event want[] = { EV_fast_hit, EV_fast_pass, EV_exit_hypercall };
    const uint32_t kind = FAST_ATTACH_HYPERCALL, nr = __HYPERVISOR_xen_version;
    uint32_t id;

    test_case("hits and passes of a hypercall, and the hypercall's own end");
    id = (uint32_t)install(make_program(FAST_ATTACH_HYPERCALL, nr, 0, five, sizeof(five) / 8),
                           RADON_FAST_INSTALL_ACTIVE);
    events_begin(want, sizeof(want) / sizeof(want[0]));
    hyp_xen_version(XENVER_version, 0);
    hyp_xen_version(XENVER_extraversion, 0);
    events_end();
    check_eq(nr_seen, 5);
    CHECK_RECORD(0, EV_exit_hypercall, RADON_HYPERCALL, 0, 0);
    CHECK_RECORD(1, EV_fast_hit, id, kind, nr, 0, 0);
    CHECK_RECORD(2, EV_exit_hypercall, nr, 5, 0);
    CHECK_RECORD(3, EV_fast_pass, id, kind, nr, 0, 0, RADON_FAST_PASS_CHOSEN);
    CHECK_RECORD(4, EV_exit_hypercall, nr, (uint32_t)-XEN_EFAULT, ~0u);
    control(id, RADON_FAST_RETIRED);
}

/* Hits and passes: as many as they are if they are asked for. */
static void each_alone(void)
{
    static const enum event want[] = { EV_fast_hit, EV_fast_pass, EV_fast_state };
    static const unsigned int records[] = { 4, 2, 1 };

    test_case("hits alone, passes alone, neither");
    for (unsigned int i = 0; i < 3; i++) {
        uint32_t id = (uint32_t)install(PROGRAM(NR, five), RADON_FAST_INSTALL_ACTIVE);

        events_begin(&want[i], 1);
        for (unsigned int call = 0; call < 6; call++)
            user_syscall(NR, call % 3 == 2, 0);
        control(id, RADON_FAST_RETIRED);
        events_end();
        check_eq(nr_seen, records[i]);
        for (unsigned int r = 0; r < nr_seen; r++)
            check_eq(seen[r].event, want[i]);
    }
}

/* The guest kernel of these tests answers nothing: its iret never comes, so the capture is void. */
static void captures(void)
{
    static const enum event want[] = { EV_capture_start, EV_capture_end };
    struct radon_capture_start op = { .domain = DOMID_SELF, .kind = FAST_ATTACH_SYSCALL,
                                      .number = NR, .occurrences = 1, .max_steps = 3 };
    struct radon_capture_stop stop;

    test_case("a capture's beginning, and each occurrence's end");
    events_begin(want, sizeof(want) / sizeof(want[0]));
    check_eq(radon_op(RADON_CAPTURE_START, &op), 0);
    user_syscall(NR, 0, 0);
    user_syscall(NR, 0, 0);
    stop.id = op.id;
    stop.reserved = 0;
    radon_op(RADON_CAPTURE_STOP, &stop);
    events_end();
    check_eq(nr_seen, 3);
    CHECK_RECORD(0, EV_capture_start, op.id, 0, FAST_ATTACH_SYSCALL, NR, 0, 0);
    CHECK_RECORD(1, EV_capture_end, op.id, 0, RADON_CAPTURE_LONG, 3);
    CHECK_RECORD(2, EV_capture_end, op.id, 1, RADON_CAPTURE_LONG, 3);
}

void event_tests(void)
{
    life();
    of_hypercalls();
    each_alone();
    captures();
}
