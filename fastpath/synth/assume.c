/* SPDX-License-Identifier: MIT */
/*
 * What guards say of values that are chosen by it.  Nothing is taken unless every guard of the first piece
 * of path holds, so whatever is computed may assume them, before they are made as well: a choice that one
 * of them decides is none, and an argument that one of them says is a number is that.  A guard itself is
 * kept, but for what others say of its operands: a node is made of older ones, so no two guards can stand for
 * each other; one that says what an argument is, is kept as it is.
 */
#include <stdlib.h>

#include "code.h"

struct assume {
    struct work *w;
    node_id *to; /* by node: what it is where the guards hold */
    struct said {
        node_id truth;
        bool holds;
    } *said;
    uint32_t n;
};

static bool compares(const struct graph *g, node_id a)
{
    unsigned int op = g_node(g, a)->op;

    return op == N_EQ || op == N_ULT || op == N_SLT;
}

/* Without the negations around it. */
static struct said core_of(const struct graph *g, node_id truth)
{
    struct said s = { truth, true };
    uint64_t zero;

    for (;;) {
        const struct node *n = g_node(g, s.truth);

        if (n->op != N_EQ || !g_is_const(g, n->b, &zero) || zero || !g_is_truth(g, n->a))
            return s;
        s.truth = n->a;
        s.holds = !s.holds;
    }
}

/* Whether a guard decides the comparison: it is that, or says that x is another number, or below something. */
static bool decided(const struct assume *as, node_id truth, uint64_t *value)
{
    const struct graph *g = &as->w->graph;
    const struct node *t = g_node(g, truth);
    uint64_t number, other;
    bool equals = t->op == N_EQ && g_is_const(g, t->b, &number);

    for (uint32_t i = 0; i < as->n; i++) {
        const struct node *n = g_node(g, as->said[i].truth);

        *value = as->said[i].holds;
        if (as->said[i].truth == truth)
            return true;
        *value = 0;
        if (equals && as->said[i].holds && n->a == t->a &&
            ((n->op == N_EQ && g_is_const(g, n->b, &other) && other != number) ||
             (n->op == N_ULT && number == ~0ull)))
            return true;
    }
    return false;
}

/* Whether a guard says that the node, of the arguments, is a number. */
static bool is_number(const struct assume *as, node_id a, uint64_t *number)
{
    node_id x;

    for (uint32_t i = 0; i < as->n; i++)
        if (as->said[i].holds && is_known_argument(&as->w->graph, as->said[i].truth, &x, number) &&
            x == a)
            return true;
    return false;
}

static node_id rebuilt(struct assume *as, node_id a)
{
    struct graph *g = &as->w->graph;
    struct node n = *g_node(g, a); /* a copy: the graph may move */
    node_id x = as->to[n.a], y = as->to[n.b], z = as->to[n.c];
    uint64_t cond;

    if (n.op < N_ADD || (x == n.a && y == n.b && z == n.c))
        return a;
    if (n.op != N_ITE)
        return g_op(g, (enum node_op)n.op, x, y);
    return g_is_const(g, x, &cond) ? (cond ? y : z) : g_ite(g, x, y, z);
}

static void assume_nodes(struct assume *as, uint32_t n)
{
    struct graph *g = &as->w->graph;
    uint64_t value;

    for (node_id a = 1; a < n; a++) {
        as->to[a] = rebuilt(as, a);
        if ((compares(g, a) && decided(as, a, &value)) || is_number(as, a, &value))
            as->to[a] = g_const(g, value);
    }
}

static node_id guard_with(struct assume *as, node_id truth)
{
    struct graph *g = &as->w->graph;
    struct said s = core_of(g, truth);
    bool apart = g_node(g, truth)->apart;
    node_id now, x;
    uint64_t number;

    if (s.holds && is_known_argument(g, s.truth, &x, &number) && is_number(as, x, &number))
        return truth;
    now = rebuilt(as, s.truth);
    if (now == s.truth)
        return truth;
    truth = s.holds ? now : g_not(g, now);
    if (apart && g_node(g, truth)->op != N_CONST)
        g->node[truth].apart = true;
    return truth;
}

static void move_place(struct assume *as, struct place *p)
{
    bool whole = p->base && p->region != IN_M2P;

    if (g_node(&as->w->graph, as->to[p->address])->op == N_CONST)
        return; /* what is known of the place is of its base */
    p->address = as->to[p->address];
    if (whole)
        p->base = g_split(&as->w->graph, p->address, &p->off);
    else
        p->base = as->to[p->base];
}

static void assume_effect(struct assume *as, struct effect *e)
{
    uint64_t one;

    if (e->kind == E_GUARD) {
        e->value = guard_with(as, e->value);
        e->dead |= g_is_const(&as->w->graph, e->value, &one) && one;
        return;
    }
    if (e->kind == E_TSC)
        return;
    move_place(as, &e->place);
    if (e->kind == E_LOAD)
        return;
    e->value = as->to[e->value];
    e->original = as->to[e->original];
    e->ptr = as->to[e->ptr];
}

static void assume_segment(struct assume *as, struct segment *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        assume_effect(as, &s->effect[i]);
    if (s->branch)
        s->branch = guard_with(as, s->branch);
    for (unsigned int r = 0; r < NR_REGS && s->returns; r++)
        if (g_node(&as->w->graph, s->final[r])->op != N_INPUT) /* one that is left alone */
            s->final[r] = as->to[s->final[r]];
    assume_segment(as, s->child[0]);
    assume_segment(as, s->child[1]);
}

void assume_guards(struct work *w)
{
    uint32_t n = w->graph.n;
    struct assume as = { .w = w,
                         .to = calloc(n, sizeof(*as.to)),
                         .said = calloc(w->root->n + 1, sizeof(*as.said)) };

    if (!as.to || !as.said) {
        refuse(w, SYNTH_NO_MEMORY, "guards");
    } else {
        for (uint32_t i = 0; i < w->root->n; i++)
            if (w->root->effect[i].kind == E_GUARD && !w->root->effect[i].dead)
                as.said[as.n++] = core_of(&w->graph, w->root->effect[i].value);
        assume_nodes(&as, n);
        assume_segment(&as, w->root);
    }
    free(as.to);
    free(as.said);
}
