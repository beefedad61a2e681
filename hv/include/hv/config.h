/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's map of virtual memory (L4 slots 256-271, which the ABI reserves for it; the
 * bounds are HYPERVISOR_VIRT_START/END of public/arch-x86/xen-x86_64.h) and its compile-time
 * limits.  docs/ARCHITECTURE.md shows the same map as a table.
 *
 * This header is also read by assembly.
 */
#ifndef HV_CONFIG_H
#define HV_CONFIG_H

#ifdef __ASSEMBLER__
#define HV_UL(x) x
#else
#define HV_UL(x) x##UL
#endif

#define PAGE_SHIFT      12
#define PAGE_SIZE       HV_UL(4096)
#define PAGE_MASK       (~(PAGE_SIZE - 1))

/* Slot 256: the machine-to-physical table, readable by guests. */
#define RO_M2P_BASE     HV_UL(0xffff800000000000)
/* Slot 261, first half: the same table, writable by the hypervisor alone. */
#define RW_M2P_BASE     HV_UL(0xffff828000000000)
/* Slot 261: stacks with guard pages, per-CPU stubs and descriptor windows, mapped devices. */
#define VMAP_BASE       HV_UL(0xffff82c000000000)
#define VMAP_END        HV_UL(0xffff82d000000000)
/* Slot 261: the hypervisor image, linked here, loaded at physical HV_LOAD_PADDR. */
#define HV_IMAGE_BASE   HV_UL(0xffff82d080000000)
#define HV_LOAD_PADDR   HV_UL(0x200000)
/* Slot 261, end: struct page_info of every frame below the end of memory. */
#define FRAME_TABLE     HV_UL(0xffff82e000000000)
/* Slots 262-271: all RAM, one to one. */
#define DIRECTMAP_BASE  HV_UL(0xffff830000000000)
#define DIRECTMAP_END   HV_UL(0xffff880000000000)

#define HV_L4_FIRST     256
#define HV_L4_LAST      271

/*
 * A stack lies at the top of a naturally aligned block of STACK_BLOCK bytes of which only the top
 * STACK_SIZE are mapped; what is below is the guard.  struct vcpu_hot is its topmost part.
 */
#define STACK_BLOCK     32768
#define STACK_SIZE      16384

#define NR_CPUS         64
#define MAX_VCPUS       128 /* of one domain */

/* Segment selectors of the hypervisor; the guests' flat ones are FLAT_RING3_* of the ABI. */
#define HV_CS           0xe008
#define HV_DS           0xe010
#define HV_TSS_SEL      0xe040
#define HV_LDT_SEL      0xe050
#define GDT_GUEST_PAGES 14 /* entries below 7168 (FIRST_RESERVED_GDT_ENTRY) are the guest's */

/* Interrupt vectors.  Devices get DEVICE_VECTOR_FIRST..LAST, as pirqs are bound. */
/* Where other processors start, in the first megabyte (page-aligned, physical). */
#define TRAMPOLINE_PADDR 0x8000

#define VECTOR_SYSCALL32     0x80
#define DEVICE_VECTOR_FIRST  0x30
#define DEVICE_VECTOR_LAST   0xdf
#define VECTOR_SPURIOUS      0xff
#define VECTOR_EVENT_CHECK   0xfb /* look at hot->flags and pending events before re-entry */
#define VECTOR_CALL          0xfc /* run the function that another CPU asks for */
#define VECTOR_TLB_FLUSH     0xfd
#define VECTOR_TIMER         0xfe

#endif
