/* SPDX-License-Identifier: MIT */
/*
 * hv_alloc(): memory of the hypervisor in size classes.
 *
 * Classes are powers of two.  Up to half a page, objects of one class share a page (a slab): free
 * ones are chained through their first two bytes by index, with the chain's head and length in the
 * page_info; slabs with free objects are in the class's list.  Larger ones are blocks of pages.
 */
#include "mm_int.h"

#define MIN_SHIFT  4
#define SLAB_SHIFT 11 /* largest class within a page */
#define NO_OBJECT  0xffff
#define MAX_SIZE   65536

static struct {
    spinlock_t lock;
    uint32_t partial[SLAB_SHIFT + 1]; /* slabs with a free object, by mfn */
} slabs;

void hv_alloc_init(void)
{
    memset(&slabs, 0, sizeof(slabs));
}

static unsigned int size_shift(size_t size)
{
    if (size <= (1u << MIN_SHIFT))
        return MIN_SHIFT;
    return 64 - (unsigned int)__builtin_clzl(size - 1);
}

static uint16_t *object(struct page_info *pg, unsigned int shift, unsigned int index)
{
    return (uint16_t *)((char *)page_to_virt(pg) + ((size_t)index << shift));
}

static struct page_info *slab_create(unsigned int shift)
{
    struct page_info *pg = alloc_pages(0, ALLOC_NO_SCRUB);
    unsigned int nr = PAGE_SIZE >> shift;

    if (!pg)
        return NULL;
    for (unsigned int i = 0; i < nr; i++)
        *object(pg, shift, i) = (uint16_t)(i + 1 < nr ? i + 1 : NO_OBJECT);
    pg->slab.free_head = 0;
    pg->slab.nr_free = (uint16_t)nr;
    pg->slab.size_class = (uint16_t)shift;
    frame_list_add(&slabs.partial[shift], pg);
    return pg;
}

static void *slab_alloc(unsigned int shift)
{
    struct page_info *pg;
    uint16_t *obj;

    spin_lock(&slabs.lock);
    pg = slabs.partial[shift] ? mfn_to_page(MFN(slabs.partial[shift])) : slab_create(shift);
    if (!pg) {
        spin_unlock(&slabs.lock);
        return NULL;
    }
    obj = object(pg, shift, pg->slab.free_head);
    pg->slab.free_head = *obj;
    if (--pg->slab.nr_free == 0)
        frame_list_del(&slabs.partial[shift], pg);
    spin_unlock(&slabs.lock);
    memset(obj, 0, 1UL << shift);
    return obj;
}

static void slab_free(void *p, unsigned int shift)
{
    struct page_info *pg = virt_to_page(p);
    uint16_t *obj = p;
    bool empty;

    ASSERT(pg->slab.size_class == shift && ((uintptr_t)p & ((1UL << shift) - 1)) == 0);
    spin_lock(&slabs.lock);
    *obj = pg->slab.free_head;
    pg->slab.free_head = (uint16_t)(((uintptr_t)p & (PAGE_SIZE - 1)) >> shift);
    if (pg->slab.nr_free++ == 0)
        frame_list_add(&slabs.partial[shift], pg);
    empty = pg->slab.nr_free == PAGE_SIZE >> shift;
    if (empty)
        frame_list_del(&slabs.partial[shift], pg);
    spin_unlock(&slabs.lock);
    if (empty)
        free_pages(pg, 0);
}

void *hv_alloc(size_t size)
{
    unsigned int shift;

    if (size > MAX_SIZE)
        return NULL;
    shift = size_shift(size);
    return shift <= SLAB_SHIFT ? slab_alloc(shift) : alloc_hv_pages(shift - PAGE_SHIFT);
}

void hv_free(void *p, size_t size)
{
    unsigned int shift = size_shift(size);

    if (!p)
        return;
    if (shift <= SLAB_SHIFT)
        slab_free(p, shift);
    else
        free_hv_pages(p, shift - PAGE_SHIFT);
}
