/* SPDX-License-Identifier: MIT */
/* Programs as text, one instruction a line: what the assembler (fastpath/load/asm.h) reads. */
#ifndef FASTPATH_DISASM_H
#define FASTPATH_DISASM_H

#include "isa.h"
#include "run.h"
#include "text.h"

/* One instruction, without a line end: "jeq r1, 5, +3", "call load64", "ldxdw r6, [r1+64]". */
void fast_disasm_insn(struct fast_text *out, const struct isa_insn *in);

/*
 * The whole program with its head as comments and the index of each instruction; works for programs
 * that the verifier refuses, too ("?? 0x8d..." where there is no instruction).
 */
void fast_disasm(struct fast_text *out, const struct fast_program *program);

#endif
