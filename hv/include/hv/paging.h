/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: slots 256-271 of every L4 (hv/config.h has the map).
 */
#ifndef HV_PAGING_H
#define HV_PAGING_H

#include "hv/mm.h"
#include "hv/types.h"

/* Page-table entry bits (AMD APM volume 2, 5.4). */
#define PTE_P   0x001UL
#define PTE_RW  0x002UL
#define PTE_U   0x004UL
#define PTE_PWT 0x008UL
#define PTE_PCD 0x010UL
#define PTE_A   0x020UL
#define PTE_D   0x040UL
#define PTE_PS  0x080UL
#define PTE_G   0x100UL
#define PTE_NX  (1UL << 63)
#define PTE_ADDR_MASK 0x000ffffffffff000UL

#define HV_RW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define HV_RO (PTE_P | PTE_A | PTE_NX)
#define HV_RX (PTE_P | PTE_A)
#define HV_UC (HV_RW | PTE_PCD | PTE_PWT)

/* Memory regions that boot took or must not touch; see hv/boot/start.c. */
struct boot_memory {
    struct mem_region ram[128];
    unsigned int nr_ram;
    struct mem_region reserved[16];
    unsigned int nr_reserved;
};

/*
 * Build the final tables from the boot loader's memory map, map frame table, M2P and direct map,
 * and switch to them.  Adds what it takes to bm->reserved.  Sets max_mfn by mm_init()'s argument.
 */
uint64_t paging_init(struct boot_memory *bm);

/* mm_init() is done: tables come from the allocator from here on. */
void paging_heap_ready(void);

/* Map [va, va+len) to [pa, ...): all multiples of a page; 2 MiB pages where both are aligned. */
void map_hv(uint64_t va, paddr_t pa, uint64_t len, uint64_t flags);
/* Remove mappings made page by page; the caller flushes the TLBs. */
void unmap_hv(uint64_t va, uint64_t len);
/* Virtual space without memory, in the vmap region; never given back. align: a power of two. */
uint64_t vmap_reserve(uint64_t len, uint64_t align);
/* Device registers, uncached.  Never fails (panics without memory for tables). */
void *ioremap(paddr_t pa, size_t len);

/* A stack in a STACK_BLOCK of its own, guard below; returns its struct vcpu_hot, zeroed. */
struct vcpu_hot *stack_create(void);

/* Make the init sections inaccessible and give their memory back. */
void free_init_memory(void);

#endif
