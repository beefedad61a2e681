/* SPDX-License-Identifier: MIT */
/* Products and quotients. */
#include "insn.h"

/* The upper 64 bits of a product, by halves. */
static node_id upper_product(struct insn *in, node_id a, node_id b)
{
    uint64_t low = 0xffffffffull;
    node_id al = op2i(in, N_AND, a, low), ah = op2i(in, N_SHR, a, 32);
    node_id bl = op2i(in, N_AND, b, low), bh = op2i(in, N_SHR, b, 32);
    node_id t = op2(in, N_ADD, op2(in, N_MUL, ah, bl), op2i(in, N_SHR, op2(in, N_MUL, al, bl), 32));
    node_id u = op2(in, N_ADD, op2(in, N_MUL, al, bh), op2i(in, N_AND, t, low));

    return op2(in, N_ADD, op2(in, N_MUL, ah, bh),
               op2(in, N_ADD, op2i(in, N_SHR, t, 32), op2i(in, N_SHR, u, 32)));
}

static node_id upper_signed_product(struct insn *in, node_id a, node_id b)
{
    node_id high = upper_product(in, a, b);

    high = op2(in, N_SUB, high, op2(in, N_AND, op2i(in, N_SAR, a, 63), b));
    return op2(in, N_SUB, high, op2(in, N_AND, op2i(in, N_SAR, b, 63), a));
}

/* Upper and lower half go to where MUL and DIV have them. */
static void write_halves(struct insn *in, unsigned int size, node_id low, node_id high)
{
    static const ZydisRegister a[] = { ZYDIS_REGISTER_AL, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_EAX,
                                       ZYDIS_REGISTER_RAX };
    static const ZydisRegister d[] = { ZYDIS_REGISTER_AH, ZYDIS_REGISTER_DX, ZYDIS_REGISTER_EDX,
                                       ZYDIS_REGISTER_RDX };

    reg_write(in, a[__builtin_ctz(size)], low);
    reg_write(in, d[__builtin_ctz(size)], high);
}

static void product_flags(struct insn *in, node_id overflow)
{
    flags_undefined(in);
    in->st->flags.cf = overflow;
    in->st->flags.of = overflow;
}

void lift_mul(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    node_id a = g_low(in->g, in->st->reg[RAX], size), b = op_read(in, 0);
    node_id low = op2(in, N_MUL, a, b), high;

    high = size == 8 ? upper_product(in, a, b) : op2i(in, N_SHR, low, 8 * size);
    write_halves(in, size, low, high);
    product_flags(in, g_not(in->g, op2i(in, N_EQ, g_low(in->g, high, size), 0)));
}

void lift_imul(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    bool single = in->z.operand_count_visible == 1;
    unsigned int from = in->z.operand_count_visible == 3 ? 1 : 0;
    node_id a, b, low, overflow;

    a = single ? g_low(in->g, in->st->reg[RAX], size) : op_read(in, from);
    b = single ? op_read(in, 0) : op_read_as(in, from + 1, size);
    a = g_sext(in->g, a, size);
    b = g_sext(in->g, b, size);
    low = op2(in, N_MUL, a, b);
    if (size == 8) {
        node_id high = upper_signed_product(in, a, b);

        overflow = g_not(in->g, op2(in, N_EQ, high, op2i(in, N_SAR, low, 63)));
        if (single)
            write_halves(in, size, low, high);
    } else {
        overflow = g_not(in->g, op2(in, N_EQ, low, g_sext(in->g, low, size)));
        if (single)
            write_halves(in, size, low, op2i(in, N_SHR, low, 8 * size));
    }
    if (!single)
        op_write(in, 0, low);
    product_flags(in, overflow);
}

static node_id magnitude(struct insn *in, node_id a, node_id sign)
{
    return op2(in, N_SUB, op2(in, N_XOR, a, sign), sign);
}

/* What raises #DE is excluded by guards: a path that was captured did not. */
void lift_div(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    bool is_signed = in->z.mnemonic == ZYDIS_MNEMONIC_IDIV;
    node_id a = g_low(in->g, in->st->reg[RAX], size), d = g_low(in->g, in->st->reg[RDX], size);
    node_id by = op_read(in, 0), q, r, sign_a, sign_by, sign_q;

    if (size < 4) {
        refuse(in->w, SYNTH_UNSUPPORTED, "of %u bits", 8 * size);
        return;
    }
    guard(in->w, in->st, g_not(in->g, op2i(in, N_EQ, by, 0)));
    if (!is_signed && size == 4) {
        guard(in->w, in->st, op2(in, N_ULT, d, by)); /* the quotient fits */
        a = op2(in, N_OR, a, op2i(in, N_SHL, d, 32));
    }
    if (!is_signed) {
        if (size == 8)
            guard(in->w, in->st, op2i(in, N_EQ, d, 0));
        q = op2(in, N_UDIV, a, by);
        r = op2(in, N_UMOD, a, by);
    } else {
        a = g_sext(in->g, a, size);
        by = g_sext(in->g, by, size);
        sign_a = op2i(in, N_SAR, a, 63);
        sign_by = op2i(in, N_SAR, by, 63);
        sign_q = op2(in, N_XOR, sign_a, sign_by);
        guard(in->w, in->st, op2(in, N_EQ, d, g_low(in->g, sign_a, size)));
        guard(in->w, in->st, g_not(in->g, op2i(in, N_EQ, by, ~0ull))); /* the lowest number by -1 */
        q = op2(in, N_UDIV, magnitude(in, a, sign_a), magnitude(in, by, sign_by));
        r = op2(in, N_UMOD, magnitude(in, a, sign_a), magnitude(in, by, sign_by));
        q = magnitude(in, q, sign_q);
        r = magnitude(in, r, sign_a);
    }
    write_halves(in, size, q, r);
    flags_undefined(in);
}
