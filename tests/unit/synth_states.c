/* SPDX-License-Identifier: MIT */
#include "synth_states.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void states_open(struct states *t, uint64_t seed)
{
    memset(t, 0, sizeof(*t));
    t->seed = seed;
    t->w = (struct work){ .in = &t->in, .out = &t->out, .nr = STATES };
    t->c.w = &t->w;
    for (unsigned int i = 0; i < STATES; i++)
        t->w.capture[i].head = &t->head[i];
    t->s.captures = t->child.captures = (1u << SEEN) - 1;
    assert_true(graph_init(&t->w.graph) && concrete_init(&t->w));
}

void states_close(struct states *t)
{
    assert_false(t->w.failed || t->w.graph.full);
    free(t->s.effect);
    free(t->child.effect);
    concrete_free(&t->w);
    graph_free(&t->w.graph);
}

uint64_t draw(struct states *t, uint64_t n)
{
    t->seed = t->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (t->seed >> 29) % n;
}

node_id value_read(struct states *t, uint64_t address)
{
    return g_load(&t->w.graph, g_const(&t->w.graph, address), 8, 0);
}

uint64_t worth(struct states *t, unsigned int state, node_id a)
{
    uint64_t value;

    assert_true(concrete_value(&t->w, state, a, &value));
    return value;
}

void add_guard(struct states *t, struct segment *s, node_id truth)
{
    struct effect *e = effect_add(&t->w, s, E_GUARD);

    assert_non_null(e);
    e->value = truth;
}

static bool hold(struct states *t, unsigned int state, const struct segment *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (!s->effect[i].dead && !worth(t, state, s->effect[i].value))
            return false;
    return true;
}

bool guards_hold(struct states *t, unsigned int state)
{
    return hold(t, state, &t->s) && hold(t, state, &t->child);
}

unsigned int guards_left(const struct segment *s)
{
    unsigned int n = 0;

    for (uint32_t i = 0; i < s->n; i++)
        n += !s->effect[i].dead;
    return n;
}
