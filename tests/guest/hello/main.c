/* SPDX-License-Identifier: MIT */
/*
 * hello: the first thing that a guest kernel needs.
 *
 * Promised (public/xen.h "start-of-day", public/version.h, public/features.h):
 *   - the kernel is entered with start_info, its P2M, its page tables and a hypercall page;
 *   - console_io writes reach the console; xen_version answers who is there;
 *   - domain 0 is told that it is privileged.
 * Why: every other test stands on this.
 * Varied: each sub-operation of xen_version, with and without a buffer.
 * Checked: values against the headers; the P2M against the M2P for the whole image.
 */
#include "ktest.h"
#include "pages.h"

const char ktest_name[] = "hello";

extern uint8_t _start[], ktest_image_end[];

static void check_start_info(void)
{
    test_case("start_info");
    check(strncmp(start_info->magic, "xen-3.0", 7) == 0);
    check(start_info->nr_pages > 1024);
    check((start_info->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN)) ==
          (SIF_PRIVILEGED | SIF_INITDOMAIN));
    check((start_info->shared_info & (PAGE_BYTES - 1)) == 0 && start_info->shared_info != 0);
    check(start_info->pt_base >= (uint64_t)ktest_image_end);
    check(start_info->nr_pt_frames >= 4);
    check(start_info->mfn_list >= (uint64_t)ktest_image_end);
    check(memcmp((const char *)start_info->cmd_line, "word=", 5) == 0);
    check((start_info->pt_base & (PAGE_BYTES - 1)) == 0);
}

static void check_p2m(void)
{
    const mfn_t *list = (const mfn_t *)start_info->mfn_list;
    uint64_t wrong = 0;

    test_case("P2M and M2P agree for all %lu pages", start_info->nr_pages);
    for (uint64_t pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += m2p(list[pfn]) != pfn;
    check_eq(wrong, 0);
}

static void check_mapping(void)
{
    test_case("boot mapping");
    for (uint8_t *va = _start; va < ktest_image_end; va += PAGE_BYTES) {
        volatile uint64_t *entry = kernel_entry(va, 1);

        if (va == (const uint8_t *)shared_info)
            continue; /* mapped over one page of the image */
        if (!entry || (*entry & PTE_MFN_MASK) != mfn_of(va) * PAGE_BYTES || !(*entry & PTE_W)) {
            check(!"image page mapped to its own frame, writable");
            return;
        }
    }
    for (uint64_t i = 0; i < start_info->nr_pt_frames; i++) {
        uint8_t *table = (uint8_t *)start_info->pt_base + i * PAGE_BYTES;

        check((*kernel_entry(table, 1) & (PTE_P | PTE_W)) == PTE_P);
    }
}

static void check_version(void)
{
    static struct xen_feature_info features;
    static struct xen_platform_parameters platform;
    static char extra[XEN_EXTRAVERSION_LEN], caps[XEN_CAPABILITIES_INFO_LEN];

    test_case("xen_version");
    check_eq(hyp_xen_version(XENVER_version, 0), 4 << 16 | 17);
    check_eq(hyp_xen_version(XENVER_extraversion, extra), 0);
    check(extra[0] && extra[sizeof(extra) - 1] == 0);
    check_eq(hyp_xen_version(XENVER_capabilities, caps), 0);
    check(strncmp(caps, "xen-3.0-x86_64", 14) == 0);
    check_eq(hyp_xen_version(XENVER_platform_parameters, &platform), 0);
    check_eq(platform.virt_start, HYPERVISOR_VIRT_START);
    check_eq(hyp_xen_version(XENVER_pagesize, 0), PAGE_BYTES);
    check_eq(hyp_xen_version(XENVER_get_features, &features), 0);
    check(features.submap & 1u << XENFEAT_mmu_pt_update_preserve_ad);
    check(features.submap & 1u << XENFEAT_pae_pgdir_above_4gb);
    check(features.submap & 1u << XENFEAT_highmem_assist);
    check(features.submap & 1u << XENFEAT_gnttab_map_avail_bits);
    check(features.submap & 1u << XENFEAT_dom0);
    check(!(features.submap & 1u << XENFEAT_auto_translated_physmap));
    check(!(features.submap & 1u << XENFEAT_writable_page_tables));
    printk("ktest: note version 4.17%s, %s, features %x\n", extra, caps, features.submap);
    features.submap_idx = XENFEAT_NR_SUBMAPS;
    check_eq(hyp_xen_version(XENVER_get_features, &features), -XEN_EINVAL);
}

static void check_shared_info(void)
{
    test_case("shared_info");
    check(this_cpu()->info->evtchn_upcall_mask == 1);
    check(shared_info->wc_sec > 1500000000u);
    check(shared_info->vcpu_info[0].time.tsc_to_system_mul != 0);
    check((shared_info->vcpu_info[0].time.version & 1) == 0);
}

static void check_printf(void)
{
    char text[64];

    test_case("the library's own printing");
    ksnprintf(text, sizeof(text), "%d %u %x %04lx %s%c %3d|%%", -12, 34u, 0xabcu, 0x1fUL, "s", 'c',
              7);
    check(strcmp(text, "-12 34 abc 001f sc   7|%") == 0);
    printk("ktest: note [%s]\n", text);
}

void test_main(void)
{
    check_printf();
    check_start_info();
    check_version();
    check_mapping();
    check_p2m();
    check_shared_info();
}
