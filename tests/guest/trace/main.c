/* SPDX-License-Identifier: MIT */
/*
 * trace: the trace buffers, from the call that makes them to the records in them.
 *
 * Promised (public/sysctl.h tbuf_op, public/trace.h): buffers of the size asked for, mapped as
 * DOMID_XEN's by the frames that t_info lists; while enabled, a record of every event that the mask
 * wants, in order; records that found no room are counted in a record; VIRQ_TBUF when it fills up.
 * Why: a profile is as good as its counts are exact.
 * Varied: kind of event, mask, a reader too slow, the size. Checked: number of records of each kind
 * against what was done here, addresses and codes in them; frames come back.
 *
 * Differences allowed to the peer: it makes buffers once; which hypercall arguments a record has; an
 * emulated instruction's address is that of the instruction or of the next.
 */
#define __XEN_TOOLS__ 1
#include <stdint.h>

#include <xen/sysctl.h>
#include <xen/trace.h>
#undef __XEN_INTERFACE_VERSION__

#include "event.h"
#include "ktest.h"
#include "pages.h"
#include "snippet.h"
#include "trace_ring.h"

const char ktest_name[] = "trace";

#define INFO_AT 0x10000000000UL
#define RING_AT 0x10000200000UL
#define SPARE   0x10000400000UL
#define PAGES   4u

SNIPPET(plain, "", "ud2");
SNIPPET(forced, "xor %eax, %eax\n", ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n cpuid");
SNIPPET(privileged, "", "mov %cr0, %rax");
SNIPPET(fault, "", "mov (%rdi), %rsi");

static struct t_buf *ring;
static uint32_t ring_bytes;
static uint64_t last_tsc;

/* Records found by one drain(). */
static struct {
    unsigned int versions, multicalls, subcalls, traps, page_faults, forced, privops, ptwrs, lost;
    unsigned int sched, others;
    uint64_t trap_rip, fault_rip, fault_address, forced_rip, privop_rip, ptwr_entry, ptwr_address;
    uint32_t trap, fault_code;
} seen;

/* ------------------------------------------------------------------ calls */

static struct xen_sysctl op;

static long sysctl(uint32_t cmd)
{
    op.cmd = cmd;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return HC_1(__HYPERVISOR_sysctl, &op);
}

static long tbuf(uint32_t cmd)
{
    op.u.tbuf_op.cmd = cmd;
    return sysctl(XEN_SYSCTL_tbuf_op);
}

static long set_size(uint32_t pages)
{
    op.u.tbuf_op.size = pages;
    return tbuf(XEN_SYSCTL_TBUFOP_set_size);
}

static long want(uint32_t events)
{
    op.u.tbuf_op.evt_mask = events;
    return tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask);
}

static long want_cpus(uint8_t mask)
{
    op.u.tbuf_op.cpu_mask.nr_bits = 8;
    set_xen_guest_handle(op.u.tbuf_op.cpu_mask.bitmap, &mask);
    return tbuf(XEN_SYSCTL_TBUFOP_set_cpu_mask);
}

static uint64_t free_pages(void)
{
    ktest_require(sysctl(XEN_SYSCTL_physinfo) == 0);
    return op.u.physinfo.free_pages;
}

/* ------------------------------------------------------------------ reading */

static long unmap(uint64_t va)
{
    return hyp_update_va_mapping(va, 0, UVMF_INVLPG);
}

/* Maps t_info and the ring of CPU 0. */
static void map_ring(uint32_t pages)
{

    check_eq(tbuf(XEN_SYSCTL_TBUFOP_get_info), 0);
    check(op.u.tbuf_op.size >= PAGE_BYTES);
    ring = trace_ring_map(INFO_AT, op.u.tbuf_op.buffer_mfn, RING_AT, pages);
    ring_bytes = pages * PAGE_BYTES - sizeof(*ring);
}

