/* SPDX-License-Identifier: MIT */
/* One instruction being lifted.  Private to fastpath/synth. */
#ifndef SYNTH_INSN_H
#define SYNTH_INSN_H

#include <Zydis/Zydis.h>

#include "work.h"

enum flow {
    FLOW_NEXT = 0, /* to the next instruction */
    FLOW_JUMP,     /* to `target` */
    FLOW_BRANCH,   /* to `target` when `taken` holds, else to the next */
    FLOW_AGAIN,    /* a repeated string instruction: again when `taken` holds, else to the next */
    FLOW_RETURN,   /* the iret hypercall: the path is over */
    FLOW_SPLIT,    /* not lifted yet: captures differ in `taken`, part there and try again */
};

struct insn {
    struct work *w;
    struct state *st;
    struct graph *g;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    uint64_t next; /* address of the instruction behind */
    enum flow flow;
    node_id target, taken;
    node_id address[3]; /* of memory operands, once computed */
};

typedef void (*lift_fn)(struct insn *in);

/*
 * What an instruction does hangs on `truth`: a guard when all captures agree (*value: how), else
 * the path must part first and the result is false; nothing may have been changed then.
 */
bool settle(struct insn *in, node_id truth, bool *value);

/* The function that lifts the mnemonic (insns.def), or NULL. */
lift_fn lift_find(ZydisMnemonic mnemonic);

/* operands.c: sizes in bytes; values zero-extended. */
unsigned int op_size(const struct insn *in, unsigned int i);
bool op_is_memory(const struct insn *in, unsigned int i);
node_id op_address(struct insn *in, unsigned int i); /* of a memory operand, segment included */
node_id op_read(struct insn *in, unsigned int i);
/* An immediate or other operand as a value of `size` bytes, sign-extended first when it is shorter.
 */
node_id op_read_as(struct insn *in, unsigned int i, unsigned int size);
/* The destination of a read-modify-write: refuses a locked one that may not be. */
node_id op_read_rmw(struct insn *in, unsigned int i);
void op_write(struct insn *in, unsigned int i, node_id value);
node_id reg_read(struct insn *in, ZydisRegister reg);
void reg_write(struct insn *in, ZydisRegister reg, node_id value);
void push(struct insn *in, node_id value);
node_id pop(struct insn *in);

/* flags.c: values are `size` bytes, zero-extended. */
void flags_logic(struct insn *in, node_id result, unsigned int size);
void flags_add(struct insn *in, node_id a, node_id b, node_id carry, node_id result,
               unsigned int size);
void flags_sub(struct insn *in, node_id a, node_id b, node_id borrow, node_id result,
               unsigned int size);
/* ZF, SF, PF of the result. */
void flags_result(struct insn *in, node_id result, unsigned int size);
void flags_undefined(struct insn *in); /* all of them */
/* A flag that must be defined; refuses otherwise. */
node_id flag_use(struct insn *in, node_id flag, const char *name);
node_id flag_parity(struct work *w, node_id of);
/* The truth of a condition, by its number in the opcode (0 = o .. 15 = nle). */
node_id condition(struct insn *in, unsigned int number);
/* The top bit of a value of `size` bytes. */
node_id sign_of(struct graph *g, node_id a, unsigned int size);

/* hypercall.c: one on the path, not its end. */
void hypercall(struct insn *in, uint64_t number);

static inline node_id op2(struct insn *in, enum node_op op, node_id a, node_id b)
{
    return g_op(in->g, op, a, b);
}

static inline node_id op2i(struct insn *in, enum node_op op, node_id a, uint64_t imm)
{
    return g_op_imm(in->g, op, a, imm);
}

static inline node_id imm(struct insn *in, uint64_t value)
{
    return g_const(in->g, value);
}

#define LIFT(function, ...) void function(struct insn *in);
#include "insns.def"

#endif
