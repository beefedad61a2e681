/* SPDX-License-Identifier: MIT */
/*
 * Building the hypervisor's address space.  All L4s share the L3 tables made here, so that what is
 * mapped later is seen in every address space without further work.
 */
#include "hv/paging.h"

#include "hv/asm.h"
#include "hv/image.h"
#include "hv/lib.h"
#include "hv/vcpu_hot.h"
#include "hv/xenpub.h"

#define SIZE_2M 0x200000UL

extern uint64_t boot_l4[512];


static uint64_t *idle_l4;
static uint64_t vmap_next = VMAP_BASE;
static spinlock_t paging_lock;
static bool heap_ready;

/*
 * Early memory: taken downwards from the top of one RAM region below 4 GiB.  What the alignment of
 * a big piece leaves out is the gap, where small pieces come from first.
 */
static paddr_t early_base, early_next, gap_base, gap_next;

static paddr_t __init early_take(uint64_t len, uint64_t align)
{
    paddr_t at = ROUND_DOWN(early_next - len, align);

    if (align == PAGE_SIZE && gap_next - gap_base >= len) {
        gap_next -= len;
        return gap_next;
    }
    if (at < early_base || at > early_next)
        panic("too little memory: no room for the hypervisor's tables");
    if (early_next - (at + len) > gap_next - gap_base) {
        gap_base = at + len;
        gap_next = early_next;
    }
    early_next = at;
    return at;
}

static bool __init overlaps(const struct mem_region *r, paddr_t start, paddr_t end)
{
    return r->start < end && start < r->end;
}

/* The largest piece of RAM below 4 GiB that nothing reserved lies in. */
static void __init early_choose(const struct boot_memory *bm)
{
    for (unsigned int i = 0; i < bm->nr_ram; i++) {
        paddr_t start = MAX(bm->ram[i].start, 0x100000UL), end = MIN(bm->ram[i].end, 1UL << 32);

        for (unsigned int pass = 0; pass <= bm->nr_reserved; pass++) {
            for (unsigned int r = 0; r < bm->nr_reserved && start < end; r++) {
                if (!overlaps(&bm->reserved[r], start, end))
                    continue;
                /* Keep the larger side. */
                paddr_t below = MAX(bm->reserved[r].start, start) - start;
                paddr_t above = end - MIN(bm->reserved[r].end, end);

                if (below > above)
                    end = start + below;
                else
                    start = end - above;
            }
        }
        if (start < end && end - start > early_next - early_base) {
            early_base = ROUND_UP(start, PAGE_SIZE);
            early_next = ROUND_DOWN(end, PAGE_SIZE);
        }
    }
}

static uint64_t *table_alloc(void)
{
    void *table;

    if (heap_ready) {
        table = alloc_hv_pages(0);
        if (!table)
            panic("no memory for a page table of the hypervisor");
        return table;
    }
    table = paddr_to_virt(early_take(PAGE_SIZE, PAGE_SIZE));
    memset(table, 0, PAGE_SIZE);
    return table;
}

/* A 2 MiB page becomes 512 of 4 KiB, so that some of them can be mapped otherwise. */
static void split(uint64_t *entry)
{
    uint64_t *table = table_alloc(), first = *entry & ~(uint64_t)PTE_PS;

    for (unsigned int i = 0; i < 512; i++)
        table[i] = first + i * PAGE_SIZE;
    WRITE_ONCE(*entry, virt_to_paddr(table) | PTE_P | PTE_RW | PTE_A | PTE_D | (first & PTE_U));
}

static uint64_t *next_level(uint64_t *entry, uint64_t user)
{
    if (*entry & PTE_PS)
        split(entry);
    if (!(*entry & PTE_P))
        *entry = virt_to_paddr(table_alloc()) | PTE_P | PTE_RW | PTE_A | PTE_D | user;
    return paddr_to_virt(*entry & PTE_ADDR_MASK);
}

static uint64_t *walk(uint64_t va, int level, uint64_t user)
{
    uint64_t *table = idle_l4;

    for (int l = 4; l > level; l--)
        table = next_level(&table[(va >> (12 + 9 * (l - 1))) & 511], user);
    return &table[(va >> (12 + 9 * (level - 1))) & 511];
}

void map_hv(uint64_t va, paddr_t pa, uint64_t len, uint64_t flags)
{
    spin_lock(&paging_lock);
    while (len) {
        bool large = !((va | pa) & (SIZE_2M - 1)) && len >= SIZE_2M;
        uint64_t step = large ? SIZE_2M : PAGE_SIZE;

        *walk(va, large ? 2 : 1, flags & PTE_U) = pa | flags | (large ? PTE_PS : 0);
        va += step;
        pa += step;
        len -= step;
    }
    spin_unlock(&paging_lock);
}

void unmap_hv(uint64_t va, uint64_t len)
{
    spin_lock(&paging_lock);
    for (; len; va += PAGE_SIZE, len -= PAGE_SIZE)
        *walk(va, 1, 0) = 0;
    spin_unlock(&paging_lock);
}

uint64_t vmap_reserve(uint64_t len, uint64_t align)
{
    uint64_t va;

    spin_lock(&paging_lock);
    va = ROUND_UP(vmap_next, align);
    vmap_next = va + ROUND_UP(len, PAGE_SIZE);
    spin_unlock(&paging_lock);
    if (vmap_next > VMAP_END)
        panic("out of virtual space for devices and stacks");
    return va;
}

