/* SPDX-License-Identifier: MIT */
/*
 * Kernel images: a small ELF file with Xen notes is built in memory, and changed in one place a
 * test. (The kernel of the host is read in test_unpack.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#include "boot/elfnote.h"

#define BASE 0xffffffff80000000u
#define FILE_MAX 4096u
#define NOTES_AT 1024u
#define TEXT_AT 2048u
#define BIT(n) (1u << (n))

static struct {
    Elf64_Ehdr *header;
    Elf64_Phdr *ph; /* 0 and 1: loads, 2: notes */
    size_t notes;   /* bytes at NOTES_AT */
    uint8_t file[FILE_MAX];
} k;

static struct kernel_image image;

static void note(const char *owner, uint32_t type, const void *data, uint32_t n)
{
    uint32_t header[3] = {(uint32_t)strlen(owner) + 1, n, type};
    uint8_t *p = k.file + NOTES_AT + k.notes;

    memcpy(p, header, 12);
    memcpy(p + 12, owner, header[0]);
    p += 12 + ((header[0] + 3) & ~3u);
    memcpy(p, data, n);
    k.notes = (size_t)(p - k.file) - NOTES_AT + ((n + 3) & ~3u);
    k.ph[2].p_filesz = k.notes;
}

static void note_u64(uint32_t type, uint64_t v)
{
    note("Xen", type, &v, 8);
}

static void note_u32(uint32_t type, uint32_t v)
{
    note("Xen", type, &v, 4);
}

static void note_text(uint32_t type, const char *s)
{
    note("Xen", type, s, (uint32_t)strlen(s) + 1);
}

static void start(void)
{
    memset(&k, 0, sizeof(k));
    k.header = (Elf64_Ehdr *)k.file;
    k.ph = (Elf64_Phdr *)(k.file + sizeof(Elf64_Ehdr));
    memcpy(k.header->e_ident, "\177ELF\2\1\1", 7);
    k.header->e_type = ET_EXEC;
    k.header->e_machine = EM_X86_64;
    k.header->e_phoff = sizeof(Elf64_Ehdr);
    k.header->e_phentsize = sizeof(Elf64_Phdr);
    k.header->e_phnum = 3;
    k.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                           .p_offset = TEXT_AT,
                           .p_filesz = 512,
                           .p_memsz = 0x1000,
                           .p_paddr = 0x1000000,
                           .p_vaddr = BASE + 0x1000000};
    k.ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                           .p_offset = TEXT_AT + 512,
                           .p_filesz = 100,
                           .p_memsz = 0x3000,
                           .p_paddr = 0x1002000,
                           .p_vaddr = 0};
    k.ph[2] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = NOTES_AT};
}

static void start_with_entry(void)
{
    start();
    note_u64(XEN_ELFNOTE_VIRT_BASE, BASE);
    note_u64(XEN_ELFNOTE_ENTRY, BASE + 0x1000100);
}

static enum elf_status parse_first(size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    enum elf_status status;

    assert_non_null(exact);
    memcpy(exact, k.file, n);
    memset(&image, 0xaa, sizeof(image));
    status = elf_kernel_parse(exact, n, &image);
    free(exact);
    return status;
}

static enum elf_status parse(void)
{
    return parse_first(FILE_MAX);
}

