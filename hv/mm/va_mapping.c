/* SPDX-License-Identifier: MIT */
/*
 * update_va_mapping: change the L1 entry of a virtual address, and flush it.
 */
#include "hv/asm.h"

#include "mm_int.h"

/* UVMF_*: what to flush in the low two bits; whom in the rest (public/xen.h). */
static long uvm_flush(const struct domain *d, uint64_t va, unsigned long flags)
{
    unsigned long type = flags & UVMF_FLUSHTYPE_MASK, whom = flags & ~UVMF_FLUSHTYPE_MASK;
    uint64_t mask;

    if (type == UVMF_TLB_FLUSH)
        va = ~0UL;
    else if (type != UVMF_INVLPG)
        return -XEN_EINVAL;

    if (whom == UVMF_LOCAL) {
        flush_self(va);
    } else if (whom == UVMF_ALL) {
        flush_domain(d, va);
    } else {
        if (!flush_vcpu_mask(d, whom, &mask))
            return -XEN_EFAULT;
        flush_cpus(mask, va);
    }
    return 0;
}

static inline void watch_l1(const uint64_t *e, uint64_t new_entry)
{
    struct page_info *pg = virt_to_page(e);

    if (unlikely(READ_ONCE(pg->state) & PGS_WATCHED))
        watched_changes(pg, e, new_entry);
}

long do_update_va_mapping(unsigned long va, unsigned long val, unsigned long flags,
                          unsigned long a4, unsigned long a5, unsigned long a6)
{
    const struct vcpu *v = current();
    struct domain *d = v->domain;
    uint64_t *e;
    long rc;

    (void)a4;
    (void)a5;
    (void)a6;
    spin_lock(&d->mm.lock);
    e = walk_to_l1e(v->kernel_l4, va);
    if ((int64_t)va < 0 && e) /* kernels are in the upper half */
        watch_l1(e, val);
    rc = likely(e) ? l1_set(d, e, val) : -XEN_EINVAL;
    spin_unlock(&d->mm.lock);
    if (flags && rc == 0)
        return uvm_flush(d, va, flags);
    return rc;
}

long do_update_va_mapping_otherdomain(unsigned long va, unsigned long val, unsigned long flags,
                                      unsigned long domid, unsigned long a5, unsigned long a6)
{
    struct vcpu *v = current();
    struct domain *d = v->domain, *owner = foreign_domain(d, domid & 0xffff);
    uint64_t *e;
    long rc;

    (void)a5;
    (void)a6;
    if (!owner)
        return d->privileged ? -XEN_ESRCH : -XEN_EPERM;
    spin_lock(&d->mm.lock);
    e = walk_to_l1e(v->kernel_l4, va);
    if (e)
        watch_l1(e, val);
    rc = e ? l1_update(d, owner, e, val, UPDATE_STORE, 0) : -XEN_EINVAL;
    spin_unlock(&d->mm.lock);
    if (flags && rc == 0)
        rc = uvm_flush(d, va, flags);
    return rc;
}
