/* SPDX-License-Identifier: MIT */
/*
 * Flags: CF ZF SF OF as truths, made by the instruction that sets them; nodes that nobody uses cost
 * nothing in the program.  PF is made when it is used.  AF is not followed: what uses it is
 * refused.
 */
#include "insn.h"

node_id sign_of(struct graph *g, node_id a, unsigned int size)
{
    return g_op_imm(g, N_SLT, g_sext(g, a, size), 0);
}

void flags_result(struct insn *in, node_id result, unsigned int size)
{
    struct flags *f = &in->st->flags;

    f->zf = op2i(in, N_EQ, result, 0);
    f->sf = sign_of(in->g, result, size);
    f->pf_of = result;
    f->a = 0;
    f->b = 0;
}

void flags_logic(struct insn *in, node_id result, unsigned int size)
{
    flags_result(in, result, size);
    in->st->flags.cf = imm(in, 0);
    in->st->flags.of = imm(in, 0);
}

/* The top bit of (x & y), as a truth. */
static node_id top_of_and(struct insn *in, node_id x, node_id y, unsigned int size)
{
    return op2i(in, N_AND, op2i(in, N_SHR, op2(in, N_AND, x, y), 8 * size - 1), 1);
}

void flags_add(struct insn *in, node_id a, node_id b, node_id carry, node_id result,
               unsigned int size)
{
    struct flags *f = &in->st->flags;
    uint64_t none;

    flags_result(in, result, size);
    /* Without carry in: it wrapped if the result is below an operand; with one: or equal. */
    f->cf = op2(in, N_ULT, result, a);
    if (!g_is_const(in->g, carry, &none) || none)
        f->cf = op2(in, N_OR, f->cf, op2(in, N_AND, carry, op2(in, N_EQ, result, a)));
    f->of = top_of_and(in, op2(in, N_XOR, a, result), op2(in, N_XOR, b, result), size);
}

void flags_sub(struct insn *in, node_id a, node_id b, node_id borrow, node_id result,
               unsigned int size)
{
    struct flags *f = &in->st->flags;
    uint64_t none;

    flags_result(in, result, size);
    f->cf = op2(in, N_ULT, a, b);
    f->of = top_of_and(in, op2(in, N_XOR, a, b), op2(in, N_XOR, a, result), size);
    if (g_is_const(in->g, borrow, &none) && !none) {
        f->zf = op2(in, N_EQ, a, b);
        f->a = g_sext(in->g, a, size);
        f->b = g_sext(in->g, b, size);
    } else {
        f->cf = op2(in, N_OR, f->cf, op2(in, N_AND, borrow, op2(in, N_EQ, a, b)));
    }
}

void flags_undefined(struct insn *in)
{
    in->st->flags = (struct flags){ 0 };
}

node_id flag_use(struct insn *in, node_id flag, const char *name)
{
    if (flag)
        return flag;
    refuse(in->w, SYNTH_UNDEFINED_FLAG, "%s", name);
    return imm(in, 0);
}

node_id flag_parity(struct work *w, node_id of)
{
    struct graph *g = &w->graph;

    of = g_low(g, of, 1);
    for (unsigned int shift = 4; shift; shift /= 2)
        of = g_op(g, N_XOR, of, g_op_imm(g, N_SHR, of, shift));
    return g_not(g, g_op_imm(g, N_AND, of, 1));
}

/* SF != OF: a < b as signed numbers. */
static node_id less(struct insn *in)
{
    const struct flags *f = &in->st->flags;

    if (f->a)
        return op2(in, N_SLT, f->a, f->b);
    return op2(in, N_XOR, flag_use(in, f->sf, "SF"), flag_use(in, f->of, "OF"));
}

static node_id less_or_equal(struct insn *in)
{
    const struct flags *f = &in->st->flags;

    if (f->a)
        return g_not(in->g, op2(in, N_SLT, f->b, f->a));
    return op2(in, N_OR, flag_use(in, f->zf, "ZF"), less(in));
}

node_id condition(struct insn *in, unsigned int number)
{
    const struct flags *f = &in->st->flags;
    node_id truth;

    switch (number >> 1) {
    case 0:
        truth = flag_use(in, f->of, "OF");
        break;
    case 1:
        truth = flag_use(in, f->cf, "CF");
        break;
    case 2:
        truth = flag_use(in, f->zf, "ZF");
        break;
    case 3:
        truth = op2(in, N_OR, flag_use(in, f->cf, "CF"), flag_use(in, f->zf, "ZF"));
        break;
    case 4:
        truth = flag_use(in, f->sf, "SF");
        break;
    case 5:
        truth = f->pf_of ? flag_parity(in->w, f->pf_of) : flag_use(in, 0, "PF");
        break;
    case 6:
        truth = less(in);
        break;
    default:
        truth = less_or_equal(in);
        break;
    }
    return number & 1 ? g_not(in->g, truth) : truth;
}
