/* SPDX-License-Identifier: MIT */
/* Addresses as the program has them: bases that are near, and sums that keep places apart. */
#include "code.h"

#define NEAR (1ull << 24)

node_id near_base(struct code *c, node_id base, int64_t *off)
{
    uint64_t far = ((uint64_t)*off + NEAR / 2) & ~(NEAR - 1);

    if (!base || fits_imm((uint64_t)*off))
        return base;
    *off = (int64_t)((uint64_t)*off - far);
    return g_op_imm(&c->w->graph, N_ADD, base, far);
}

void choose_near(struct code *c, struct segment *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        struct place *p = &s->effect[i].place;

        if (s->effect[i].kind == E_STORE || (s->effect[i].kind == E_LOAD && p->region != IN_M2P)) {
            p->base = g_split(&c->w->graph, p->address, &p->off);
            p->base = near_base(c, p->base, &p->off);
        }
    }
    choose_near(c, s->child[0]);
    choose_near(c, s->child[1]);
}

bool as_apart(struct code *c, node_id truth, struct item *i)
{
    const struct graph *g = &c->w->graph;
    int64_t bytes;
    node_id x;

    if (!keeps_apart(g, truth, &x, &i->off, &bytes) || bytes > INT32_MAX)
        return false;
    i->a = x;
    i->b = 0;
    if (g_node(g, x)->op == N_SUB && g_node(g, g_node(g, x)->a)->op != N_CONST) {
        i->a = g_node(g, x)->a;
        i->b = g_node(g, x)->b;
    }
    i->a = near_base(c, i->a, &i->off);
    i->other = (uint32_t)bytes;
    i->kind = I_APART;
    return true;
}

node_id negative_of(const struct code *c, node_id a)
{
    for (uint32_t i = 0; i < c->nr_negated; i++)
        if (c->negated[i] == a)
            return c->negative[i];
    return 0;
}

static void count_apart(struct code *c, const struct segment *s, node_id *from, uint32_t *times,
                        uint32_t *n)
{
    struct item apart = { 0 };
    uint32_t k;

    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->effect[i].kind != E_GUARD || s->effect[i].dead ||
            !as_apart(c, s->effect[i].value, &apart) || !apart.b)
            continue;
        for (k = 0; k < *n && from[k] != apart.b; k++)
            ;
        if (k == MAX_NEGATED)
            continue;
        from[k] = apart.b;
        times[k]++;
        *n += k == *n;
    }
    count_apart(c, s->child[0], from, times, n);
    count_apart(c, s->child[1], from, times, n);
}

void choose_negated(struct code *c)
{
    node_id from[MAX_NEGATED];
    uint32_t times[MAX_NEGATED] = { 0 }, n = 0;

    count_apart(c, c->w->root, from, times, &n);
    for (uint32_t k = 0; k < n; k++) {
        if (times[k] < 2)
            continue;
        c->negated[c->nr_negated] = from[k];
        c->negative[c->nr_negated++] = g_op(&c->w->graph, N_SUB, g_const(&c->w->graph, 0), from[k]);
    }
}
