/* SPDX-License-Identifier: MIT */
/*
 * memory_op: frames for domains, and back.
 */
#include "hv/grant.h"
#include "hv/guest.h"

#include "memory_op.h"

/* Largest extent of a domain that is not privileged, 2 MiB: one call must not take long. */
#define MAX_ORDER_UNPRIVILEGED 9

/* Frames handled between two looks for interrupts and other vCPUs. */
#define PREEMPT_FRAMES 512

struct extents {
    uint64_t list;   /* guest VA of the array of frame numbers; 0 = none */
    uint64_t nr;
    unsigned int order, alloc_flags;
    struct domain *d;
};

static long extents_from(struct domain *caller, const struct xen_memory_reservation *r,
                         struct extents *x)
{
    x->list = guest_handle_va(r->extent_start);
    x->nr = r->nr_extents;
    x->order = r->extent_order;
    x->alloc_flags = ALLOC_BITS(XENMEMF_get_address_bits(r->mem_flags));
    x->d = memory_op_domain(caller, r->domid);
    if (!x->d)
        return caller->privileged ? -XEN_ESRCH : -XEN_EPERM;
    if (x->order > (caller->privileged ? MAX_ORDER : MAX_ORDER_UNPRIVILEGED))
        return -XEN_EPERM;
    if (x->nr >> (52 - x->order))
        return -XEN_EINVAL;
    return 0;
}

static bool read_extent(const struct extents *x, uint64_t i, uint64_t *frame)
{
    return get_guest_u64(x->list + i * sizeof(xen_pfn_t), frame);
}

static bool write_extent(const struct extents *x, uint64_t i, uint64_t frame)
{
    return put_guest_u64(x->list + i * sizeof(xen_pfn_t), frame);
}

static void free_run(struct domain *d, struct page_info *pg, uint64_t nr)
{
    while (nr--)
        domain_free_page(d, pg++);
}

static bool increase_one(const struct extents *x, uint64_t i)
{
    struct page_info *pg = alloc_domain_pages(x->d, x->order, x->alloc_flags);

    if (!pg)
        return false;
    if (x->list && !write_extent(x, i, page_to_mfn(pg).m)) {
        free_run(x->d, pg, 1UL << x->order);
        return false;
    }
    return true;
}

static bool populate_one(const struct extents *x, uint64_t i)
{
    struct page_info *pg;
    uint64_t gpfn;

    if (!read_extent(x, i, &gpfn))
        return false;
    pg = alloc_domain_pages(x->d, x->order, x->alloc_flags);
    if (!pg)
        return false;
    for (uint64_t j = 0; j < 1UL << x->order; j++)
        set_gpfn(page_to_mfn(pg + j), gpfn + j);
    if (!write_extent(x, i, page_to_mfn(pg).m)) {
        free_run(x->d, pg, 1UL << x->order);
        return false;
    }
    return true;
}

static bool decrease_one(const struct extents *x, uint64_t i)
{
    uint64_t frame, nr = 1UL << x->order;

    if (!read_extent(x, i, &frame) || frame >= max_mfn || max_mfn - frame < nr)
        return false;
    for (uint64_t j = 0; j < nr; j++) {
        if (domain_free_page(x->d, mfn_to_page(MFN(frame + j))))
            return false;
    }
    return true;
}

long op_change_reservation(struct domain *caller, unsigned long cmd, unsigned long arg)
{
    struct xen_memory_reservation req;
    struct extents x;
    uint64_t i, frames = 0;
    long rc;

    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    rc = extents_from(caller, &req, &x);
    if (rc)
        return rc;
    for (i = 0; i < x.nr; i++) {
        bool ok;

        if (cmd == XENMEM_increase_reservation)
            ok = increase_one(&x, i);
        else if (cmd == XENMEM_decrease_reservation)
            ok = decrease_one(&x, i);
        else
            ok = populate_one(&x, i);
        if (!ok)
            break;
        frames += 1UL << x.order;
        if (frames >= PREEMPT_FRAMES) {
            frames = 0;
            preempt_point();
        }
    }
    return (long)i;
}

/* ------------------------------------------------------------------ exchange */

/*
 * Work goes in chunks of the larger of both extent sizes: nr_in extents of `in` for nr_out of
 * `out`, one of both numbers being 1.
 */
struct exchange {
    struct extents in, out;
    uint64_t nr_in, nr_out;
    uint64_t chunks;
};

static struct page_info *in_page(const struct exchange *x, uint64_t n, bool *fault)
{
    uint64_t frame;

    *fault = !read_extent(&x->in, n >> x->in.order, &frame);
    frame += n & ((1UL << x->in.order) - 1);
    return *fault || frame >= max_mfn ? NULL : mfn_to_page(MFN(frame));
}

/*
 * The guest may change its list meanwhile, so what was stolen is remembered: chained through the
 * stamps, which nobody reads of a page without references.
 */
static long steal_chunk(const struct exchange *x, uint64_t chunk, struct page_info **stolen)
{
    uint64_t first = chunk * (x->nr_in << x->in.order), nr = x->nr_in << x->in.order;
    bool fault;

    for (uint64_t n = first; n < first + nr; n++) {
        struct page_info *pg = in_page(x, n, &fault);

        if (!pg || !steal_page(x->in.d, pg))
            return fault ? -XEN_EFAULT : -XEN_EINVAL;
        pg->stamp = *stolen ? page_to_mfn(*stolen).m : 0;
        *stolen = pg;
    }
    return 0;
}

