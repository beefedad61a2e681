/* SPDX-License-Identifier: MIT */
/*
 * trace-own: Radon's own trace rings, from radon_op to the records in them.
 *
 * Promised (hv/include/public/radon.h): an event that is asked for is in the rings as often as it
 * happened, whoever records in Xen's rings beside; vCPUs that are not asked for leave nothing; what
 * finds no room is counted exactly; VIRQ_ARCH_7 at one half; a reader that dies, or writes
 * nonsense, does no harm to the next one; a flight recorder keeps the newest, page by page. Varied:
 * events, mode, size, filter, reader. Checked: records against what was done here.
 *
 * Radon's own call: the peer has none, and the test is skipped there.
 */
#define __XEN_TOOLS__ 1
#include <stdint.h>

#include <xen/sysctl.h>
#include <xen/trace.h>
#undef __XEN_INTERFACE_VERSION__

#include "event.h"
#include "ktest.h"
#include "pages.h"
#include "public/radon.h"
#include "snippet.h"

const char ktest_name[] = "trace-own";

#define INFO_AT 0x10000000000UL
#define RING_AT 0x10000200000UL
#define PAGES 4u

enum event {
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "../../../tracing/events.def"
    NR_EVENTS
};

SNIPPET(call, "mov $777, %eax", "syscall");
SNIPPET(fault, "", "mov (%rdi), %rsi");
SNIPPET(ud, "", "ud2");
SNIPPET(enter, "mov $779, %eax", "sysenter");

#define LOW_CODE 0x400000UL
extern const uint8_t call32_code[], call32_end[];
asm(".pushsection .text\n"
    ".code32\n"
    "call32_code: mov $778, %eax\n syscall\n"
    "call32_end: ud2\n"
    ".code64\n"
    ".popsection\n");

static struct t_buf *ring;
static uint32_t ring_bytes;
static struct radon_trace_control wanted;
static uint8_t kept[16 * PAGE_BYTES];

/* What was found in a row of records. */
static struct {
    unsigned int versions, exits, bounces, irets, faults, traps, lost, lost_records, others;
    uint64_t result, bounce_rip, iret_rip, fault_address, last_tsc;
    uint32_t bounce_number;
    unsigned int records, of[NR_EVENTS];
    uint64_t words[NR_EVENTS][4]; /* data of the last of each */
} seen;

static const uint32_t numbers[NR_EVENTS] = {
#define EVENT(name, id, fields, text) id,
#define EVENT_VAR(name, id, text) id,
#include "../../../tracing/events.def"
};

/* ------------------------------------------------------------------ calls */

static long radon(unsigned int cmd, void *arg)
{
    return HC_2(RADON_HYPERCALL, cmd, arg);
}

static void want(enum event event)
{
    wanted.events[event / 64] |= 1ul << event % 64;
}

static void want_nothing(void)
{
    memset(wanted.events, 0, sizeof(wanted.events));
    wanted.domain = RADON_DOMID_ANY;
    wanted.vcpus = ~0ul;
    wanted.pages = 0;
    wanted.flags = 0;
}

static long start(uint32_t mode)
{
    wanted.mode = mode;
    return radon(RADON_TRACE_CONTROL, &wanted);
}

static struct radon_trace_state state(void)
{
    struct radon_trace_state s;

    ktest_require(radon(RADON_TRACE_STATE, &s) == 0);
    return s;
}

static void versions(unsigned int n)
{
    while (n--)
        hyp_xen_version(XENVER_version, 0);
}

/* ------------------------------------------------------------------ reading */

static long map_of_xen(uint64_t va, uint64_t mfn, uint64_t flags)
{
    struct mmu_update u = { machine_of(entry_make(va)), mfn * PAGE_BYTES | flags };
    long rc = hyp_mmu_update(&u, 1, 0, DOMID_XEN);

    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    return rc;
}

static void unmap_ring(uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        check_eq(hyp_update_va_mapping(RING_AT + i * PAGE_BYTES, 0, UVMF_INVLPG), 0);
    check_eq(hyp_update_va_mapping(INFO_AT, 0, UVMF_INVLPG), 0);
}

