/* SPDX-License-Identifier: MIT */
#include "trace_ring.h"

#include <xen/trace.h>

#include "ktest.h"
#include "pages.h"

static long map_of_xen(uint64_t va, uint64_t mfn, uint64_t flags)
{
    struct mmu_update u = { machine_of(entry_make(va)), mfn * PAGE_BYTES | flags };
    long rc = hyp_mmu_update(&u, 1, 0, DOMID_XEN);

    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    return rc;
}

struct t_buf *trace_ring_map(uint64_t info_at, uint64_t info_mfn, uint64_t ring_at, uint32_t pages)
{
    const struct t_info *info = (void *)info_at;
    const uint32_t *mfn;

    check(map_of_xen(info_at, info_mfn, PTE_RW) < 0);
    check_eq(map_of_xen(info_at, info_mfn, PTE_RO), 0);
    check_eq(info->tbuf_size, pages);
    mfn = (const uint32_t *)info + info->mfn_offset[0];
    for (uint32_t i = 0; i < pages; i++)
        check_eq(map_of_xen(ring_at + i * PAGE_BYTES, mfn[i], PTE_RW), 0);
    return (void *)ring_at;
}
