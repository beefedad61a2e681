/* SPDX-License-Identifier: MIT */
/*
 * sites: the tables of hot sites against what this kernel did.
 *
 * Promised (hv/include/public/radon.h): in exact mode every entry counts once, under its kind, number
 * and address; costs and their histogram agree with the count; what finds no row of its own is in the
 * overflow row, so that totals stay exact; sampled, one entry in `period` counts.
 * Why: a ranking of what to make faster is as good as these sums.
 * Varied: kind of entry, number of places (more than the table has rows), mode, period.
 * Sites are also found by time: the kernel at work on an entry of its user's, and long hypercalls.
 *
 * parts.c: operations and entries of multicalls.  vcpus.c: rows of two vCPUs on one CPU.
 *
 * ktest-run: clock instr
 * ktest-run: hv_options dom0_max_vcpus=2
 * Radon's own call: the peer has none, and the test is skipped there.
 */
#include <stdint.h>

#include "event.h"
#include "ktest.h"
#include "pages.h"
#include "probe.h"
#include "sites.h"
#include "snippet.h"

const char ktest_name[] = "sites";

#define SPARE 0x10000000000UL
#define MANY_AT 0x10000400000UL

SNIPPET(ud, "", "ud2");
SNIPPET(privileged, "", "mov %cr0, %rax");
SNIPPET(fault, "", "mov (%rdi), %rsi");
SNIPPET(call, "mov $777, %eax", "syscall");

struct radon_site rows[ROOM];
struct radon_sites_read reading;

static long radon(unsigned int cmd, void *arg)
{
    return HC_2(RADON_HYPERCALL, cmd, arg);
}

long control(uint32_t mode, uint32_t period)
{
    struct radon_sites_control c = { .mode = mode, .period = period };

    return radon(RADON_SITES_CONTROL, &c);
}

unsigned int read_rows(uint16_t flags)
{
    reading = (struct radon_sites_read){ .domain = 0, .flags = flags, .rows = (uint64_t)rows, .room = ROOM };
    ktest_require(radon(RADON_SITES_READ, &reading) == 0);
    return reading.room;
}

struct radon_site sum(unsigned int kind, uint32_t number, const void *address)
{
    struct radon_site all = { 0 };

    for (unsigned int i = 0; i < reading.room; i++) {
        const struct radon_site *r = &rows[i];

        if (r->kind != kind || r->number != number || (address && r->address != (uint64_t)address))
            continue;
        all.count += r->count;
        all.total += r->total;
        all.bounced += r->bounced;
        all.bounced_total += r->bounced_total;
        all.looks += r->looks;
        all.bounced_looks += r->bounced_looks;
        all.time += r->time;
        all.bounced_time += r->bounced_time;
        if (r->max > all.max)
            all.max = r->max;
        for (unsigned int b = 0; b < RADON_SITE_BINS; b++)
            all.cost[b] += r->cost[b];
    }
    return all;
}

static void refusals(void)
{
    struct radon_sites_control c = { .get_only = 1 };

    test_case("modes, periods, CPUs and flags that there are not");
    check_eq(control(3, 0), -XEN_EINVAL);
    check_eq(control(RADON_SITES_SAMPLED, 500), -XEN_EINVAL);
    check_eq(control(RADON_SITES_SAMPLED, 65537), -XEN_EINVAL);
    reading = (struct radon_sites_read){ .cpu = 4096 };
    check_eq(radon(RADON_SITES_READ, &reading), -XEN_EINVAL);
    reading = (struct radon_sites_read){ .flags = 0x80 };
    check_eq(radon(RADON_SITES_READ, &reading), -XEN_EINVAL);
    check_eq(radon(9999, &reading), -XEN_ENOSYS);
    check_eq(radon(RADON_SITES_READ, (void *)0x5000), -XEN_EFAULT);
    test_case("sampling is on from boot");
    check_eq(radon(RADON_SITES_CONTROL, &c), 0);
    check_eq(c.mode, RADON_SITES_SAMPLED);
    check(c.period > 2);
}

static void versions(unsigned int n)
{
    while (n--)
        hyp_xen_version(XENVER_version, 0);
}

static struct ktest_regs user_fault(void)
{
    struct ktest_regs regs = regs_user(fault_code);

    regs.rdi = SPARE;
    return regs;
}

/* Entries of every kind; nothing is printed in between, since that is a hypercall. */
static void workload(void)
{
    struct ktest_regs regs = regs_kernel(fault_code);

    versions(100);
    for (unsigned int i = 0; i < 30; i++)
        hyp_xen_version(XENVER_get_features, 0x5000);
    for (unsigned int i = 0; i < 20; i++)
        run(regs_kernel(ud_code));
    for (unsigned int i = 0; i < 10; i++)
        run(regs_user(call_code));
    for (unsigned int i = 0; i < 5; i++)
        run(regs_user(ud_code));
    for (unsigned int i = 0; i < 7; i++)
        run(regs_kernel(privileged_code)); /* and the ud2 behind it */
    regs.rdi = SPARE;
    for (unsigned int i = 0; i < 9; i++)
        run(regs);
    for (unsigned int i = 0; i < 11; i++)
        run(user_fault());
    for (unsigned int i = 0; i < 13; i++)
        *entry_make(SPARE) = 0; /* direct writes to a page table */
    hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(0)); /* ends what was not returned from */
}