static void map_ring(uint32_t pages)
{
    const struct t_info *info = (void *)INFO_AT;
    struct radon_trace_state s = state();
    const uint32_t *mfn;

    check_eq(s.control.pages, pages);
    check(s.info_bytes >= PAGE_BYTES);
    check(map_of_xen(INFO_AT, s.info_mfn, PTE_RW) < 0);
    check_eq(map_of_xen(INFO_AT, s.info_mfn, PTE_RO), 0);
    check_eq(info->tbuf_size, pages);
    mfn = (const uint32_t *)info + info->mfn_offset[0];
    for (uint32_t i = 0; i < pages; i++)
        check_eq(map_of_xen(RING_AT + i * PAGE_BYTES, mfn[i], PTE_RW), 0);
    ring = (void *)RING_AT;
    ring_bytes = pages * PAGE_BYTES - sizeof(*ring);
}

static uint64_t word64(const uint32_t *p)
{
    return p[0] | (uint64_t)p[1] << 32;
}

static void note(uint32_t event, const uint32_t *p, uint32_t bytes)
{
    for (unsigned int e = 0; e < NR_EVENTS; e++)
        if (numbers[e] == event) {
            seen.of[e]++;
            memcpy(seen.words[e], p, bytes);
        }
    switch (event) {
    case TRC_PV_HYPERCALL_V2:
        seen.versions += (p[0] & 0xfffff) == __HYPERVISOR_xen_version;
        break;
    case RADON_TRC_ENTRY + 1:
        seen.exits += p[0] == __HYPERVISOR_xen_version;
        if (p[0] == __HYPERVISOR_xen_version)
            seen.result = word64(p + 1);
        break;
    case RADON_TRC_ENTRY + 4:
        seen.bounces++;
        seen.bounce_number = p[0];
        seen.bounce_rip = word64(p + 1);
        break;
    case RADON_TRC_ENTRY + 5:
        seen.irets++;
        seen.iret_rip = word64(p);
        break;
    case TRC_PV_PAGE_FAULT | TRC_64_FLAG:
        seen.faults++;
        seen.fault_address = word64(p + 2);
        break;
    case TRC_PV_TRAP | TRC_64_FLAG:
        seen.traps++;
        break;
    case TRC_LOST_RECORDS:
        seen.lost += p[0];
        seen.lost_records++;
        break;
    default:
        seen.others++;
    }
}

/* The record at p: noted; its bytes. */
static uint32_t read_record(const uint32_t *p)
{
    uint32_t words = TRC_HD_INCLUDES_CYCLE_COUNT(*p) ? 3 : 1;

    if (TRC_HD_TO_EVENT(*p) != TRC_TRACE_WRAP_BUFFER) {
        if (words != 3 || word64(p + 1) < seen.last_tsc)
            check(!"time stamps rise");
        seen.last_tsc = word64(p + 1);
        seen.records++;
        note(TRC_HD_TO_EVENT(*p), p + words, 4 * TRC_HD_EXTRA(*p));
    }
    return 4 * (words + TRC_HD_EXTRA(*p));
}

static void drain(void)
{
    memset(&seen, 0, sizeof(seen));
    while (ring->cons != ring->prod) {
        uint32_t at = ring->cons >= ring_bytes ? ring->cons - ring_bytes : ring->cons;
        uint32_t cons = ring->cons + read_record((uint32_t *)((char *)(ring + 1) + at));

        ring->cons = cons >= 2 * ring_bytes ? cons - 2 * ring_bytes : cons;
    }
}

/* ------------------------------------------------------------------ cases */

static void refusals(void)
{
    test_case("modes, sizes, flags and domains that there are not; a mode without rings");
    want_nothing();
    check_eq(start(RADON_TRACE_STREAM), -XEN_EINVAL);
    check_eq(start(3), -XEN_EINVAL);
    wanted.pages = 4097;
    check_eq(start(RADON_TRACE_OFF), -XEN_EINVAL);
    wanted.pages = 1;
    wanted.flags = 4;
    check_eq(start(RADON_TRACE_OFF), -XEN_EINVAL);
    wanted.flags = 0;
    wanted.domain = 99;
    check_eq(start(RADON_TRACE_STREAM), -XEN_ESRCH);
    check_eq(radon(RADON_TRACE_CONTROL, (void *)0x5000), -XEN_EFAULT);
    check_eq(state().info_mfn, 0);
    check_eq(state().control.mode, RADON_TRACE_OFF);
}

