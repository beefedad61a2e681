/* SPDX-License-Identifier: MIT */
/* Arithmetic. Operations of 32 bits clear the upper half by themselves, as eBPF wants it. */
#include "jit_int.h"

struct alu_code {
    uint8_t reg_reg; /* opcode of `op r/m, r` */
    uint8_t digit;   /* of opcode 0x81 */
};

static const struct alu_code simple[] = {
    [OP_ADD] = { 0x01, 0 }, [OP_SUB] = { 0x29, 5 }, [OP_OR] = { 0x09, 1 },
    [OP_AND] = { 0x21, 4 }, [OP_XOR] = { 0x31, 6 },
};

static unsigned int shift_digit(unsigned int op)
{
    return op == OP_LSH ? 4 : op == OP_RSH ? 5 : 7;
}

static void shift_imm(struct emit *e, const struct isa_insn *in, unsigned int dst)
{
    bool wide = in->row->width == 64;
    unsigned int count = (unsigned int)in->imm & (in->row->width - 1u);

    /* A shift by zero need not clear the upper half; a move does. */
    if (count == 0) {
        emit_mov(e, wide, dst, dst);
        return;
    }
    emit_reg_reg(e, wide, 0xc1, shift_digit(in->row->op), dst);
    emit_byte(e, count);
}

/* The count must be in cl, which may be either operand: work on copies. */
static void shift_reg(struct emit *e, const struct isa_insn *in, unsigned int dst, unsigned int src)
{
    bool wide = in->row->width == 64;

    emit_mov(e, wide, R11, dst);
    emit_mov(e, true, R10, RCX);
    emit_mov(e, true, RCX, src);
    emit_reg_reg(e, wide, 0xd3, shift_digit(in->row->op), R11);
    emit_mov(e, true, RCX, R10);
    emit_mov(e, true, dst, R11);
}

/* cqo, cdq: rax into rdx:rax. */
static void emit_sign_extend_rax(struct emit *e, bool wide)
{
    emit_byte(e, wide ? 0x48 : 0x40);
    emit_byte(e, 0x99);
}

/*
 * dst = dst / or % the divisor.  Divisors 0 and (signed) -1 would trap or overflow and are taken
 * apart (RFC 9669, section 4.1).  rax and rdx are put back, whoever they belong to.
 */
static void divide(struct jit *j, const struct isa_insn *in)
{
    struct emit *e = &j->e;
    bool wide = in->row->width == 64;
    bool is_signed = in->row->op == OP_SDIV || in->row->op == OP_SMOD;
    bool remainder = in->row->op == OP_MOD || in->row->op == OP_SMOD;
    unsigned int dst = j->map[in->dst];
    uint32_t zero, minus = 0, end1, end2 = 0;

    if (in->row->form == FORM_ALU_REG)
        emit_mov(e, wide, R11, j->map[in->src]);
    else
        emit_mov_imm(e, R11, wide ? (uint64_t)in->imm : (uint32_t)in->imm);
    emit_reg_reg(e, wide, 0x85, R11, R11);
    zero = emit_short_jump(e, 0x74);
    if (is_signed) {
        emit_alu_imm(e, wide, 7, R11, -1);
        minus = emit_short_jump(e, 0x74);
    }
    emit_mov(e, true, R10, RAX);
    emit_mov(e, true, RDI, RDX);
    emit_mov(e, wide, RAX, dst);
    if (is_signed)
        emit_sign_extend_rax(e, wide);
    else
        emit_reg_reg(e, false, 0x31, RDX, RDX);
    emit_reg_reg(e, wide, 0xf7, is_signed ? 7 : 6, R11);
    emit_mov(e, wide, R11, remainder ? RDX : RAX);
    emit_mov(e, true, RAX, R10);
    emit_mov(e, true, RDX, RDI);
    emit_mov(e, true, dst, R11);
    end1 = emit_short_jump(e, 0xeb);
    if (is_signed) {
        emit_land(e, minus);
        if (remainder)
            emit_reg_reg(e, false, 0x31, dst, dst);
        else
            emit_reg_reg(e, wide, 0xf7, 3, dst);
        end2 = emit_short_jump(e, 0xeb);
    }
    emit_land(e, zero);
    if (remainder)
        emit_mov(e, wide, dst, dst);
    else
        emit_reg_reg(e, false, 0x31, dst, dst);
    emit_land(e, end1);
    if (is_signed)
        emit_land(e, end2);
}

