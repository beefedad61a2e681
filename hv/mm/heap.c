/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: binary buddies, 4 KiB to 1 GiB.
 *
 * Free blocks are in lists by zone (below and above 4 GiB) and order, linked through the page_info
 * of their first frame, which alone carries PGS_FREE and the order.  Frame 0 is never handed out:
 * 0 ends a list.  A block knows whether it is zero (PGS_DIRTY), so that zeroing is done once: when
 * a domain's frame is freed, or when a block of unknown contents is allocated.
 */
#include "mm_int.h"

enum { ZONE_LOW, ZONE_HIGH, NR_ZONES };

#define ZONE_BOUNDARY (1UL << (32 - PAGE_SHIFT)) /* frames */

struct zone {
    uint32_t head[MAX_ORDER + 1];
    uint32_t nonempty; /* bit per order */
};

static struct {
    spinlock_t lock;
    struct zone zone[NR_ZONES];
    uint64_t free, total; /* frames */
} heap;

static struct zone *zone_of(const struct page_info *pg)
{
    return &heap.zone[page_to_mfn(pg).m >= ZONE_BOUNDARY ? ZONE_HIGH : ZONE_LOW];
}

static void block_insert(struct page_info *pg, unsigned int order, uint64_t dirty)
{
    struct zone *z = zone_of(pg);

    pg->state = PGS_FREE | dirty;
    pg->order = order;
    frame_list_add(&z->head[order], pg);
    z->nonempty |= 1u << order;
}

static void block_remove(struct page_info *pg, unsigned int order)
{
    struct zone *z = zone_of(pg);

    frame_list_del(&z->head[order], pg);
    if (!z->head[order])
        z->nonempty &= ~(1u << order);
    pg->state = 0;
    pg->order = 0;
}

static void heap_free(struct page_info *pg, unsigned int order, uint64_t dirty)
{
    uint64_t mfn = page_to_mfn(pg).m;

    spin_lock(&heap.lock);
    heap.free += 1UL << order;
    while (order < MAX_ORDER) {
        uint64_t buddy = mfn ^ (1UL << order);
        struct page_info *b = mfn_to_page(MFN(buddy));

        if (buddy >= max_mfn || !(b->state & PGS_FREE) || b->order != order)
            break;
        dirty |= b->state & PGS_DIRTY;
        block_remove(b, order);
        mfn &= buddy;
        order++;
    }
    block_insert(mfn_to_page(MFN(mfn)), order, dirty);
    spin_unlock(&heap.lock);
}

void free_pages(struct page_info *pg, unsigned int order)
{
    heap_free(pg, order, PGS_DIRTY);
}

void free_pages_clean(struct page_info *pg, unsigned int order)
{
    heap_free(pg, order, 0);
}

/* Smallest block of at least `order` in z; NULL. */
static struct page_info *zone_find(struct zone *z, unsigned int order, unsigned int *found)
{
    uint32_t orders = z->nonempty >> order << order;

    if (!orders)
        return NULL;
    *found = (unsigned int)__builtin_ctz(orders);
    return mfn_to_page(MFN(z->head[*found]));
}

/* As zone_find(), its first 2^order frames below `limit`. */
static struct page_info *zone_find_below(struct zone *z, unsigned int order, uint64_t limit,
                                         unsigned int *found)
{
    for (unsigned int o = order; o <= MAX_ORDER; o++) {
        for (uint32_t m = z->head[o]; m; m = mfn_to_page(MFN(m))->next) {
            if (m + (1UL << order) <= limit) {
                *found = o;
                return mfn_to_page(MFN(m));
            }
        }
    }
    return NULL;
}

static struct page_info *heap_find(unsigned int order, unsigned int bits, unsigned int *found)
{
    struct page_info *pg;

    if (bits && bits < 32) {
        if (bits <= PAGE_SHIFT)
            return NULL;
        return zone_find_below(&heap.zone[ZONE_LOW], order, 1UL << (bits - PAGE_SHIFT), found);
    }
    if (!bits || bits >= 52) {
        pg = zone_find(&heap.zone[ZONE_HIGH], order, found);
        if (pg)
            return pg;
    } else if (bits > 32) {
        pg = zone_find_below(&heap.zone[ZONE_HIGH], order, 1UL << (bits - PAGE_SHIFT), found);
        if (pg)
            return pg;
    }
    return zone_find(&heap.zone[ZONE_LOW], order, found);
}

struct page_info *alloc_pages(unsigned int order, unsigned int flags)
{
    struct page_info *pg;
    unsigned int found;
    uint64_t dirty;

    if (order > MAX_ORDER)
        return NULL;
    spin_lock(&heap.lock);
    pg = heap_find(order, flags & 0xff, &found);
    if (!pg) {
        spin_unlock(&heap.lock);
        return NULL;
    }
    dirty = pg->state & PGS_DIRTY;
    block_remove(pg, found);
    while (found > order) {
        found--;
        block_insert(pg + (1UL << found), found, dirty);
    }
    heap.free -= 1UL << order;
    spin_unlock(&heap.lock);

    if (dirty && !(flags & ALLOC_NO_SCRUB))
        clear_frames(page_to_virt(pg), 1UL << order);
    return pg;
}

void *alloc_hv_pages(unsigned int order)
{
    struct page_info *pg = alloc_pages(order, 0);

    return pg ? page_to_virt(pg) : NULL;
}

void free_hv_pages(void *va, unsigned int order)
{
    free_pages(virt_to_page(va), order);
}

uint64_t free_frames(void)
{
    return heap.free;
}

uint64_t total_frames(void)
{
    return heap.total;
}

/* Frames [first, end) as the largest aligned blocks. */
static void heap_add(uint64_t first, uint64_t end)
{
    first = MAX(first, 1UL);
    while (first < end) {
        unsigned int order = MIN((unsigned int)__builtin_ctzl(first), (unsigned int)MAX_ORDER);

        while (first + (1UL << order) > end)
            order--;
        heap.total += 1UL << order;
        free_pages(mfn_to_page(MFN(first)), order);
        first += 1UL << order;
    }
}

void heap_init(void)
{
    memset(&heap, 0, sizeof(heap));
}

void mm_release_region(paddr_t start, paddr_t end)
{
    heap_add(DIV_ROUND_UP(start, PAGE_SIZE), end >> PAGE_SHIFT);
}
