/* SPDX-License-Identifier: MIT */
/* Filters, Xen's rings beside, the flight recorder, other sizes. */
#include "rings.h"

#include "cases.h"
#include "pages.h"
#include "snippet.h"

SNIPPET(call, "mov $777, %eax", "syscall");
SNIPPET(fault, "", "mov (%rdi), %rsi");
SNIPPET(ud, "", "ud2");

void filters(void)
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

void beside_xens(void)
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

void flight(void)
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
    read_kept(MOST_PAGES * PAGE_BYTES);
    check_eq(seen.exits, 10);
    start(RADON_TRACE_FLIGHT); /* goes on where it was */
    versions(20000);
    start(RADON_TRACE_OFF);
    total = read_kept(MOST_PAGES * PAGE_BYTES);
    check(total > (2 * PAGES - 2) * PAGE_BYTES && total < 2 * PAGES * PAGE_BYTES);
    check(seen.exits > 900 && seen.exits < 1366); /* 24 bytes each, of 24 to 32 KiB */
    check_eq(seen.lost, 0);
    check_eq(seen.others, 0);
    again = read_kept(1000);
    check_eq(again, total);
    test_case("read while it records");
    start(RADON_TRACE_FLIGHT);
    versions(3000);
    total = read_kept(MOST_PAGES * PAGE_BYTES);
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

void resizing(void)
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