static void note(uint32_t event, const uint32_t *p)
{
    switch (event) {
    case TRC_PV_HYPERCALL_V2:
        seen.versions += (p[0] & 0xfffff) == __HYPERVISOR_xen_version;
        seen.multicalls += (p[0] & 0xfffff) == __HYPERVISOR_multicall;
        break;
    case TRC_PV_HYPERCALL_SUBCALL:
        seen.subcalls += (p[0] & 0xfffff) == __HYPERVISOR_xen_version;
        break;
    case TRC_PV_TRAP | TRC_64_FLAG:
        seen.traps++;
        seen.trap_rip = word64(p);
        seen.trap = p[2];
        break;
    case TRC_PV_PAGE_FAULT | TRC_64_FLAG:
        seen.page_faults++;
        seen.fault_rip = word64(p);
        seen.fault_address = word64(p + 2);
        seen.fault_code = p[4];
        break;
    case TRC_PV_FORCED_INVALID_OP | TRC_64_FLAG:
        seen.forced++;
        seen.forced_rip = word64(p);
        break;
    case TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG:
        seen.privops++;
        seen.privop_rip = word64(p);
        break;
    case TRC_PV_PTWR_EMULATION | TRC_64_FLAG:
        seen.ptwrs++;
        seen.ptwr_entry = word64(p);
        seen.ptwr_address = word64(p + 2);
        break;
    case TRC_LOST_RECORDS:
        seen.lost += p[0];
        break;
    case TRC_TRACE_WRAP_BUFFER:
        break;
    default:
        if ((event & 0x0fff0000) == (TRC_SCHED & 0x0fff0000))
            seen.sched++;
        else
            seen.others++;
    }
}

/* Reads all that is there. */
static void drain(void)
{
    memset(&seen, 0, sizeof(seen));
    while (ring->cons != ring->prod) {
        uint32_t at = ring->cons >= ring_bytes ? ring->cons - ring_bytes : ring->cons, head = 1;
        const uint32_t *p = (uint32_t *)((char *)(ring + 1) + at);
        uint32_t extra = TRC_HD_EXTRA(*p), cons;

        if (TRC_HD_INCLUDES_CYCLE_COUNT(*p)) {
            head = 3;
            if (TRC_HD_TO_EVENT(*p) != TRC_TRACE_WRAP_BUFFER) {
                if (word64(p + 1) < last_tsc)
                    check(!"time stamps rise");
                last_tsc = word64(p + 1);
            }
        }
        ktest_require(at + 4 * (head + extra) <= ring_bytes);
        note(TRC_HD_TO_EVENT(*p), p + head);
        cons = ring->cons + 4 * (head + extra);
        ring->cons = cons >= 2 * ring_bytes ? cons - 2 * ring_bytes : cons;
    }
}

/* ------------------------------------------------------------------ cases */

static void refusals(void)
{
    test_case("wrong interface version, bad pointer, unknown operations");
    op.cmd = XEN_SYSCTL_tbuf_op;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION - 1;
    check_eq(HC_1(__HYPERVISOR_sysctl, &op), -XEN_EACCES);
    check_eq(HC_1(__HYPERVISOR_sysctl, 0x5000), -XEN_EFAULT);
    check_eq(sysctl(9999), -XEN_ENOSYS);
    check_eq(tbuf(77), -XEN_EINVAL);
    test_case("enable without buffers");
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_enable), -XEN_EINVAL);
}

static void versions(unsigned int n)
{
    while (n--)
        hyp_xen_version(XENVER_version, 0);
}

/* Something of each kind; no case is named in between, since that prints, which is a hypercall. */
static void one_of_each(void)
{
    struct multicall_entry calls[3];
    struct ktest_regs regs = regs_kernel(fault_code);
    struct exception e;

    for (unsigned int i = 0; i < 3; i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
                                             .args = { XENVER_version } };
    versions(5);
    hyp_multicall(calls, 3);
    for (unsigned int i = 0; i < 3; i++)
        e = run(regs_kernel(plain_code));
    *entry_make(SPARE) = 0; /* a direct write */
    run(regs_kernel(forced_code));
    run(regs_kernel(privileged_code));
    regs.rdi = SPARE;
    e = run(regs);
    ktest_require(e.regs.vector == VEC_PF);
}

