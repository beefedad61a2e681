/* SPDX-License-Identifier: MIT */
/* Segments of paths, the state that the lifter carries along them, and guards. */
#include <stdlib.h>
#include <string.h>

#include "work.h"

bool grow(struct work *w, void *array_pointer, uint32_t n, uint32_t *room, size_t each)
{
    void **array = array_pointer, *bigger;

    if (n < *room)
        return true;
    bigger = realloc(*array, (*room ? *room * 2 : 32) * each);
    if (!bigger) {
        refuse(w, SYNTH_NO_MEMORY, "path");
        return false;
    }
    *array = bigger;
    *room = *room ? *room * 2 : 32;
    return true;
}

struct segment *segment_new(struct work *w, uint64_t captures)
{
    struct segment *s;

    if (!grow(w, &w->all, w->nr_all, &w->all_room, sizeof(*w->all)))
        return NULL;
    s = calloc(1, sizeof(*s));
    if (!s) {
        refuse(w, SYNTH_NO_MEMORY, "segment");
        return NULL;
    }
    s->captures = captures;
    w->all[w->nr_all++] = s;
    return s;
}

struct effect *effect_add(struct work *w, struct segment *segment, enum effect_kind kind)
{
    struct effect *e;

    if (!grow(w, &segment->effect, segment->n, &segment->room, sizeof(*segment->effect)))
        return NULL;
    e = &segment->effect[segment->n++];
    memset(e, 0, sizeof(*e));
    e->kind = (uint8_t)kind;
    e->at = w->at;
    return e;
}

bool state_fork(struct work *w, const struct state *from, struct state *to, uint64_t captures)
{
    *to = *from;
    to->known = malloc(from->known_room * sizeof(*to->known));
    to->fact = malloc(from->facts_room * sizeof(*to->fact));
    to->captures = captures;
    to->segment = segment_new(w, captures);
    if (!to->segment || (from->known_room && !to->known) || (from->facts_room && !to->fact)) {
        refuse(w, SYNTH_NO_MEMORY, "fork");
        return false;
    }
    if (from->nr_known)
        memcpy(to->known, from->known, from->nr_known * sizeof(*to->known));
    if (from->nr_facts)
        memcpy(to->fact, from->fact, from->nr_facts * sizeof(*to->fact));
    return true;
}

void state_free(struct state *st)
{
    free(st->known);
    free(st->fact);
    st->known = NULL;
    st->fact = NULL;
}

node_id truth_here(struct work *w, const struct state *st, node_id truth)
{
    const struct node *t = g_node(&w->graph, truth);
    uint64_t c;

    if (g_is_const(&w->graph, truth, &c))
        return truth;
    for (uint32_t i = 0; i < st->nr_facts; i++) {
        const struct node *f = g_node(&w->graph, st->fact[i]);

        if (st->fact[i] == truth)
            return g_const(&w->graph, 1);
        if (f->op == N_EQ && g_is_truth(&w->graph, f->a) && f->a == truth)
            return g_const(&w->graph, 0); /* what holds is its negation */
        if (t->op == N_EQ && g_is_truth(&w->graph, t->a) && t->a == st->fact[i])
            return g_const(&w->graph, 0);
        if (f->op == N_EQ && t->op == N_EQ && f->a == t->a && g_is_const(&w->graph, f->b, &c) &&
            g_is_const(&w->graph, t->b, &c))
            return g_const(&w->graph, f->b == t->b);
    }
    return truth;
}

void fact_add(struct work *w, struct state *st, node_id truth)
{
    st->timed |= (g_node(&w->graph, truth)->rests & RESTS_TSC) != 0;
    if (grow(w, &st->fact, st->nr_facts, &st->facts_room, sizeof(*st->fact)))
        st->fact[st->nr_facts++] = truth;
}

void guard(struct work *w, struct state *st, node_id truth)
{
    node_id here = truth_here(w, st, truth);
    struct effect *e;
    uint64_t value;

    if (w->failed)
        return;
    if (!concrete_agreed(w, st->captures, truth, &value) || !value) {
        refuse(w, SYNTH_DISAGREES, "a guard does not hold in its own capture");
        return;
    }
    if (g_is_const(&w->graph, here, &value))
        return;
    e = effect_add(w, st->segment, E_GUARD);
    if (e)
        e->value = truth;
    fact_add(w, st, truth);
}

node_id pin(struct work *w, struct state *st, node_id a)
{
    uint64_t value;

    if (g_is_const(&w->graph, a, &value))
        return a;
    if (!concrete_agreed(w, st->captures, a, &value)) {
        refuse(w, SYNTH_PATHS_DIFFER, "a value that must be one number is not: %s",
               node_text(w, a));
        return g_const(&w->graph, 0);
    }
    guard(w, st, g_op_imm(&w->graph, N_EQ, a, value));
    return g_const(&w->graph, value);
}
