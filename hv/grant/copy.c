/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_copy: bytes from page to page, either end a grant or a frame of the caller's.
 */
#include "hv/trace.h"

#include "grant_int.h"

struct copy_end {
    struct page_info *pg;
    struct domain *owner; /* of the grant; NULL for an own frame */
    uint32_t ref;
    bool write;
};

static int end_open(struct domain *d, const struct gnttab_copy_ptr *ptr, bool is_ref, bool write,
                    struct copy_end *end)
{
    end->write = write;
    end->owner = NULL;
    if (!is_ref) {
        if (ptr->domid != DOMID_SELF && ptr->domid != d->id)
            return GNTST_permission_denied;
        end->pg = get_domain_page(d, MFN(ptr->u.gmfn), write);
        return end->pg ? GNTST_okay : GNTST_bad_page;
    }
    end->owner = ptr->domid == DOMID_SELF ? d : domain_find(ptr->domid);
    end->ref = ptr->u.ref;
    if (!end->owner)
        return GNTST_bad_domain;
    return grant_acquire(end->owner, ptr->u.ref, d->id, write, &end->pg);
}

static void end_close(struct copy_end *end)
{
    if (end->owner)
        grant_release(end->owner, end->ref, end->write);
    put_domain_page(end->pg, end->write);
}

static int do_copy(struct domain *d, const struct gnttab_copy *op)
{
    struct copy_end src, dst;
    int rc;

    if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    rc = end_open(d, &op->source, op->flags & GNTCOPY_source_gref, false, &src);
    if (rc != GNTST_okay)
        return rc;
    rc = end_open(d, &op->dest, op->flags & GNTCOPY_dest_gref, true, &dst);
    if (rc == GNTST_okay) {
        memmove((char *)page_to_virt(dst.pg) + op->dest.offset,
                (const char *)page_to_virt(src.pg) + op->source.offset, op->len);
        end_close(&dst);
    }
    end_close(&src);
    return rc;
}

bool grant_op_copy(struct vcpu *v, uint64_t va)
{
    struct gnttab_copy op;

    if (!copy_from_guest(&op, va, 1))
        return false;
    op.status = (int16_t)do_copy(v->domain, &op);
    trace_grant_copy(op.source.domid, op.dest.domid, op.len, op.status);
    return copy_to_guest(va, &op, 1);
}