static void every_kind(void)
{
    test_case("a record of each event");
    check_eq(want(TRC_PV), 0);
    entry_make(SPARE);
    drain(); /* the peer notes how its buffers came to be */
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_enable), 0);
    one_of_each();
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_disable), 0);
    drain();
    check_eq(seen.versions, 5);
    check_eq(seen.multicalls, 1);
    check_eq(seen.subcalls, 3);
    check_eq(seen.traps, 5); /* three, and the ud2 behind both emulated instructions */
    check_eq(seen.trap & 0x7fff, VEC_UD);
    check_eq(seen.trap_rip, privileged_after);
    check_eq(seen.page_faults, 1);
    check_eq(seen.fault_rip, fault_at);
    check_eq(seen.fault_address, SPARE);
    check_eq(seen.fault_code, 0);
    check_eq(seen.forced, 1);
    check(seen.forced_rip >= (uint64_t)forced_at && seen.forced_rip <= (uint64_t)forced_after);
    check_eq(seen.privops, 1);
    check(seen.privop_rip == (uint64_t)privileged_at ||
          seen.privop_rip == (uint64_t)privileged_after);
    check_eq(seen.ptwrs, 1);
    check_eq(seen.ptwr_address, entry_make(SPARE));
    check_eq(seen.ptwr_entry, 0);
    check_eq(seen.lost, 0);
    check_eq(seen.sched, 0);
    check_eq(seen.others, 0);
}

static void switches(void)
{
    test_case("disabled: nothing");
    versions(100);
    drain();
    check_eq(seen.versions, 0);

    test_case("class not wanted: nothing; then again");
    check_eq(want(TRC_SCHED), 0);
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_enable), 0);
    versions(100);
    check_eq(want(TRC_PV_SUBCALL), 0);
    versions(100);
    check_eq(want(TRC_PV), 0);
    versions(7);
    drain();
    check_eq(seen.versions, 7);

    test_case("CPU not wanted: nothing; then again");
    check_eq(want_cpus(0xfe), 0);
    versions(100);
    check_eq(want_cpus(0xff), 0);
    versions(9);
    drain();
    check_eq(seen.versions, 9);
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_disable), 0);
}

static void slow_reader(void)
{
    long port = event_bind_virq(VIRQ_TBUF, 0);
    unsigned int first;

    test_case("a reader too slow: what is lost is counted, and the reader is told before");
    check(port > 0);
    check_eq(want(TRC_PV), 0);
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_enable), 0);
    drain();
    event_clear_pending((unsigned int)port);
    versions(20);
    check(!event_pending((unsigned int)port));
    versions(4980);
    check(event_pending((unsigned int)port));
    drain();
    first = seen.versions;
    check(first > 500 && first < 1100); /* 16 or 20 bytes each, of 16 KiB */
    versions(1);
    drain();
    check_eq(seen.versions, 1);
    check_eq(first + seen.versions + seen.lost, 5001);
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_disable), 0);

    test_case("what the reader says is not believed");
    ring->cons = 0xfffffff3;
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_enable), 0);
    versions(10);
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_disable), 0);
    ring->cons = ring->prod;
}

static void resizing(void)
{
    uint64_t before;
    long rc;

    test_case("another size");
    rc = set_size(2 * PAGES);
    check(rc == 0 || rc == -XEN_EINVAL);
    if (rc)
        return;
    check_eq(ring->cons, ring->prod); /* the old one stays as long as it is mapped */
    for (unsigned int i = 0; i < PAGES; i++)
        check_eq(unmap(RING_AT + i * PAGE_BYTES), 0);
    check_eq(unmap(INFO_AT), 0);
    before = free_pages();
    map_ring(2 * PAGES);
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_enable), 0);
    check_eq(set_size(1), -XEN_EBUSY);
    versions(11);
    check_eq(tbuf(XEN_SYSCTL_TBUFOP_disable), 0);
    drain();
    check_eq(seen.versions, 11);
    for (unsigned int i = 0; i < 2 * PAGES; i++)
        check_eq(unmap(RING_AT + i * PAGE_BYTES), 0);
    check_eq(unmap(INFO_AT), 0);

    test_case("no frame is lost");
    for (unsigned int i = 1; i < 20; i++)
        check_eq(set_size(i), 0);
    check_eq(set_size(0), -XEN_EINVAL);
    check_eq(set_size(2 * PAGES), 0);
    check_eq(free_pages(), before);
}

void test_main(void)
{
    refusals();
    test_case("buffers: made, found, mapped");
    ktest_require(set_size(PAGES) == 0);
    map_ring(PAGES);
    every_kind();
    switches();
    slow_reader();
    resizing();
}