static void check_costs(struct radon_site s)
{
    uint64_t n = 0;

    for (unsigned int b = 0; b < RADON_SITE_BINS; b++)
        n += s.cost[b];
    check_eq(n, s.count);
    check(s.total >= s.max && s.max && s.total <= s.max * s.count);
}

static void exact(void)
{
    struct radon_site s;

    test_case("exact counts");
    entry_make(SPARE);
    check_eq(control(RADON_SITES_EXACT, 0), 0);
    read_rows(RADON_SITES_RESET);
    workload();
    read_rows(0);
    s = sum(RADON_SITE_HYPERCALL, __HYPERVISOR_xen_version | XENVER_version << 8, 0);
    check_eq(s.count, 100);
    check_costs(s);
    check(s.max < 100000);
    check_eq(sum(RADON_SITE_HYPERCALL, __HYPERVISOR_xen_version | XENVER_get_features << 8, 0).count, 30);
    s = sum(RADON_SITE_TRAP, VEC_UD, ud_at);
    check_eq(s.count, 25);
    check_costs(s);
    check_eq(s.bounced, 5); /* those from user mode */
    check_eq(sum(RADON_SITE_TRAP, VEC_UD, privileged_after).count, 7);
    s = sum(RADON_SITE_SYSCALL, 777, call_after);
    check_eq(s.count, 10);
    check_costs(s);
    check_eq(s.bounced, 10);
    check(s.bounced_total > s.total);
    check_eq(sum(RADON_SITE_EMULATION, RADON_EMUL_PRIVOP, privileged_at).count, 7);
    check_eq(sum(RADON_SITE_EMULATION, RADON_EMUL_PTWR, 0).count, 13);
    check_eq(sum(RADON_SITE_PAGE_FAULT, PFEC_U, fault_at).count, 20);
    s = sum(RADON_SITE_HYPERCALL, __HYPERVISOR_iret, 0);
    check_eq(s.count, 10 + 5 + 11);
    check_costs(s);
    test_case("the caller's address");
    s = sum(RADON_SITE_HYPERCALL, __HYPERVISOR_xen_version | XENVER_version << 8, 0);
    for (unsigned int i = 0; i < reading.room; i++)
        if (rows[i].kind == RADON_SITE_HYPERCALL && (uint8_t)rows[i].number == __HYPERVISOR_xen_version)
            check(rows[i].address > (uint64_t)versions - 0x10000 &&
                  rows[i].address - (uint64_t)hypercall_page >= PAGE_BYTES);
}

/* One ud2 at each of more addresses than there are rows. */
static void evictions(void)
{
    struct radon_site s = { 0 };
    unsigned int overflow = 0, pages = 3, n = pages * 1024;

    test_case("more places than rows");
    for (unsigned int p = 0; p < pages; p++) {
        uint8_t *page = page_alloc();

        for (unsigned int i = 0; i < PAGE_BYTES; i += 2) {
            page[i] = 0x0f;
            page[i + 1] = 0x0b;
        }
        map_low(MANY_AT + p * PAGE_BYTES, page);
    }
    read_rows(RADON_SITES_RESET);
    for (unsigned int i = 0; i < n; i++)
        run(regs_kernel((void *)(MANY_AT + 4UL * i)));
    check(read_rows(0) <= ROOM);
    for (unsigned int i = 0; i < reading.room; i++) {
        if (rows[i].kind != RADON_SITE_TRAP || rows[i].number != VEC_UD) {
            if (rows[i].kind != RADON_SITE_TRAP || !(rows[i].flags & RADON_SITE_OVERFLOW))
                continue;
            overflow++;
            check_eq(rows[i].address, 0);
        }
        s.count += rows[i].count;
    }
    check_eq(overflow, 1);
    check_eq(s.count, n);
}

/* Records of everything, overwritten by the next ones: entries take the ways that record. */
static void trace(uint32_t mode)
{
    struct radon_trace_control c = { .mode = mode, .pages = 4, .domain = RADON_DOMID_ANY, .vcpus = ~0UL };

    memset(c.events, 0xff, sizeof(c.events));
    for (unsigned int i = 0; radon(RADON_TRACE_CONTROL, &c) != 0; i++) { /* events that there are not */
        ktest_require(i < RADON_TRACE_EVENTS);
        c.events[(RADON_TRACE_EVENTS - 1 - i) / 64] &= ~(1UL << (RADON_TRACE_EVENTS - 1 - i) % 64);
    }
}

