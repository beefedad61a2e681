/* SPDX-License-Identifier: MIT */
/*
 * XEN_SYSCTL_tbuf_op: Xen's ring of each CPU, made once or more, shown to domain 0, turned on and
 * off.
 */
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/trace.h"
#include "trace/rings.h"

static int set_size(uint32_t pages)
{
    const struct trace_rings *set = &trace_rings[TRACE_RING_XEN];

    if (pages == set->pages && pages)
        return 0;
    if (!pages)
        return -XEN_EINVAL;
    if (trace_wanted.xen_enabled)
        return -XEN_EBUSY;
    trace_wait_for_writers();
    return trace_rings_make(TRACE_RING_XEN, pages, false);
}

/* Each ring looks anew whether its CPU is to record. */
static int set_cpu_mask(const struct xenctl_bitmap *map)
{
    uint64_t mask = 0;
    uint32_t bytes = MIN(DIV_ROUND_UP(map->nr_bits, 8), (uint32_t)sizeof(mask));
    bool enabled = trace_wanted.xen_enabled;

    if (copy_from_guest_va(&mask, guest_handle_va(map->bitmap), bytes))
        return -XEN_EFAULT;
    if (map->nr_bits < 64)
        mask &= (1UL << map->nr_bits) - 1;
    trace_wanted.xen_enabled = false;
    trace_choose();
    trace_wait_for_writers();
    for (unsigned int i = 0; i < nr_cpus; i++)
        cpus[i]->trace[TRACE_RING_XEN].limit = NULL;
    trace_wanted.xen_cpus = mask;
    trace_wanted.xen_enabled = enabled;
    trace_choose();
    return 0;
}

static int enable(bool on)
{
    if (on && !trace_rings[TRACE_RING_XEN].pages)
        return -XEN_EINVAL;
    trace_wanted.xen_enabled = on;
    trace_choose();
    return 0;
}

static int control(struct xen_sysctl_tbuf_op *op)
{
    const struct trace_rings *set = &trace_rings[TRACE_RING_XEN];

    switch (op->cmd) {
    case XEN_SYSCTL_TBUFOP_get_info:
        op->evt_mask = trace_wanted.xen_mask;
        op->buffer_mfn = set->info ? virt_to_mfn(set->info).m : 0;
        op->size = set->info_pages * (uint32_t)PAGE_SIZE;
        return 0;
    case XEN_SYSCTL_TBUFOP_set_cpu_mask:
        return set_cpu_mask(&op->cpu_mask);
    case XEN_SYSCTL_TBUFOP_set_evt_mask:
        trace_wanted.xen_mask = op->evt_mask;
        trace_choose();
        return 0;
    case XEN_SYSCTL_TBUFOP_set_size:
        return set_size(op->size);
    case XEN_SYSCTL_TBUFOP_enable:
        return enable(true);
    case XEN_SYSCTL_TBUFOP_disable:
        return enable(false);
    }
    return -XEN_EINVAL;
}

int trace_sysctl(struct xen_sysctl_tbuf_op *op)
{
    int rc;

    spin_lock(&trace_lock);
    rc = control(op);
    spin_unlock(&trace_lock);
    return rc;
}
