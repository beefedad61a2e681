/* SPDX-License-Identifier: MIT */
/* Operations that have their number in memory, and entries of multicalls: rows beside the hypercalls'. */
#include <stdint.h>

#include "ktest.h"
#include "pages.h"
#include "sites.h"

#include <xen/platform.h>

#define BATCH 3u   /* operations of a mmuext_op */
#define ENTRIES 4u /* of a multicall */

static void batch(void)
{
    struct mmuext_op op[BATCH] = {
        { .cmd = MMUEXT_TLB_FLUSH_LOCAL },
        { .cmd = MMUEXT_INVLPG_LOCAL },
        { .cmd = MMUEXT_TLB_FLUSH_LOCAL },
    };

    ktest_require(hyp_mmuext_op(op, BATCH, 0, DOMID_SELF) == 0);
}

/* The last entry is a hypercall of one operation. */
static void multicall(void)
{
    static struct mmuext_op flush = { .cmd = MMUEXT_INVLPG_LOCAL };
    struct multicall_entry call[ENTRIES] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } },
        { .op = __HYPERVISOR_fpu_taskswitch, .args = { 0 } },
        { .op = __HYPERVISOR_mmuext_op, .args = { (uint64_t)&flush, 1, 0, DOMID_SELF } },
    };

    ktest_require(hyp_multicall(call, ENTRIES) == 0);
}

static long platform(uint32_t cmd)
{
    struct xen_platform_op op = { .cmd = cmd, .interface_version = XENPF_INTERFACE_VERSION };

    return HC_1(__HYPERVISOR_platform_op, &op);
}

static uint64_t count(unsigned int kind, uint32_t call, uint32_t operation)
{
    return sum(kind, call | operation << 8, 0).count;
}

static void exact(void)
{
    struct radon_site calls, flushes;

    test_case("exact: parts of hypercalls");
    ktest_require(control(RADON_SITES_EXACT, 0) == 0);
    read_rows(RADON_SITES_RESET);
    for (unsigned int i = 0; i < 10; i++)
        batch();
    for (unsigned int i = 0; i < 6; i++)
        multicall();
    for (unsigned int i = 0; i < 5; i++)
        check_eq(platform(XENPF_get_cpu_version), 0);
    for (unsigned int i = 0; i < 3; i++)
        check_eq(platform(999), -XEN_ENOSYS);
    read_rows(0);
    flushes = sum(RADON_SITE_OPERATION, __HYPERVISOR_mmuext_op | MMUEXT_TLB_FLUSH_LOCAL << 8, 0);
    check_eq(flushes.count, 20);
    check_eq(count(RADON_SITE_OPERATION, __HYPERVISOR_mmuext_op, MMUEXT_INVLPG_LOCAL), 10 + 6);
    check_eq(count(RADON_SITE_OPERATION, __HYPERVISOR_platform_op, XENPF_get_cpu_version), 5);
    check_eq(count(RADON_SITE_OPERATION, __HYPERVISOR_platform_op, 999), 3);
    check_eq(count(RADON_SITE_SUBCALL, __HYPERVISOR_xen_version, XENVER_version), 6);
    check_eq(count(RADON_SITE_SUBCALL, __HYPERVISOR_xen_version, XENVER_pagesize), 6);
    check_eq(count(RADON_SITE_SUBCALL, __HYPERVISOR_fpu_taskswitch, 0), 6);
    check_eq(count(RADON_SITE_SUBCALL, __HYPERVISOR_mmuext_op, 0), 6);
    test_case("exact: hypercalls with parts are one entry");
    calls = sum(RADON_SITE_HYPERCALL, __HYPERVISOR_mmuext_op, 0);
    check_eq(calls.count, 10);
    check_eq(count(RADON_SITE_HYPERCALL, __HYPERVISOR_multicall, 0), 6);
    check_eq(count(RADON_SITE_HYPERCALL, __HYPERVISOR_platform_op, 0), 5 + 3);
    check_eq(count(RADON_SITE_HYPERCALL, __HYPERVISOR_xen_version, XENVER_version), 0);
    check_eq(reading.entries, 10 + 6 + 8 + 1); /* the reading before */
    check(flushes.total && flushes.total < calls.total);
}

/* Of a hypercall that is sampled each part is. */
static void sampled(void)
{
    uint64_t calls;

    test_case("sampled: parts of hypercalls");
    ktest_require(control(RADON_SITES_SAMPLED, 7) == 0);
    for (unsigned int i = 0; i < 700; i++)
        multicall();
    read_rows(0);
    calls = count(RADON_SITE_HYPERCALL, __HYPERVISOR_multicall, 0);
    check(calls >= 99 && calls <= 101);
    check_eq(count(RADON_SITE_SUBCALL, __HYPERVISOR_xen_version, XENVER_version), calls);
    check_eq(count(RADON_SITE_SUBCALL, __HYPERVISOR_mmuext_op, 0), calls);
    check_eq(count(RADON_SITE_OPERATION, __HYPERVISOR_mmuext_op, MMUEXT_INVLPG_LOCAL), calls);
}

void parts(void)
{
    exact();
    sampled();
    test_case("off: no parts");
    check_eq(control(RADON_SITES_OFF, 0), 0);
    batch();
    multicall();
    check_eq(read_rows(0), 0);
}
