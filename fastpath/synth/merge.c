/* SPDX-License-Identifier: MIT */
/*
 * Guards of one piece of path that one comparison can make: bits of one value that must be clear,
 * and addresses that must not come near one another.  A guard may move forward to an earlier one of
 * the same value: it changes nothing but how soon the handler passes.
 */
#include "work.h"

/* (x & mask) == 0. */
static bool clear_bits(const struct graph *g, node_id truth, node_id *x, uint64_t *mask)
{
    const struct node *n = g_node(g, truth), *and = g_node(g, n->a);
    uint64_t zero;

    if (n->op != N_EQ || !g_is_const(g, n->b, &zero) || zero || and->op != N_AND)
        return false;
    *x = and->a;
    return g_is_const(g, and->b, mask);
}

#define FAR (1 << 24)
#define KERNEL_IMAGE 0xffffffff80000000ull /* where Linux is linked: only what pays rests on it */

bool keeps_apart(const struct graph *g, node_id truth, node_id *x, int64_t *from, int64_t *bytes)
{
    const struct node *n = g_node(g, truth), *less = g_node(g, n->a);
    uint64_t number;

    if (!n->apart || n->op != N_EQ || !g_is_const(g, less->b, &number) || !less->a)
        return false;
    *x = g_split(g, less->a, from);
    if (less->op == N_EQ) { /* of one byte */
        *from -= (int64_t)number;
        number = 1;
    }
    *bytes = (int64_t)number;
    return *x && (less->op == N_EQ || less->op == N_ULT) && number <= ~KERNEL_IMAGE;
}

static bool merge_bits(struct work *w, struct effect *a, struct effect *b)
{
    node_id x, y;
    uint64_t m, n;

    if (!clear_bits(&w->graph, a->value, &x, &m) || !clear_bits(&w->graph, b->value, &y, &n) ||
        x != y)
        return false;
    a->value = g_op_imm(&w->graph, N_EQ, g_op_imm(&w->graph, N_AND, x, m | n), 0);
    return true;
}

static bool merge_distance(struct work *w, const struct segment *s, struct effect *a,
                           struct effect *b)
{
    int64_t from[2], bytes[2], low, high;
    struct graph *g = &w->graph;
    node_id x, y, both;
    uint64_t holds;
    bool image;

    if (!keeps_apart(g, a->value, &x, &from[0], &bytes[0]) ||
        !keeps_apart(g, b->value, &y, &from[1], &bytes[1]) || x != y)
        return false;
    low = -from[0] < -from[1] ? -from[0] : -from[1];
    high = bytes[0] - from[0] > bytes[1] - from[1] ? bytes[0] - from[0] : bytes[1] - from[1];
    image = (uint64_t)low >= KERNEL_IMAGE && high < 0;
    if (high < low || (high - low > FAR && !image))
        return false;
    both = g_not(g,
                 g_op_imm(g, N_ULT, g_op_imm(g, N_ADD, x, (uint64_t)-low), (uint64_t)(high - low)));
    if (!concrete_agreed(w, s->captures, both, &holds) || !holds)
        return false;
    g->node[both].apart = true;
    a->value = both;
    return true;
}

void merge_guards(struct work *w, struct segment *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        for (uint32_t j = i + 1; j < s->n; j++) {
            struct effect *a = &s->effect[i], *b = &s->effect[j];

            if (a->kind == E_GUARD && b->kind == E_GUARD && !a->dead && !b->dead &&
                (a->value == b->value || merge_bits(w, a, b) || merge_distance(w, s, a, b)))
                b->dead = true;
        }
    }
    merge_guards(w, s->child[0]);
    merge_guards(w, s->child[1]);
}
