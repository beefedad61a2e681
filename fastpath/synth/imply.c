/* SPDX-License-Identifier: MIT */
/*
 * Guards that need no instruction, since what else is done makes them: an access of guest memory passes unless
 * its base is in the half where it was (isa.def), and a value that is one number is not another.
 */
#include "code.h"
#include "run.h"

enum isa_half half_of(struct work *w, uint64_t captures, const struct place *p)
{
    bool user = p->region == IN_USER && p->off >= 0, kernel = p->region != IN_USER;
    uint64_t value;

    if (!p->base || w->in->user_end || (int64_t)(int32_t)p->off != p->off)
        return ISA_ANY;
    FOR_CAPTURES(i, captures)
    {
        if (!concrete_value(w, i, p->base, &value))
            return ISA_ANY;
        kernel &= value >= FAST_GUARD;
        user &= value < FAST_USER_END;
    }
    return kernel ? ISA_KERNEL : user ? ISA_USER : ISA_ANY;
}

/* Whether the segment has an access at the base, in the half. */
static bool accessed(struct code *c, const struct segment *s, node_id base, enum isa_half half)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct effect *e = &s->effect[i];
        bool done = e->kind == E_STORE || (e->kind == E_LOAD && c->needed[e->value]);

        if (done && !e->dead && e->place.base == base &&
            half_of(c->w, s->captures, &e->place) == half)
            return true;
    }
    return false;
}

/* truth = (x == number) is 0. */
static bool differs(const struct graph *g, node_id truth, node_id *x, uint64_t *number)
{
    const struct node *n = g_node(g, truth), *equal = g_node(g, n->a);
    uint64_t zero;

    if (n->op != N_EQ || !g_is_const(g, n->b, &zero) || zero || equal->op != N_EQ)
        return false;
    *x = equal->a;
    return g_is_const(g, equal->b, number);
}

/* truth = (x < bound), or that it is not. */
static bool bounded(const struct graph *g, node_id truth, node_id *x, uint64_t *bound, bool *below)
{
    const struct node *n = g_node(g, truth);
    uint64_t zero;

    *below = n->op == N_ULT;
    if (n->op == N_EQ && g_is_const(g, n->b, &zero) && zero == 0)
        n = g_node(g, n->a);
    *x = n->a;
    return n->op == N_ULT && g_is_const(g, n->b, bound);
}

/* Another guard of the segment says that x is a number, and not this one. */
static bool is_another(const struct code *c, const struct segment *s, node_id x, uint64_t number)
{
    const struct graph *g = &c->w->graph;

    for (uint32_t i = 0; i < s->n; i++) {
        const struct effect *e = &s->effect[i];
        const struct node *n = g_node(g, e->value);
        uint64_t other;

        if (e->kind == E_GUARD && !e->dead && n->op == N_EQ && n->a == x &&
            g_is_const(g, n->b, &other) && other != number && !g_is_truth(g, x))
            return true;
    }
    return false;
}

static bool implied(struct code *c, const struct segment *s, node_id truth)
{
    const struct graph *g = &c->w->graph;
    uint64_t number;
    bool below;
    node_id x;

    if (differs(g, truth, &x, &number))
        return (number < FAST_GUARD && accessed(c, s, x, ISA_KERNEL)) ||
               (number >= FAST_USER_END && accessed(c, s, x, ISA_USER)) ||
               is_another(c, s, x, number);
    if (!bounded(g, truth, &x, &number, &below))
        return false;
    return below ? number >= FAST_USER_END && accessed(c, s, x, ISA_USER)
                 : number <= FAST_GUARD && accessed(c, s, x, ISA_KERNEL);
}

void imply_guards(struct code *c, struct segment *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        struct effect *e = &s->effect[i];

        if (e->kind == E_GUARD && !e->dead && implied(c, s, e->value))
            e->dead = true;
    }
    imply_guards(c, s->child[0]);
    imply_guards(c, s->child[1]);
}
