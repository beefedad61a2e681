/* SPDX-License-Identifier: MIT */
/*
 * XEN_SYSCTL_tbuf_op: making the rings, showing them to domain 0, turning events on and off.
 *
 * struct t_info says where the rings are: after its head, for each CPU, the list of the frames of its
 * ring, 32 bits each, at t_info + 4 * mfn_offset[cpu].
 *
 * All of it is done under control_lock.  Rings are replaced only while nothing is wanted and after
 * every CPU has left trace_put(): CPUs record with interrupts off and answer a TLB flush with them
 * on or while they wait for a lock outside of it, so a flush of all is what to wait for.
 */
#include "hv/domain.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/trace.h"
#include "trace/rings.h"

#define MAX_RING_PAGES 4096u /* 16 MiB a CPU */

static spinlock_t control_lock;
static uint32_t ring_pages;          /* of each ring; 0 = there are none */
static struct t_info *info;
static unsigned int info_pages;
static bool enabled;
static uint32_t wanted = TRC_ALL;

/* ------------------------------------------------------------------ entry paths */

/* Events of entries are seen only when the lean entry paths are left. */
static bool entries_wanted(void)
{
    return trace_wanted(TRC_PV_ENTRY) || trace_wanted(TRC_PV_SUBCALL);
}

static void set_full_paths(struct vcpu *v, bool on)
{
    uint8_t *byte = (uint8_t *)&v->hot->flags + 3;

    if (on)
        __atomic_or_fetch(byte, HOT_TRACE >> 24, __ATOMIC_RELAXED);
    else
        __atomic_and_fetch(byte, (uint8_t) ~(HOT_TRACE >> 24), __ATOMIC_RELAXED);
}

void trace_choose_paths(struct vcpu *v)
{
    if (!v->is_idle)
        set_full_paths(v, entries_wanted());
}

/* Take over what is wanted. */
static void apply(void)
{
    WRITE_ONCE(trace_mask, enabled ? wanted : 0);
    for (struct domain *d = domain_list; d; d = d->next)
        for (unsigned int i = 0; i < d->nr_vcpus; i++)
            if (d->vcpu[i])
                set_full_paths(d->vcpu[i], entries_wanted());
}

/* Every CPU has left trace_put() as it saw trace_mask before. */
static void wait_for_writers(void)
{
    uint64_t all = nr_cpus < 64 ? (1UL << nr_cpus) - 1 : ~0UL;

    smp_tlb_flush(all, ~0UL);
}

/* ------------------------------------------------------------------ memory */

/* Contiguous pages that privileged domains may map, for writing too if so; NULL without memory. */
static void *shared_alloc(unsigned int pages, bool writable)
{
    unsigned int order = 0;
    struct page_info *pg;

    while (1u << order < pages)
        order++;
    pg = alloc_pages(order, 0);
    if (!pg)
        return NULL;
    for (unsigned int i = pages; i < 1u << order; i++)
        free_pages(pg + i, 0);
    for (unsigned int i = 0; i < pages; i++)
        mm_share_page(pg + i, &dom_xen, writable);
    return page_to_virt(pg);
}

/* A page stays until the last reader has unmapped it. */
static void shared_free(void *va, unsigned int pages)
{
    for (unsigned int i = 0; va && i < pages; i++)
        mm_unshare_page(virt_to_page(va) + i);
}

static void free_rings(void)
{
    for (unsigned int i = 0; i < nr_cpus; i++) {
        shared_free(trace_rings[i].buf, ring_pages);
        trace_rings[i].buf = NULL;
    }
    shared_free(info, info_pages);
    info = NULL;
    ring_pages = 0;
}

static void describe_rings(void)
{
    uint32_t at = DIV_ROUND_UP(sizeof(*info) + nr_cpus * sizeof(info->mfn_offset[0]), 4);

    info->tbuf_size = (uint16_t)ring_pages;
    for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
        uint32_t first = (uint32_t)virt_to_mfn(trace_rings[cpu].buf).m;

        info->mfn_offset[cpu] = (uint16_t)at;
        for (uint32_t i = 0; i < ring_pages; i++)
            ((uint32_t *)info)[at++] = first + i;
    }
}

static int make_rings(uint32_t pages)
{
    uint32_t info_words = DIV_ROUND_UP(sizeof(*info) + nr_cpus * sizeof(info->mfn_offset[0]), 4) +
                          nr_cpus * pages;

    if (info_words > 0xffff)
        return -XEN_EINVAL; /* beyond what mfn_offset can say */
    ring_pages = pages;
    info_pages = DIV_ROUND_UP(info_words * 4, PAGE_SIZE);
    info = shared_alloc(info_pages, false);
    for (unsigned int i = 0; info && i < nr_cpus; i++) {
        void *buf = shared_alloc(pages, true);

        if (!buf)
            break;
        trace_ring_init(&trace_rings[i], buf, pages * PAGE_SIZE);
        if (i == nr_cpus - 1) {
            describe_rings();
            return 0;
        }
    }
    free_rings();
    return -XEN_ENOMEM;
}

/* ------------------------------------------------------------------ operations */

static int set_size(uint32_t pages)
{
    if (pages == ring_pages && pages)
        return 0;
    if (!pages || pages > MAX_RING_PAGES)
        return -XEN_EINVAL;
    if (enabled)
        return -XEN_EBUSY;
    wait_for_writers();
    free_rings();
    return make_rings(pages);
}

static int set_cpu_mask(const struct xenctl_bitmap *map)
{
    uint64_t mask = 0;
    uint32_t bytes = MIN(DIV_ROUND_UP(map->nr_bits, 8), (uint32_t)sizeof(mask));

    if (copy_from_guest_va(&mask, guest_handle_va(map->bitmap), bytes))
        return -XEN_EFAULT;
    if (map->nr_bits < 64)
        mask &= (1UL << map->nr_bits) - 1;
    WRITE_ONCE(trace_cpus, mask);
    return 0;
}

static int enable(void)
{
    if (!ring_pages)
        return -XEN_EINVAL;
    enabled = true;
    apply();
    return 0;
}

static int control(struct xen_sysctl_tbuf_op *op)
{
    switch (op->cmd) {
    case XEN_SYSCTL_TBUFOP_get_info:
        op->evt_mask = wanted;
        op->buffer_mfn = info ? virt_to_mfn(info).m : 0;
        op->size = info_pages * (uint32_t)PAGE_SIZE;
        return 0;
    case XEN_SYSCTL_TBUFOP_set_cpu_mask:
        return set_cpu_mask(&op->cpu_mask);
    case XEN_SYSCTL_TBUFOP_set_evt_mask:
        wanted = op->evt_mask;
        apply();
        return 0;
    case XEN_SYSCTL_TBUFOP_set_size:
        return set_size(op->size);
    case XEN_SYSCTL_TBUFOP_enable:
        return enable();
    case XEN_SYSCTL_TBUFOP_disable:
        enabled = false;
        apply();
        return 0;
    }
    return -XEN_EINVAL;
}

int trace_sysctl(struct xen_sysctl_tbuf_op *op)
{
    int rc;

    spin_lock(&control_lock);
    rc = control(op);
    spin_unlock(&control_lock);
    return rc;
}