static void all_notes(void **state)
{
    const uint64_t pairs[] = {1, 1, 0x80, 0};
    const struct xen_elf_notes *x = &image.notes;

    (void)state;
    start_with_entry();
    note("GNU", 3, "build id, odd", 13);
    note_text(XEN_ELFNOTE_GUEST_OS, "linux");
    note_text(XEN_ELFNOTE_GUEST_VERSION, "2.6");
    note_text(XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    note_text(XEN_ELFNOTE_LOADER, "generic");
    note_text(XEN_ELFNOTE_PAE_MODE, "yes");
    note_text(XEN_ELFNOTE_BSD_SYMTAB, "yes");
    note_u64(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x1003000);
    note_u64(XEN_ELFNOTE_INIT_P2M, 0x8000000000);
    note_u64(XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000);
    note_u32(XEN_ELFNOTE_SUSPEND_CANCEL, 1);
    note_u32(XEN_ELFNOTE_MOD_START_PFN, 1);
    note_u64(XEN_ELFNOTE_PHYS32_ENTRY, 0x1000850);
    note("Xen", XEN_ELFNOTE_L1_MFN_VALID, pairs, sizeof(pairs));
    note("Xen", XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb|from_the_future",
         57);
    note_u32(XEN_ELFNOTE_SUPPORTED_FEATURES, BIT(XENFEAT_dom0));
    note_u32(4711, 5);
    assert_int_equal(parse(), ELF_OK);
    assert_string_equal(x->guest_os, "linux");
    assert_string_equal(x->guest_version, "2.6");
    assert_string_equal(x->xen_version, "xen-3.0");
    assert_string_equal(x->loader, "generic");
    assert_string_equal(x->pae_mode, "yes");
    assert_true(x->bsd_symtab);
    assert_true(x->has_hypercall_page && x->hypercall_page == BASE + 0x1003000);
    assert_true(x->has_init_p2m && x->init_p2m == 0x8000000000);
    assert_true(x->has_hv_start_low && x->hv_start_low == 0xffff800000000000);
    assert_true(x->has_phys32_entry && x->phys32_entry == 0x1000850);
    assert_int_equal(x->suspend_cancel, 1);
    assert_int_equal(x->mod_start_pfn, 1);
    assert_int_equal(x->l1_mfn_valid_count, 2);
    assert_int_equal(x->l1_mfn_valid[1].mask, 0x80);
    assert_int_equal(x->required_features, BIT(XENFEAT_writable_page_tables));
    assert_int_equal(x->supported_features, BIT(XENFEAT_writable_page_tables) |
                                                BIT(XENFEAT_pae_pgdir_above_4gb) |
                                                BIT(XENFEAT_dom0));
}

static void placement(void **state)
{
    (void)state;
    start_with_entry();
    assert_int_equal(parse(), ELF_OK);
    assert_int_equal(image.load_count, 2);
    assert_int_equal(image.loads[1].vaddr, BASE + 0x1002000);
    assert_int_equal(image.loads[1].file_size, 100);
    assert_int_equal(image.virt_start, BASE + 0x1000000);
    assert_int_equal(image.virt_end, BASE + 0x1005000);
    assert_false(image.notes.has_init_p2m || image.notes.has_hypercall_page);

    note_u64(XEN_ELFNOTE_PADDR_OFFSET, 0x800000); /* as old kernels did with __PAGE_OFFSET */
    note_u64(XEN_ELFNOTE_ENTRY, BASE + 0x800000);
    assert_int_equal(parse(), ELF_OK);
    assert_int_equal(image.virt_start, BASE + 0x800000);

    start(); /* without VIRT_BASE: physical addresses are virtual ones */
    note_u32(XEN_ELFNOTE_ENTRY, 0x1000000);
    assert_int_equal(parse(), ELF_OK);
    assert_int_equal(image.virt_start, 0x1000000);
}

static void notes_in_a_section(void **state)
{
    Elf64_Shdr *sh = (Elf64_Shdr *)(k.file + 3072);

    (void)state;
    start_with_entry();
    k.ph[2].p_type = PT_NULL;
    assert_int_equal(parse(), ELF_NOT_XEN);
    k.header->e_shoff = 3072;
    k.header->e_shnum = 2;
    k.header->e_shentsize = sizeof(*sh);
    sh[1].sh_type = SHT_NOTE;
    sh[1].sh_offset = NOTES_AT;
    sh[1].sh_size = k.notes;
    assert_int_equal(parse(), ELF_OK);
    sh[1].sh_size = FILE_MAX;
    assert_int_equal(parse(), ELF_TRUNCATED);
    k.header->e_shoff = FILE_MAX; /* cut off, as strip does: no sections then */
    assert_int_equal(parse(), ELF_NOT_XEN);
}

static void wrong_kind(void **state)
{
    (void)state;
    start_with_entry();
    k.file[0] = 0;
    assert_int_equal(parse(), ELF_NOT_ELF);
    start_with_entry();
    k.header->e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(parse(), ELF_NOT_64BIT);
    start_with_entry();
    k.header->e_machine = EM_AARCH64;
    assert_int_equal(parse(), ELF_NOT_X86_64);
    start_with_entry();
    k.header->e_type = ET_REL;
    assert_int_equal(parse(), ELF_BAD_TYPE);
    start();
    assert_int_equal(parse(), ELF_NOT_XEN);
    note_u32(XEN_ELFNOTE_PHYS32_ENTRY, 0x1000000);
    assert_int_equal(parse(), ELF_NOT_PV);
    start_with_entry();
    note_text(XEN_ELFNOTE_LOADER, "special");
    assert_int_equal(parse(), ELF_BAD_LOADER);
    start_with_entry();
    note_text(XEN_ELFNOTE_FEATURES, "dom0|!from_the_future");
    assert_int_equal(parse(), ELF_UNKNOWN_FEATURE);
    for (int s = ELF_OK; s <= ELF_BAD_ADDRESS; s++)
        assert_memory_equal(elf_status_text(s), "kernel: ", 8);
}

static void cut_short(void **state)
{
    (void)state;
    start_with_entry();
    for (size_t n = 0; n < TEXT_AT + 612; n++)
        assert_int_not_equal(parse_first(n), ELF_OK);
    assert_int_equal(parse_first(TEXT_AT + 612), ELF_OK);
    k.header->e_phoff = UINT64_MAX - 10;
    assert_int_equal(parse(), ELF_TRUNCATED);
    start_with_entry();
    k.ph[0].p_offset = UINT64_MAX;
    assert_int_equal(parse(), ELF_TRUNCATED);
    start_with_entry();
    k.ph[2].p_filesz = UINT64_MAX;
    assert_int_equal(parse(), ELF_TRUNCATED);
}

static void bad_segments(void **state)
{
    (void)state;
    start_with_entry();
    k.ph[0].p_filesz = 0x1001;
    assert_int_equal(parse(), ELF_BAD_SEGMENT);
    start_with_entry();
    k.ph[0].p_memsz = UINT64_MAX;
    assert_int_equal(parse(), ELF_BAD_SEGMENT);
    start_with_entry();
    k.ph[1].p_paddr = 0x1000fff;
    assert_int_equal(parse(), ELF_OVERLAP);
    k.ph[1].p_paddr = 0x1001000;
    assert_int_equal(parse(), ELF_OK);
    start_with_entry();
    k.ph[0].p_memsz = k.ph[1].p_memsz = 0;
    assert_int_equal(parse(), ELF_NO_SEGMENTS);
    k.header->e_phnum = 0;
    assert_int_equal(parse(), ELF_NO_SEGMENTS);
    start_with_entry();
    k.header->e_phentsize = 8;
    assert_int_equal(parse(), ELF_NO_SEGMENTS);

    start();
    k.header->e_phnum = ELF_LOADS_MAX + 1;
    for (unsigned int i = 0; i < ELF_LOADS_MAX + 1; i++)
        k.ph[i] = (Elf64_Phdr){.p_type = PT_LOAD, .p_memsz = 1, .p_paddr = i};
    assert_int_equal(parse(), ELF_TOO_MANY_SEGMENTS);
}

static void bad_notes(void **state)
{
    (void)state;
    start_with_entry();
    note("Xen", XEN_ELFNOTE_VIRT_BASE, "12", 2);
    assert_int_equal(parse(), ELF_BAD_NOTE);
    start_with_entry();
    note("Xen", XEN_ELFNOTE_L1_MFN_VALID, "12345678", 8);
    assert_int_equal(parse(), ELF_BAD_NOTE);
    start_with_entry();
    note("Xen", XEN_ELFNOTE_GUEST_OS, "an operating system with a very long name", 42);
    assert_int_equal(parse(), ELF_BAD_NOTE);
    start_with_entry();
    memset(k.file + NOTES_AT + 4, 0xff, 4); /* the first descriptor's length */
    assert_int_equal(parse(), ELF_TRUNCATED);
    start_with_entry();
    memset(k.file + NOTES_AT, 0xff, 4); /* the first name's length */
    assert_int_equal(parse(), ELF_TRUNCATED);
}

static void bad_addresses(void **state)
{
    static const uint64_t bases[] = {
        0xffff800000000000, 0xffff87fffeffff00, 0x0000800000000000,
        0xffff7fffffffffff, 0xfffffffffeffe000, 0x00007ffffefff000,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        start();
        note_u64(XEN_ELFNOTE_VIRT_BASE, bases[i]);
        note_u64(XEN_ELFNOTE_ENTRY, bases[i] + 0x1000000);
        assert_int_equal(parse(), ELF_BAD_ADDRESS);
    }
    start();
    note_u64(XEN_ELFNOTE_VIRT_BASE, 0xffff880000000000 - 0x1000000); /* just after the hypervisor */
    note_u64(XEN_ELFNOTE_ENTRY, 0xffff880000000000);
    assert_int_equal(parse(), ELF_OK);
    start_with_entry();
    note_u64(XEN_ELFNOTE_ENTRY, BASE + 0x1005000);
    assert_int_equal(parse(), ELF_BAD_ADDRESS);
    start_with_entry();
    note_u64(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x1000008);
    assert_int_equal(parse(), ELF_BAD_ADDRESS);
    start_with_entry();
    note_u64(XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x1005000);
    assert_int_equal(parse(), ELF_BAD_ADDRESS);
    start_with_entry();
    note_u64(XEN_ELFNOTE_INIT_P2M, 0xffff810000000000);
    assert_int_equal(parse(), ELF_BAD_ADDRESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_notes),          cmocka_unit_test(placement),
        cmocka_unit_test(notes_in_a_section), cmocka_unit_test(wrong_kind),
        cmocka_unit_test(cut_short),          cmocka_unit_test(bad_segments),
        cmocka_unit_test(bad_notes),          cmocka_unit_test(bad_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
