/* SPDX-License-Identifier: MIT */
/* The assembler: text as the disassembler writes it, with labels. For hosts; uses a C library. */
#ifndef FASTPATH_ASM_H
#define FASTPATH_ASM_H

#include <stddef.h>

#include "program.h"

/*
 * Assembles `text` into out[max].  Returns the number of instructions, or -1 with the reason and
 * the line in error[size].  A line is `[label:] [instruction] [# comment]`; a number before a colon
 * (the disassembler's index) is ignored.  Jump targets are labels or +N, -N.
 */
int fast_assemble(const char *text, struct fast_insn *out, unsigned int max, char *error,
                  size_t size);

#endif