void *ioremap(paddr_t pa, size_t len)
{
    paddr_t first = ROUND_DOWN(pa, PAGE_SIZE);
    uint64_t size = ROUND_UP(pa + len - first, PAGE_SIZE), va = vmap_reserve(size, PAGE_SIZE);

    map_hv(va, first, size, HV_UC);
    return (void *)(va + (pa - first));
}

static bool __init ram_between(const struct boot_memory *bm, paddr_t start, paddr_t end)
{
    for (unsigned int i = 0; i < bm->nr_ram; i++)
        if (overlaps(&bm->ram[i], start, end))
            return true;
    return false;
}

/*
 * A table with an entry for each frame of the machine: memory for it, mapped at va (and perhaps at a
 * read-only alias for guests).  Where 2 MiB of it speak of no RAM at all, one page serves for every
 * page of them: the entries of frames without memory are all alike (mm_init()), and their counts may be
 * shared.
 */
static void __init map_table(const struct boot_memory *bm, uint64_t va, uint64_t alias,
                             uint64_t entry_size, uint64_t entries)
{
    uint64_t len = ROUND_UP(entries * entry_size, PAGE_SIZE);
    paddr_t hole_page = 0;

    for (uint64_t part = 0; part < len; part += SIZE_2M) {
        uint64_t part_len = MIN(len - part, SIZE_2M);
        bool hole = !ram_between(bm, (part / entry_size) << PAGE_SHIFT,
                                 ((part + part_len) / entry_size) << PAGE_SHIFT);
        uint64_t step = !hole && part_len == SIZE_2M ? SIZE_2M : PAGE_SIZE;

        if (hole && !hole_page)
            hole_page = early_take(PAGE_SIZE, PAGE_SIZE);
        for (uint64_t at = part; at < part + part_len; at += step) {
            paddr_t pa = hole ? hole_page : early_take(step, step);

            map_hv(va + at, pa, step, HV_RW);
            if (alias)
                map_hv(alias + at, pa, step, HV_RO | PTE_U);
        }
    }
}

static void __init map_image(void)
{
    const struct { char *start, *end; uint64_t flags; } parts[] = {
        { __image_start, __text_start, HV_RX },
        { __text_start, __rodata_start, HV_RX },
        { __rodata_start, __data_start, HV_RO },
        { __data_start, __init_start, HV_RW },
        { __init_start, __init_end, HV_RW & ~PTE_NX },
        { __init_end, __image_end, HV_RW },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
        for (char *p = parts[i].start; p < parts[i].end; p += PAGE_SIZE)
            map_hv((uint64_t)p, (uint64_t)p - HV_IMAGE_BASE + HV_LOAD_PADDR, PAGE_SIZE,
                   parts[i].flags);
}

uint64_t __init paging_init(struct boot_memory *bm)
{
    paddr_t early_top, top = 0;
    uint64_t max_frame;

    early_choose(bm);
    early_top = early_next;
    idle_l4 = table_alloc();
    idle_cr3 = virt_to_paddr(idle_l4);
    /* All sixteen L3s exist from the start, since every guest L4 copies these entries. */
    for (unsigned int i = HV_L4_FIRST; i <= HV_L4_LAST; i++)
        next_level(&idle_l4[i], i == HV_L4_FIRST ? PTE_U : 0);

    for (unsigned int i = 0; i < bm->nr_ram; i++) {
        paddr_t start = ROUND_DOWN(bm->ram[i].start, SIZE_2M);

        top = MAX(top, bm->ram[i].end);
        map_hv(DIRECTMAP_BASE + start, start, ROUND_UP(bm->ram[i].end, SIZE_2M) - start, HV_RW);
    }
    max_frame = top >> PAGE_SHIFT;
    map_table(bm, FRAME_TABLE, 0, sizeof(struct page_info), max_frame);
    map_table(bm, RW_M2P_BASE, RO_M2P_BASE, sizeof(uint64_t), max_frame);
    map_image();

    for (unsigned int i = 0; i < 16; i++) {
        hv_l4_slots[i] = idle_l4[HV_L4_FIRST + i];
        boot_l4[HV_L4_FIRST + i] = hv_l4_slots[i];
    }
    write_cr3(idle_cr3);
    /* What early_take() has handed out is below early_top; it may still take single pages. */
    bm->reserved[bm->nr_reserved++] = (struct mem_region){ early_next - 64 * PAGE_SIZE, early_top };
    early_base = early_next - 64 * PAGE_SIZE;
    return max_frame;
}

void __init paging_heap_ready(void)
{
    heap_ready = true;
    mm_release_region(early_base, early_next);
    mm_release_region(gap_base, gap_next);
}

struct vcpu_hot *stack_create(void)
{
    uint64_t block = vmap_reserve(STACK_BLOCK, STACK_BLOCK);
    uint64_t first = block + STACK_BLOCK - STACK_SIZE;
    struct vcpu_hot *h = (struct vcpu_hot *)(block + STACK_BLOCK - sizeof(*h));

    for (uint64_t va = first; va < block + STACK_BLOCK; va += PAGE_SIZE) {
        void *page = alloc_hv_pages(0);

        if (!page)
            return NULL;
        map_hv(va, virt_to_paddr(page), PAGE_SIZE, HV_RW);
    }
    memset(h, 0, sizeof(*h));
    return h;
}

void free_init_memory(void)
{
    uint64_t va = (uint64_t)__init_start, len = (uint64_t)__init_end - va;

    unmap_hv(va, len);
    write_cr3(read_cr3());
    mm_release_region(va - HV_IMAGE_BASE + HV_LOAD_PADDR, va - HV_IMAGE_BASE + HV_LOAD_PADDR + len);
}
