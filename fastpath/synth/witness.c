/* SPDX-License-Identifier: MIT */
/*
 * Guards that would be made by what a load gives.  A counter that the path takes up and down again is not stored: a
 * guard says what number it is, and others that no load reads it meanwhile.  If one did, the handler would have that
 * number among the bytes of its value; and where these make it no address of the kernel's, and the value is the
 * base of an access that asks for one (isa.def), that access stops the run.
 */
#include "code.h"
#include "run.h"

/* Whether a guard says that x is a number. */
static bool is_number(const struct graph *g, const struct scope *scope, node_id x, uint64_t *number)
{
    for (; x && scope; scope = scope->up) {
        for (uint32_t i = 0; i < scope->s->n; i++) {
            const struct effect *e = &scope->s->effect[i];
            const struct node *n = g_node(g, e->value);

            if (e->kind == E_GUARD && !e->dead && n->op == N_EQ && n->a == x && g_is_const(g, n->b, number))
                return true;
        }
    }
    return false;
}

/* How far the load is behind the place, if a is so far from b. */
static bool how_far(const struct graph *g, const struct effect *e, node_id a, node_id b, uint64_t distance,
                    int64_t *behind)
{
    int64_t load_off, off;
    node_id load = g_split(g, g_node(g, e->read)->a, &load_off), place = g_split(g, e->place.address, &off);

    *behind = load_off - off + (int64_t)(load == a ? distance : -distance);
    return (load == a && place == b) || (load == b && place == a);
}

/* The most that 8 bytes can be, that begin so far behind a number of `size` bytes. */
static uint64_t most(int64_t behind, uint64_t number, unsigned int size)
{
    uint64_t value = ~0ull;

    for (int64_t i = 0; i < 8; i++) {
        int64_t at = i + behind;

        if (at >= 0 && at < size)
            value = (value & ~(0xffull << (8 * i))) | (number >> (8 * at) & 0xff) << (8 * i);
    }
    return value;
}

struct effect *witness(struct code *c, const struct scope *scope, const struct effect *e, node_id a, node_id b,
                       uint64_t distance)
{
    const struct graph *g = &c->w->graph;
    const struct node *read = g_node(g, e->read);
    uint64_t number;
    int64_t behind;

    if (!e->read || read->op != N_LOAD || read->size != 8 || !is_number(g, scope, e->original, &number) ||
        !how_far(g, e, a, b, distance, &behind) || most(behind, number, e->place.size) >= FAST_GUARD)
        return NULL;
    for (uint32_t i = 0; i < scope->s->n; i++) {
        struct effect *access = &scope->s->effect[i];

        if (access->kind == E_LOAD && c->needed[access->value] && access->place.base == e->read &&
            half_of(c->w, scope->s->captures, &access->place) == ISA_KERNEL)
            return access;
    }
    return NULL;
}
