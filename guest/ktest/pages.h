/* SPDX-License-Identifier: MIT */
/* Page tables of a test kernel: frames, entries, and the operations that change them. */
#ifndef KTEST_PAGES_H
#define KTEST_PAGES_H

#include "ktest.h"

#define PAGE_BYTES 4096UL
#define VIRT_BASE 0xffffffff80000000UL
#define PTE_P 0x001UL
#define PTE_W 0x002UL
#define PTE_U 0x004UL
#define PTE_PWT 0x008UL
#define PTE_PCD 0x010UL
#define PTE_A 0x020UL
#define PTE_D 0x040UL
#define PTE_PSE 0x080UL
#define PTE_G 0x100UL
#define PTE_NX (1UL << 63)
#define PTE_MFN_MASK 0x000ffffffffff000UL
#define PTE_TABLE (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_RW (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_RO (PTE_P | PTE_U | PTE_A | PTE_D)

typedef uint64_t mfn_t;

/* For addresses in the boot mapping. */
uint64_t pfn_of(const volatile void *va);
mfn_t mfn_of(const volatile void *va);
void *va_of_mfn(mfn_t mfn);
mfn_t m2p(mfn_t mfn);

/* The entry of that level (1 to 4) which maps va in the tables at root; 0: not there. */
volatile uint64_t *entry_of(const volatile void *root, uint64_t va, int level);
volatile uint64_t *kernel_entry(const volatile void *va, int level);
/* Machine address of an entry in the boot mapping: what mmu_update wants. */
uint64_t machine_of(const volatile void *entry);

/* One mmu_update; returns its result. */
long mmu_update_one(uint64_t machine_and_command, uint64_t value);
/* Changes the L1 entry of va and flushes it; returns the hypercall's result. */
long map_va(const volatile void *va, uint64_t entry);
long mmuext(unsigned int command, uint64_t arg1, uint64_t arg2);
/* Maps va read-only or writable again; 0 or negative errno. */
long page_readonly(const volatile void *va);
long page_writable(const volatile void *va);

/* The L1 entry of any address of the guest, with the tables above it made where needed. */
volatile uint64_t *entry_make(uint64_t va);
/* Maps a page of the image at another address too, for user code that must lie low. */
void map_low(uint64_t va, const void *page);

/* An own page out of the image's BSS, zeroed, mapped writable; never given back. */
void *page_alloc(void);

#endif