/* Nothing is printed in between, since that is a hypercall. */
static void each_event(void)
{
    struct ktest_regs regs = regs_user(fault_code);

    test_case("entries, exits, system calls, faults and irets, each as often as it was");
    want_nothing();
    want(EV_pv_hypercall);
    want(EV_exit_hypercall);
    want(EV_bounce_syscall);
    want(EV_iret_user);
    want(EV_pv_page_fault);
    want(EV_pv_trap);
    user_mode_init();
    check_eq(start(RADON_TRACE_STREAM), 0);
    drain();
    versions(5);
    for (unsigned int i = 0; i < 3; i++)
        run(regs_user(call_code));
    regs.rdi = 0x123456789000;
    run(regs);
    run(regs_user(ud_code));
    start(RADON_TRACE_OFF);
    drain();
    check_eq(seen.versions, 5);
    check_eq(seen.exits, 5);
    check_eq(seen.result, 4 << 16 | 17);
    check_eq(seen.bounces, 3);
    check_eq(seen.bounce_number, 777);
    check_eq(seen.bounce_rip, call_after);
    check_eq(seen.irets, 5);
    check_eq(seen.iret_rip, ud_code);
    check_eq(seen.faults, 1);
    check_eq(seen.fault_address, 0x123456789000);
    check_eq(seen.traps, 1);
    check_eq(seen.lost, 0);
    check_eq(seen.others, 0);
    versions(3);
    drain();
    check_eq(seen.records, 0);
}

/* The one bounce since the last look, unless the processor has no such instruction. */
static void check_bounce(const struct exception *e, unsigned int vector, uint64_t number, uint64_t rip)
{
    check_eq(seen.bounces, e->regs.vector != VEC_UD);
    if (!seen.bounces)
        return;
    check_eq(e->regs.vector, vector);
    check_eq(seen.bounce_number, number);
    check_eq(seen.bounce_rip, rip);
}

/*
 * SYSCALL of 32-bit code is AMD's alone, SYSENTER in 64-bit mode Intel's: each is a system call, or the #UD of a
 * processor that has no such instruction.
 */
