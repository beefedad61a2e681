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

void l1e_put(uint64_t e)
{
    uint64_t frame = pte_frame(e);

    if (frame >= max_mfn)
        return;
    if (e & PTE_RW)
        unref_writable(mfn_to_page(MFN(frame)));
    else
        unref_general(mfn_to_page(MFN(frame)));
}

/* First nonzero entry at or after i; TABLE_ENTRIES if none.  Mostly there is nothing. */
static inline unsigned int skip_zero(const uint64_t *t, unsigned int i)
{
    while (i & 7) {
        if (t[i])
            return i;
        i++;
    }
    while (i < TABLE_ENTRIES) {
        const uint64_t *p = &t[i];

        if (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7])
            break;
        i += 8;
    }
    if (i < TABLE_ENTRIES) {
        while (!t[i])
            i++;
    }
    return i;
}

static void l1_drop(const uint64_t *t, unsigned int end)
{
    for (unsigned int i = skip_zero(t, 0); i < end; i = skip_zero(t, i + 1)) {
        if (t[i] & PTE_P)
            l1e_put(t[i]);
    }
}

static int l1_validate(struct domain *d, uint64_t *t)
{
    for (unsigned int i = skip_zero(t, 0); i < TABLE_ENTRIES; i = skip_zero(t, i + 1)) {
        uint64_t e = t[i];
        int rc;

        if (!(e & PTE_P))
            continue;
        rc = l1e_get(d, d, e);
        if (unlikely(rc)) {
            l1_drop(t, i);
            return rc;
        }
        if (adjust_l1e(e) != e)
            t[i] = adjust_l1e(e);
    }
    return 0;
}

/* ------------------------------------------------------------------ L2 to L4 */

int upper_get(struct domain *d, uint64_t e, uint64_t type)
{
    if (unlikely((e & PTE_PSE) || pte_frame(e) >= max_mfn))
        return -XEN_EINVAL;
    return get_page_and_type(mfn_to_page(MFN(pte_frame(e))), d, type - PGT_L1);
}

void upper_put(uint64_t e)
{
    put_page_type(mfn_to_page(MFN(pte_frame(e))));
}

static void upper_drop(const uint64_t *t, uint64_t type, unsigned int end)
{
    for (unsigned int i = skip_zero(t, 0); i < end; i = skip_zero(t, i + 1)) {
        if (type == PGT_L4 && hv_l4_slot(i))
            continue;
        if (t[i] & PTE_P)
            upper_put(t[i]);
    }
}

static int upper_validate(struct domain *d, uint64_t *t, uint64_t type)
{
    for (unsigned int i = skip_zero(t, 0); i < TABLE_ENTRIES; i = skip_zero(t, i + 1)) {
        int rc;

        if ((type == PGT_L4 && hv_l4_slot(i)) || !(t[i] & PTE_P))
            continue;
        rc = upper_get(d, t[i], type);
        if (unlikely(rc)) {
            upper_drop(t, type, i);
            return rc;
        }
        t[i] |= PTE_USER;
    }
    return 0;
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

    (void)d;
    if (type == PGT_L1) {
        l1_drop(t, TABLE_ENTRIES);
        return;
    }
    upper_drop(t, type, TABLE_ENTRIES);
    if (type == PGT_L4)
        memset(&t[HV_L4_FIRST], 0, sizeof(hv_l4_slots));
}
