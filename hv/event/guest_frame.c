/* SPDX-License-Identifier: MIT */
/*
 * Frames of a guest that the hypervisor writes to for as long as events need them.
 */
#include "evtchn.h"

int guest_frame_get(struct guest_frame *f, struct domain *d, uint64_t mfn)
{
    struct page_info *pg = get_domain_page(d, MFN(mfn), true);

    if (!pg)
        return -XEN_EINVAL;
    f->page = pg;
    f->va = page_to_virt(pg);
    return 0;
}

void guest_frame_put(struct guest_frame *f)
{
    if (f->page)
        put_domain_page(f->page, true);
    f->page = NULL;
    f->va = NULL;
}
