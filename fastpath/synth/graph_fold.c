/* SPDX-License-Identifier: MIT */
/*
 * Simplification.  Each function gives the node that op(a, b) is known to be, or 0.  Constants are
 * on the right where the operation commutes; two constants never come here.
 */
#include "graph.h"

static bool imm_of(const struct graph *g, node_id a, uint64_t *imm)
{
    return g_is_const(g, a, imm);
}

/* (x + c) + y, x + (y + c): constants go outward, so that addresses split into base and offset. */
static node_id fold_add(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a), *nb = g_node(g, b);
    int64_t off_a, off_b;
    uint64_t imm;

    if (imm_of(g, b, &imm)) {
        if (imm == 0)
            return a;
        if (na->op == N_ADD && imm_of(g, na->b, &imm))
            return g_op_imm(g, N_ADD, na->a, imm + nb->imm);
        return 0;
    }
    if (na->op == N_SUB && na->b == b)
        return na->a; /* (x - b) + b */
    if (nb->op == N_SUB && nb->b == a)
        return nb->a;
    node_id base_a = g_split(g, a, &off_a), base_b = g_split(g, b, &off_b);
    if (off_a == 0 && off_b == 0)
        return 0;
    return g_op_imm(g, N_ADD, g_op(g, N_ADD, base_a, base_b), (uint64_t)(off_a + off_b));
}

static node_id fold_sub(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a);
    int64_t off_a, off_b;
    uint64_t imm;

    if (a == b)
        return g_const(g, 0);
    if (imm_of(g, b, &imm))
        return g_op_imm(g, N_ADD, a, 0 - imm);
    if (na->op == N_SUB) /* what is subtracted is gathered: the stack pointer stays in front */
        return g_op(g, N_SUB, na->a, g_op(g, N_ADD, na->b, b));
    if (na->op == N_ADD && na->a == b)
        return na->b;
    if (na->op == N_ADD && na->b == b)
        return na->a;
    node_id base_a = g_split(g, a, &off_a), base_b = g_split(g, b, &off_b);
    if (!base_a || (off_a == 0 && off_b == 0))
        return 0;
    return g_op_imm(g, N_ADD, g_op(g, N_SUB, base_a, base_b), (uint64_t)(off_a - off_b));
}

static bool is_low_mask(uint64_t m)
{
    return m && (m & (m + 1)) == 0;
}

/* A place on the stack, below an amount that is only known when it runs. */
static bool is_moved_stack(const struct graph *g, node_id a)
{
    int64_t off;
    const struct node *n = g_node(g, g_split(g, a, &off));

    return n->op == N_SUB && g_node(g, n->a)->op == N_INPUT &&
           (g_node(g, n->a)->rests & RESTS_STACK);
}

static node_id fold_and(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a);
    uint64_t imm, inner;

    if (a == b)
        return a;
    if (!imm_of(g, b, &imm)) {
        return 0;
    }
    if ((na->ones & imm) == 0)
        return g_const(g, 0);
    if ((na->ones & ~imm) == 0)
        return a;
    /* The stack pointer aligned down is the stack pointer less a small amount. */
    if (~imm < 64 && is_low_mask(~imm) && is_moved_stack(g, a) &&
        !(na->op == N_ADD && (g_node(g, na->a)->ones & ~imm) == 0))
        return g_op(g, N_SUB, a, g_op_imm(g, N_AND, a, ~imm));
    switch (na->op) {
    case N_AND:
        if (imm_of(g, na->b, &inner))
            return g_op_imm(g, N_AND, na->a, imm & inner);
        break;
    case N_OR: /* one side may vanish under the mask */
    case N_XOR:
        if ((g_node(g, na->b)->ones & imm) == 0)
            return g_op(g, N_AND, na->a, b);
        if ((g_node(g, na->a)->ones & imm) == 0)
            return g_op(g, N_AND, na->b, b);
        break;
    case N_SEXT8:
        if ((imm & ~0xffull) == 0)
            return g_op(g, N_AND, na->a, b);
        break;
    case N_SEXT16:
        if ((imm & ~0xffffull) == 0)
            return g_op(g, N_AND, na->a, b);
        break;
    case N_SEXT32:
        if ((imm & ~0xffffffffull) == 0)
            return g_op(g, N_AND, na->a, b);
        break;
    case N_ADD: /* x + c aligned down, where x is aligned */
        if (is_low_mask(~imm) && imm_of(g, na->b, &inner) && (g_node(g, na->a)->ones & ~imm) == 0)
            return g_op_imm(g, N_ADD, na->a, inner & imm);
        /* fallthrough */
    case N_SUB: /* low bits of a sum rest on low bits: inner masks at least as wide go */
        if (is_low_mask(imm)) {
            const struct node *x = g_node(g, na->a), *y = g_node(g, na->b);
            node_id nx = na->a, ny = na->b;

            if (x->op == N_AND && imm_of(g, x->b, &inner) && (inner & imm) == imm)
                nx = x->a;
            if (y->op == N_AND && imm_of(g, y->b, &inner) && (inner & imm) == imm)
                ny = y->a;
            if (y->op == N_CONST && (y->imm & ~imm)) /* the constant as a small signed one */
                ny = g_const(g, (y->imm & imm) > imm >> 1 ? y->imm | ~imm : y->imm & imm);
            if (nx != na->a || ny != na->b)
                return g_op(g, N_AND, g_op(g, na->op, nx, ny), b);
        }
        break;
    default:
        break;
    }
    return 0;
}

