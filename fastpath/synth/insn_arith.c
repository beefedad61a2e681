/* SPDX-License-Identifier: MIT */
/* Sums, differences, logic; the locked ones among them. */
#include "insn.h"

void lift_add(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    node_id a = op_read_rmw(in, 0), b = op_read_as(in, 1, size), carry = imm(in, 0), r;

    if (in->z.mnemonic == ZYDIS_MNEMONIC_ADC)
        carry = flag_use(in, in->st->flags.cf, "CF");
    r = g_low(in->g, op2(in, N_ADD, op2(in, N_ADD, a, b), carry), size);
    op_write(in, 0, r);
    flags_add(in, a, b, carry, r, size);
}

void lift_sub(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    bool cmp = in->z.mnemonic == ZYDIS_MNEMONIC_CMP;
    node_id a = cmp ? op_read(in, 0) : op_read_rmw(in, 0), b = op_read_as(in, 1, size);
    node_id borrow = imm(in, 0), r;

    if (in->z.mnemonic == ZYDIS_MNEMONIC_SBB)
        borrow = flag_use(in, in->st->flags.cf, "CF");
    r = g_low(in->g, op2(in, N_SUB, op2(in, N_SUB, a, b), borrow), size);
    if (!cmp)
        op_write(in, 0, r);
    flags_sub(in, a, b, borrow, r, size);
}

void lift_inc(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    node_id a = op_read_rmw(in, 0), one = imm(in, 1), cf = in->st->flags.cf;
    node_id r = g_low(in->g, op2(in, N_ADD, a, one), size);

    op_write(in, 0, r);
    flags_add(in, a, one, imm(in, 0), r, size);
    in->st->flags.cf = cf;
}

void lift_dec(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    node_id a = op_read_rmw(in, 0), one = imm(in, 1), cf = in->st->flags.cf;
    node_id r = g_low(in->g, op2(in, N_SUB, a, one), size);

    op_write(in, 0, r);
    flags_sub(in, a, one, imm(in, 0), r, size);
    in->st->flags.cf = cf;
}

void lift_neg(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    node_id a = op_read_rmw(in, 0), zero = imm(in, 0);
    node_id r = g_low(in->g, op2(in, N_SUB, zero, a), size);

    op_write(in, 0, r);
    flags_sub(in, zero, a, zero, r, size);
}

void lift_not(struct insn *in)
{
    unsigned int size = op_size(in, 0);

    op_write(in, 0, op2i(in, N_XOR, op_read_rmw(in, 0), byte_mask(size)));
}

void lift_logic(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    bool test = in->z.mnemonic == ZYDIS_MNEMONIC_TEST;
    node_id a = test ? op_read(in, 0) : op_read_rmw(in, 0), b = op_read_as(in, 1, size);
    enum node_op op = in->z.mnemonic == ZYDIS_MNEMONIC_OR    ? N_OR
                      : in->z.mnemonic == ZYDIS_MNEMONIC_XOR ? N_XOR
                                                             : N_AND;
    node_id r = op2(in, op, a, b);

    if (!test)
        op_write(in, 0, r);
    flags_logic(in, r, size);
}

void lift_xadd(struct insn *in)
{
    unsigned int size = op_size(in, 0);
    node_id a = op_read_rmw(in, 0), b = op_read(in, 1);
    node_id r = g_low(in->g, op2(in, N_ADD, a, b), size);

    /* The source first: when both are one register the sum stays. */
    op_write(in, 1, a);
    op_write(in, 0, r);
    flags_add(in, a, b, imm(in, 0), r, size);
}

/*
 * Whether memory is exchanged depends on what it holds: the path is followed as it was captured,
 * and a guard (a real branch where captures differ) stands for the comparison.
 */
void lift_cmpxchg(struct insn *in)
{
    static const ZydisRegister accumulator[] = {
        0, ZYDIS_REGISTER_AL, ZYDIS_REGISTER_AX, 0, ZYDIS_REGISTER_EAX, 0, 0, 0, ZYDIS_REGISTER_RAX
    };
    unsigned int size = op_size(in, 0);
    ZydisRegister a = accumulator[size & 15];
    node_id want = reg_read(in, a), have = op_read_rmw(in, 0), new = op_read(in, 1);
    node_id equal = op2(in, N_EQ, want, have);
    bool taken;

    if (!op_is_memory(in, 0)) {
        refuse(in->w, SYNTH_UNSUPPORTED, "cmpxchg of registers");
        return;
    }
    if (!settle(in, equal, &taken))
        return;
    if (taken)
        op_write(in, 0, new);
    else
        reg_write(in, a, have);
    flags_sub(in, want, have, imm(in, 0), g_low(in->g, op2(in, N_SUB, want, have), size), size);
}

void lift_carry(struct insn *in)
{
    struct flags *f = &in->st->flags;

    /* CF alone changes; a comparison's operands no longer say what it is, but SF and OF stay. */
    if (in->z.mnemonic == ZYDIS_MNEMONIC_CMC)
        f->cf = g_not(in->g, flag_use(in, f->cf, "CF"));
    else
        f->cf = imm(in, in->z.mnemonic == ZYDIS_MNEMONIC_STC);
}
