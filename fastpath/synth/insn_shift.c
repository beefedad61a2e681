/* SPDX-License-Identifier: MIT */
/* Shifts, rotations, single bits. */
#include "insn.h"

/* The count, masked as the processor does; *known when it is a number. */
static node_id count_of(struct insn *in, unsigned int operand, unsigned int size, bool *known,
                        uint64_t *number)
{
    node_id count = op2i(in, N_AND, op_read(in, operand), size == 8 ? 63 : 31);

    *known = g_is_const(in->g, count, number);
    return count;
}

static node_id bit_of(struct insn *in, node_id a, uint64_t bit)
{
    return op2i(in, N_AND, op2i(in, N_SHR, a, bit), 1);
}

static void shift_flags(struct insn *in, node_id a, node_id r, unsigned int size, uint64_t c)
{
    struct flags *f = &in->st->flags;
    unsigned int bits = 8 * size;

    flags_result(in, r, size);
    f->of = 0;
    switch (in->z.mnemonic) {
    case ZYDIS_MNEMONIC_SHL:
        f->cf = c <= bits ? bit_of(in, a, bits - c) : 0;
        if (c == 1)
            f->of = op2(in, N_XOR, f->cf, bit_of(in, r, bits - 1));
        break;
    case ZYDIS_MNEMONIC_SHR:
        f->cf = c <= bits ? bit_of(in, a, c - 1) : 0;
        if (c == 1)
            f->of = bit_of(in, a, bits - 1);
        break;
    default:
        f->cf = c <= bits ? bit_of(in, g_sext(in->g, a, size), c - 1) : 0;
        if (c == 1)
            f->of = imm(in, 0);
        break;
    }
}

void lift_shift(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    node_id a = op_read_rmw(in, 0), count, r;
    bool known;
    uint64_t c;

    count = count_of(in, 1, size, &known, &c);
    if (in->z.mnemonic == ZYDIS_MNEMONIC_SHL)
        r = op2(in, N_SHL, a, count);
    else if (in->z.mnemonic == ZYDIS_MNEMONIC_SHR)
        r = op2(in, N_SHR, a, count);
    else
        r = op2(in, N_SAR, g_sext(in->g, a, size), count);
    r = g_low(in->g, r, size);
    op_write(in, 0, r);
    if (!known)
        flags_undefined(in);
    else if (c)
        shift_flags(in, a, r, size, c);
}

void lift_rotate(struct insn *in)
{
    unsigned int size = op_size(in, 0), bits = 8 * size;
    bool left = in->z.mnemonic == ZYDIS_MNEMONIC_ROL, known;
    node_id a = op_read_rmw(in, 0), count, other, r;
    struct flags *f = &in->st->flags;
    uint64_t c;

    count = count_of(in, 1, size, &known, &c);
    count = op2i(in, N_AND, count, bits - 1);
    other = op2i(in, N_AND, op2(in, N_SUB, imm(in, bits), count), bits - 1);
    r = op2(in, N_OR, op2(in, N_SHL, a, left ? count : other),
            op2(in, N_SHR, a, left ? other : count));
    r = g_low(in->g, r, size);
    op_write(in, 0, r);
    if (known && !c)
        return;
    f->a = 0;
    f->b = 0;
    f->of = 0;
    f->cf = 0;
    if (known) {
        f->cf = bit_of(in, r, left ? 0 : bits - 1);
        if (c == 1)
            f->of = op2(in, N_XOR, bit_of(in, r, bits - 1), left ? f->cf : bit_of(in, r, bits - 2));
    }
}

void lift_shift_double(struct insn *in)
{
    unsigned int size = op_size(in, 0), bits = 8 * size;
    bool left = in->z.mnemonic == ZYDIS_MNEMONIC_SHLD, known;
    node_id a = op_read_rmw(in, 0), b = op_read(in, 1), count, rest, r;
    struct flags *f = &in->st->flags;
    uint64_t c;

    if (size < 4) {
        refuse(in->w, SYNTH_UNSUPPORTED, "of 16 bits");
        return;
    }
    count = count_of(in, 2, size, &known, &c);
    /* By (bits - count), which may be all of them: one first, then the rest. */
    rest = op2(in, N_SUB, imm(in, bits - 1), count);
    if (left)
        r = op2(in, N_OR, op2(in, N_SHL, a, count), op2(in, N_SHR, op2i(in, N_SHR, b, 1), rest));
    else
        r = op2(in, N_OR, op2(in, N_SHR, a, count), op2(in, N_SHL, op2i(in, N_SHL, b, 1), rest));
    r = g_low(in->g, r, size);
    op_write(in, 0, r);
    if (!known) {
        flags_undefined(in);
    } else if (c) {
        flags_result(in, r, size);
        f->cf = bit_of(in, a, left ? bits - c : c - 1);
        f->of = c == 1 ? bit_of(in, op2(in, N_XOR, a, r), bits - 1) : 0;
    }
}

