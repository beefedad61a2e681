/* SPDX-License-Identifier: MIT */
/* Page tables of a test kernel. */
#include "pages.h"

#define POOL_PAGES 96

static uint8_t pool[POOL_PAGES][PAGE_BYTES] __attribute__((aligned(4096)));
static unsigned int pool_used;

uint64_t pfn_of(const volatile void *va)
{
    return ((uint64_t)va - VIRT_BASE) / PAGE_BYTES;
}

mfn_t mfn_of(const volatile void *va)
{
    return ((const mfn_t *)start_info->mfn_list)[pfn_of(va)];
}

mfn_t m2p(mfn_t mfn)
{
    return ((const volatile mfn_t *)HYPERVISOR_VIRT_START)[mfn];
}

void *va_of_mfn(mfn_t mfn)
{
    return (void *)(VIRT_BASE + m2p(mfn) * PAGE_BYTES);
}

volatile uint64_t *entry_of(const volatile void *root, uint64_t va, int level)
{
    volatile uint64_t *table = (volatile uint64_t *)(uint64_t)root;

    for (int l = 4;; l--) {
        volatile uint64_t *entry = &table[va >> (12 + 9 * (l - 1)) & 511];

        if (l == level)
            return entry;
        if (!(*entry & PTE_P))
            return 0;
        table = va_of_mfn((*entry & PTE_MFN_MASK) / PAGE_BYTES);
    }
}

volatile uint64_t *kernel_entry(const volatile void *va, int level)
{
    return entry_of((const void *)start_info->pt_base, (uint64_t)va, level);
}

uint64_t machine_of(const volatile void *entry)
{
    return mfn_of(entry) * PAGE_BYTES + ((uint64_t)entry & (PAGE_BYTES - 1));
}

long mmu_update_one(uint64_t machine_and_command, uint64_t value)
{
    struct mmu_update request = { machine_and_command, value };

    return hyp_mmu_update(&request, 1, 0, DOMID_SELF);
}

long map_va(const volatile void *va, uint64_t entry)
{
    return hyp_update_va_mapping(va, entry, UVMF_INVLPG | UVMF_LOCAL);
}

long mmuext(unsigned int command, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = command, .arg1.mfn = arg1, .arg2.src_mfn = arg2 };

    return hyp_mmuext_op(&op, 1, 0, DOMID_SELF);
}

long page_readonly(const volatile void *va)
{
    return map_va(va, mfn_of(va) * PAGE_BYTES | PTE_RO);
}

long page_writable(const volatile void *va)
{
    return map_va(va, mfn_of(va) * PAGE_BYTES | PTE_RW);
}

void *page_alloc(void)
{
    ktest_require(pool_used < POOL_PAGES);
    return memset(pool[pool_used++], 0, PAGE_BYTES);
}

/* The table below an entry, made and linked when it is not there. */
static volatile uint64_t *table_below(volatile uint64_t *entry)
{
    void *table;

    if (*entry & PTE_P)
        return va_of_mfn((*entry & PTE_MFN_MASK) / PAGE_BYTES);
    table = page_alloc();
    ktest_require(page_readonly(table) == 0);
    ktest_require(mmu_update_one(machine_of(entry), mfn_of(table) * PAGE_BYTES | PTE_TABLE) == 0);
    return table;
}

volatile uint64_t *entry_make(uint64_t va)
{
    volatile uint64_t *table = (volatile uint64_t *)start_info->pt_base;

    for (int level = 4; level > 1; level--)
        table = table_below(&table[va >> (12 + 9 * (level - 1)) & 511]);
    return &table[va >> 12 & 511];
}

void map_low(uint64_t va, const void *page)
{
    volatile uint64_t *entry = entry_make(va);

    ktest_require(mmu_update_one(machine_of(entry), mfn_of(page) * PAGE_BYTES | PTE_RW) == 0);
}
