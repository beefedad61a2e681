/* SPDX-License-Identifier: MIT */
/*
 * A guest kernel's ELF image: what to load where, and what its Xen ELF notes ask for.
 *
 * Sources: <xen/elfnote.h>, <xen/features.h>, ELF-64 Object File Format.
 * Pure function over the file's bytes; the strings of the result are copies.
 */
#ifndef HV_BOOT_ELFNOTE_H
#define HV_BOOT_ELFNOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_LOADS_MAX 16
#define XEN_NOTE_STRING_MAX 32
#define XEN_NOTE_L1_PAIRS_MAX 4

/* One PT_LOAD: copy file_size bytes from offset, then zero up to mem_size. */
struct elf_load {
    uint64_t offset;    /* in the file */
    uint64_t file_size; /* bytes; the range is checked to lie in the file */
    uint64_t mem_size;  /* bytes, at least file_size and not 0 */
    uint64_t vaddr;     /* where the guest expects it: see kernel_image.virt_start */
};

struct xen_l1_mfn_valid {
    uint64_t mask, value;
};

/*
 * The notes' values; a has_ flag says whether an optional one was there. Feature bitmaps are
 * numbered by XENFEAT_*.
 */
struct xen_elf_notes {
    uint64_t entry;          /* virtual address; always present in an accepted image */
    uint64_t virt_base;      /* 0 when absent */
    uint64_t paddr_offset;   /* 0 when absent */
    uint64_t hypercall_page; /* virtual address */
    uint64_t init_p2m;       /* virtual address */
    uint64_t hv_start_low;   /* virtual address */
    uint64_t phys32_entry;   /* of PVH, not used for PV */
    uint64_t suspend_cancel; /* 0 when absent */
    uint64_t mod_start_pfn;  /* 0 when absent */
    bool has_hypercall_page, has_init_p2m, has_hv_start_low, has_phys32_entry;
    uint32_t required_features;  /* marked with '!' */
    uint32_t supported_features; /* the string's (required ones too) and the numeric note's */
    struct xen_l1_mfn_valid l1_mfn_valid[XEN_NOTE_L1_PAIRS_MAX];
    unsigned int l1_mfn_valid_count;
    bool bsd_symtab; /* "yes" */
    char guest_os[XEN_NOTE_STRING_MAX];
    char guest_version[XEN_NOTE_STRING_MAX];
    char xen_version[XEN_NOTE_STRING_MAX];
    char loader[XEN_NOTE_STRING_MAX];
    char pae_mode[XEN_NOTE_STRING_MAX];
};

/*
 * PT_LOADs are placed by their physical addresses: byte p goes to p - paddr_offset + virt_base.
 * (Linux's per-CPU segment is linked at virtual address 0: its own virtual address is not where it
 * must be.)
 */
struct kernel_image {
    struct xen_elf_notes notes;
    struct elf_load loads[ELF_LOADS_MAX]; /* in file order; no two overlap in memory */
    unsigned int load_count;
    uint64_t virt_start; /* lowest address of any load */
    uint64_t virt_end;   /* one past the highest */
};

enum elf_status {
    ELF_OK,
    ELF_NOT_ELF,
    ELF_NOT_64BIT,
    ELF_NOT_X86_64,
    ELF_BAD_TYPE,          /* a relocatable or core file */
    ELF_TRUNCATED,         /* a header or a segment reaches past the end of the file */
    ELF_BAD_SEGMENT,       /* smaller in memory than in the file, or wraps */
    ELF_OVERLAP,           /* two segments claim the same memory */
    ELF_TOO_MANY_SEGMENTS, /* more than ELF_LOADS_MAX */
    ELF_NO_SEGMENTS,
    ELF_BAD_NOTE,        /* a Xen note of the wrong length */
    ELF_NOT_XEN,         /* no Xen notes */
    ELF_NOT_PV,          /* Xen notes, but no PV entry point */
    ELF_BAD_LOADER,      /* the loader note is not "generic" */
    ELF_UNKNOWN_FEATURE, /* requires a feature that <xen/features.h> does not know */
    ELF_BAD_ADDRESS,     /* not canonical, in the hypervisor's range, or entry outside the image */
};

/*
 * Reads the ELF file file[0..n). On ELF_OK *image is complete: all ranges lie in the file, the
 * virtual range is canonical and outside the hypervisor's, the entry point is in the image. On
 * failure *image is unspecified.
 */
enum elf_status elf_kernel_parse(const void *file, size_t n, struct kernel_image *image);

/* A line for the console, without the final stop. */
const char *elf_status_text(enum elf_status status);

#endif
