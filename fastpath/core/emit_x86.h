/* SPDX-License-Identifier: MIT */
/*
 * Writes x86-64 instructions (APM volume 3).  The first error is latched and everything after it is
 * counted but not written, so callers check once, at the end.
 */
#ifndef FASTPATH_EMIT_X86_H
#define FASTPATH_EMIT_X86_H

#include "mem.h"
#include <stdint.h>

enum x86_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct emit {
    uint8_t *at;   /* NULL: only count */
    uint32_t size; /* of the buffer */
    uint32_t used;
    bool failed;
};

void emit_byte(struct emit *e, unsigned int byte);
void emit_u32(struct emit *e, uint32_t value);
void emit_u64(struct emit *e, uint64_t value);

/*
 * Opcodes are one byte, or two as 0x0fNN.  `wide` chooses 64-bit operands.  REX is always written,
 * so that byte registers are the uniform ones.
 */
void emit_reg_reg(struct emit *e, bool wide, unsigned int opcode, unsigned int reg,
                  unsigned int rm);
/* [base + disp] */
void emit_reg_mem(struct emit *e, bool wide, unsigned int opcode, unsigned int reg,
                  unsigned int base, int32_t disp);
/* [base + index + disp]; the index is not rsp. */
void emit_reg_index(struct emit *e, bool wide, unsigned int opcode, unsigned int reg,
                    unsigned int base, unsigned int index, int32_t disp);
void emit_mov(struct emit *e, bool wide, unsigned int to, unsigned int from);
void emit_mov_imm(struct emit *e, unsigned int to, uint64_t value);
/* add, or, and, sub, xor, cmp by the digit of opcode 0x81. */
void emit_alu_imm(struct emit *e, bool wide, unsigned int digit, unsigned int reg, int32_t imm);
void emit_push(struct emit *e, unsigned int reg);
void emit_pop(struct emit *e, unsigned int reg);

/* A short jump forward: returns where its distance stands; emit_land() fills it in. */
uint32_t emit_short_jump(struct emit *e, unsigned int opcode);
void emit_land(struct emit *e, uint32_t jump);
/* A jump (opcode 0xe9, or 0x0f8N) to a place in the same buffer. */
void emit_jump(struct emit *e, unsigned int opcode, uint32_t target);

#endif