/* With memory and a register the bit may lie anywhere from the address on, or before it. */
static void move_to_unit(struct insn *in, unsigned int size)
{
    node_id units = op2i(in, N_SAR, g_sext(in->g, op_read(in, 1), size),
                         size == 8   ? 6
                         : size == 4 ? 5
                                     : 4);

    in->address[0] = op2(in, N_ADD, op_address(in, 0),
                         op2i(in, N_SHL, units, (uint64_t)__builtin_ctz(size)));
}

void lift_bit(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    struct flags *f = &in->st->flags;
    node_id a, bit, one, zf = f->zf;

    if (op_is_memory(in, 0) && in->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
        move_to_unit(in, size);
    a = in->z.mnemonic == ZYDIS_MNEMONIC_BT ? op_read(in, 0) : op_read_rmw(in, 0);
    bit = op2i(in, N_AND, op_read(in, 1), 8 * size - 1);
    one = op2(in, N_SHL, imm(in, 1), bit);
    if (in->z.mnemonic == ZYDIS_MNEMONIC_BTS)
        op_write(in, 0, op2(in, N_OR, a, one));
    else if (in->z.mnemonic == ZYDIS_MNEMONIC_BTR)
        op_write(in, 0, op2(in, N_AND, a, op2i(in, N_XOR, one, ~0ull)));
    else if (in->z.mnemonic == ZYDIS_MNEMONIC_BTC)
        op_write(in, 0, op2(in, N_XOR, a, one));
    flags_undefined(in);
    f->zf = zf;
    f->cf = op2i(in, N_AND, op2(in, N_SHR, a, bit), 1);
}

static node_id population(struct insn *in, node_id v)
{
    const uint64_t m1 = 0x5555555555555555ull, m2 = 0x3333333333333333ull;

    v = op2(in, N_SUB, v, op2i(in, N_AND, op2i(in, N_SHR, v, 1), m1));
    v = op2(in, N_ADD, op2i(in, N_AND, v, m2), op2i(in, N_AND, op2i(in, N_SHR, v, 2), m2));
    v = op2i(in, N_AND, op2(in, N_ADD, v, op2i(in, N_SHR, v, 4)), 0x0f0f0f0f0f0f0f0full);
    return op2i(in, N_SHR, op2i(in, N_MUL, v, 0x0101010101010101ull), 56);
}

/*
 * Of zero, BSF and TZCNT differ, and which of the two the bytes mean depends on the processor: only
 * followed for other numbers, and then only ZF of BSF and BSR is known.
 */
void lift_scan(struct insn *in)
{
    node_id a = op_read(in, 1), some, r = a;
    bool up = in->z.mnemonic != ZYDIS_MNEMONIC_BSR;
    bool holds;

    some = g_not(in->g, op2i(in, N_EQ, a, 0));
    if (!settle(in, some, &holds))
        return;
    if (in->z.mnemonic == ZYDIS_MNEMONIC_LZCNT || !holds) {
        refuse(in->w, SYNTH_UNSUPPORTED, "%s",
               in->z.mnemonic == ZYDIS_MNEMONIC_LZCNT ? "lzcnt" : "of zero");
        return;
    }
    if (up) {
        r = op2(in, N_AND, a, op2(in, N_SUB, imm(in, 0), a)); /* the lowest bit; those below it */
        r = population(in, op2i(in, N_ADD, r, ~0ull));
    } else {
        for (unsigned int shift = 1; shift < 64; shift *= 2)
            r = op2(in, N_OR, r, op2i(in, N_SHR, r, shift));
        r = op2i(in, N_ADD, population(in, r), ~0ull);
    }
    op_write(in, 0, r);
    flags_undefined(in);
    if (in->z.mnemonic != ZYDIS_MNEMONIC_TZCNT)
        in->st->flags.zf = imm(in, 0);
}

void lift_popcnt(struct insn *in)
{
    node_id a = op_read(in, 1), zero = imm(in, 0);

    op_write(in, 0, population(in, a));
    in->st->flags = (struct flags){
        .cf = zero, .of = zero, .sf = zero, .zf = op2i(in, N_EQ, a, 0)
    };
}
