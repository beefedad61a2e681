/* SPDX-License-Identifier: MIT */
/*
 * Which frames a domain has: giving them, taking them back, and all of them at its end.
 *
 * A frame with PGS_ALLOC is in the list mm.first_page.  One that was given up while something still
 * refers to it is in mm.first_dying, until page_last_ref().  Frames with PGS_HV are in neither.
 */
#include "mm_int.h"

void domain_mm_init(struct domain *d)
{
    memset(&d->mm, 0, sizeof(d->mm));
}

/* page_lock held. */
static void assign_locked(struct domain *d, struct page_info *pg, unsigned int order)
{
    for (uint64_t i = 0; i < 1UL << order; i++) {
        pg[i].owner = d;
        pg[i].stamp = 0;
        frame_list_add(&d->mm.first_page, &pg[i]);
        __atomic_store_n(&pg[i].state, PGS_ALLOC | PGS_COUNT_ONE, __ATOMIC_RELEASE);
    }
    d->mm.tot_pages += 1UL << order;
}

void assign_pages(struct domain *d, struct page_info *pg, unsigned int order)
{
    spin_lock(&d->mm.page_lock);
    assign_locked(d, pg, order);
    spin_unlock(&d->mm.page_lock);
}

struct page_info *alloc_domain_pages(struct domain *d, unsigned int order, unsigned int flags)
{
    struct page_info *pg = alloc_pages(order, flags);
    bool ok;

    if (!pg)
        return NULL;
    spin_lock(&d->mm.page_lock);
    ok = !d->dying &&
         ((flags & ALLOC_NO_LIMIT) || (d->mm.tot_pages <= d->mm.max_pages &&
                                       d->mm.max_pages - d->mm.tot_pages >= 1UL << order));
    if (ok)
        assign_locked(d, pg, order);
    spin_unlock(&d->mm.page_lock);
    if (!ok) {
        /* Zeroed just now, unless the caller did not mind. */
        if (flags & ALLOC_NO_SCRUB)
            free_pages(pg, order);
        else
            free_pages_clean(pg, order);
        return NULL;
    }
    return pg;
}

/* Nothing refers to pg any more, and it is in no list: scrub it and give it to the allocator. */
static void release_frame(struct page_info *pg)
{
    tlb_flush_page(pg);
    set_gpfn(page_to_mfn(pg), INVALID_M2P_ENTRY);
    pg->owner = NULL;
    pg->state = 0;
    clear_frames(page_to_virt(pg), 1);
    free_pages_clean(pg, 0);
}

void page_last_ref(struct page_info *pg, uint64_t old_state)
{
    struct domain *d = pg->owner;

    if (!(old_state & PGS_HV)) {
        spin_lock(&d->mm.page_lock);
        frame_list_del(&d->mm.first_dying, pg);
        d->mm.tot_pages--;
        spin_unlock(&d->mm.page_lock);
    }
    pg->stamp = READ_ONCE(tlb_clock);
    release_frame(pg);
    if (old_state & PGS_HV)
        __atomic_sub_fetch(&d->mm.shared_pages, 1, __ATOMIC_SEQ_CST);
}

int domain_free_page(struct domain *d, struct page_info *pg)
{
    uint64_t old, new;
    bool last;

    spin_lock(&d->mm.page_lock);
    old = READ_ONCE(pg->state);
    do {
        /* A pinned table would never be freed once it is in the dying list. */
        if (pg->owner != d || (old & (PGS_ALLOC | PGS_HV | PGS_PINNED)) != PGS_ALLOC) {
            spin_unlock(&d->mm.page_lock);
            return -XEN_EINVAL;
        }
        new = (old & ~PGS_ALLOC) - PGS_COUNT_ONE;
        last = (new & PGS_COUNT_MASK) == 0;
        if (last)
            new = old & PGS_FOREIGN;
    } while (!state_cas(pg, &old, new));

    frame_list_del(&d->mm.first_page, pg);
    if (last)
        d->mm.tot_pages--;
    else
        frame_list_add(&d->mm.first_dying, pg);
    spin_unlock(&d->mm.page_lock);
    if (last) {
        pg->stamp = READ_ONCE(tlb_clock);
        release_frame(pg);
    }
    return 0;
}

bool steal_page(struct domain *d, struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state);

    do {
        if (pg->owner != d || (old & (PGS_ALLOC | PGS_HV)) != PGS_ALLOC ||
            (old & PGS_COUNT_MASK) != PGS_COUNT_ONE || (old & PGS_TCOUNT_MASK))
            return false;
    } while (!state_cas(pg, &old, old & PGS_FOREIGN));
    return true;
}

void unsteal_page(struct page_info *pg)
{
    /* Type none would need no flush, so remember that it may have been writable. */
    __atomic_store_n(&pg->state,
                     PGS_ALLOC | PGS_COUNT_ONE | PGT_WRITABLE | (pg->state & PGS_FOREIGN),
                     __ATOMIC_RELEASE);
}

void free_stolen_page(struct domain *d, struct page_info *pg)
{
    spin_lock(&d->mm.page_lock);
    frame_list_del(&d->mm.first_page, pg);
    d->mm.tot_pages--;
    spin_unlock(&d->mm.page_lock);
    pg->stamp = READ_ONCE(tlb_clock);
    release_frame(pg);
}

/*
 * The list's head goes at each step, to the allocator or to the dying list, so every step makes
 * progress.  Pinned tables are unpinned on the way; tables of no more use drop their entries'
 * references, and what they kept alive in the dying list is freed.
 */
uint64_t domain_relinquish_memory(struct domain *d, uint64_t max_steps)
{
    hv_free(d->mm.map, d->mm.nr_map * sizeof(*d->mm.map));
    d->mm.map = NULL;
    d->mm.nr_map = 0;
    while (max_steps-- && d->mm.first_page) {
        struct page_info *pg = mfn_to_page(MFN(d->mm.first_page));

        if (pg->state & PGS_PINNED) {
            spin_lock(&d->mm.lock);
            unpin_table(d, pg);
            spin_unlock(&d->mm.lock);
        }
        domain_free_page(d, pg);
    }
    return READ_ONCE(d->mm.tot_pages);
}

bool domain_mm_empty(const struct domain *d)
{
    return READ_ONCE(d->mm.tot_pages) == 0 && READ_ONCE(d->mm.shared_pages) == 0;
}
