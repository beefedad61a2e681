/* SPDX-License-Identifier: MIT */
/*
 * trace-life: records of the life of domains and vCPUs, from before domain 0 was made.
 *
 * ktest-run: clock instr
 * ktest-run: hv_options flight=1024 dom0_max_vcpus=2-2
 *
 * Promised: with the option flight= the flight recorder is on before domain 0 is made: the first record is
 * that it is. vCPUs come and go, wait, wake and yield as often as recorded; a vCPU's changes of runstate
 * follow one another; emulated accesses to ports and changes of page types are recorded.
 * Why: a time line of a domain begins at its making, and has no holes.
 * Varied: what happens. Checked: records against what was done here.
 *
 * Radon's own call: the peer has none, and the test is skipped there.
 */
#include <stdint.h>

#include <xen/trace.h>

#include "event.h"
#include "ktest.h"
#include "pages.h"
#include "public/radon.h"
#include "smp.h"

const char ktest_name[] = "trace-life";

#define BOOT_PAGES 1024u
#define PAGES 64u
#define PORT 0x80u /* where nothing is */
#define L1 1u      /* page_use of docs/trace-events.md */
#define VCPUS 2u

enum event {
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "../../../tracing/events.def"
    NR_EVENTS
};

static const uint32_t numbers[NR_EVENTS] = {
#define EVENT(name, id, fields, text) id,
#define EVENT_VAR(name, id, text) id,
#include "../../../tracing/events.def"
};

static uint32_t kept[BOOT_PAGES * PAGE_BYTES / 4];

static struct {
    unsigned int of[NR_EVENTS], of_vcpu[NR_EVENTS][VCPUS]; /* of this domain's */
    unsigned int port_accesses, made_l1, breaks;
    enum event first;
    uint32_t first_domain;
    int runstate[VCPUS]; /* -1: not known yet */
} seen;

static uint64_t table_mfn; /* whose changes of type are looked for */

static long radon(unsigned int cmd, void *arg)
{
    return HC_2(RADON_HYPERCALL, cmd, arg);
}

static void control(uint32_t mode, uint32_t pages)
{
    struct radon_trace_control c = { .mode = mode, .pages = pages, .domain = RADON_DOMID_ANY, .vcpus = ~0UL };

    for (unsigned int e = 0; e < NR_EVENTS; e++)
        c.events[e / 64] |= 1UL << e % 64;
    ktest_require(radon(RADON_TRACE_CONTROL, &c) == 0);
}

/* ------------------------------------------------------------------ reading */

/* Which event; bits 4-5 and 8-9 of a runstate's number are its states. */
static enum event event_of(uint32_t number)
{
    uint32_t plain = (number & ~0x330u) == TRC_SCHED_RUNSTATE_CHANGE ? TRC_SCHED_RUNSTATE_CHANGE : number;

    for (unsigned int e = 0; e < NR_EVENTS; e++)
        if (numbers[e] == plain)
            return e;
    ktest_require(!"an event of the catalogue");
    return 0;
}

static void note_runstate(uint32_t number, uint32_t who)
{
    int was = number >> 8 & 3, now = number >> 4 & 3;
    uint32_t vcpu = who & 0xffff, domain = who >> 16;

    if (domain || vcpu >= VCPUS)
        return;
    seen.breaks += seen.runstate[vcpu] >= 0 && seen.runstate[vcpu] != was;
    seen.runstate[vcpu] = now;
}

static void note(enum event e, uint32_t number, const uint32_t *p)
{
    uint32_t vcpu = ~0u;

    seen.of[e]++;
    switch (e) {
    case EV_runstate_change:
        note_runstate(number, p[0]);
        break;
    case EV_vcpu_online:
    case EV_vcpu_offline:
        vcpu = p[0]; /* with domain 0 above it */
        break;
    case EV_sched_wake:
    case EV_sched_block:
    case EV_sched_yield:
        vcpu = p[0] ? ~0u : p[1];
        break;
    case EV_emulate_io:
        seen.port_accesses += p[2] == PORT && p[3] == (0x80 | 1);
        break;
    case EV_page_type_change:
        seen.made_l1 += (p[0] | (uint64_t)p[1] << 32) == table_mfn && p[3] == L1;
        break;
    default:
        break;
    }
    if (vcpu < VCPUS)
        seen.of_vcpu[e][vcpu]++;
}