static node_id fold_or(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a), *nb = g_node(g, b);
    uint64_t imm, inner;

    if (a == b)
        return a;
    if (imm_of(g, b, &imm)) {
        if (imm == 0)
            return a;
        if ((na->ones & ~imm) == 0)
            return b;
        if (na->op == N_OR && imm_of(g, na->b, &inner))
            return g_op_imm(g, N_OR, na->a, imm | inner);
        return 0;
    }
    /* Both halves of one value. */
    if (na->op == N_AND && nb->op == N_AND && na->a == nb->a && imm_of(g, na->b, &imm) &&
        imm_of(g, nb->b, &inner))
        return g_op_imm(g, N_AND, na->a, imm | inner);
    /* a < b or a == b: not b < a. */
    if (nb->op == N_ULT || nb->op == N_SLT) {
        const struct node *swap = na;

        na = nb;
        nb = swap;
    }
    if ((na->op == N_ULT || na->op == N_SLT) && nb->op == N_EQ &&
        ((na->a == nb->a && na->b == nb->b) || (na->a == nb->b && na->b == nb->a)))
        return g_not(g, g_op(g, na->op, na->b, na->a));
    return 0;
}

static node_id fold_xor(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a);
    uint64_t imm, inner;

    if (a == b)
        return g_const(g, 0);
    if (!imm_of(g, b, &imm))
        return 0;
    if (imm == 0)
        return a;
    if (na->op == N_XOR && imm_of(g, na->b, &inner))
        return g_op_imm(g, N_XOR, na->a, imm ^ inner);
    if (imm == 1 && g_is_truth(g, a))
        return g_not(g, a);
    return 0;
}

static node_id fold_shift(struct graph *g, enum node_op op, node_id a, node_id b)
{
    const struct node *na = g_node(g, a);
    uint64_t imm, inner;

    if (na->op == N_CONST && na->imm == 0)
        return a;
    if (!imm_of(g, b, &imm))
        return 0;
    imm &= 63;
    if (imm == 0)
        return a;
    if (op == N_SAR && !(na->ones >> 63))
        return g_op_imm(g, N_SHR, a, imm);
    if (op == N_SHR && (na->ones >> imm) == 0)
        return g_const(g, 0);
    if (na->op == op && op != N_SAR && imm_of(g, na->b, &inner)) {
        if (imm + inner > 63)
            return g_const(g, 0);
        return g_op_imm(g, op, na->a, imm + inner);
    }
    if (op == N_SHR && na->op == N_SHL && imm_of(g, na->b, &inner) && inner == imm)
        return g_op_imm(g, N_AND, na->a, ~0ull >> imm);
    if (op == N_SHL && na->op == N_SHR && imm_of(g, na->b, &inner) && inner == imm)
        return g_op_imm(g, N_AND, na->a, ~0ull << imm);
    if (op == N_SHR && na->op == N_OR) { /* bytes put together, and taken apart again */
        if (g_node(g, na->a)->ones >> imm == 0)
            return g_op(g, N_SHR, na->b, b);
        if (g_node(g, na->b)->ones >> imm == 0)
            return g_op(g, N_SHR, na->a, b);
    }
    return 0;
}

static node_id fold_sext(struct graph *g, enum node_op op, node_id a)
{
    const struct node *na = g_node(g, a);
    unsigned int bits = op == N_SEXT8 ? 8 : op == N_SEXT16 ? 16 : 32;
    uint64_t inner;

    if (na->ones >> (bits - 1) == 0)
        return a;
    if (na->op == N_AND && imm_of(g, na->b, &inner) && (~inner & ((1ull << bits) - 1)) == 0)
        return g_op(g, op, na->a, 0);
    if (na->op == op)
        return a;
    return 0;
}

/* (x & c) == x, (x | c) == x: a test of bits. */
static node_id fold_bits_kept(struct graph *g, node_id changed, node_id x)
{
    const struct node *n = g_node(g, changed);
    uint64_t imm;

    if (n->a != x || !n->b || !imm_of(g, n->b, &imm))
        return 0;
    if (n->op == N_AND)
        return g_op_imm(g, N_EQ, g_op_imm(g, N_AND, x, ~imm & g_node(g, x)->ones), 0);
    return n->op == N_OR ? g_op_imm(g, N_EQ, g_op_imm(g, N_AND, x, imm), imm) : 0;
}

