/* SPDX-License-Identifier: MIT */
/* What the files of lean code share (jit_lean.c has the frame). */
#ifndef FASTPATH_JIT_LEAN_H
#define FASTPATH_JIT_LEAN_H

#include "jit_int.h"

#define FIELD(name) ((int)offsetof(struct fast_ctx, name))
#define NO_REG 16u

/* jit_lean_plan.c: the register of an argument in the context; -1: the field is none. */
int lean_argument(int off);

/* A 32-bit field of the run. */
static inline void lean_set(struct jit *j, size_t field, uint32_t value)
{
    emit_reg_mem(&j->e, false, 0xc7, 0, j->run, (int32_t)field);
    emit_u32(&j->e, value);
}

/* ------------------------------------------------------------------ jit_lean_take.c */

#define MAX_TAKEN 24u /* more stores than that are C's to take */

struct lean_outs {
    uint32_t jump[3 * MAX_TAKEN + 2];
    unsigned int n;
};

/* The address of the next staged store, or its value. */
static inline int32_t lean_staged(uint32_t i, size_t field)
{
    return (int32_t)(offsetof(struct fast_run, staged) + i * sizeof(struct fast_staged) + field);
}

/*
 * The only store of a path, if nothing but plain arithmetic is between it and the end: it is not
 * put into the list unless it must be.  True: noted, for lean_take().
 */
bool lean_keep_store(struct jit *j, unsigned int i, const struct isa_insn *in);
/*
 * Takes the stores on the way to p, all or none; `result` is a register to be left alone.  Jumps to
 * where none was taken are in *out, for lean_land().  True: carry is clear.
 */
bool lean_take(struct jit *j, const struct jit_point *p, unsigned int result,
               struct lean_outs *out);
/* There: the list is complete. */
void lean_land(struct jit *j, struct lean_outs *out);

#endif
