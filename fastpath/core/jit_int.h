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
    bool frame;    /* there is a stack for the program */
    bool calls;    /* helpers are called: on an aligned stack */
    uint32_t stores;   /* instructions up to here that stage a store */
    uint16_t checked;  /* bit per eBPF register: an address outside the guard */
};

/* jit_guest.c: helpers without a call.  False: this one, here, is to be called. */
bool jit_inlines(const struct jit *j, const struct isa_insn *in);
void jit_inline(struct jit *j, const struct isa_insn *in);
/*
 * A load of guest memory that begins at instruction i, with the one or two before it that put the
 * address together: emits it and returns how many slots of the program that was, or 0.
 */
unsigned int jit_load(struct jit *j, const struct fast_program *program, unsigned int i);
/* What is known of registers behind an instruction of another kind. */
void jit_note(struct jit *j, const struct isa_insn *in);
/* Calls the helper, whatever the program's instruction was. */
void jit_call(struct jit *j, const struct isa_insn *in);

static inline bool jit_is_target(const struct jit *j, unsigned int i)
{
    return j->space->target[i / 8] >> i % 8 & 1;
}

/* One arithmetic instruction. */
void jit_alu(struct jit *j, const struct isa_insn *in);

#endif