static void other_system_calls(void)
{
    static uint8_t code[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
    struct ktest_regs regs = regs_user((void *)LOW_CODE);
    struct exception e;

    test_case("system calls by SYSCALL of 32-bit code and by SYSENTER");
    memcpy(code, call32_code, (size_t)(call32_end - call32_code));
    map_low(LOW_CODE, code);
    check_eq(callback_set(CALLBACKTYPE_syscall32, CALLBACKF_mask_events, ktest_syscall32_entry), 0);
    check_eq(callback_set(CALLBACKTYPE_sysenter, CALLBACKF_mask_events, ktest_sysenter_entry), 0);
    want_nothing();
    want(EV_bounce_syscall);
    regs.cs = FLAT_USER_CS32;
    regs.ss = FLAT_USER_SS32;
    regs.rsp = LOW_CODE + PAGE_BYTES - 64;
    regs.rflags |= RFLAGS_IF;
    start(RADON_TRACE_STREAM);
    drain();
    e = run_iret(regs);
    drain();
    check_bounce(&e, VEC_SYSCALL32, 778, LOW_CODE + (uint64_t)(call32_end - call32_code));
    regs = regs_user(enter_code);
    regs.rflags |= RFLAGS_IF;
    e = run_iret(regs);
    drain();
    check_bounce(&e, VEC_SYSENTER, 779, 0);
    this_cpu()->info->evtchn_upcall_mask = 1;
    start(RADON_TRACE_OFF);
}

/* What is not an entry; nothing is printed in between. */
static void other_events(void)
{
    struct multicall_entry calls[2] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } }, { .op = 999 }
    };
    long port = event_bind_ipi(0), virq = event_bind_virq(VIRQ_TIMER, 0);
    uint64_t deadline;

    test_case("sub-calls, operations, flushes, events, timers, upcalls");
    event_mask((unsigned int)port);
    want_nothing();
    for (unsigned int e = 0; e < NR_EVENTS; e++)
        want(e);
    start(RADON_TRACE_STREAM);
    drain();
    hyp_multicall(calls, 2);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    mmuext(MMUEXT_INVLPG_LOCAL, RING_AT, 0);
    event_send((unsigned int)port);
    events_enable();
    deadline = time_now() + 100000;
    hyp_set_timer_op(deadline);
    wait_for(ktest_event_count[virq], 1000000000);
    events_disable();
    start(RADON_TRACE_OFF);
    drain();
    check_eq(seen.lost, 0);
    check_eq(seen.of[EV_pv_subcall], 2);
    check_eq(seen.of[EV_exit_subcall], 2);
    check_eq((uint32_t)seen.words[EV_exit_subcall][0], 999);
    check_eq(word64((uint32_t *)seen.words[EV_exit_subcall] + 1), -XEN_ENOSYS);
    check_eq(seen.of[EV_operation], 2);
    check_eq(seen.words[EV_operation][0],
             __HYPERVISOR_mmuext_op | (uint64_t)MMUEXT_INVLPG_LOCAL << 32);
    check_eq(seen.words[EV_operation][1], RING_AT);
    check_eq(seen.of[EV_tlb_flush], 2);
    check_eq(seen.words[EV_tlb_flush][0], 1);
    check_eq(seen.words[EV_tlb_flush][1], RING_AT);
    check_eq(seen.of[EV_event_send], 1);
    check_eq(seen.words[EV_event_send][0], port);
    check_eq(seen.of[EV_timer_set], 1);
    check_eq(word64((uint32_t *)seen.words[EV_timer_set] + 1), deadline);
    check_eq(seen.of[EV_timer_fire], 1);
    check(seen.of[EV_event_virq] >= 1);
    check(seen.of[EV_event_upcall] >= 1);
    check(seen.of[EV_interrupt_enter] >= 1);
    check_eq(event_close((unsigned int)port), 0);
    check_eq(event_close((unsigned int)virq), 0);
}

/* What public/trace.h says the data of a hypercall with four arguments are; how many words. */
static unsigned int expected(uint32_t words[7], uint32_t number, const uint64_t args[4])
{
    unsigned int n = 1;

    words[0] = number;
    for (unsigned int i = 0; i < 4; i++) {
        bool wide = args[i] >> 32;

        if (n + 1 + wide > 7)
            break;
        words[0] |= (wide ? 2u : 1u) << (20 + 2 * i);
        words[n++] = (uint32_t)args[i];
        if (wide)
            words[n++] = (uint32_t)(args[i] >> 32);
    }
    return n;
}

/* Arguments of every size, in a hypercall and in a multicall's entry; to one ring and to both. */
static void sizes_of_arguments(void)
{
    test_case("arguments of 32 and of 64 bits, wherever they stand");
    want_nothing();
    want(EV_pv_hypercall);
    want(EV_pv_subcall);
    for (unsigned int wide = 0; wide < 16; wide++) {
        uint64_t args[4];
        uint32_t words[7];
        unsigned int n;
        struct multicall_entry call = { .op = __HYPERVISOR_mmuext_op };

        /* No operations at all: what the arguments are does not matter. */
        for (unsigned int i = 0; i < 4; i++)
            args[i] = (i == 1 ? 0 : 0x11110000u + i) | (uint64_t)(wide >> i & 1) << (40 + i);
        memcpy(call.args, args, sizeof(args));
        n = expected(words, __HYPERVISOR_mmuext_op, args);
        start(RADON_TRACE_STREAM);
        drain();
        HC_4(__HYPERVISOR_mmuext_op, args[0], args[1], args[2], args[3]);
        drain();
        check_eq(memcmp(seen.words[EV_pv_hypercall], words, 4 * n), 0);
        check_eq(seen.of[EV_pv_hypercall], 1);
        hyp_multicall(&call, 1);
        drain();
        check_eq(memcmp(seen.words[EV_pv_subcall], words, 4 * n), 0);
        check_eq(seen.of[EV_pv_subcall], 1);
        start(RADON_TRACE_OFF);
    }
}

