/* SPDX-License-Identifier: MIT */
/*
 * Changes of single entries: the one path that mmu_update, update_va_mapping, grant mappings and
 * trapped writes share; and the mmu_update hypercall.
 *
 * mm.lock keeps everybody but the processor from changing an entry, and the processor sets accessed
 * and dirty bits alone.  So the frame and the permissions of the old entry may be read first.
 */
#include "hv/guest.h"

#include "mm_int.h"

/* Store new_entry over old (as read before); false if the mode says no. */
static bool entry_store(uint64_t *e, uint64_t old, uint64_t new_entry, enum update_mode mode,
                        uint64_t expected)
{
    const uint64_t ad = PTE_A | PTE_D;

    if (mode == UPDATE_STORE) {
        WRITE_ONCE(*e, new_entry);
        return true;
    }
    if (mode == UPDATE_IF_SAME)
        return __atomic_compare_exchange_n(e, &expected, new_entry, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(e, &old, new_entry | (old & ad), false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
        ;
    return true;
}

/*
 * The same frame, writable or not any more (mprotect, fork): one count changes.  1 if it takes more
 * than counting, and nothing was done.
 */
static inline int l1_change_rw(const struct domain *d, uint64_t *e, uint64_t old,
                               uint64_t new_entry, enum update_mode mode, uint64_t expected)
{
    struct page_info *pg = mfn_to_page(MFN(pte_frame(old)));
    bool stored;

    /* Others' frames are asked about as the caller names them; the old entry keeps the owner. */
    if (pg->owner != d)
        return 1;
    if ((new_entry & PTE_RW) && !ref_add_writable(pg))
        return 1;
    stored = entry_store(e, old, new_entry, mode, expected);
    /* Whichever entry could write and is not there (any more) gives its reference back. */
    if (((stored ? old : new_entry) & PTE_RW))
        ref_drop_writable(pg);
    return stored ? 0 : -XEN_EAGAIN;
}

/* As l1_set(), keeping accessed and dirty bits: protection changes are what comes this way. */
static inline int l1_set_preserve(struct domain *d, uint64_t *e, uint64_t new_entry)
{
    uint64_t old = READ_ONCE(*e), adjusted = adjust_l1e(new_entry);

    if (likely((new_entry & PTE_P) && l1e_differ_in_rw(old, adjusted))) {
        int rc = l1_change_rw(d, e, old, adjusted, UPDATE_PRESERVE_AD, 0);

        if (likely(rc <= 0))
            return rc;
    }
    return l1_update(d, d, e, new_entry, UPDATE_PRESERVE_AD, 0);
}

int l1_update(struct domain *d, struct domain *owner, uint64_t *e, uint64_t new_entry,
              enum update_mode mode, uint64_t expected)
{
    uint64_t old = READ_ONCE(*e);
    int rc;

    if (new_entry & PTE_P) {
        new_entry = adjust_l1e(new_entry);
        if (l1e_same_refs(old, new_entry) && owner == d)
            return entry_store(e, old, new_entry, mode, expected) ? 0 : -XEN_EAGAIN;
        if (l1e_differ_in_rw(old, new_entry) && owner == d) {
            rc = l1_change_rw(d, e, old, new_entry, mode, expected);
            if (likely(rc <= 0))
                return rc;
        }
        rc = l1e_get(d, owner, new_entry);
        if (unlikely(rc))
            return rc;
    }
    if (unlikely(!entry_store(e, old, new_entry, mode, expected))) {
        if (new_entry & PTE_P)
            l1e_put(new_entry);
        return -XEN_EAGAIN;
    }
    if (old & PTE_P)
        l1e_put(old);
    return 0;
}

/* The table's own reference keeps it what it is while mm.lock may be let go. */
static int upper_update(struct domain *d, struct page_info *pg, uint64_t type, uint64_t *e,
                        uint64_t new_entry, enum update_mode mode, uint64_t expected)
{
    int rc = get_page_type(pg, type);
    uint64_t old = 0;

    if (rc)
        return rc;
    if (new_entry & PTE_P) {
        new_entry |= PTE_USER;
        rc = upper_get(d, new_entry, type);
        if (rc)
            goto out;
    }
    old = READ_ONCE(*e);
    if (!entry_store(e, old, new_entry, mode, expected)) {
        old = new_entry;
        rc = -XEN_EAGAIN;
    }
    if (old & PTE_P)
        upper_put(old);
out:
    put_page_type(pg);
    return rc;
}

int table_update(struct domain *d, struct domain *owner, struct page_info *pg, uint64_t *e,
                 uint64_t new_entry, enum update_mode mode, uint64_t expected)
{
    uint64_t type = pg->state & PGS_TYPE_MASK;

    if (unlikely(pg->state & PGS_WATCHED))
        watched_changes(pg, e, new_entry);
    if (likely(type == PGT_L1))
        return l1_update(d, owner, e, new_entry, mode, expected);
    if (owner != d)
        return -XEN_EINVAL;
    if (type == PGT_L4 && hv_l4_slot(((uintptr_t)e / 8) % TABLE_ENTRIES))
        return -XEN_EINVAL;
    return upper_update(d, pg, type, e, new_entry, mode, expected);
}

/* ------------------------------------------------------------------ mmu_update */

/* A word of a page that is no table (yet): a plain store, if the domain could do it itself. */
static int update_plain(struct domain *d, struct page_info *pg, uint64_t *e, uint64_t value,
                        enum update_mode mode)
{
    int rc = get_page_and_type(pg, d, PGT_WRITABLE);

    if (rc)
        return rc;
    entry_store(e, READ_ONCE(*e), value, mode, 0);
    put_page_type(pg);
    return 0;
}

static int update_m2p(struct domain *d, uint64_t mfn, uint64_t gpfn)
{
    struct page_info *pg;

    if (mfn >= max_mfn)
        return -XEN_EINVAL;
    pg = mfn_to_page(MFN(mfn));
    if (!get_page(pg, d))
        return -XEN_EINVAL;
    set_gpfn(MFN(mfn), gpfn);
    put_page(pg);
    return 0;
}

/* d: whose table; owner: whose frames may be mapped.  d's mm.lock is held. */
static inline int update_one(struct domain *d, struct domain *owner, uint64_t ptr, uint64_t val)
{
    uint64_t mfn = ptr >> PAGE_SHIFT;
    unsigned int cmd = ptr & 7;
    enum update_mode mode;
    struct page_info *pg;
    uint64_t *e;

    if (unlikely(mfn >= max_mfn))
        return -XEN_EINVAL;
    switch (cmd) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE: /* PV: the same */
        mode = UPDATE_STORE;
        break;
    case MMU_PT_UPDATE_PRESERVE_AD:
        mode = UPDATE_PRESERVE_AD;
        break;
    case MMU_MACHPHYS_UPDATE:
        return update_m2p(owner, mfn, val);
    default:
        return -XEN_EINVAL; /* not aligned */
    }
    pg = mfn_to_page(MFN(mfn));
    if (unlikely(pg->owner != d))
        return -XEN_EPERM;
    e = paddr_to_virt(ptr & ~7UL);
    if (likely((READ_ONCE(pg->state) & (PGS_TYPE_MASK | PGS_VALID | PGS_WATCHED)) ==
               (PGT_L1 | PGS_VALID))) {
        if (likely(owner == d))
            return mode == UPDATE_STORE ? l1_set(d, e, val) : l1_set_preserve(d, e, val);
        return l1_update(d, owner, e, val, mode, 0);
    }
    if (state_is_live_table(READ_ONCE(pg->state)))
        return table_update(d, owner, pg, e, val, mode, 0);
    return update_plain(d, pg, e, val, mode);
}

/* Requests done between two looks for interrupts and other vCPUs. */
#define UPDATE_BATCH 256

static uint64_t update_batch(struct domain *d, struct domain *owner, uint64_t reqs, uint64_t count,
                             long *rc)
{
    uint64_t i;

    spin_lock(&d->mm.lock);
    for (i = 0; i < count; i++, reqs += sizeof(struct mmu_update)) {
        uint64_t ptr, val;

        *rc = likely(get_guest_pair(reqs, &ptr, &val)) ? update_one(d, owner, ptr, val)
                                                       : -XEN_EFAULT;
        if (unlikely(*rc))
            break;
    }
    spin_unlock(&d->mm.lock);
    return i;
}

/* One entry of one's own: what guests do most. */
static long update_single(struct domain *d, uint64_t req)
{
    uint64_t ptr, val;
    long rc;

    if (unlikely(!get_guest_pair(req, &ptr, &val)))
        return -XEN_EFAULT;
    spin_lock(&d->mm.lock);
    rc = update_one(d, d, ptr, val);
    spin_unlock(&d->mm.lock);
    return rc;
}

/*
 * foreigndom: bits 0-15 the owner of the frames, bits 16-31 if not zero 1 + the domain whose tables
 * are updated (public/xen.h, HYPERVISOR_mmu_update).
 */
static long resolve_domains(struct domain *self, uint32_t foreigndom, struct domain **d,
                            struct domain **owner)
{
    uint32_t tables = foreigndom >> 16, frames = foreigndom & 0xffff;

    *d = tables ? foreign_domain(self, tables - 1) : self;
    /* "Self" as owner means the tables' domain. */
    *owner = frames == DOMID_SELF ? *d : foreign_domain(self, frames);
    if (!*d || !*owner)
        return self->privileged ? -XEN_ESRCH : -XEN_EPERM;
    return *d == &dom_io || *d == &dom_xen ? -XEN_EPERM : 0;
}

static long update_many(struct domain *self, uint64_t reqs, uint32_t count, uint64_t pdone,
                        uint32_t foreigndom)
{
    struct domain *d, *owner;
    uint32_t done = 0;
    long rc = resolve_domains(self, foreigndom, &d, &owner);

    if (rc)
        return rc;
    while (done < count) {
        uint32_t batch = MIN(count - done, (uint32_t)UPDATE_BATCH);

        done += (uint32_t)update_batch(d, owner, reqs + done * sizeof(struct mmu_update), batch,
                                       &rc);
        if (rc)
            break;
        if (unlikely(done < count))
            preempt_point();
    }
    if (pdone && !copy_to_guest(pdone, &done, 1))
        return -XEN_EFAULT;
    return rc;
}

long do_mmu_update(unsigned long reqs, unsigned long count, unsigned long pdone,
                   unsigned long foreigndom, unsigned long a5, unsigned long a6)
{
    struct domain *self = current()->domain;

    (void)a5;
    (void)a6;
    if (likely((uint32_t)count == 1 && (uint32_t)foreigndom == DOMID_SELF && !pdone))
        return update_single(self, reqs);
    return update_many(self, reqs, (uint32_t)count, pdone, (uint32_t)foreigndom);
}
