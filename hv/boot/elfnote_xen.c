/* SPDX-License-Identifier: MIT */
#include "elfnote_xen.h"

#include <xen/elfnote.h>
#include <xen/features.h>

#include "bytes.h"

/* Lengths of name and descriptor, and the type; then both, padded to 4 bytes each. */
#define NOTE_HEADER 12u

static const struct {
    const char *name;
    unsigned int bit;
} features[] = {
#define FEATURE(name) {#name, XENFEAT_##name}
    FEATURE(writable_page_tables),
    FEATURE(writable_descriptor_tables),
    FEATURE(auto_translated_physmap),
    FEATURE(supervisor_mode_kernel),
    FEATURE(pae_pgdir_above_4gb),
    FEATURE(mmu_pt_update_preserve_ad),
    FEATURE(highmem_assist),
    FEATURE(gnttab_map_avail_bits),
    FEATURE(hvm_callback_vector),
    FEATURE(hvm_safe_pvclock),
    FEATURE(hvm_pirqs),
    FEATURE(dom0),
    FEATURE(memory_op_vnode_supported),
    FEATURE(ARM_SMCCC_supported),
    FEATURE(linux_rsdp_unrestricted),
    FEATURE(not_direct_mapped),
    FEATURE(direct_mapped),
#undef FEATURE
};

/* A note's descriptor. */
struct desc {
    const uint8_t *data;
    uint32_t length;
};

/* Numbers are 4 or 8 bytes long, as the kernel chose. */
static enum elf_status note_number(struct desc d, uint64_t *out)
{
    if (d.length == 8)
        *out = load_le64(d.data);
    else if (d.length == 4)
        *out = load_le32(d.data);
    else
        return ELF_BAD_NOTE;
    return ELF_OK;
}

static enum elf_status note_optional_number(struct desc d, uint64_t *out, bool *has)
{
    *has = true;
    return note_number(d, out);
}

static enum elf_status note_string(struct desc d, char *out)
{
    bool complete = copy_bounded(out, XEN_NOTE_STRING_MAX, (const char *)d.data, d.length);

    return complete ? ELF_OK : ELF_BAD_NOTE;
}

/* The bit of a feature name, or 0. */
static uint32_t feature_bit(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        if (strlen(features[i].name) == length && memcmp(features[i].name, name, length) == 0)
            return UINT32_C(1) << features[i].bit;
    }
    return 0;
}

/* "!writable_page_tables|pae_pgdir_above_4gb": '!' marks what the kernel cannot do without. */
static enum elf_status note_features(struct desc d, struct xen_elf_notes *notes)
{
    const char *s = (const char *)d.data, *end = s + d.length;

    while (s < end && *s) {
        bool required = *s == '!';
        const char *name = required ? s + 1 : s;
        const char *stop = name;

        while (stop < end && *stop && *stop != '|')
            stop++;
        uint32_t bit = feature_bit(name, (size_t)(stop - name));

        if (required && !bit)
            return ELF_UNKNOWN_FEATURE;
        if (required)
            notes->required_features |= bit;
        notes->supported_features |= bit;
        s = stop < end && *stop == '|' ? stop + 1 : stop;
    }
    return ELF_OK;
}

static enum elf_status note_supported_features(struct desc d, struct xen_elf_notes *notes)
{
    uint64_t bits;
    enum elf_status status = note_number(d, &bits);

    if (status == ELF_OK)
        notes->supported_features |= (uint32_t)bits;
    return status;
}

static enum elf_status note_l1_mfn_valid(struct desc d, struct xen_elf_notes *notes)
{
    uint32_t pairs = d.length / 16;

    if (d.length % 16 || pairs > XEN_NOTE_L1_PAIRS_MAX)
        return ELF_BAD_NOTE;
    for (uint32_t i = 0; i < pairs; i++) {
        notes->l1_mfn_valid[i].mask = load_le64(d.data + i * 16);
        notes->l1_mfn_valid[i].value = load_le64(d.data + i * 16 + 8);
    }
    notes->l1_mfn_valid_count = pairs;
    return ELF_OK;
}

static enum elf_status note_bsd_symtab(struct desc d, struct xen_elf_notes *notes)
{
    notes->bsd_symtab = d.length >= 3 && memcmp(d.data, "yes", 3) == 0;
    return ELF_OK;
}

static enum elf_status read_xen_note(uint32_t type, struct desc d, struct xen_note_reader *reader)
{
    struct xen_elf_notes *notes = reader->notes;

    reader->seen = true;
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        return note_optional_number(d, &notes->entry, &reader->has_entry);
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        return note_optional_number(d, &notes->hypercall_page, &notes->has_hypercall_page);
    case XEN_ELFNOTE_VIRT_BASE:
        return note_number(d, &notes->virt_base);
    case XEN_ELFNOTE_PADDR_OFFSET:
        return note_number(d, &notes->paddr_offset);
    case XEN_ELFNOTE_XEN_VERSION:
        return note_string(d, notes->xen_version);
    case XEN_ELFNOTE_GUEST_OS:
        return note_string(d, notes->guest_os);
    case XEN_ELFNOTE_GUEST_VERSION:
        return note_string(d, notes->guest_version);
    case XEN_ELFNOTE_LOADER:
        return note_string(d, notes->loader);
    case XEN_ELFNOTE_PAE_MODE:
        return note_string(d, notes->pae_mode);
    case XEN_ELFNOTE_FEATURES:
        return note_features(d, notes);
    case XEN_ELFNOTE_BSD_SYMTAB:
        return note_bsd_symtab(d, notes);
    case XEN_ELFNOTE_HV_START_LOW:
        return note_optional_number(d, &notes->hv_start_low, &notes->has_hv_start_low);
    case XEN_ELFNOTE_L1_MFN_VALID:
        return note_l1_mfn_valid(d, notes);
    case XEN_ELFNOTE_SUSPEND_CANCEL:
        return note_number(d, &notes->suspend_cancel);
    case XEN_ELFNOTE_INIT_P2M:
        return note_optional_number(d, &notes->init_p2m, &notes->has_init_p2m);
    case XEN_ELFNOTE_MOD_START_PFN:
        return note_number(d, &notes->mod_start_pfn);
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        return note_supported_features(d, notes);
    case XEN_ELFNOTE_PHYS32_ENTRY:
        return note_optional_number(d, &notes->phys32_entry, &notes->has_phys32_entry);
    default: /* XEN_ELFNOTE_INFO and what later versions may add */
        return ELF_OK;
    }
}

static uint64_t pad4(uint32_t length)
{
    return ((uint64_t)length + 3) & ~(uint64_t)3;
}

enum elf_status xen_notes_read(const uint8_t *p, uint64_t n, struct xen_note_reader *reader)
{
    for (uint64_t at = 0; range_inside(at, NOTE_HEADER, n);) {
        uint32_t name_length = load_le32(p + at), desc_length = load_le32(p + at + 4);
        uint64_t name = at + NOTE_HEADER, desc = name + pad4(name_length);

        if (!range_inside(desc, desc_length, n))
            return ELF_TRUNCATED;
        if (name_length == 4 && memcmp(p + name, "Xen", 4) == 0) {
            enum elf_status status =
                read_xen_note(load_le32(p + at + 8), (struct desc){p + desc, desc_length}, reader);

            if (status != ELF_OK)
                return status;
        }
        at = desc + pad4(desc_length);
    }
    return ELF_OK;
}