static void filters(void)
{
    test_case("other vCPUs alone: nothing of this one; then again");
    want_nothing();
    want(EV_pv_hypercall);
    want(EV_pv_trap);
    wanted.vcpus = 2;
    check_eq(start(RADON_TRACE_STREAM), 0);
    drain();
    versions(10);
    run(regs_kernel(ud_code));
    drain();
    check_eq(seen.records, 0);
    wanted.vcpus = 1;
    wanted.domain = RADON_DOMID_SELF;
    start(RADON_TRACE_STREAM);
    versions(10);
    run(regs_kernel(ud_code));
    drain();
    check_eq(seen.versions, 10);
    check_eq(seen.traps, 1);
    check_eq(state().control.domain, 0);
}

static void beside_xens(void)
{
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_tbuf_op,
                             .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    static const uint32_t steps[] = { XEN_SYSCTL_TBUFOP_set_size, XEN_SYSCTL_TBUFOP_set_evt_mask,
                                      XEN_SYSCTL_TBUFOP_enable };
    struct ktest_regs regs = regs_user(fault_code);

    regs.rdi = 0x123456789000;
    test_case("Xen's rings on as well");
    want_nothing();
    want(EV_pv_hypercall);
    want(EV_exit_hypercall);
    want(EV_bounce_syscall);
    want(EV_pv_page_fault);
    for (unsigned int i = 0; i < 3; i++) {
        op.u.tbuf_op.cmd = steps[i];
        op.u.tbuf_op.size = PAGES;
        if (i == 1)
            op.u.tbuf_op.evt_mask = TRC_ALL;
        check_eq(HC_1(__HYPERVISOR_sysctl, &op), 0);
    }
    start(RADON_TRACE_STREAM);
    drain();
    versions(1500); /* Xen's ring, which nobody reads, is full in between */
    drain();
    versions(21);
    run(regs_user(call_code));
    run(regs);
    drain();
    check(seen.lost > 0); /* of ours, which nobody read meanwhile either */
    check_eq(seen.versions, 21);
    check_eq(seen.exits, 21);
    check_eq(seen.bounces, 1);
    check_eq(seen.faults, 1);
    op.u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_disable;
    check_eq(HC_1(__HYPERVISOR_sysctl, &op), 0);
    versions(22);
    drain();
    check_eq(seen.versions, 22);
    start(RADON_TRACE_OFF);
}

static void slow_reader(void)
{
    long port = event_bind_virq(VIRQ_ARCH_7, 0);
    uint64_t before;
    unsigned int first;

    test_case("a reader too slow: what is lost is counted, and the reader is told before");
    check(port > 0);
    want_nothing();
    want(EV_exit_hypercall);
    start(RADON_TRACE_STREAM);
    drain();
    event_clear_pending((unsigned int)port);
    before = state().lost_full;
    drain();
    versions(20);
    check(!event_pending((unsigned int)port));
    versions(4980);
    check(event_pending((unsigned int)port));
    drain();
    first = seen.exits;
    check(first > 500 && first < 700); /* 24 bytes each, of 16 KiB */
    versions(1);
    drain();
    check_eq(seen.exits, 1);
    check_eq(seen.lost_records, 1);
    check(seen.lost > 0);
    check_eq(first + seen.lost + 1, 5001);
    check_eq(state().lost_full - before, seen.lost);

    test_case("a reader that dies: the next one reads what there is, and goes on");
    drain();
    versions(100);
    ring->cons = 0xfffffff3; /* what its last act may have been */
    versions(5000);
    ring->cons = ring->prod;
    versions(7);
    drain();
    check_eq(seen.exits, 7);
    unmap_ring(PAGES);
    versions(8);
    map_ring(PAGES);
    drain();
    check(seen.exits >= 8);
    check_eq(seen.lost, 0);
    start(RADON_TRACE_OFF);
}

