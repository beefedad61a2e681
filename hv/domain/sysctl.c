/* SPDX-License-Identifier: MIT */
/*
 * sysctl: what the toolstack asks of the machine (public/sysctl.h).  Domain 0 only.
 */
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/sites.h"
#include "hv/time.h"
#include "hv/trace.h"

static long physinfo(struct xen_sysctl_physinfo *pi)
{
    *pi = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = nr_cpus,
        .nr_cpus = nr_cpus,
        .max_cpu_id = nr_cpus - 1,
        .nr_nodes = 1,
        .cpu_khz = (uint32_t)tsc_khz,
        .capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .total_pages = total_frames(),
        .free_pages = free_frames(),
        .max_mfn = max_mfn - 1,
    };
    return 0;
}

long do_sysctl(HCALL_ARGS1(arg))
{
    struct xen_sysctl op;
    long rc;

    if (!current()->domain->privileged)
        return -XEN_EPERM;
    if (!copy_from_guest(&op, arg, 1))
        return -XEN_EFAULT;
    SITES_OPERATION(__HYPERVISOR_sysctl, op.cmd);
    trace_operation(__HYPERVISOR_sysctl, op.cmd, 0);
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -XEN_EACCES;
    switch (op.cmd) {
    case XEN_SYSCTL_tbuf_op:
        rc = trace_sysctl(&op.u.tbuf_op);
        break;
    case XEN_SYSCTL_physinfo:
        rc = physinfo(&op.u.physinfo);
        break;
    default:
        return -XEN_ENOSYS;
    }
    if (!rc && !copy_to_guest(arg, &op, 1))
        rc = -XEN_EFAULT;
    return rc;
}