static node_id fold_eq(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a), *nb = g_node(g, b);
    uint64_t imm, inner;
    node_id bits;

    if (a == b)
        return g_const(g, 1);
    if (na->hi < nb->lo || nb->hi < na->lo)
        return g_const(g, 0);
    bits = fold_bits_kept(g, a, b);
    if (!bits)
        bits = fold_bits_kept(g, b, a);
    if (bits)
        return bits;
    if (!imm_of(g, b, &imm))
        return 0;
    if (imm & ~na->ones)
        return g_const(g, 0);
    if (g_is_truth(g, a)) {
        if (imm == 1)
            return a;
        if (na->op == N_EQ && imm_of(g, na->b, &inner) && inner == 0 && g_is_truth(g, na->a))
            return na->a; /* not not x */
    }
    switch (na->op) {
    case N_ADD:
        if (imm_of(g, na->b, &inner))
            return g_op_imm(g, N_EQ, na->a, imm - inner);
        break;
    case N_XOR:
        if (imm == 0)
            return g_op(g, N_EQ, na->a, na->b);
        if (imm_of(g, na->b, &inner))
            return g_op_imm(g, N_EQ, na->a, imm ^ inner);
        break;
    case N_SUB:
        if (imm == 0)
            return g_op(g, N_EQ, na->a, na->b);
        break;
    case N_AND: { /* ((x - y) & mask) == 0 with x and y within the mask */
        const struct node *in = g_node(g, na->a);
        uint64_t count;

        if (imm == 0 && in->op == N_SHR && imm_of(g, in->b, &count) && imm_of(g, na->b, &inner) &&
            inner << count >> count == inner) /* bits of x, wherever they were moved to */
            return g_op_imm(g, N_EQ, g_op_imm(g, N_AND, in->a, inner << count), 0);
        if (!imm_of(g, na->b, &inner) || !is_low_mask(inner))
            break;
        if (in->op == N_SUB && imm == 0 && g_node(g, in->a)->hi <= inner &&
            g_node(g, in->b)->hi <= inner)
            return g_op(g, N_EQ, in->a, in->b);
        if (in->op == N_ADD && g_node(g, in->b)->op == N_CONST && g_node(g, in->a)->hi <= inner)
            return g_op_imm(g, N_EQ, in->a, (imm - g_node(g, in->b)->imm) & inner);
        break;
    }
    case N_SEXT8:
    case N_SEXT16:
    case N_SEXT32:
        if (node_compute(na->op, imm, 0, 0) == imm) {
            unsigned int bytes = na->op == N_SEXT8 ? 1 : na->op == N_SEXT16 ? 2 : 4;

            return g_op_imm(g, N_EQ, g_low(g, na->a, bytes), imm & byte_mask(bytes));
        }
        return g_const(g, 0);
    case N_SHL: /* a single bit moved */
        if (imm == 0 && imm_of(g, na->b, &inner) &&
            (g_node(g, na->a)->ones << inner) >> inner == g_node(g, na->a)->ones)
            return g_op_imm(g, N_EQ, na->a, 0);
        break;
    default:
        break;
    }
    return 0;
}

static node_id fold_ult(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a), *nb = g_node(g, b);

    if (a == b || na->lo >= nb->hi)
        return g_const(g, 0);
    if (na->hi < nb->lo)
        return g_const(g, 1);
    if (nb->op == N_CONST && nb->imm == 1)
        return g_op_imm(g, N_EQ, a, 0);
    return 0;
}

static node_id fold_slt(struct graph *g, node_id a, node_id b)
{
    const struct node *na = g_node(g, a), *nb = g_node(g, b);

    if (a == b)
        return g_const(g, 0);
    if (!(na->ones >> 63) && !(nb->ones >> 63))
        return g_op(g, N_ULT, a, b);
    return 0;
}

node_id graph_fold(struct graph *g, enum node_op op, node_id a, node_id b)
{
    uint64_t imm;

    switch (op) {
    case N_ADD:
        return fold_add(g, a, b);
    case N_SUB:
        return fold_sub(g, a, b);
    case N_MUL:
        if (!imm_of(g, b, &imm))
            return 0;
        if (imm && (imm & (imm - 1)) == 0)
            return g_op_imm(g, N_SHL, a, (uint64_t)__builtin_ctzll(imm));
        return imm == 0 ? b : 0;
    case N_UDIV:
        return imm_of(g, b, &imm) && imm == 1 ? a : 0;
    case N_AND:
        return fold_and(g, a, b);
    case N_OR:
        return fold_or(g, a, b);
    case N_XOR:
        return fold_xor(g, a, b);
    case N_SHL:
    case N_SHR:
    case N_SAR:
        return fold_shift(g, op, a, b);
    case N_SEXT8:
    case N_SEXT16:
    case N_SEXT32:
        return fold_sext(g, op, a);
    case N_EQ:
        return fold_eq(g, a, b);
    case N_ULT:
        return fold_ult(g, a, b);
    case N_SLT:
        return fold_slt(g, a, b);
    default:
        return 0;
    }
}
