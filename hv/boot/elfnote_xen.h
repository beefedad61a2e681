/* SPDX-License-Identifier: MIT */
/* The reader of Xen's notes in a note segment or section; for elfnote.c. */
#ifndef HV_BOOT_ELFNOTE_XEN_H
#define HV_BOOT_ELFNOTE_XEN_H

#include "elfnote.h"

struct xen_note_reader {
    struct xen_elf_notes *notes;
    bool seen;      /* any note named "Xen" */
    bool has_entry; /* XEN_ELFNOTE_ENTRY */
};

/*
 * Reads all notes in p[0..n); those of other owners are skipped. ELF_OK, ELF_TRUNCATED,
 * ELF_BAD_NOTE or ELF_UNKNOWN_FEATURE. A later note overrides an earlier one of the same type.
 */
enum elf_status xen_notes_read(const uint8_t *p, uint64_t n, struct xen_note_reader *reader);

#endif
