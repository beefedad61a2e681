/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: their frames, and the grant_table_op hypercall.
 */
#include "hv/asm.h"

#include "mm/mm_int.h"

#include "grant_int.h"

/* ------------------------------------------------------------------ frames */

/* gt->lock held. */
static int grow_to(struct domain *d, uint32_t nr)
{
    struct grant_table *gt = d->gt;

    while (gt->nr_frames < nr) {
        void *frame = alloc_hv_pages(0);
        struct grant_use *use = hv_alloc(ENTRIES_PER_FRAME * sizeof(*use));

        if (!frame || !use) {
            if (frame)
                free_hv_pages(frame, 0);
            hv_free(use, ENTRIES_PER_FRAME * sizeof(*use));
            return -XEN_ENOMEM;
        }
        mm_share_page(virt_to_page(frame), d, true);
        gt->shared[gt->nr_frames] = frame;
        gt->use[gt->nr_frames] = use;
        gt->nr_frames++;
    }
    return 0;
}

int grant_table_init(struct domain *d)
{
    struct grant_table *gt = hv_alloc(sizeof(*gt));

    if (!gt)
        return -XEN_ENOMEM;
    gt->first_free = NO_HANDLE;
    d->gt = gt;
    if (grow_to(d, 1)) {
        grant_table_destroy(d);
        return -XEN_ENOMEM;
    }
    return 0;
}

void grant_table_destroy(struct domain *d)
{
    struct grant_table *gt = d->gt;

    if (!gt)
        return;
    d->gt = NULL;
    for (uint32_t i = 0; i < gt->nr_frames; i++) {
        mm_unshare_page(virt_to_page(gt->shared[i]));
        hv_free(gt->use[i], ENTRIES_PER_FRAME * sizeof(*gt->use[i]));
    }
    for (uint32_t i = 0; i < gt->nr_chunks; i++)
        hv_free(gt->chunk[i], PAGE_SIZE);
    hv_free(gt, sizeof(*gt));
}

int grant_table_frame(struct domain *d, uint32_t idx, mfn_t *mfn)
{
    struct grant_table *gt = d->gt;
    int rc;

    if (!gt || idx >= GRANT_MAX_FRAMES)
        return -XEN_EINVAL;
    spin_lock(&gt->lock);
    rc = grow_to(d, idx + 1);
    spin_unlock(&gt->lock);
    if (rc == 0)
        *mfn = virt_to_mfn(gt->shared[idx]);
    return rc;
}

/* ------------------------------------------------------------------ operations */

/* The domain whose table an operation is about: the caller's own, or any for who may. */
static int subject(struct domain *caller, uint16_t id, struct domain **d)
{
    *d = id == DOMID_SELF ? caller : domain_find(id);
    if (!*d || !(*d)->gt)
        return GNTST_bad_domain;
    return *d == caller || caller->privileged ? GNTST_okay : GNTST_permission_denied;
}