static void swap(struct emit *e, const struct isa_insn *in, unsigned int dst)
{
    bool little = in->row->op == OP_LE;

    if (in->imm == 16) {
        if (!little) {
            emit_byte(e, 0x66);
            emit_reg_reg(e, false, 0xc1, 0, dst); /* rol r16, 8 */
            emit_byte(e, 8);
        }
        emit_reg_reg(e, false, 0x0fb7, dst, dst);
    } else if (little) {
        emit_mov(e, in->imm == 64, dst, dst);
    } else {
        emit_byte(e, 0x40u | (in->imm == 64 ? 8u : 0u) | dst >> 3);
        emit_byte(e, 0x0f);
        emit_byte(e, 0xc8u + (dst & 7));
    }
}

static void multiply(struct jit *j, const struct isa_insn *in)
{
    bool wide = in->row->width == 64;

    if (in->row->form == FORM_ALU_REG) {
        emit_reg_reg(&j->e, wide, 0x0faf, j->map[in->dst], j->map[in->src]);
    } else {
        emit_reg_reg(&j->e, wide, 0x69, j->map[in->dst], j->map[in->dst]);
        emit_u32(&j->e, (uint32_t)in->imm);
    }
}

static void add_and_so_on(struct jit *j, const struct isa_insn *in)
{
    const struct alu_code *code = &simple[in->row->op];
    bool wide = in->row->width == 64;

    if (in->row->form == FORM_ALU_REG)
        emit_reg_reg(&j->e, wide, code->reg_reg, j->map[in->src], j->map[in->dst]);
    else
        emit_alu_imm(&j->e, wide, code->digit, j->map[in->dst], (int32_t)in->imm);
}

void jit_alu(struct jit *j, const struct isa_insn *in)
{
    struct emit *e = &j->e;
    bool wide = in->row->width == 64;
    unsigned int dst = j->map[in->dst], src = j->map[in->src];

    switch (in->row->op) {
    case OP_MOV:
        if (in->row->form == FORM_ALU_REG && wide && dst == src)
            break; /* two of the program's in one (jit_lean_plan.c) */
        if (in->row->form == FORM_ALU_REG)
            emit_mov(e, wide, dst, src);
        else
            emit_mov_imm(e, dst, wide ? (uint64_t)in->imm : (uint32_t)in->imm);
        break;
    case OP_MOVSX8:
        emit_reg_reg(e, wide, 0x0fbe, dst, src);
        break;
    case OP_MOVSX16:
        emit_reg_reg(e, wide, 0x0fbf, dst, src);
        break;
    case OP_MOVSX32:
        emit_reg_reg(e, wide, 0x63, dst, src);
        break;
    case OP_ADD:
    case OP_SUB:
    case OP_OR:
    case OP_AND:
    case OP_XOR:
        add_and_so_on(j, in);
        break;
    case OP_MUL:
        multiply(j, in);
        break;
    case OP_LSH:
    case OP_RSH:
    case OP_ARSH:
        if (in->row->form == FORM_ALU_REG)
            shift_reg(e, in, dst, src);
        else
            shift_imm(e, in, dst);
        break;
    case OP_NEG:
        emit_reg_reg(e, wide, 0xf7, 3, dst);
        break;
    case OP_DIV:
    case OP_SDIV:
    case OP_MOD:
    case OP_SMOD:
        divide(j, in);
        break;
    case OP_LE:
    case OP_BE:
    case OP_BSWAP:
        swap(e, in, dst);
        break;
    default:
        e->failed = true;
        break;
    }
}
