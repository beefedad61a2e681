/* SPDX-License-Identifier: MIT */
/*
 * Page-table pages as a whole: checking one that becomes a table, emptying one that ceases to be.
 */
#include "mm_int.h"

/* ------------------------------------------------------------------ L1 entries */

static int device_get(struct domain *d, uint64_t frame)
{
    return d->privileged && mmio_permit(MFN(frame)) ? 0 : -XEN_EPERM;
}

static int page_ref(struct page_info *pg, struct domain *owner, bool writable)
{
    if (writable)
        return get_page_and_type(pg, owner, PGT_WRITABLE);
    return get_page(pg, owner) ? 0 : -XEN_EPERM;
}

/*
 * The cases l1e_get() leaves: first references, other domains' frames, devices, and refusals.
 * Devices may be named as one's own, as DOMID_IO's, or as the domain's whose they were given to.
 */
int l1e_get_slow(struct domain *d, struct domain *owner, uint64_t e)
{
    uint64_t frame = pte_frame(e);
    bool writable = e & PTE_RW;
    struct page_info *pg;
    int rc;

    if (frame >= max_mfn)
        return device_get(d, frame);
    pg = mfn_to_page(MFN(frame));
    if (READ_ONCE(pg->owner) == &dom_io) {
        rc = device_get(d, frame);
        return rc ? rc : page_ref(pg, &dom_io, writable);
    }
    if (owner == d)
        return page_ref(pg, d, writable);
    rc = page_ref(pg, owner, writable);
    if (rc == 0)
        __atomic_or_fetch(&pg->state, PGS_FOREIGN, __ATOMIC_SEQ_CST);
    return rc;
}

/*
 * Calls fn for the entries [0, end) that are not zero, until it fails; its result, and the index it
 * failed at in *at.  Mostly there is nothing: eight at a time are seen to be zero.
 */
typedef int (*entry_fn)(struct domain *d, uint64_t *e, uint64_t type);

static inline __attribute__((always_inline)) int
for_each_entry(uint64_t *t, unsigned int end, unsigned int *at, entry_fn fn, struct domain *d,
               uint64_t type)
{
    uint64_t *stop = t + end;

    for (uint64_t *p = t; p < stop; p += 8) {
        if (!(p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]))
            continue;
        for (uint64_t *e = p; e < p + 8 && e < stop; e++) {
            int rc = *e & PTE_P ? fn(d, e, type) : 0;

            if (unlikely(rc)) {
                *at = (unsigned int)(e - t);
                return rc;
            }
        }
    }
    return 0;
}

static inline int l1_drop_one(struct domain *d, uint64_t *e, uint64_t type)
{
    (void)d;
    (void)type;
    l1e_put(*e);
    return 0;
}

static void l1_drop(uint64_t *t, unsigned int end)
{
    unsigned int at;

    for_each_entry(t, end, &at, l1_drop_one, NULL, PGT_L1);
}

static inline int l1_validate_one(struct domain *d, uint64_t *e, uint64_t type)
{
    uint64_t entry = *e;
    int rc;

    (void)type;
    rc = l1e_get(d, d, entry);
    if (rc == 0)
        *e = adjust_l1e(entry);
    return rc;
}

static int l1_validate(struct domain *d, uint64_t *t)
{
    unsigned int at;
    int rc = for_each_entry(t, TABLE_ENTRIES, &at, l1_validate_one, d, PGT_L1);

    if (unlikely(rc))
        l1_drop(t, at);
    return rc;
}

/* ------------------------------------------------------------------ L2 to L4 */

int upper_get(struct domain *d, uint64_t e, uint64_t type)
{
    if (unlikely((e & PTE_PSE) || pte_frame(e) >= max_mfn))
        return -XEN_EINVAL;
    return get_page_and_type(mfn_to_page(MFN(pte_frame(e))), d, type - 1);
}

void upper_put(uint64_t e)
{
    mm_note_writable_gone();
    put_page_type(mfn_to_page(MFN(pte_frame(e))));
}

/* Slots of an L4 below and above the hypervisor's are two runs; other tables are one. */
static int upper_runs(uint64_t *t, unsigned int end, unsigned int *at, entry_fn fn,
                      struct domain *d, uint64_t type)
{
    unsigned int low = type == PGT_L4 ? MIN(end, (unsigned int)HV_L4_FIRST) : end;
    int rc = for_each_entry(t, low, at, fn, d, type);

    if (rc == 0 && end > HV_L4_LAST + 1 && low < end) {
        rc = for_each_entry(t + HV_L4_LAST + 1, end - HV_L4_LAST - 1, at, fn, d, type);
        *at += HV_L4_LAST + 1;
    }
    return rc;
}

/* L1 tables checked or emptied between two pauses: some 10,000 instructions each, if full. */
#define TABLES_BATCH 64

static void count_table(struct domain *d, uint64_t type)
{
    if (type == PGT_L2 && ++d->mm.tables_done >= TABLES_BATCH)
        mm_pause(d);
}

static int upper_drop_one(struct domain *d, uint64_t *e, uint64_t type)
{
    upper_put(*e);
    count_table(d, type);
    return 0;
}

static void upper_drop(struct domain *d, uint64_t *t, uint64_t type, unsigned int end)
{
    unsigned int at = 0;

    upper_runs(t, end, &at, upper_drop_one, d, type);
}

static int upper_validate_one(struct domain *d, uint64_t *e, uint64_t type)
{
    int rc = upper_get(d, *e, type);

    if (rc == 0)
        *e |= PTE_USER;
    count_table(d, type);
    return rc;
}

static int upper_validate(struct domain *d, uint64_t *t, uint64_t type)
{
    unsigned int at = 0;
    int rc = upper_runs(t, TABLE_ENTRIES, &at, upper_validate_one, d, type);

    if (unlikely(rc))
        upper_drop(d, t, type, at);
    return rc;
}

int table_validate(struct domain *d, struct page_info *pg, uint64_t type)
{
    uint64_t *t = page_to_virt(pg);
    int rc;

    if (type == PGT_L1)
        return l1_validate(d, t);
    rc = upper_validate(d, t, type);
    if (rc == 0 && type == PGT_L4)
        memcpy(&t[HV_L4_FIRST], hv_l4_slots, sizeof(hv_l4_slots));
    return rc;
}

void table_devalidate(struct domain *d, struct page_info *pg, uint64_t type)
{
    uint64_t *t = page_to_virt(pg);

    if (type == PGT_L1) {
        l1_drop(t, TABLE_ENTRIES);
        return;
    }
    upper_drop(d, t, type, TABLE_ENTRIES);
    if (type == PGT_L4)
        memset(&t[HV_L4_FIRST], 0, sizeof(hv_l4_slots));
}
