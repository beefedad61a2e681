/* SPDX-License-Identifier: MIT */
/*
 * Watched pages: of which somebody wants to know before they become writable, or their address maps
 * another frame (fast handlers rest on them).  A watched frame has no type, so that the first
 * reference that gives it one goes the long way (get_page_type()); the tables on the way to it have
 * the same flag, so that a change of their entries is seen (update_one(), table_update()).
 *
 * A flag that nobody needs any more stays until the frame is freed: it costs a look.
 */
#include "mm_int.h"

static void flag(struct page_info *pg)
{
    __atomic_or_fetch(&pg->state, PGS_WATCHED, __ATOMIC_SEQ_CST);
}

/* No writable mapping anywhere, and from now on none without our knowing. */
static int flag_contents(struct page_info *pg, const struct domain *d)
{
    uint64_t old = READ_ONCE(pg->state);

    do {
        if (pg->owner != d || (old & (PGS_TCOUNT_MASK | PGS_HV)))
            return -XEN_EBUSY;
    } while (!state_cas(pg, &old, (old & ~PGS_TYPE_MASK) | PGS_WATCHED));
    return 0;
}

int mm_watch(struct vcpu *v, uint64_t va, struct mm_watched *out)
{
    uint64_t frame = v->kernel_l4.m, e;
    int rc = -XEN_EFAULT;

    spin_lock(&v->domain->mm.lock);
    for (unsigned int level = 4; level; level--) {
        uint64_t *at;

        if (frame >= max_mfn || (level == 4 && hv_l4_slot(table_index(va, 4))))
            goto out;
        at = (uint64_t *)mfn_to_virt(MFN(frame)) + table_index(va, level);
        e = *at;
        if (!(e & PTE_P))
            goto out;
        if (level < 4) {
            out->entry[level - 1] = virt_to_paddr(at);
            flag(mfn_to_page(MFN(frame)));
        }
        frame = pte_frame(e);
    }
    if (frame < max_mfn && !(e & PTE_RW)) {
        out->mfn = MFN(frame);
        rc = flag_contents(mfn_to_page(MFN(frame)), v->domain);
    } else {
        rc = -XEN_EBUSY;
    }
out:
    spin_unlock(&v->domain->mm.lock);
    return rc;
}
