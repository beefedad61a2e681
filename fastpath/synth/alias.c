/* SPDX-License-Identifier: MIT */
/* Whether two places of memory are one. */
#include "work.h"

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

/* Both on the stack, below amounts of which only bounds are known. */
static enum alias stack_alias(const struct work *w, const struct place *a, const struct place *b)
{
    const struct node *sa = g_node(&w->graph, a->sym), *sb = g_node(&w->graph, b->sym);
    int64_t low_a = a->off - (int64_t)(a->sym ? sa->hi : 0);
    int64_t high_a = a->off - (int64_t)(a->sym ? sa->lo : 0) + a->size;
    int64_t low_b = b->off - (int64_t)(b->sym ? sb->hi : 0);
    int64_t high_b = b->off - (int64_t)(b->sym ? sb->lo : 0) + b->size;

    return high_a <= low_b || high_b <= low_a ? ALIAS_NO : ALIAS_MAY;
}

static bool never_meet(enum region a, enum region b)
{
    if (a == b)
        return false;
    if (a == IN_STACK || a == IN_MASK || b == IN_STACK || b == IN_MASK)
        return true;
    /* Per-CPU data, the kernel's variables and user memory; a pointer may lead anywhere. */
    return a != IN_POINTER && b != IN_POINTER;
}

enum alias alias(const struct work *w, const struct place *a, const struct place *b)
{
    if (never_meet(a->region, b->region))
        return ALIAS_NO;
    if (a->region == IN_STACK && a->sym != b->sym)
        return stack_alias(w, a, b);
    if (a->region == IN_STACK || a->base == b->base)
        return compare(a->off, a->size, b->off, b->size);
    return ALIAS_MAY;
}

node_id disjoint(struct work *w, const struct place *a, const struct place *b)
{
    struct graph *g = &w->graph;
    node_id distance = g_op(g, N_SUB, b->address, a->address);

    /* They overlap when -(size of b) < distance < size of a. */
    return g_not(g, g_op_imm(g, N_ULT, g_op_imm(g, N_ADD, distance, b->size - 1u),
                             a->size + b->size - 1u));
}

bool disjoint_seen(struct work *w, uint64_t captures, const struct place *a, const struct place *b)
{
    uint64_t value;

    return concrete_agreed(w, captures, disjoint(w, a, b), &value) && value;
}