static struct page_info *next_stolen(const struct page_info *pg)
{
    return pg->stamp ? mfn_to_page(MFN(pg->stamp)) : NULL;
}

static void give_back(struct page_info *stolen)
{
    while (stolen) {
        struct page_info *next = next_stolen(stolen);

        stolen->stamp = READ_ONCE(tlb_clock);
        unsteal_page(stolen);
        stolen = next;
    }
}

static void free_stolen(struct domain *d, struct page_info *stolen)
{
    while (stolen) {
        struct page_info *next = next_stolen(stolen);

        free_stolen_page(d, stolen);
        stolen = next;
    }
}

/* Frames for the output extents of a chunk, chained likewise by their first frame's stamp. */
static void free_new(const struct exchange *x, struct page_info *fresh)
{
    while (fresh) {
        struct page_info *next = next_stolen(fresh);

        free_pages_clean(fresh, x->out.order);
        fresh = next;
    }
}

static struct page_info *alloc_chunk(const struct exchange *x)
{
    struct page_info *fresh = NULL;

    for (uint64_t i = 0; i < x->nr_out; i++) {
        struct page_info *pg = alloc_pages(x->out.order, x->out.alloc_flags);

        if (!pg) {
            free_new(x, fresh);
            return NULL;
        }
        pg->stamp = fresh ? page_to_mfn(fresh).m : 0;
        fresh = pg;
    }
    return fresh;
}

static long exchange_chunk(const struct exchange *x, uint64_t chunk)
{
    struct page_info *fresh = alloc_chunk(x), *stolen = NULL;
    long rc;

    if (!fresh)
        return -XEN_ENOMEM;
    rc = steal_chunk(x, chunk, &stolen);
    if (rc) {
        give_back(stolen);
        free_new(x, fresh);
        return rc;
    }
    free_stolen(x->in.d, stolen);
    for (uint64_t i = chunk * x->nr_out; fresh; i++) {
        struct page_info *pg = fresh;
        uint64_t gpfn;

        fresh = next_stolen(pg);
        assign_pages(x->out.d, pg, x->out.order);
        /* A fault here is the guest's loss: it has the frame, but was not told which. */
        if (!read_extent(&x->out, i, &gpfn) || !write_extent(&x->out, i, page_to_mfn(pg).m)) {
            rc = -XEN_EFAULT;
            continue;
        }
        for (uint64_t j = 0; j < 1UL << x->out.order; j++)
            set_gpfn(page_to_mfn(pg + j), gpfn + j);
    }
    return rc;
}

static long exchange_check(struct domain *caller, const struct xen_memory_exchange *req,
                           struct exchange *x)
{
    unsigned int in_order, out_order;
    long rc = extents_from(caller, &req->in, &x->in);

    if (rc == 0)
        rc = extents_from(caller, &req->out, &x->out);
    if (rc)
        return rc;
    in_order = x->in.order;
    out_order = x->out.order;
    if (x->in.d != x->out.d || req->in.domid != req->out.domid ||
        x->in.nr << in_order != x->out.nr << out_order || req->nr_exchanged > x->in.nr)
        return -XEN_EINVAL;
    x->nr_in = in_order < out_order ? 1UL << (out_order - in_order) : 1;
    x->nr_out = out_order < in_order ? 1UL << (in_order - out_order) : 1;
    x->chunks = x->in.nr / x->nr_in;
    if (req->nr_exchanged % x->nr_in)
        return -XEN_EINVAL;
    return 0;
}

long op_exchange(struct domain *caller, unsigned long arg)
{
    struct xen_memory_exchange req;
    struct exchange x;
    uint64_t chunk;
    long rc;

    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    rc = exchange_check(caller, &req, &x);
    if (rc)
        return rc;
    for (chunk = req.nr_exchanged / x.nr_in; chunk < x.chunks; chunk++) {
        rc = exchange_chunk(&x, chunk);
        if (rc)
            break;
        preempt_point();
    }
    req.nr_exchanged = chunk * x.nr_in;
    if (!put_guest_u64(arg + offsetof(struct xen_memory_exchange, nr_exchanged),
                       req.nr_exchanged))
        rc = -XEN_EFAULT;
    return rc;
}

/* ------------------------------------------------------------------ resources */

/* Grant tables of other domains, for the toolstack. */
long op_acquire_resource(struct domain *caller, unsigned long arg)
{
    struct xen_mem_acquire_resource req;
    struct domain *d;

    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    if (req.pad)
        return -XEN_EINVAL;
    if (!caller->privileged)
        return -XEN_EPERM;
    d = memory_op_domain(caller, req.domid);
    if (!d)
        return -XEN_ESRCH;
    if (d == caller)
        return -XEN_EPERM;
    if (req.type != XENMEM_resource_grant_table || req.id != XENMEM_resource_grant_table_id_shared)
        return -XEN_EOPNOTSUPP;
    if (req.nr_frames == 0) {
        req.nr_frames = GRANT_MAX_FRAMES;
        return copy_to_guest(arg, &req, 1) ? 0 : -XEN_EFAULT;
    }
    if (req.frame >= GRANT_MAX_FRAMES || req.nr_frames > GRANT_MAX_FRAMES - req.frame)
        return -XEN_EINVAL;
    for (uint32_t i = 0; i < req.nr_frames; i++) {
        mfn_t mfn;
        int rc = grant_table_frame(d, (uint32_t)req.frame + i, &mfn);

        if (rc)
            return rc;
        if (!put_guest_u64(guest_handle_va(req.frame_list) + i * sizeof(xen_pfn_t), mfn.m))
            return -XEN_EFAULT;
    }
    return 0;
}
