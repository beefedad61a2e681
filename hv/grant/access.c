/* SPDX-License-Identifier: MIT */
/*
 * The granting side: is this use allowed, and the flags that tell the granter so.
 *
 * Granter and hypervisor change the first word of an entry (flags, domid) at the same time: the
 * hypervisor sets and clears GTF_reading and GTF_writing by locked operations; the granter ends a
 * grant by a compare-and-exchange that fails while they are set (public/grant_table.h).
 */
#include "grant_int.h"

_Static_assert(offsetof(grant_entry_v1_t, flags) == 0 && offsetof(grant_entry_v1_t, domid) == 2,
               "flags and domid are one word");

/* Set GTF_reading (and _writing), if the entry grants it to `user` at that moment. */
static int entry_mark(grant_entry_v1_t *entry, uint16_t user, bool write)
{
    uint32_t *word = (uint32_t *)entry;
    uint32_t old = READ_ONCE(*word), new;

    do {
        if ((old & GTF_type_mask) != GTF_permit_access || old >> 16 != user)
            return GNTST_bad_gntref;
        if (write && (old & GTF_readonly))
            return GNTST_bad_gntref;
        new = old | GTF_reading | (write ? GTF_writing : 0);
    } while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return GNTST_okay;
}

static void entry_unmark(grant_entry_v1_t *entry, const struct grant_use *use)
{
    uint16_t clear = (use->writers ? 0 : GTF_writing) |
                     (use->writers || use->readers ? 0 : GTF_reading);

    __atomic_and_fetch(&entry->flags, (uint16_t)~clear, __ATOMIC_SEQ_CST);
}

/* gt->lock held. */
static int acquire_locked(struct domain *owner, uint32_t ref, uint16_t user, bool write,
                          struct page_info **pg)
{
    struct grant_table *gt = owner->gt;
    grant_entry_v1_t *entry;
    struct grant_use *use;
    uint32_t frame;
    int rc;

    if (ref >= gt->nr_frames * ENTRIES_PER_FRAME)
        return GNTST_bad_gntref;
    entry = grant_entry(gt, ref);
    use = grant_use(gt, ref);
    rc = entry_mark(entry, user, write);
    if (rc != GNTST_okay)
        return rc;
    frame = READ_ONCE(entry->frame);
    *pg = NULL;
    /* A grant in use means what it meant when the use began. */
    if ((use->readers || use->writers) && (use->mfn != frame || use->domid != user))
        rc = GNTST_bad_gntref;
    else if (use->readers == UINT32_MAX || use->writers == UINT32_MAX)
        rc = GNTST_no_space;
    else if (!(*pg = get_domain_page(owner, MFN(frame), write)))
        rc = GNTST_bad_page;
    if (rc != GNTST_okay) {
        entry_unmark(entry, use);
        return rc;
    }
    use->mfn = frame;
    use->domid = user;
    if (write)
        use->writers++;
    else
        use->readers++;
    return GNTST_okay;
}

int grant_acquire(struct domain *owner, uint32_t ref, uint16_t user, bool write,
                  struct page_info **pg)
{
    int rc;

    if (!owner->gt || owner->dying)
        return GNTST_bad_domain;
    spin_lock(&owner->gt->lock);
    rc = acquire_locked(owner, ref, user, write, pg);
    spin_unlock(&owner->gt->lock);
    return rc;
}

void grant_release(struct domain *owner, uint32_t ref, bool write)
{
    struct grant_table *gt = owner->gt;
    struct grant_use *use;

    if (!gt)
        return;
    spin_lock(&gt->lock);
    use = grant_use(gt, ref);
    if (write)
        use->writers--;
    else
        use->readers--;
    entry_unmark(grant_entry(gt, ref), use);
    spin_unlock(&gt->lock);
}
