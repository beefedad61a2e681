/* SPDX-License-Identifier: MIT */
/* The instruction table (isa.def) and the one decoder that everybody uses. */
#ifndef FASTPATH_ISA_H
#define FASTPATH_ISA_H

#include <stdbool.h>
#include <stdint.h>

#include "program.h"

enum isa_op {
    OP_RESERVED = 0,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_SDIV,
    OP_MOD,
    OP_SMOD,
    OP_OR,
    OP_AND,
    OP_XOR,
    OP_LSH,
    OP_RSH,
    OP_ARSH,
    OP_MOV,
    OP_MOVSX8,
    OP_MOVSX16,
    OP_MOVSX32,
    OP_NEG,
    OP_LE,
    OP_BE,
    OP_BSWAP,
    OP_JA,
    OP_JEQ,
    OP_JNE,
    OP_JGT,
    OP_JGE,
    OP_JLT,
    OP_JLE,
    OP_JSET,
    OP_JSGT,
    OP_JSGE,
    OP_JSLT,
    OP_JSLE,
    OP_CALL,
    OP_EXIT,
    OP_LDDW,
    OP_LOAD,
    OP_LOADS,
    OP_STORE,
    OP_GLOAD,
    OP_GSTORE,
    OP_ATOMIC,
    OP_PACKET,
};

/* Which fields are operands. The assembler's text of each stands behind it. */
enum isa_form {
    FORM_NONE = 0,
    FORM_ALU_IMM,    /* add r1, 5 */
    FORM_ALU_REG,    /* add r1, r2 */
    FORM_UNARY,      /* neg r1 */
    FORM_SWAP,       /* be r1, 16 */
    FORM_JUMP,       /* ja +3 */
    FORM_JUMP_IMM,   /* ja32 +3 */
    FORM_BRANCH_IMM, /* jeq r1, 5, +3 */
    FORM_BRANCH_REG, /* jeq r1, r2, +3 */
    FORM_CALL,       /* call load64 */
    FORM_EXIT,       /* exit */
    FORM_LDDW,       /* lddw r1, 0x123456789 */
    FORM_LOAD,       /* ldxw r1, [r2+8] */
    FORM_STORE_IMM,  /* stw [r1+8], 5 */
    FORM_STORE_REG,  /* stxw [r1+8], r2 */
    FORM_GUEST_LOAD,  /* kldxw r1, [r2+8] */
    FORM_GUEST_STORE, /* kstxw [r1+8], r2 */
    FORM_REFUSED,
};

struct isa_row {
    const char *name;
    uint8_t code;
    uint8_t op;    /* enum isa_op */
    uint8_t form;  /* enum isa_form */
    uint8_t width; /* bits, or bytes of memory: see isa.def */
    uint8_t off;   /* a variant's value in the offset field */
};

/* Where the base of a guest access must point: row->off. */
enum isa_half { ISA_ANY, ISA_KERNEL, ISA_USER };

#define ISA_REGS 11u
#define ISA_FRAME 10u

/* An instruction taken apart. */
struct isa_insn {
    const struct isa_row *row;
    uint8_t dst, src;
    uint8_t length; /* in units of struct fast_insn: 2 for lddw, else 1 */
    int16_t off;
    int64_t imm;  /* sign-extended; the whole constant for lddw; the distance of a guest access */
    int32_t jump; /* FORM_JUMP*, FORM_BRANCH*: to the instruction at index + 1 + jump */
};

/*
 * Takes apart the instruction at `at`, of which `left` units follow to the end of the program
 * (at least 1).  Returns FAST_OK, or why it is refused; then *out is not to be used.
 */
enum fast_refusal_id isa_decode(const struct fast_insn *at, unsigned int left,
                                struct isa_insn *out);

/*
 * The meaning of the arithmetic instructions: `op` of `width` bits on a (destination) and b (source
 * or immediate).  Division by zero gives 0, remainder by zero gives a; the most negative number
 * divided by -1 gives itself, remainder 0; shift counts are taken modulo the width (RFC 9669,
 * section 4.1). For LE, BE and BSWAP b is the number of bits.
 */
uint64_t isa_alu(unsigned int op, unsigned int width, uint64_t a, uint64_t b);
/* The meaning of the comparisons. */
bool isa_compare(unsigned int op, unsigned int width, uint64_t a, uint64_t b);

/* Row number n of the table, variants included, or NULL past the last. For tests and the assembler.
 */
const struct isa_row *isa_row_number(unsigned int n);

static inline bool isa_is_jump(const struct isa_row *row)
{
    return row->form >= FORM_JUMP && row->form <= FORM_BRANCH_REG;
}

static inline bool isa_is_guest(const struct isa_row *row)
{
    return row->form == FORM_GUEST_LOAD || row->form == FORM_GUEST_STORE;
}

/* The helper of helpers.def that a guest access is short for. */
static inline int64_t isa_guest_helper(const struct isa_row *row)
{
    return (row->form == FORM_GUEST_LOAD ? FAST_HELPER_load8 : FAST_HELPER_store8) +
           __builtin_ctz(row->width);
}

static inline bool isa_is_branch(const struct isa_row *row)
{
    return row->form == FORM_BRANCH_IMM || row->form == FORM_BRANCH_REG;
}

#endif
