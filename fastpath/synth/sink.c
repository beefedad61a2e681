/* SPDX-License-Identifier: MIT */
/*
 * Stores go to the end of their path: staged there, they are seen by no load, and a load that comes
 * behind few stores needs no look at them.  A store passes a load that provably is elsewhere, or by
 * a guard that says so where it always was; stores keep their order.  Paths with few stores stay as
 * they are.
 */
#include <stdlib.h>
#include <string.h>

#include "work.h"

#define FEW_STORES 12    /* behind many a load is a call (fastpath/core/jit_guest.c); few: not worth it */
#define MAX_PENDING 24   /* their values wait in registers and stack slots */
#define MAX_DISTANCES 64 /* pairs of bases that guards keep apart, of one path */

struct sink {
    struct work *w;
    struct effect pending[MAX_PENDING];
    uint32_t n;
    node_id distance[MAX_DISTANCES];
    uint32_t nr_distances;
};

/* What is moved in a piece of path is put together anew. */
static struct effect *append(struct work *w, struct segment *s, const struct effect *e)
{
    struct effect *to = effect_add(w, s, (enum effect_kind)e->kind);

    if (to)
        *to = *e;
    return to;
}

/* The first `n` that wait are done here. */
static void release(struct sink *k, struct segment *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        append(k->w, s, &k->pending[i]);
    k->n -= n;
    memmove(k->pending, k->pending + n, k->n * sizeof(*k->pending));
}

/* It is distances of bases that cost. */
static bool affordable(struct sink *k, const struct place *a, const struct place *b)
{
    node_id distance = bases_apart(k->w, a, b);

    for (uint32_t i = 0; i < k->nr_distances; i++)
        if (k->distance[i] == distance)
            return true;
    if (k->nr_distances == MAX_DISTANCES)
        return false;
    k->distance[k->nr_distances++] = distance;
    return true;
}

/* The load may go before all that waits, but for what is released here. */
static void pass_load(struct sink *k, struct segment *s, const struct effect *load)
{
    for (uint32_t i = k->n; i-- > 0;) {
        const struct place *store = &k->pending[i].place;
        struct effect guard = { .kind = E_GUARD, .at = load->at };
        uint64_t one;

        if (alias(k->w, store, &load->place) == ALIAS_NO)
            continue;
        guard.value = disjoint(k->w, store, &load->place);
        if (g_is_const(&k->w->graph, guard.value, &one) && one)
            continue;
        if (alias(k->w, store, &load->place) != ALIAS_MAY ||
            !disjoint_seen(k->w, s->captures, store, &load->place) ||
            !affordable(k, store, &load->place)) {
            release(k, s, i + 1);
            return;
        }
        append(k->w, s, &guard);
    }
}

static void sink(struct sink *k, struct segment *s)
{
    struct effect *effect = s->effect;
    uint32_t n = s->n;

    s->effect = NULL;
    s->n = s->room = 0;
    for (uint32_t i = 0; i < n && !k->w->failed; i++) {
        const struct effect *e = &effect[i];

        if (e->dead)
            continue;
        if (e->kind == E_STORE) {
            if (k->n == MAX_PENDING)
                release(k, s, 1);
            k->pending[k->n++] = *e;
            continue;
        }
        if (e->kind == E_LOAD)
            pass_load(k, s, e);
        append(k->w, s, e);
    }
    free(effect);
    if (s->returns)
        release(k, s, k->n);
}

static void sink_paths(struct sink *k, struct segment *s)
{
    struct sink *copy;

    if (!s || k->w->failed)
        return;
    sink(k, s);
    if (s->returns)
        return;
    copy = malloc(sizeof(*copy));
    if (!copy) {
        refuse(k->w, SYNTH_NO_MEMORY, "paths");
        return;
    }
    for (int i = 0; i < 2; i++) {
        *copy = *k;
        sink_paths(copy, s->child[i]);
    }
    free(copy);
}

/* The most stores of one path. */
static uint32_t stores(const struct segment *s)
{
    uint32_t n = 0, left, right;

    if (!s)
        return 0;
    for (uint32_t i = 0; i < s->n; i++)
        n += s->effect[i].kind == E_STORE && !s->effect[i].dead;
    left = stores(s->child[0]);
    right = stores(s->child[1]);
    return n + (left > right ? left : right);
}

void sink_stores(struct work *w)
{
    struct sink *k;

    if (stores(w->root) <= FEW_STORES)
        return;
    k = calloc(1, sizeof(*k));
    if (!k) {
        refuse(w, SYNTH_NO_MEMORY, "stores");
        return;
    }
    k->w = w;
    sink_paths(k, w->root);
    free(k);
}
