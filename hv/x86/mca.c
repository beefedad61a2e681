/* SPDX-License-Identifier: MIT */
/*
 * The mca hypercall (public/arch-x86/xen-mca.h).  A machine check that is not corrected stops the
 * machine, and corrected ones are not collected: there is never anything to fetch.  Domain 0 learns
 * about the processors here.
 */
#include "hv/asm.h"
#include "hv/domain.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sites.h"
#include "hv/trace.h"

#include <xen/arch-x86/xen-mca.h>

/* All processors are taken to be alike and to be a package each. */
static void describe_cpu(const struct cpu *c, xen_mc_logical_cpu_t *info)
{
    uint32_t r[4], family;

    memset(info, 0, sizeof(*info));
    info->mc_cpunr = c->id;
    info->mc_chipid = c->id;
    info->mc_apicid = c->apic_id;
    info->mc_ncores = info->mc_ncores_active = info->mc_nthreads = 1;
    cpuid_count(0, 0, r);
    info->mc_cpuid_level = (int32_t)r[0];
    memcpy(info->mc_vendorid, &r[1], 4);
    memcpy(info->mc_vendorid + 4, &r[3], 4);
    memcpy(info->mc_vendorid + 8, &r[2], 4);
    cpuid_count(1, 0, r);
    family = r[0] >> 8 & 0xf;
    info->mc_family = family == 15 ? family + (r[0] >> 20 & 0xff) : family;
    info->mc_model = (r[0] >> 4 & 0xf) | (r[0] >> 12 & 0xf0);
    info->mc_step = r[0] & 0xf;
    info->mc_cpu_caps[MC_CAPS_STD_EDX] = r[3];
    info->mc_cpu_caps[MC_CAPS_STD_ECX] = r[2];
}

/* ncpus: in, room for so many; out, how many there are. Without an array only the number. */
static long op_physcpuinfo(xen_mc_physcpuinfo_t *op)
{
    uint64_t va = guest_handle_va(op->info);
    xen_mc_logical_cpu_t info;
    uint32_t n = 0;

    for (uint32_t i = 0; i < nr_cpus; i++) {
        if (!cpus[i] || !cpus[i]->online)
            continue;
        if (va && n < op->ncpus) {
            describe_cpu(cpus[i], &info);
            if (!copy_to_guest(va + n * sizeof(info), &info, 1))
                return -XEN_EFAULT;
        }
        n++;
    }
    op->ncpus = n;
    return 0;
}

static long op_fetch(xen_mc_fetch_t *op)
{
    uint32_t kind = op->flags & (XEN_MC_NONURGENT | XEN_MC_URGENT);

    if (kind != XEN_MC_NONURGENT && kind != XEN_MC_URGENT)
        return -XEN_EINVAL;
    if (op->flags & XEN_MC_ACK)
        return 0;
    op->flags = XEN_MC_NODATA;
    op->fetch_id = 0;
    return 0;
}

long do_mca(HCALL_ARGS1(va))
{
    struct xen_mc op;
    long rc;

    if (!current()->domain->privileged)
        return -XEN_EPERM;
    if (!copy_from_guest(&op, va, 1))
        return -XEN_EFAULT;
    SITES_OPERATION(__HYPERVISOR_mca, op.cmd);
    trace_operation(__HYPERVISOR_mca, op.cmd, 0);
    if (op.interface_version != XEN_MCA_INTERFACE_VERSION)
        return -XEN_EACCES;
    switch (op.cmd) {
    case XEN_MC_physcpuinfo:
        rc = op_physcpuinfo(&op.u.mc_physcpuinfo);
        break;
    case XEN_MC_fetch:
        rc = op_fetch(&op.u.mc_fetch);
        break;
    default:
        return -XEN_EOPNOTSUPP; /* nobody is notified and nothing is injected */
    }
    if (!rc && !copy_to_guest(va, &op, 1))
        rc = -XEN_EFAULT;
    return rc;
}
