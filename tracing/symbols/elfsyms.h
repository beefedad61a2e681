/* SPDX-License-Identifier: MIT */
/*
 * Functions of an ELF file: of programs and shared libraries that a process has mapped.
 */
#ifndef TRACING_ELFSYMS_H
#define TRACING_ELFSYMS_H

#include "symtab.h"

#define ELF_SEGMENTS 8 /* executable ones of a file; one is usual */

struct elf_segment {
    uint64_t file_offset, address, bytes; /* address: as symbols have it */
};

struct elf_symbols {
    struct symtab table;
    struct elf_segment segment[ELF_SEGMENTS];
    unsigned int nr_segments;
    bool stripped;              /* only what the dynamic linker needs to know has names */
};

/* 0 or a negative errno; -ENOEXEC: no 64-bit ELF file for x86. */
int elf_symbols_read(struct elf_symbols *e, const char *file);
void elf_symbols_free(struct elf_symbols *e);

/* The function at that offset of the file; false if there is none. */
bool elf_symbols_lookup(const struct elf_symbols *e, uint64_t file_offset, struct symbol_hit *hit);

#endif
