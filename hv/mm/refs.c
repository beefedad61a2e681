/* SPDX-License-Identifier: MIT */
/*
 * References and types.  The common cases are inline in mm_int.h; here is the whole state machine:
 *
 *   no type reference   the type is a memory of what the page was last; any type may be taken,
 *                       after a flush of the TLBs that may still hold it as what it was
 *   writable            counted; any number of mappings
 *   L1-L4, descriptor   the first reference checks the contents (PGS_VALID when they are good), the
 *                       last one drops what the entries refer to.  Both may take long and let mm.lock
 *                       go in between: one reference, not PGS_VALID.  Others who want the type wait;
 *                       who waits is busy at a higher level than who is waited for, so that ends
 *   read-only           the hypervisor's own, never without a reference
 */
#include "hv/trace.h"

#include "mm_int.h"

uint32_t *mm_gone_words[NR_CPUS + 1];
void (*mm_watched_changes)(struct page_info *pg, const uint64_t *entry, uint64_t new_entry);

void mm_add_gone_word(uint32_t *word)
{
    unsigned int n = 0;

    while (mm_gone_words[n])
        n++;
    ASSERT(n < NR_CPUS);
    __atomic_store_n(&mm_gone_words[n], word, __ATOMIC_RELEASE);
}

bool get_page(struct page_info *pg, const struct domain *d)
{
    if (!ref_general(pg))
        return false;
    if (unlikely(pg->owner != d)) {
        put_page(pg);
        return false;
    }
    return true;
}

void put_page(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state), new;

    do {
        ASSERT(old & PGS_COUNT_MASK);
        new = old - PGS_COUNT_ONE;
        /* The flag stays: whom to flush. */
        if ((new & PGS_COUNT_MASK) == 0)
            new = old & PGS_FOREIGN;
    } while (!state_cas(pg, &old, new));
    if ((new & PGS_COUNT_MASK) == 0)
        page_last_ref(pg, old);
}

/* Check GDT/LDT contents, and raise privilege levels; nobody can write to the page meanwhile. */
static int validate_descriptors(const struct page_info *pg)
{
    uint64_t *desc = page_to_virt(pg);

    for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*desc); i++) {
        uint64_t fixed = desc[i];

        if (!seg_desc_fix(&fixed))
            return -XEN_EINVAL;
        if (fixed != desc[i])
            desc[i] = fixed;
    }
    return 0;
}

void mm_pause(struct domain *d)
{
    d->mm.tables_done = 0;
    spin_unlock(&d->mm.lock);
    preempt_point();
    spin_lock(&d->mm.lock);
}

/* The first reference of a type that needs a check was taken; do it. */
static int validate(struct page_info *pg, uint64_t type)
{
    uint64_t old;
    int rc;

    if (type == PGT_SEG_DESC)
        rc = validate_descriptors(pg);
    else
        rc = table_validate(pg->owner, pg, type);

    old = READ_ONCE(pg->state);
    if (rc == 0) {
        while (!state_cas(pg, &old, old | PGS_VALID))
            ;
        return 0;
    }
    /* The caller's general reference keeps the count above zero. */
    while (!state_cas(pg, &old, (old & ~PGS_TYPE_MASK) - PGS_BOTH_ONE))
        ;
    return rc;
}

int get_page_type(struct page_info *pg, uint64_t type)
{
    uint64_t old = READ_ONCE(pg->state), new, old_type;

    for (;;) {
        old_type = old & PGS_TYPE_MASK;
        if (old & (PGS_TCOUNT_FULL | PGS_COUNT_FULL))
            return -XEN_EBUSY;
        new = (old & ~PGS_TYPE_MASK) + type + PGS_BOTH_ONE;
        if (old & PGS_TCOUNT_MASK) {
            if (old_type != type)
                return -XEN_EINVAL;
            if (type != PGT_WRITABLE && !(old & PGS_VALID)) {
                mm_pause(pg->owner);
                old = READ_ONCE(pg->state);
                continue;
            }
        }
        if (state_cas(pg, &old, new))
            break;
    }

    if (old & PGS_TCOUNT_MASK)
        return 0;
    if (unlikely(old & PGS_WATCHED))
        watched_changes(pg, NULL, 0);
    /*
     * From here nobody can take another type.  Whatever TLBs remember of the former one must go
     * before it is relied upon that there is nothing of it.
     */
    if (old_type != type && old_type != PGT_NONE)
        tlb_flush_page(pg);
    if (old_type != type)
        trace_page_type_change(page_to_mfn(pg).m, (uint32_t)old_type, (uint32_t)type);
    return type == PGT_WRITABLE ? 0 : validate(pg, type);
}

void put_page_type(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state), new;

    for (;;) {
        ASSERT((old & PGS_TCOUNT_MASK) && (old & PGS_COUNT_MASK));
        new = old - PGS_BOTH_ONE;
        if ((new & PGS_TCOUNT_MASK) == 0) {
            if (state_is_live_table(old)) {
                /* From now on nobody changes an entry, nor takes a reference. */
                if (state_cas(pg, &old, old & ~PGS_VALID)) {
                    if (unlikely(old & PGS_WATCHED))
                        watched_changes(pg, NULL, 0);
                    table_devalidate(pg->owner, pg, old & PGS_TYPE_MASK);
                    old = READ_ONCE(pg->state);
                }
                continue;
            }
            new &= ~PGS_VALID;
            /* Before others can see the count: only the last reference's holder comes here. */
            pg->stamp = READ_ONCE(tlb_clock);
        }
        if ((new & PGS_COUNT_MASK) == 0)
            new = old & PGS_FOREIGN;
        if (state_cas(pg, &old, new))
            break;
    }
    if ((new & PGS_COUNT_MASK) == 0)
        page_last_ref(pg, old);
}

int get_page_and_type(struct page_info *pg, const struct domain *d, uint64_t type)
{
    int rc;

    if (!get_page(pg, d))
        return -XEN_EPERM;
    rc = get_page_type(pg, type);
    /* The type reference holds a general one of its own. */
    put_page(pg);
    return rc;
}

void put_page_and_type(struct page_info *pg)
{
    put_page_type(pg);
}

struct page_info *get_domain_page(struct domain *d, mfn_t mfn, bool writable)
{
    struct page_info *pg;

    if (!mfn_valid(mfn))
        return NULL;
    pg = mfn_to_page(mfn);
    if (writable)
        return get_page_and_type(pg, d, PGT_WRITABLE) == 0 ? pg : NULL;
    return get_page(pg, d) ? pg : NULL;
}

void put_domain_page(struct page_info *pg, bool writable)
{
    if (writable)
        put_page_type(pg);
    else
        put_page(pg);
}
