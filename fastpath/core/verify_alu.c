/* SPDX-License-Identifier: MIT */
/* Arithmetic: what is known of the result, and which arithmetic on pointers is allowed. */
#include "verify_int.h"

static uint64_t width_max(unsigned int width)
{
    return width == 64 ? ~0ull : 0xffffffffull;
}

/* The value as an operand of `width` bits. */
static struct verify_reg operand(struct verify_reg r, unsigned int width)
{
    bool known = r.min == r.max;

    if (width == 32 && r.max > 0xffffffffull) {
        r.min = known ? (uint32_t)r.min : 0;
        r.max = known ? r.min : 0xffffffffull;
    }
    return r;
}

/* All bits up to the highest of x. */
static uint64_t fill_ones(uint64_t x)
{
    return x ? ~0ull >> __builtin_clzll(x) : 0;
}

/* Bounds of the result where one of the operands is not known exactly. */
static void bounds(const struct isa_insn *in, const struct verify_reg *a,
                   const struct verify_reg *b, uint64_t *min, uint64_t *max)
{
    unsigned int width = in->row->width;
    uint64_t sum;

    *min = 0;
    *max = width_max(width);
    switch (in->row->op) {
    case OP_MOV:
        *min = b->min;
        *max = b->max;
        break;
    case OP_AND:
        *max = a->max < b->max ? a->max : b->max;
        break;
    case OP_OR:
    case OP_XOR:
        *max = fill_ones(a->max | b->max);
        break;
    case OP_RSH:
        if (b->min == b->max) {
            *min = a->min >> (b->min & (width - 1));
            *max = a->max >> (b->min & (width - 1));
        } else {
            *max = a->max;
        }
        break;
    case OP_ADD:
        if (!__builtin_add_overflow(a->max, b->max, &sum) && sum <= width_max(width)) {
            *min = a->min + b->min;
            *max = sum;
        }
        break;
    case OP_LE:
    case OP_BE:
    case OP_BSWAP:
        if (in->imm < 64)
            *max = (1ull << in->imm) - 1;
        break;
    default:
        break;
    }
}

static void numbers(struct verify_reg *dst, const struct isa_insn *in, struct verify_reg b)
{
    unsigned int width = in->row->width;
    struct verify_reg a = operand(*dst, width);
    uint64_t min, max;

    if (a.min == a.max && b.min == b.max) {
        min = isa_alu(in->row->op, width, a.min, b.min);
        max = min;
    } else {
        b = operand(b, width);
        bounds(in, &a, &b, &min, &max);
    }
    reg_set_number(dst, min, max);
}

/* pointer + known, known + pointer, pointer - known; all else is refused. */
static bool pointers(struct verify *v, unsigned int insn, const struct isa_insn *in,
                     const struct verify_reg *b)
{
    struct verify_reg *dst = &v->space->now.reg[in->dst];
    bool plus = in->row->op == OP_ADD && in->row->width == 64;
    bool minus = in->row->op == OP_SUB && in->row->width == 64 && reg_is_pointer(dst);
    const struct verify_reg *pointer = reg_is_pointer(dst) ? dst : b;
    const struct verify_reg *number = reg_is_pointer(dst) ? b : dst;
    int64_t delta = (int64_t)number->min;
    int64_t off;

    if ((!plus && !minus) || number->type != REG_NUMBER || number->min != number->max)
        return verify_refuse(v, FAST_POINTER_ARITHMETIC, insn, in->dst);
    if (delta < -2 * POINTER_REACH || delta > 2 * POINTER_REACH)
        return verify_refuse(v, FAST_POINTER_RANGE, insn, in->dst);
    off = pointer->off + (minus ? -delta : delta);
    if (off < -POINTER_REACH || off > POINTER_REACH)
        return verify_refuse(v, FAST_POINTER_RANGE, insn, in->dst);
    *dst = *pointer;
    dst->off = (int32_t)off;
    return true;
}

static bool is_move(unsigned int op)
{
    return op == OP_MOV || (op >= OP_MOVSX8 && op <= OP_MOVSX32);
}

bool verify_alu(struct verify *v, unsigned int insn, const struct isa_insn *in)
{
    struct verify_reg *dst = &v->space->now.reg[in->dst];
    struct verify_reg b;

    if (in->row->form == FORM_ALU_REG) {
        if (!verify_readable(v, insn, in->src))
            return false;
        b = v->space->now.reg[in->src];
    } else {
        reg_set_number(&b, (uint64_t)in->imm, (uint64_t)in->imm);
    }
    if (!is_move(in->row->op) && !verify_readable(v, insn, in->dst))
        return false;
    if (in->dst == ISA_FRAME)
        return verify_refuse(v, FAST_FRAME_WRITE, insn, in->dst);

    if (in->row->op == OP_MOV && in->row->width == 64) {
        *dst = b;
        return true;
    }
    /* A move does not read its destination: whatever was there does not count. */
    if (is_move(in->row->op)) {
        if (reg_is_pointer(&b))
            return verify_refuse(v, FAST_POINTER_ARITHMETIC, insn, in->src);
        reg_set_number(dst, 0, 0);
    }
    if (reg_is_pointer(dst) || reg_is_pointer(&b))
        return pointers(v, insn, in, &b);
    numbers(dst, in, b);
    return true;
}
