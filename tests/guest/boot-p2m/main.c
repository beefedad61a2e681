/* SPDX-License-Identifier: MIT */
/*
 * boot-p2m: the P2M table at an address of the kernel's choice, the module by frame number.
 *
 * ktest-run: module 300001
 *
 * Promised (public/elfnote.h INIT_P2M, MOD_START_PFN): the P2M is mapped at the address in the
 * note, in frames start_info.first_p2m_pfn on; mod_start is a guest frame number and
 * SIF_MOD_START_PFN says so; the module need not be mapped.
 * Why: Linux uses both.
 * Checked: the whole P2M against the M2P; the mapping's frames; every byte of the module.
 */
#include "pages.h"

const char ktest_name[] = "boot-p2m";

#define INIT_P2M 0x8000000000UL

asm(".pushsection .note.Xen, \"a\", @note\n"
    ".balign 4\n .long 4, 8, 15\n .asciz \"Xen\"\n .quad 0x8000000000\n" /* INIT_P2M */
    ".balign 4\n .long 4, 4, 16\n .asciz \"Xen\"\n .long 1\n"            /* MOD_START_PFN */
    ".popsection\n");

#define WINDOW 0x10000000000UL /* an address nothing lies at */

static void the_table(void)
{
    const mfn_t *list = (const mfn_t *)start_info->mfn_list;
    uint64_t wrong = 0;

    test_case("P2M at the address of the note");
    check_eq(start_info->mfn_list, INIT_P2M);
    for (uint64_t pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += m2p(list[pfn]) != pfn;
    check_eq(wrong, 0);
    test_case("its frames: first_p2m_pfn and nr_p2m_frames");
    check(start_info->nr_p2m_frames >= (start_info->nr_pages * 8 + PAGE_BYTES - 1) / PAGE_BYTES);
    check_eq(*entry_of((void *)start_info->pt_base, INIT_P2M, 4) & PTE_P, PTE_P);
    check(list[start_info->first_p2m_pfn] != 0);
}

static void the_module(void)
{
    const mfn_t *list = (const mfn_t *)start_info->mfn_list;
    uint64_t pages = (start_info->mod_len + PAGE_BYTES - 1) / PAGE_BYTES, wrong = 0;
    volatile uint64_t *entry = entry_make(WINDOW);

    test_case("module by frame number");
    check(start_info->flags & SIF_MOD_START_PFN);
    check_eq(start_info->mod_len, 300001);
    check(start_info->mod_start + pages <= start_info->nr_pages);
    for (uint64_t i = 0; i < pages; i++)
        check_eq(mmu_update_one(machine_of(entry + i),
                                list[start_info->mod_start + i] * PAGE_BYTES | PTE_RO), 0);
    for (uint64_t i = 0; i < start_info->mod_len; i++)
        wrong += ((const volatile uint8_t *)WINDOW)[i] != (uint8_t)(i * 7 + i / 256);
    check_eq(wrong, 0);
}

void test_main(void)
{
    the_table();
    the_module();
}
