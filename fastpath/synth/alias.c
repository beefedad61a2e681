/* SPDX-License-Identifier: MIT */
/* Whether two places of memory are one. */
#include "work.h"

#define TABLE_BYTES 65536u

static enum alias compare(int64_t off_a, unsigned int size_a, int64_t off_b, unsigned int size_b)
{
    if (off_b >= off_a + (int64_t)size_a || off_a >= off_b + (int64_t)size_b)
        return ALIAS_NO;
    if (off_a == off_b && size_a == size_b)
        return ALIAS_SAME;
    if (off_b >= off_a && off_b + size_b <= off_a + (int64_t)size_a)
        return ALIAS_INSIDE;
    return ALIAS_PART;
}

/* Both on the stack, below amounts of which bounds are known: how far b is below a, at least and
 * most. */
static bool distance_below(struct graph *g, node_id sym_a, node_id sym_b, int64_t *least,
                           int64_t *most)
{
    const uint64_t far = 1u << 20;
    const struct node *d = g_node(g, g_op(g, N_SUB, sym_b, sym_a));
    const struct node *e = g_node(g, g_op(g, N_SUB, sym_a, sym_b));
    const struct node *a = g_node(g, sym_a), *b = g_node(g, sym_b);

    if (d->hi < far) {
        *least = (int64_t)d->lo;
        *most = (int64_t)d->hi;
    } else if (e->hi < far) {
        *least = -(int64_t)e->hi;
        *most = -(int64_t)e->lo;
    } else {
        *least = (int64_t)b->lo - (int64_t)a->hi;
        *most = (int64_t)b->hi - (int64_t)a->lo;
        return a->hi < far && b->hi < far;
    }
    return true;
}

static enum alias stack_alias(struct graph *g, const struct place *a, const struct place *b)
{
    int64_t least, most, delta = b->off - a->off;
    node_id none = g_const(g, 0);

    if (!distance_below(g, a->sym ? a->sym : none, b->sym ? b->sym : none, &least, &most))
        return ALIAS_MAY;
    /* b lies between delta - most and delta - least behind a. */
    return delta - most >= a->size || delta - least + b->size <= 0 ? ALIAS_NO : ALIAS_MAY;
}

static bool never_meet(enum region a, enum region b)
{
    if (a == b)
        return false;
    if (a == IN_STACK || a == IN_MASK || a == IN_M2P || b == IN_STACK || b == IN_MASK ||
        b == IN_M2P)
        return true;
    /* Per-CPU data, the kernel's variables and user memory; a pointer may lead anywhere. */
    return a != IN_POINTER && b != IN_POINTER;
}

enum alias alias(struct work *w, const struct place *a, const struct place *b)
{
    if (never_meet(a->region, b->region) || (a->region == IN_USER && b->kernel) ||
        (b->region == IN_USER && a->kernel))
        return ALIAS_NO;
    if (a->region == IN_STACK && a->sym != b->sym)
        return stack_alias(&w->graph, a, b);
    if (a->region == IN_STACK || a->base == b->base)
        return compare(a->off, a->size, b->off, b->size);
    return ALIAS_MAY;
}

/* Whether the address lies between two numbers that are not far apart: an index into a table of the kernel's. */
static bool between(const struct graph *g, const struct place *p, uint64_t *low, uint64_t *high)
{
    int64_t offset;
    const struct node *base = g_node(g, g_split(g, p->address, &offset));

    *low = (uint64_t)offset + base->lo; /* no base: 0 */
    *high = (uint64_t)offset + base->hi + p->size;
    return base->hi - base->lo < TABLE_BYTES;
}

/* !(x < bytes). */
static node_id kept_apart(struct graph *g, node_id x, uint64_t bytes)
{
    node_id truth = g_not(g, g_op_imm(g, N_ULT, x, bytes));

    g->node[truth].apart = g_node(g, truth)->op != N_CONST;
    return truth;
}

/* No byte of the place lies between. */
static node_id outside(struct graph *g, const struct place *p, uint64_t low, uint64_t high)
{
    uint64_t before = p->size - 1u;

    return kept_apart(g, g_op_imm(g, N_ADD, p->address, before - low), high - low + before);
}

node_id disjoint(struct work *w, const struct place *a, const struct place *b)
{
    struct graph *g = &w->graph;
    uint64_t low_a, high_a, low_b, high_b;
    bool number_a = between(g, a, &low_a, &high_a), number_b = between(g, b, &low_b, &high_b);
    const struct place *older = a;
    node_id distance;
    int64_t offset;

    if (number_a != number_b)
        return number_a ? outside(g, b, low_a, high_a) : outside(g, a, low_b, high_b);
    /* One distance for a pair of bases, however they are asked for. */
    if (g_split(g, b->address, &offset) < g_split(g, a->address, &offset)) {
        a = b;
        b = older;
    }
    distance = g_op(g, N_SUB, b->address, a->address);
    /* They overlap when -(size of b) < distance < size of a. */
    return kept_apart(g, g_op_imm(g, N_ADD, distance, b->size - 1u), a->size + b->size - 1u);
}

/* !(base + n < bytes): the base; 0: it is none of that kind. */
static node_id compared_base(const struct graph *g, node_id truth)
{
    const struct node *n = g_node(g, truth), *less = g_node(g, n->a);
    uint64_t zero;
    int64_t offset;

    if (n->op != N_EQ || !g_is_const(g, n->b, &zero) || zero || less->op != N_ULT)
        return 0;
    return g_split(g, less->a, &offset);
}

node_id bases_apart(struct work *w, const struct place *a, const struct place *b)
{
    return compared_base(&w->graph, disjoint(w, a, b));
}

bool bases_guarded(const struct graph *g, node_id truth, node_id bases)
{
    return bases && compared_base(g, truth) == bases;
}

bool disjoint_seen(struct work *w, uint64_t captures, const struct place *a, const struct place *b)
{
    uint64_t value;

    return concrete_agreed(w, captures, disjoint(w, a, b), &value) && value;
}
