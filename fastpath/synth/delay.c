/* SPDX-License-Identifier: MIT */
/*
 * Stores wait for the end of the path, behind every load: then no load has to be compared with what
 * is staged. A store may wait if no load that it lets pass reads what it writes: as far as the
 * addresses tell, or by a guard where they never met in the captures.
 */
#include "code.h"

struct pass {
    struct code *c;
    struct place store;
    struct {
        struct segment *segment;
        node_id truth;
    } guard[MAX_APART];
    unsigned int guards;
};

static bool guarded(const struct segment *s, node_id truth)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->effect[i].kind == E_GUARD && s->effect[i].value == truth)
            return true;
    return false;
}

static bool want_guard(struct pass *p, struct segment *s, const struct place *load)
{
    struct work *w = p->c->w;
    node_id truth = disjoint(w, &p->store, load);
    uint64_t one;

    if (g_is_const(&w->graph, truth, &one))
        return one;
    if (!disjoint_seen(w, s->captures, &p->store, load))
        return false;
    if (guarded(s, truth))
        return true;
    for (unsigned int i = 0; i < p->guards; i++)
        if (p->guard[i].segment == s && p->guard[i].truth == truth)
            return true;
    if (p->guards == p->c->w->limits.wait)
        return false;
    p->guard[p->guards].segment = s;
    p->guard[p->guards++].truth = truth;
    return true;
}

/* Whether all loads from effect `from` on, on every path, may go first. */
static bool lets_pass(struct pass *p, struct segment *s, uint32_t from)
{
    if (!s)
        return true;
    for (uint32_t i = from; i < s->n; i++) {
        const struct effect *e = &s->effect[i];
        enum alias how;

        if (e->kind != E_LOAD || !p->c->needed[e->value])
            continue;
        how = alias(p->c->w, &p->store, &e->place);
        if (how != ALIAS_NO && (how != ALIAS_MAY || !want_guard(p, s, &e->place)))
            return false;
    }
    return lets_pass(p, s->child[0], 0) && lets_pass(p, s->child[1], 0);
}

static void decide(struct code *c, struct segment *s, uint32_t i)
{
    struct pass p = { .c = c, .store = s->effect[i].place };

    if (!lets_pass(&p, s, i + 1))
        return;
    s->effect[i].waits = true;
    for (unsigned int g = 0; g < p.guards; g++) {
        struct effect *e = effect_add(c->w, p.guard[g].segment, E_GUARD);

        if (e)
            e->value = p.guard[g].truth;
    }
}

void delay_stores(struct code *c, struct segment *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n && !c->w->failed; i++) {
        c->w->at = s->effect[i].at;
        if (s->effect[i].kind == E_STORE && !s->effect[i].dead)
            decide(c, s, i);
    }
    delay_stores(c, s->child[0]);
    delay_stores(c, s->child[1]);
}