/* All that is kept, oldest first. */
static void read_kept(void)
{
    struct radon_trace_read r = { .buffer = (uint64_t)kept, .bytes = sizeof(kept) };
    uint32_t head, words;
    bool first = true;

    memset(&seen, 0, sizeof(seen));
    seen.runstate[0] = seen.runstate[1] = -1;
    ktest_require(radon(RADON_TRACE_READ, &r) == 0);
    for (uint64_t at = 0; at < r.bytes / 4; at += 1 + words) {
        uint32_t stamp;

        head = kept[at];
        stamp = TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0;
        words = stamp + TRC_HD_EXTRA(head);
        if (TRC_HD_TO_EVENT(head) == TRC_TRACE_WRAP_BUFFER)
            continue;
        if (first) {
            seen.first = event_of(TRC_HD_TO_EVENT(head));
            seen.first_domain = kept[at + 1 + stamp];
            first = false;
        }
        note(event_of(TRC_HD_TO_EVENT(head)), TRC_HD_TO_EVENT(head), kept + at + 1 + stamp);
    }
}

/* ------------------------------------------------------------------ cases */

static void from_the_beginning(void)
{
    struct radon_trace_state s;

    test_case("flight=: from before domain 0 is made");
    check_eq(radon(RADON_TRACE_STATE, &s), 0);
    check_eq(s.control.mode, RADON_TRACE_FLIGHT);
    check_eq(s.control.pages, BOOT_PAGES);
    check_eq(s.control.flags, RADON_TRACE_STOP_ON_CRASH | RADON_TRACE_DUMP_ON_PANIC);
    control(RADON_TRACE_OFF, 0);
    read_kept();
    check_eq(seen.first, EV_domain_create);
    check_eq(seen.first_domain, 0);
    check_eq(seen.of[EV_domain_create], 1);
    check_eq(seen.of_vcpu[EV_vcpu_online][0], 1);
    check_eq(seen.of[EV_vcpu_online], 1);
    check(seen.of[EV_page_type_change] > 4); /* its tables */
    check_eq(seen.breaks, 0);
}

static long nothing(void)
{
    return 0;
}

static void wait_a_moment(void)
{
    hyp_set_timer_op(time_now() + 1000000);
    hyp_sched_op(SCHEDOP_block, 0);
}

/* Nothing is printed in between. */
static void life(void)
{
    long virq = event_bind_virq(VIRQ_TIMER, 0);
    uint64_t *table = page_alloc();

    test_case("vCPUs come, go, wait, wake and yield; ports; page types");
    ktest_require(virq > 0);
    check_eq(hyp_physdev_op(PHYSDEVOP_set_iopl, &(struct physdev_set_iopl){ .iopl = 1 }), 0);
    table_mfn = mfn_of(table);
    check_eq(hyp_update_va_mapping((uint64_t)table, table_mfn * PAGE_BYTES | PTE_RO, UVMF_INVLPG), 0);
    control(RADON_TRACE_FLIGHT, PAGES);
    check_eq(smp_start(1, smp_worker), 0);
    smp_run(1, nothing);
    check_eq(smp_wait(1), 0);
    check_eq(hyp_vcpu_op(VCPUOP_down, 1, 0), 0);
    hyp_vcpu_op(VCPUOP_down, 1, 0); /* it is down */
    for (unsigned int i = 0; i < 3; i++)
        hyp_sched_op(SCHEDOP_yield, 0);
    for (unsigned int i = 0; i < 4; i++)
        asm volatile("outb %%al, %0" ::"i"(PORT), "a"(0));
    check_eq(mmuext(MMUEXT_PIN_L1_TABLE, table_mfn, 0), 0);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, table_mfn, 0), 0);
    wait_a_moment();
    control(RADON_TRACE_OFF, 0);
    read_kept();
    check_eq(seen.of_vcpu[EV_vcpu_online][1], 1);
    check_eq(seen.of_vcpu[EV_vcpu_offline][1], 1);
    check_eq(seen.of[EV_vcpu_online] + seen.of[EV_vcpu_offline], 2);
    check_eq(seen.of_vcpu[EV_sched_yield][0], 3);
    check_eq(seen.of_vcpu[EV_sched_block][0], 1);
    check_eq(seen.of_vcpu[EV_sched_wake][0], 1);
    check(seen.of[EV_sched_switch] >= 4); /* to the other vCPU and back, to the idle one and back */
    check_eq(seen.port_accesses, 4);
    check_eq(seen.made_l1, 1);
    check_eq(seen.breaks, 0);
    check_eq(seen.runstate[0], 0); /* running */
    check_eq(seen.runstate[1], 3); /* offline */
}

void test_main(void)
{
    struct radon_info info;

    if (radon(RADON_INFO, &info) < 0)
        ktest_finish(KTEST_SKIP, "no radon_op here");
    from_the_beginning();
    life();
}
