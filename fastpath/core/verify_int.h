/* SPDX-License-Identifier: MIT */
/* What the verifier's files share. */
#ifndef FASTPATH_VERIFY_INT_H
#define FASTPATH_VERIFY_INT_H

#include "verifier.h"

#define POINTER_REACH 1024 /* how far a pointer may stray from its object */

struct verify {
    const struct fast_program *program;
    struct verify_space *space;
    struct fast_verdict *verdict;
    unsigned int attach; /* 1 << enum fast_attach_kind */
};

/* Notes the refusal; returns false, for `return refuse(...)`. */
bool verify_refuse(struct verify *v, enum fast_refusal_id id, unsigned int insn, unsigned int reg);

/* Form of every instruction and every jump. Fills space->second_half. */
bool verify_flow(struct verify *v);

/* States (verify_state.c). */
void state_start(struct verify_state *s);
/* *into becomes what holds on either way; `from` is the instruction that the new way comes from. */
void state_join(struct verify_state *into, const struct verify_state *other, unsigned int at,
                unsigned int from);
void reg_set_number(struct verify_reg *r, uint64_t min, uint64_t max);
static inline bool reg_is_pointer(const struct verify_reg *r)
{
    return r->type == REG_CTX || r->type == REG_FRAME;
}
/* Refuses a register that cannot be read. */
bool verify_readable(struct verify *v, unsigned int insn, unsigned int reg);

/* One instruction's effect on space->now. */
bool verify_alu(struct verify *v, unsigned int insn, const struct isa_insn *in);
bool verify_memory(struct verify *v, unsigned int insn, const struct isa_insn *in);
bool verify_guest(struct verify *v, unsigned int insn, const struct isa_insn *in);
bool verify_call(struct verify *v, unsigned int insn, const struct isa_insn *in);

#endif