/* What the flight recorder keeps of this CPU: noted in `seen`; bytes. */
static uint64_t read_kept(uint64_t piece)
{
    struct radon_trace_read r = { .buffer = (uint64_t)kept, .bytes = piece };
    uint64_t total = 0;

    memset(&seen, 0, sizeof(seen));
    memset(kept, 0, sizeof(kept));
    do {
        r.buffer = (uint64_t)kept + total;
        r.offset = total;
        r.bytes = piece;
        ktest_require(radon(RADON_TRACE_READ, &r) == 0);
        total += r.bytes;
    } while (r.bytes == piece);
    for (uint64_t at = 0; at < total;) {
        uint32_t bytes = read_record((uint32_t *)(kept + at));

        at += bytes;
    }
    return total;
}

static void flight(void)
{
    struct radon_trace_read r = { .cpu = 4096 };
    uint64_t total, again;

    test_case("flight recorder: the newest is kept");
    want_nothing();
    want(EV_exit_hypercall);
    wanted.pages = 2 * PAGES;
    start(RADON_TRACE_FLIGHT);
    check_eq(radon(RADON_TRACE_READ, &r), -XEN_EINVAL);
    versions(10);
    start(RADON_TRACE_OFF);
    read_kept(sizeof(kept));
    check_eq(seen.exits, 10);
    start(RADON_TRACE_FLIGHT); /* goes on where it was */
    versions(20000);
    start(RADON_TRACE_OFF);
    total = read_kept(sizeof(kept));
    check(total > (2 * PAGES - 2) * PAGE_BYTES && total < 2 * PAGES * PAGE_BYTES);
    check(seen.exits > 900 && seen.exits < 1366); /* 24 bytes each, of 24 to 32 KiB */
    check_eq(seen.lost, 0);
    check_eq(seen.others, 0);
    again = read_kept(1000);
    check_eq(again, total);
    test_case("read while it records");
    start(RADON_TRACE_FLIGHT);
    versions(3000);
    total = read_kept(sizeof(kept));
    check(total > (2 * PAGES - 2) * PAGE_BYTES);
    check(seen.exits > 900);
    versions(100);
    start(RADON_TRACE_OFF);

    test_case("from a flight recorder's rings to a reader's");
    wanted.pages = PAGES;
    start(RADON_TRACE_STREAM);
    check_eq(radon(RADON_TRACE_READ, &(struct radon_trace_read){ .bytes = 8 }), -XEN_EINVAL);
}

static uint64_t free_pages(void)
{
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo,
                             .interface_version = XEN_SYSCTL_INTERFACE_VERSION };

    ktest_require(HC_1(__HYPERVISOR_sysctl, &op) == 0);
    return op.u.physinfo.free_pages;
}

static void resizing(void)
{
    uint64_t before;

    test_case("other sizes: no frame is lost");
    want_nothing();
    wanted.pages = PAGES;
    check_eq(start(RADON_TRACE_STREAM), 0);
    unmap_ring(PAGES);
    before = free_pages();
    for (unsigned int i = 1; i < 20; i++) {
        wanted.pages = i;
        check_eq(start(i % 3), 0);
    }
    wanted.pages = PAGES;
    check_eq(start(RADON_TRACE_STREAM), 0);
    check_eq(free_pages(), before);
}

void test_main(void)
{
    struct radon_info info;

    if (radon(RADON_INFO, &info) < 0)
        ktest_finish(KTEST_SKIP, "no radon_op here");
    refusals();
    test_case("rings: made, found, mapped");
    want_nothing();
    wanted.pages = PAGES;
    check_eq(start(RADON_TRACE_STREAM), 0);
    map_ring(PAGES);
    each_event();
    other_system_calls();
    other_events();
    sizes_of_arguments();
    filters();
    beside_xens();
    slow_reader();
    unmap_ring(PAGES);
    flight();
    map_ring(PAGES);
    resizing();
}
