/* SPDX-License-Identifier: MIT */
/* Handlers out of the object files that `clang -target bpf -c` writes. For hosts. */
#ifndef FASTPATH_OBJECT_H
#define FASTPATH_OBJECT_H

#include <stddef.h>

#include "program.h"

/*
 * Reads program number `index` (from 0, in the order of the file's sections) out of the ELF object
 * file[size], and writes it in the program format to out[room] (8-byte aligned).  A program is an
 * executable section named as the macros of program.h name it:
 *   radon/syscall/NUMBER   radon/exception/VECTOR/ADDRESS   radon/hypercall/NUMBER
 * whose function's name becomes the handler's.  Reads inside the file only, whatever it holds.
 *
 * Returns the number of bytes written; 0 when there is no such program; -1 with the reason in
 * error[error_size].
 */
int fast_elf_program(const void *file, size_t size, unsigned int index, void *out, size_t room,
                     char *error, size_t error_size);

/* Head and instructions in the program format. Returns the bytes written, or -1: no room. */
int fast_program_write(const struct fast_header *attach, const void *insns, unsigned int count,
                       void *out, size_t room);

#endif
