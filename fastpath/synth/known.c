/* SPDX-License-Identifier: MIT */
/*
 * Arguments of which the guards together leave one number: a length that is clamped, clamped again, and
 * then looked at by words and by bytes.  One comparison says so instead of them all, and early: what is asked
 * for otherwise is the guest kernel's at once.
 */
#include "code.h"

/* Known of user mode's registers alone, when the handler begins. */
static bool of_arguments(const struct graph *g, node_id x)
{
    return g_node(g, x)->rests == RESTS_INPUT;
}

/* Of x, these bits are those of `value`. */
struct bits {
    node_id x;
    uint64_t mask, value;
};

static bool equal_bits(const struct graph *g, const struct node *equal, struct bits *out)
{
    const struct node *n = g_node(g, equal->a);
    uint64_t number, by;

    if (!g_is_const(g, equal->b, &number))
        return false;
    *out = (struct bits){ equal->a, ~0ull, number };
    if (n->op == N_AND && g_is_const(g, n->b, &by))
        *out = (struct bits){ n->a, by, number };
    else if (n->op == N_SHR && g_is_const(g, n->b, &by) && number << by >> by == number)
        *out = (struct bits){ n->a, ~0ull << by, number << by };
    return true;
}

/* What a guard says of bits. */
static bool bits_said(const struct graph *g, node_id truth, struct bits *out)
{
    const struct node *n = g_node(g, truth);
    uint64_t below;

    if (n->op == N_EQ)
        return equal_bits(g, n, out);
    if (n->op != N_ULT || !g_is_const(g, n->b, &below) || below < 2 || below > 1ull << 63)
        return false;
    *out = (struct bits){ n->a, ~0ull << (64 - __builtin_clzll(below - 1)), 0 };
    return true;
}

/* The guards on x from effect i on leave one number: effect i says so, the others are dead. */
static bool one_number(struct work *w, struct segment *s, uint32_t i)
{
    struct bits first, other;
    uint64_t mask, value, holds;
    unsigned int guards = 0;
    node_id whole;

    if (!bits_said(&w->graph, s->effect[i].value, &first) || !of_arguments(&w->graph, first.x))
        return false;
    mask = ~g_node(&w->graph, first.x)->ones;
    value = 0;
    for (uint32_t j = i; j < s->n; j++)
        if (s->effect[j].kind == E_GUARD && !s->effect[j].dead &&
            bits_said(&w->graph, s->effect[j].value, &other) && other.x == first.x) {
            mask |= other.mask;
            value |= other.value;
            guards++;
        }
    if (mask != ~0ull || guards < 2)
        return false;
    whole = g_op_imm(&w->graph, N_EQ, first.x, value);
    if (!concrete_agreed(w, s->captures, whole, &holds) || !holds)
        return false;
    for (uint32_t j = i; j < s->n; j++)
        if (s->effect[j].kind == E_GUARD && !s->effect[j].dead &&
            bits_said(&w->graph, s->effect[j].value, &other) && other.x == first.x)
            s->effect[j].dead = j != i;
    s->effect[i].value = whole;
    return true;
}

/* (c ? a : b) is a number, which one of a and b is not: c says which it was, and the other is the number. */
static bool one_choice(struct work *w, struct segment *s, uint32_t i)
{
    struct graph *g = &w->graph;
    struct node equal = *g_node(g, s->effect[i].value), choice = *g_node(g, equal.a);
    uint64_t number, other;
    struct effect *e;
    node_id chosen, why;

    if (equal.op != N_EQ || choice.op != N_ITE || !g_is_const(g, equal.b, &number) ||
        !of_arguments(g, equal.a))
        return false;
    if (g_is_const(g, choice.c, &other) && other != number) {
        chosen = choice.b;
        why = choice.a;
    } else if (g_is_const(g, choice.b, &other) && other != number) {
        chosen = choice.c;
        why = g_op_imm(g, N_EQ, choice.a, 0);
    } else {
        return false;
    }
    w->at = s->effect[i].at;
    e = effect_add(w, s, E_GUARD);
    if (!e)
        return false;
    e->value = why;
    s->effect[i].value = g_op_imm(g, N_EQ, chosen, number);
    return true;
}

void known_arguments(struct work *w)
{
    struct segment *s = w->root;
    bool more = true;

    while (more && !w->failed) {
        more = false;
        for (uint32_t i = 0; i < s->n && !w->failed; i++)
            if (s->effect[i].kind == E_GUARD && !s->effect[i].dead)
                more |= one_number(w, s, i) || one_choice(w, s, i);
    }
}

bool is_known_argument(const struct graph *g, node_id truth, node_id *x, uint64_t *number)
{
    const struct node *n = g_node(g, truth);

    *x = n->a;
    return n->op == N_EQ && of_arguments(g, n->a) && !g_is_truth(g, n->a) &&
           g_is_const(g, n->b, number);
}
