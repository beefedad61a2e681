/* SPDX-License-Identifier: MIT */
/*
 * boot-module: a module is mapped behind the kernel image.
 *
 * ktest-run: module 1234567
 *
 * Promised (public/xen.h start-of-day memory layout): without the note MOD_START_PFN, mod_start is
 * a virtual address in the boot mapping, page-aligned, mod_len its length in bytes.
 * Why: kernels that are not Linux find their initial files so.
 * Checked: every byte of the module; that it overlaps nothing else.
 */
#include "pages.h"

const char ktest_name[] = "boot-module";

extern uint8_t ktest_image_end[];

void test_main(void)
{
    const uint8_t *module = (const uint8_t *)start_info->mod_start;
    uint64_t wrong = 0;

    test_case("place and length");
    check_eq(start_info->mod_len, 1234567);
    check((start_info->flags & SIF_MOD_START_PFN) == 0);
    check((uint64_t)module % PAGE_BYTES == 0);
    check(module >= ktest_image_end);
    check(start_info->mfn_list >= (uint64_t)module + start_info->mod_len);
    test_case("contents");
    for (uint64_t i = 0; i < start_info->mod_len; i++)
        wrong += module[i] != (uint8_t)(i * 7 + i / 256);
    check_eq(wrong, 0);
    test_case("its frames are the domain's");
    for (const uint8_t *p = module; p < module + start_info->mod_len; p += PAGE_BYTES)
        wrong += (*kernel_entry(p, 1) & PTE_MFN_MASK) != mfn_of(p) * PAGE_BYTES ||
                 m2p(mfn_of(p)) != pfn_of(p);
    check_eq(wrong, 0);
}
