/* SPDX-License-Identifier: MIT */
/*
 * An L1 entry's update in two halves: what may refuse changes nothing that can be seen, and takes
 * the reference that the new entry will hold; what follows cannot fail.  The checks and the counts
 * are those of mmu_update (update.c); what would need more than counting is refused: who asked has
 * another way.
 *
 * mm.lock is held from the first half to the end of the second, so the entry stays what it was but
 * for the accessed and dirty bits, which other processors may set.
 */
#include "mm_int.h"

#define AD (PTE_A | PTE_D)
#define PTE_NX (1UL << 63)

static bool mode_of(uint64_t ptr, bool *preserve)
{
    unsigned int cmd = ptr & 7;

    *preserve = cmd == MMU_PT_UPDATE_PRESERVE_AD;
    return *preserve || cmd == MMU_NORMAL_PT_UPDATE || cmd == MMU_PT_UPDATE_NO_TRANSLATE;
}

/* The entry at ptr of a live L1 table of d that nobody watches; NULL. */
static uint64_t *own_entry(const struct domain *d, uint64_t ptr)
{
    uint64_t mfn = ptr >> PAGE_SHIFT;
    const struct page_info *pg;

    if (mfn >= max_mfn)
        return NULL;
    pg = mfn_to_page(MFN(mfn));
    if (pg->owner != d ||
        (READ_ONCE(pg->state) & (PGS_TYPE_MASK | PGS_VALID | PGS_WATCHED)) != (PGT_L1 | PGS_VALID))
        return NULL;
    return paddr_to_virt(ptr & ~7UL);
}

/* What a TLB may have of the old entry is no more than the new one gives. */
static bool only_adds(uint64_t old, uint64_t new_entry)
{
    if (!(old & PTE_P))
        return true;
    return (new_entry & PTE_P) && !((old ^ new_entry) & PTE_ADDR) &&
           !(old & ~new_entry & (PTE_RW | PTE_USER)) && !(new_entry & ~old & PTE_NX);
}

/* The reference of the new entry, by counting alone. */
static bool reserve(const struct domain *d, struct mm_staged *s)
{
    uint64_t frame = pte_frame(s->new_entry);
    struct page_info *pg;

    s->took = MM_TOOK_NOTHING;
    if (!(s->new_entry & PTE_P) || l1e_same_refs(s->old, s->new_entry))
        return true;
    if (frame >= max_mfn)
        return false;
    pg = mfn_to_page(MFN(frame));
    if (pg->owner != d)
        return false;
    if (l1e_differ_in_rw(s->old, s->new_entry)) {
        s->took = MM_TOOK_RW;
        return !(s->new_entry & PTE_RW) || ref_add_writable(pg);
    }
    if (!((s->new_entry & PTE_RW) ? ref_writable(pg) : ref_general(pg)))
        return false;
    s->took = MM_TOOK_FRAME;
    /* With a reference the owner cannot change any more. */
    if (pg->owner == d)
        return true;
    l1e_put(s->new_entry);
    return false;
}

bool mm_stage_update(struct domain *d, uint64_t ptr, uint64_t old, uint64_t new_entry,
                     struct mm_staged *s)
{
    uint64_t now, kept;

    ASSERT(spin_is_locked(&d->mm.lock));
    if (!mode_of(ptr, &s->preserve))
        return false;
    s->entry = own_entry(d, ptr);
    if (!s->entry)
        return false;
    now = READ_ONCE(*s->entry);
    kept = s->preserve ? AD : 0;
    if ((now ^ old) & ~kept)
        return false;
    s->old = now;
    s->new_entry = new_entry & PTE_P ? adjust_l1e(new_entry) : new_entry;
    /* The caller flushes the TLB that it runs on, and no other. */
    if (!only_adds(now, s->new_entry) && READ_ONCE(d->mm.dirty_cpus) & ~(1UL << this_cpu()->id))
        return false;
    return reserve(d, s);
}

void mm_stage_cancel(const struct mm_staged *s)
{
    if (s->took == MM_TOOK_FRAME)
        l1e_put(s->new_entry);
    else if (s->took == MM_TOOK_RW && (s->new_entry & PTE_RW))
        ref_drop_writable(mfn_to_page(MFN(pte_frame(s->new_entry))));
}

void mm_stage_commit(const struct mm_staged *s)
{
    uint64_t now = s->old;

    if (s->preserve)
        while (!__atomic_compare_exchange_n(s->entry, &now, s->new_entry | (now & AD), false,
                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            ;
    else
        WRITE_ONCE(*s->entry, s->new_entry);
    if (s->took == MM_TOOK_RW) {
        if (s->old & PTE_RW)
            ref_drop_writable(mfn_to_page(MFN(pte_frame(s->old))));
    } else if ((s->old & PTE_P) && (s->took == MM_TOOK_FRAME || !(s->new_entry & PTE_P))) {
        l1e_put(s->old);
    }
}

bool mm_same_l1(const struct vcpu *v, uint64_t va, uint64_t ptr)
{
    const uint64_t *e = walk_to_l1e(v->kernel_l4, va);

    return e && virt_to_mfn(e).m == ptr >> PAGE_SHIFT;
}
