/* SPDX-License-Identifier: MIT */
/*
 * The frame table at boot, device frames, and pages that the hypervisor shares with domains.
 */
#include "hv/asm.h"

#include "mm_int.h"

uint64_t max_mfn;
uint64_t hv_l4_slots[HV_L4_LAST - HV_L4_FIRST + 1];
uint64_t idle_cr3;

#define MAX_DENIED 64

static struct { uint64_t first, end; } denied[MAX_DENIED];
static unsigned int nr_denied;
static uint64_t phys_frames = 1UL << (36 - PAGE_SHIFT);

/* CPUID 0x80000008, EAX bits 0-7 (AMD APM volume 3, appendix E.4.7); 36 bits without that leaf. */
static void read_phys_bits(void)
{
    uint32_t r[4];

    cpuid_count(0x80000000, 0, r);
    if (r[0] < 0x80000008)
        return;
    cpuid_count(0x80000008, 0, r);
    phys_frames = 1UL << (MIN(r[0] & 0xff, 52u) - PAGE_SHIFT);
}

void mmio_deny(mfn_t first, uint64_t count)
{
    ASSERT(nr_denied < MAX_DENIED);
    denied[nr_denied].first = first.m;
    denied[nr_denied].end = first.m + count;
    nr_denied++;
}

bool mmio_permit(mfn_t mfn)
{
    if (mfn.m >= phys_frames)
        return false;
    for (unsigned int i = 0; i < nr_denied; i++) {
        if (mfn.m >= denied[i].first && mfn.m < denied[i].end)
            return false;
    }
    return true;
}

/*
 * Device frames below max_mfn are counted like memory, so that dropping an entry need not look at
 * the owner; the reference and the type reference of their own are never dropped.
 */
#define DEVICE_FRAME_STATE (PGS_ALLOC | PGS_BOTH_ONE | PGT_WRITABLE)

static void frames_set_device(uint64_t first, uint64_t end)
{
    for (uint64_t m = first; m < end; m++) {
        mfn_to_page(MFN(m))->state = DEVICE_FRAME_STATE;
        mfn_to_page(MFN(m))->owner = &dom_io;
    }
}

/* Lowest start of a region above `from` (or holding it); regions need not be sorted. */
static uint64_t next_start(const struct mem_region *r, unsigned int nr, uint64_t from, bool inner,
                           uint64_t *end)
{
    uint64_t best = max_mfn;

    *end = max_mfn;
    for (unsigned int i = 0; i < nr; i++) {
        uint64_t s = inner ? DIV_ROUND_UP(r[i].start, PAGE_SIZE) : r[i].start >> PAGE_SHIFT;
        uint64_t e = inner ? r[i].end >> PAGE_SHIFT : DIV_ROUND_UP(r[i].end, PAGE_SIZE);

        s = MAX(s, from);
        if (s < e && s < best) {
            best = s;
            *end = MIN(e, max_mfn);
        }
    }
    return best;
}

/* RAM frames [first, end): those between the reserved regions go to the allocator. */
static void frames_set_ram(uint64_t first, uint64_t end, const struct mem_region *reserved,
                           unsigned int nr_reserved)
{
    while (first < end) {
        uint64_t res_end, res = next_start(reserved, nr_reserved, first, false, &res_end);

        if (res > first)
            mm_release_region(first << PAGE_SHIFT, MIN(res, end) << PAGE_SHIFT);
        first = MAX(res_end, first);
    }
}

void mm_init(uint64_t max_mfn_, const struct mem_region *ram, unsigned int nr_ram,
             const struct mem_region *reserved, unsigned int nr_reserved)
{
    uint64_t pos = 0;

    max_mfn = max_mfn_;
    heap_init();
    hv_alloc_init();
    read_phys_bits();
    machine_map_from_ram(ram, nr_ram);
    memset(mfn_to_page(MFN(0)), 0, max_mfn * sizeof(struct page_info));
    /* INVALID_M2P_ENTRY is all ones. */
    memset((void *)RW_M2P_BASE, 0xff, max_mfn * sizeof(uint64_t));

    /* Holes first: the allocator looks at the neighbours of what it is given. */
    while (pos < max_mfn) {
        uint64_t end, start = next_start(ram, nr_ram, pos, true, &end);

        frames_set_device(pos, start);
        pos = end;
    }
    pos = 0;
    while (pos < max_mfn) {
        uint64_t end, start = next_start(ram, nr_ram, pos, true, &end);

        if (start < end)
            frames_set_ram(start, end, reserved, nr_reserved);
        pos = end;
    }
}

void mm_leave_to_firmware(uint64_t first, uint64_t end)
{
    frames_set_device(first, MIN(end, max_mfn));
}

void mm_share_page(struct page_info *pg, struct domain *d, bool writable)
{
    ASSERT(pg->state == 0);
    pg->owner = d;
    pg->stamp = 0;
    __atomic_add_fetch(&d->mm.shared_pages, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&pg->state,
                     PGS_HV | PGS_ALLOC | PGS_BOTH_ONE |
                         (writable ? PGT_WRITABLE : PGT_READ_ONLY),
                     __ATOMIC_RELEASE);
}

void mm_unshare_page(struct page_info *pg)
{
    ASSERT((pg->state & (PGS_HV | PGS_ALLOC)) == (PGS_HV | PGS_ALLOC));
    __atomic_and_fetch(&pg->state, ~PGS_ALLOC, __ATOMIC_SEQ_CST);
    put_page_type(pg);
}

struct domain *foreign_domain(struct domain *caller, uint32_t id)
{
    struct domain *d;

    if (id == DOMID_SELF || id == caller->id)
        return caller;
    if (!caller->privileged)
        return NULL;
    if (id == DOMID_IO)
        return &dom_io;
    if (id == DOMID_XEN)
        return &dom_xen;
    d = domain_find((uint16_t)id);
    return d;
}