static void sampled(const char *how)
{
    uint64_t got;

    test_case("sampled, %s: one in 7, whatever they are", how);
    check_eq(control(RADON_SITES_SAMPLED, 7), 0);
    for (unsigned int i = 0; i < 700; i++)
        versions(10);
    read_rows(0);
    got = sum(RADON_SITE_HYPERCALL, __HYPERVISOR_xen_version | XENVER_version << 8, 0).count;
    check(got >= 998 && got <= 1001);
    check_eq(reading.period, 7);
    test_case("sampled, %s: kinds by their share", how);
    check_eq(control(RADON_SITES_SAMPLED, 5), 0);
    for (unsigned int i = 0; i < 1000; i++)
        run(regs_user(call_code)); /* a system call and an iret each */
    read_rows(0);
    got = sum(RADON_SITE_SYSCALL, 777, 0).count;
    check(got >= 199 && got <= 201);
    got = sum(RADON_SITE_HYPERCALL, __HYPERVISOR_iret, 0).count;
    check(got >= 199 && got <= 201);
}

void spin_ms(uint64_t ms)
{
    uint64_t end = time_now() + ms * 1000000;

    while (time_now() < end)
        asm volatile("pause");
}

/* Within a third of what was there: 300 looks, or more. */
static void check_time(uint32_t looks, uint64_t time, uint64_t ms, const struct radon_info *info)
{
    uint64_t want = info->tsc_hz / 1000 * ms;

    check(looks > ms * 2 / 3 && looks < ms * 4 / 3);
    check(time > want * 2 / 3 && time < want * 4 / 3);
}

/* Hypercalls of a few milliseconds each, for that time. */
static void long_hypercalls(uint64_t ms)
{
    static struct multicall_entry calls[20000];
    uint64_t end = time_now() + ms * 1000000;

    for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } };
    while (time_now() < end)
        hyp_multicall(calls, sizeof(calls) / sizeof(calls[0]));
}

static void by_time(const struct radon_info *info)
{
    struct radon_site s;

    test_case("by time: one system call, and the kernel works on it");
    check_eq(control(RADON_SITES_SAMPLED, 65521), 0);
    run(regs_user(call_code));
    spin_ms(300);
    read_rows(RADON_SITES_RESET);
    s = sum(RADON_SITE_SYSCALL, 777, call_after);
    check_eq(s.count, 0);
    check_time(s.bounced_looks, s.bounced_time, 300, info);
    check(reading.looks >= s.bounced_looks && reading.looked >= s.bounced_time);
    test_case("by time: a page fault");
    run(user_fault());
    spin_ms(300);
    read_rows(RADON_SITES_RESET);
    s = sum(RADON_SITE_PAGE_FAULT, PFEC_U, fault_at);
    check_time(s.bounced_looks, s.bounced_time, 300, info);
    test_case("by time: long hypercalls, within it");
    long_hypercalls(300);
    read_rows(RADON_SITES_RESET);
    s = sum(RADON_SITE_HYPERCALL, __HYPERVISOR_multicall, 0);
    check(s.looks && s.looks <= reading.looks);
    check(s.time > info->tsc_hz / 1000 * 200 && s.time < info->tsc_hz / 1000 * 400);
    s = sum(RADON_SITE_PAGE_FAULT, PFEC_U, fault_at);
    check(s.bounced_time > info->tsc_hz / 1000 * 200);
    test_case("by time: another stack, and nobody knows");
    hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(0));
    read_rows(RADON_SITES_RESET);
    spin_ms(100);
    read_rows(0);
    check(reading.looks > 50);
    for (unsigned int i = 0; i < reading.room; i++)
        check(!rows[i].bounced_looks);
    test_case("by time: not in the other modes");
    check_eq(control(RADON_SITES_EXACT, 0), 0);
    run(regs_user(call_code));
    spin_ms(50);
    read_rows(0);
    check_eq(reading.looks, 0);
    check_eq(control(RADON_SITES_SAMPLED, 5), 0);
    spin_ms(50);
    read_rows(0);
    check(reading.looks > 20);
}

static void off(void)
{
    test_case("off");
    check_eq(control(RADON_SITES_OFF, 0), 0);
    versions(1000);
    check_eq(read_rows(0), 0);
}

void test_main(void)
{
    struct radon_info info;

    if (radon(RADON_INFO, &info) != 0)
        ktest_finish(KTEST_SKIP, "not Radon");
    user_mode_init();
    refusals();
    exact();
    evictions();
    parts();
    vcpus();
    sampled("alone");
    trace(RADON_TRACE_FLIGHT);
    sampled("with everything recorded");
    trace(RADON_TRACE_OFF);
    by_time(&info);
    off();
}
