/* SPDX-License-Identifier: MIT */
/* What the JIT's files share. */
#ifndef FASTPATH_JIT_INT_H
#define FASTPATH_JIT_INT_H

#include "emit_x86.h"
#include "isa.h"
#include "jit_x86.h"

/*
 * Registers.  eBPF's map to x86's so that arguments of a helper lie where the calling convention
 * wants them: r0 rax, r1-r3 rsi rdx rcx (after the run in rdi), r4 r8, r5 r9, r6-r9 the
 * callee-saved ones, r10 rbp.  r12 holds the run; rdi, r10 and r11 are scratch inside one
 * instruction.
 */
struct jit {
    struct emit e;
    struct jit_space *space;
    uint8_t map[ISA_REGS];
    uint16_t keep; /* bit per x86 register: the callee-saved ones that the code uses */
    bool frame;    /* there is a stack for the program, and calls */
    bool staged;   /* an instruction up to here may have staged a store */
};

/* jit_guest.c: helpers without a call.  False: this one, here, is to be called. */
bool jit_inlines(const struct jit *j, const struct isa_insn *in);
void jit_inline(struct jit *j, const struct isa_insn *in);

/* One arithmetic instruction. */
void jit_alu(struct jit *j, const struct isa_insn *in);

#endif
