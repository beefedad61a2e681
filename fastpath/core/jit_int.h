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
 * instruction.  Lean code has a map of its own (jit_lean.c); there rcx holds the run.
 */
struct jit {
    struct emit e;
    struct jit_space *space;
    const struct fast_program *program;
    uint8_t map[ISA_REGS];
    uint8_t run;     /* the x86 register that holds it */
    uint16_t keep;   /* bit per x86 register: those that the code saves and puts back */
    bool frame;      /* there is a stack for the program */
    bool calls;      /* helpers are called: on an aligned stack */
    bool result_extends; /* lean: the result is the sign extension of its register's low half */
    uint32_t staging; /* instructions up to here that stage something */
    uint32_t stores;  /* what is staged on the way here; if that depends on the way, no more than this */
    bool counted;     /* it does not depend on the way */
    uint16_t
        checked[3];   /* bit per eBPF register, by enum isa_half: outside the guard, in that half */
    uint32_t stack;   /* lean: bytes below what is saved */
    bool keeps_store; /* lean: the path's only store is `kept`, not in the list */
    struct isa_insn kept;
};

static inline bool jit_is_target(const struct jit *j, unsigned int i)
{
    return j->space->point[i].target;
}

/* jit_flow.c: fills space->point. */
void jit_flow(struct jit_space *space, const struct fast_program *program);
/* The registers of the program that instruction i writes, one bit each. */
uint16_t jit_writes(const struct jit *j, unsigned int i);
/* What holds behind instruction i, where p holds before it. */
struct jit_point jit_behind(unsigned int i, const struct isa_insn *in, struct jit_point p);
/* Whether of r0, as the call at i leaves it, nothing is read but the low half. */
bool jit_low_half(const struct jit *j, unsigned int i);
/* The registers of the program whose values behind instruction i are read; whether this one's is not. */
uint16_t jit_live_after(const struct jit *j, unsigned int i);
bool jit_dead_after(const struct jit *j, unsigned int i, unsigned int reg);

/* jit_guest.c: helpers without a call.  False: this one, here, is to be called. */
bool jit_inlines(const struct jit *j, const struct isa_insn *in);
void jit_inline(struct jit *j, const struct isa_insn *in);
/*
 * A load of guest memory that begins at instruction i, with the one or two before it that put the
 * address together: emits it and returns how many slots of the program that was, or 0.
 */
unsigned int jit_load(struct jit *j, unsigned int i);
/*
 * A guest access, inline where guest addresses can be used; with the comparison behind it, if one
 * instruction can do both.  Gives how many slots of the program that was.
 */
unsigned int jit_guest(struct jit *j, unsigned int i, const struct isa_insn *in);
/* The access alone. */
void jit_guest_access(struct jit *j, const struct isa_insn *in);
/* What is known of registers behind an instruction of another kind. */
void jit_note(struct jit *j, const struct isa_insn *in);
/* Makes the register an address that faults unless it points where it must; once is enough. */
void jit_check_base(struct jit *j, unsigned int reg, enum isa_half half);

/* jit_x86.c: an access of the stack or the context by its registers; calls the helper, whatever the
 * program's instruction was. */
void jit_memory(struct jit *j, const struct isa_insn *in);
void jit_call(struct jit *j, const struct isa_insn *in);
/* A jump of the program's to instruction `to`, on an x86 condition (0: always). */
void jit_jump(struct jit *j, unsigned int condition, uint32_t to);
unsigned int jit_condition(unsigned int op);

/* jit_lean.c */
bool jit_lean_plan(struct jit *j);
void jit_lean_enter(struct jit *j);
void jit_lean_leave(struct jit *j);
/* Instructions that lean code makes otherwise: how many slots that was, or 0. */
unsigned int jit_lean(struct jit *j, unsigned int i, const struct isa_insn *in);
/* A load behind stores that may be near one of them, its address in r11: by the helper; to dst. */
void jit_lean_slow_load(struct jit *j, unsigned int size, unsigned int dst);

/* A load of the kernel's GS base from the context, in lean code. */
static inline bool jit_is_gs(const struct jit *j, const struct isa_insn *in)
{
    return j->space->lean && in->row->form == FORM_LOAD && in->row->width == 8 &&
           in->src != ISA_FRAME && in->off == (int)offsetof(struct fast_ctx, kernel_gs);
}

/* jit_lean_take.c: the end at instruction i of code that is not lean, where it takes what it staged if it can. */
void jit_take(struct jit *j, unsigned int i);

/* One arithmetic instruction. */
void jit_alu(struct jit *j, const struct isa_insn *in);
/* jit_compare.c: a guest load at i with the comparison behind it; sums from i on: slots, or 0. */
bool jit_compare(struct jit *j, unsigned int i, const struct isa_insn *load);
/* Whether it will: then the load's register is not written.  *branch: the comparison. */
bool jit_compares(const struct jit *j, unsigned int i, const struct isa_insn *load, struct isa_insn *branch);
unsigned int jit_rotate(struct jit *j, unsigned int i, const struct isa_insn *in);
unsigned int jit_lea(struct jit *j, unsigned int i, const struct isa_insn *in);

#endif