static int setup_table(struct domain *caller, const struct gnttab_setup_table *op)
{
    struct domain *d;
    int rc = subject(caller, op->dom, &d);

    if (rc != GNTST_okay)
        return rc;
    if (op->nr_frames > GRANT_MAX_FRAMES)
        return GNTST_general_error;
    for (uint32_t i = 0; i < op->nr_frames; i++) {
        mfn_t mfn;

        if (grant_table_frame(d, i, &mfn))
            return GNTST_general_error;
        if (!put_guest_u64(guest_handle_va(op->frame_list) + i * sizeof(xen_pfn_t), mfn.m))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static bool op_setup_table(struct vcpu *v, uint64_t va)
{
    struct gnttab_setup_table op;

    if (!copy_from_guest(&op, va, 1))
        return false;
    op.status = (int16_t)setup_table(v->domain, &op);
    return copy_to_guest(va, &op, 1);
}

static bool op_query_size(struct vcpu *v, uint64_t va)
{
    struct gnttab_query_size op;
    struct domain *d;

    if (!copy_from_guest(&op, va, 1))
        return false;
    op.status = (int16_t)subject(v->domain, op.dom, &d);
    if (op.status == GNTST_okay) {
        op.nr_frames = READ_ONCE(d->gt->nr_frames);
        op.max_nr_frames = GRANT_MAX_FRAMES;
    }
    return copy_to_guest(va, &op, 1);
}

/* Status frames belong to version 2. */
static bool op_get_status_frames(struct vcpu *v, uint64_t va)
{
    struct gnttab_get_status_frames op;
    struct domain *d;

    if (!copy_from_guest(&op, va, 1))
        return false;
    op.status = (int16_t)subject(v->domain, op.dom, &d);
    if (op.status == GNTST_okay)
        op.status = GNTST_general_error;
    return copy_to_guest(va, &op, 1);
}

static int swap_refs(struct grant_table *gt, uint32_t a, uint32_t b)
{
    uint32_t limit = gt->nr_frames * ENTRIES_PER_FRAME;
    const struct grant_use *ua, *ub;
    grant_entry_v1_t tmp;

    if (a >= limit || b >= limit)
        return GNTST_bad_gntref;
    ua = grant_use(gt, a);
    ub = grant_use(gt, b);
    if (ua->readers || ua->writers || ub->readers || ub->writers)
        return GNTST_eagain;
    tmp = *grant_entry(gt, a);
    *grant_entry(gt, a) = *grant_entry(gt, b);
    *grant_entry(gt, b) = tmp;
    return GNTST_okay;
}

static bool op_swap(struct vcpu *v, uint64_t va)
{
    struct grant_table *gt = v->domain->gt;
    struct gnttab_swap_grant_ref op;

    if (!copy_from_guest(&op, va, 1))
        return false;
    spin_lock(&gt->lock);
    op.status = (int16_t)swap_refs(gt, op.ref_a, op.ref_b);
    spin_unlock(&gt->lock);
    return copy_to_guest(va, &op, 1);
}

static long set_version(uint64_t va)
{
    struct gnttab_set_version op;

    if (!copy_from_guest(&op, va, 1))
        return -XEN_EFAULT;
    if (op.version == 2)
        return -XEN_ENOSYS;
    return op.version == 1 ? 0 : -XEN_EINVAL;
}

static long get_version(struct domain *caller, uint64_t va)
{
    struct gnttab_get_version op;
    struct domain *d;

    if (!copy_from_guest(&op, va, 1))
        return -XEN_EFAULT;
    switch (subject(caller, op.dom, &d)) {
    case GNTST_okay:
        op.version = 1;
        return copy_to_guest(va, &op, 1) ? 0 : -XEN_EFAULT;
    case GNTST_bad_domain:
        return -XEN_ESRCH;
    default:
        return -XEN_EPERM;
    }
}

/* x86 caches are coherent with devices but for unusual memory types: write everything back. */
static long cache_flush(const struct domain *d)
{
    if (!d->privileged)
        return -XEN_EPERM;
    __asm__ volatile("wbinvd" ::: "memory");
    return 0;
}

/* Operations on an array of structures, each with a status of its own. */
static const struct {
    bool (*fn)(struct vcpu *v, uint64_t va);
    uint16_t size;
    bool flush; /* entries went away: the guest relies on the TLBs having been flushed */
} array_ops[] = {
    [GNTTABOP_map_grant_ref] = { grant_op_map, sizeof(struct gnttab_map_grant_ref), true },
    [GNTTABOP_unmap_grant_ref] = { grant_op_unmap, sizeof(struct gnttab_unmap_grant_ref), true },
    [GNTTABOP_setup_table] = { op_setup_table, sizeof(struct gnttab_setup_table), false },
    [GNTTABOP_copy] = { grant_op_copy, sizeof(struct gnttab_copy), false },
    [GNTTABOP_query_size] = { op_query_size, sizeof(struct gnttab_query_size), false },
    [GNTTABOP_unmap_and_replace] = { grant_op_unmap_and_replace,
                                     sizeof(struct gnttab_unmap_and_replace), true },
    [GNTTABOP_get_status_frames] = { op_get_status_frames,
                                     sizeof(struct gnttab_get_status_frames), false },
    [GNTTABOP_swap_grant_ref] = { op_swap, sizeof(struct gnttab_swap_grant_ref), false },
};

long do_grant_table_op(unsigned long cmd, unsigned long uop, unsigned long count,
                       unsigned long a4, unsigned long a5, unsigned long a6)
{
    struct vcpu *v = current();
    uint32_t nr = (uint32_t)count, i;
    long rc = 0;

    (void)a4;
    (void)a5;
    (void)a6;
    if (!v->domain->gt)
        return -XEN_ENOSYS;
    if (cmd == GNTTABOP_set_version)
        return set_version(uop);
    if (cmd == GNTTABOP_get_version)
        return get_version(v->domain, uop);
    if (cmd == GNTTABOP_cache_flush)
        return cache_flush(v->domain);
    if (cmd >= ARRAY_SIZE(array_ops) || !array_ops[cmd].fn)
        return -XEN_ENOSYS;
    /* One table or list of frames at a time (public/grant_table.h). */
    if ((cmd == GNTTABOP_setup_table || cmd == GNTTABOP_query_size ||
         cmd == GNTTABOP_get_status_frames) && nr != 1)
        return -XEN_EINVAL;

    for (i = 0; i < nr; i++) {
        if (!array_ops[cmd].fn(v, uop + (uint64_t)i * array_ops[cmd].size)) {
            rc = -XEN_EFAULT;
            break;
        }
        if ((i & 31) == 31)
            preempt_point();
    }
    if (array_ops[cmd].flush && i)
        flush_domain(v->domain, ~0UL);
    return rc;
}
