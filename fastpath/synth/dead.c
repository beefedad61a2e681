/* SPDX-License-Identifier: MIT */
/*
 * Stores that need not be done: overwritten by a later one on every path, or taken back (a counter
 * up and down again, a lock taken and released).  What lies between must not see them; where an
 * address could be the same and never was, a guard says so.  Then the rules for stores that remain.
 */
#include <string.h>

#include "work.h"

#define MAX_GROUP 32

struct hunt {
    struct work *w;
    struct place place;
    node_id original; /* taken back: what was there before; 0: only overwriting counts */
    bool numbers;     /* what was there, and is there now, is a number: parts can take it back as well */
    uint64_t was, now;
    struct {
        struct segment *segment;
        node_id truth, distance, read;
    } guard[MAX_APART];
    unsigned int guards, distances;
    struct {
        struct segment *segment;
        uint32_t i;
    } group[MAX_GROUP];
    unsigned int grouped;
};

/* Of two places' bases; false: one too many. */
static bool distance_between(struct hunt *h, const struct place *other, node_id *distance)
{
    *distance = bases_apart(h->w, &h->place, other);
    for (unsigned int i = 0; i < h->guards; i++)
        if (h->guard[i].distance == *distance)
            return true;
    return h->distances++ < h->w->limits.dead;
}

/* read: what was loaded there, or 0. */
static bool apart(struct hunt *h, struct segment *s, const struct place *other, node_id read)
{
    node_id truth, distance;
    uint64_t one;

    if (!disjoint_seen(h->w, s->captures, &h->place, other))
        return false;
    truth = disjoint(h->w, &h->place, other);
    if (g_is_const(&h->w->graph, truth, &one))
        return one;
    for (unsigned int i = 0; i < h->guards; i++) {
        if (h->guard[i].truth == truth && h->guard[i].segment == s) {
            if (h->guard[i].read != read)
                h->guard[i].read = 0; /* more than one */
            return true;
        }
    }
    if (h->guards == h->w->limits.dead_guards || !distance_between(h, other, &distance))
        return false;
    h->guard[h->guards].distance = distance;
    h->guard[h->guards].segment = s;
    h->guard[h->guards].read = read;
    h->guard[h->guards++].truth = truth;
    return true;
}

enum found { GOES_ON, ENDS_WELL, ENDS_BADLY };

/* A store to some of the bytes: of a lock word, the one that says that it is held. */
static bool is_part(const struct hunt *h, const struct effect *e)
{
    uint64_t value;

    return h->numbers && alias(h->w, &h->place, &e->place) == ALIAS_INSIDE &&
           g_is_const(&h->w->graph, e->value, &value);
}

static enum found part_taken_back(struct hunt *h, const struct effect *e)
{
    unsigned int at = 8 * (unsigned int)(e->place.off - h->place.off);
    uint64_t value, mask = byte_mask(e->place.size) << at;

    if (!is_part(h, e) || !g_is_const(&h->w->graph, e->value, &value))
        return ENDS_BADLY;
    h->now = (h->now & ~mask) | (value << at & mask);
    return h->now == h->was ? ENDS_WELL : GOES_ON;
}

static enum found look_at(struct hunt *h, struct segment *s, uint32_t i)
{
    const struct effect *e = &s->effect[i];
    enum alias how;

    if (e->dead || (e->kind != E_LOAD && e->kind != E_STORE && e->kind != E_PT))
        return GOES_ON;
    how = alias(h->w, &e->place, &h->place);
    if (how == ALIAS_NO)
        return GOES_ON;
    if (how == ALIAS_MAY) {
        if (e->kind == E_STORE && !h->original)
            return GOES_ON; /* the later one that overwrites wins either way */
        return apart(h, s, &e->place, e->kind == E_LOAD ? e->value : 0) ? GOES_ON : ENDS_BADLY;
    }
    if (e->kind == E_LOAD || e->kind == E_PT || (how == ALIAS_PART && !is_part(h, e)))
        return ENDS_BADLY;
    if (!h->original)
        return ENDS_WELL;
    if (h->grouped == MAX_GROUP)
        return ENDS_BADLY;
    h->group[h->grouped].segment = s;
    h->group[h->grouped++].i = i;
    if (how != ALIAS_SAME)
        return part_taken_back(h, e);
    h->numbers = false;
    return e->value == h->original ? ENDS_WELL : GOES_ON;
}

/* Whether every path from here on ends well. */
static bool search(struct hunt *h, struct segment *s, uint32_t from)
{
    bool numbers;
    uint64_t now;

    for (uint32_t i = from; i < s->n; i++) {
        enum found found = look_at(h, s, i);

        if (found != GOES_ON)
            return found == ENDS_WELL;
    }
    if (s->returns || !s->branch)
        return false;
    numbers = h->numbers;
    now = h->now;
    for (int i = 0; i < 2; i++) {
        h->numbers = numbers;
        h->now = now;
        if (s->child[i] && !search(h, s->child[i], 0))
            return false;
    }
    return true;
}

static void add_guards(struct hunt *h)
{
    for (unsigned int i = 0; i < h->guards; i++) {
        struct effect *e = effect_add(h->w, h->guard[i].segment, E_GUARD);

        if (!e)
            return;
        e->value = h->guard[i].truth;
        e->place = h->place;
        e->original = h->original;
        e->read = h->guard[i].read;
    }
}

/* Both sides of the store are numbers: by a guard before it, what was there. */
static void know_numbers(struct hunt *h, const struct segment *s, uint32_t i)
{
    const struct graph *g = &h->w->graph;

    for (uint32_t k = 0; k < i && !h->numbers; k++) {
        const struct effect *e = &s->effect[k];
        const struct node *n = g_node(g, e->value);

        h->numbers = e->kind == E_GUARD && n->op == N_EQ && n->a == h->original &&
                     g_is_const(g, n->b, &h->was) && g_is_const(g, s->effect[i].value, &h->now);
    }
}

static void try_store(struct work *w, struct segment *s, uint32_t i)
{
    struct hunt h = { .w = w, .place = s->effect[i].place };

    w->at = s->effect[i].at;
    if (s->effect[i].original) { /* the whole group, this one included */
        h.original = s->effect[i].original;
        know_numbers(&h, s, i);
        if (s->effect[i].value == h.original || search(&h, s, i + 1)) {
            s->effect[i].dead = true;
            for (unsigned int j = 0; j < h.grouped; j++)
                h.group[j].segment->effect[h.group[j].i].dead = true;
            explain_at(w, w->at, "store of %u bytes at %s is taken back: not done", h.place.size,
                       node_text(w, h.place.address));
            add_guards(&h);
            return;
        }
        h = (struct hunt){ .w = w, .place = s->effect[i].place };
    }
    if (search(&h, s, i + 1)) {
        s->effect[i].dead = true;
        add_guards(&h);
    }
}

/*
 * Bits cleared that are clear already, or set that are set: a guard says so, and nothing is stored.
 * Only where every capture had it so, and where the value rests on nothing but what was there.
 */
static void try_no_change(struct work *w, struct segment *s, uint32_t i)
{
    struct effect *e = &s->effect[i];
    const struct node *n = g_node(&w->graph, e->value);
    node_id same;
    uint64_t holds;

    if (e->dead || !e->original || (n->op != N_AND && n->op != N_OR) || n->a != e->original ||
        g_node(&w->graph, n->b)->op != N_CONST)
        return;
    same = g_op(&w->graph, N_EQ, e->value, e->original);
    if (!concrete_agreed(w, s->captures, same, &holds) || !holds)
        return;
    e->kind = E_GUARD;
    e->value = same;
}

/* Stores on the way from the root, for "the first one there". */
struct way {
    const struct way *up;
    const struct segment *segment;
    uint32_t upto;
};

static bool is_first(struct work *w, const struct way *way, const struct place *p)
{
    for (; way; way = way->up) {
        for (uint32_t i = 0; i < way->upto; i++) {
            const struct effect *e = &way->segment->effect[i];

            if (e->kind == E_STORE && !e->dead && alias(w, &e->place, p) != ALIAS_NO &&
                alias(w, &e->place, p) != ALIAS_MAY)
                return false;
        }
    }
    return true;
}

static void walk(struct work *w, struct segment *s, const struct way *up)
{
    struct way way = { up, s, 0 };

    if (!s || w->failed)
        return;
    for (uint32_t i = 0; i < s->n && !w->failed; i++) {
        way.upto = i;
        if (s->effect[i].kind != E_STORE || s->effect[i].dead)
            continue;
        if (!is_first(w, &way, &s->effect[i].place))
            s->effect[i].original = 0;
        try_store(w, s, i);
        try_no_change(w, s, i);
    }
    way.upto = s->n;
    walk(w, s->child[0], &way);
    walk(w, s->child[1], &way);
}

static void check_rest(struct work *w, node_id a, const char *what)
{
    if (g_node(&w->graph, a)->rests & RESTS_UNKNOWN)
        refuse(w, SYNTH_STACK_UNKNOWN, "%s: %s", what, node_text(w, a));
}

static void check_effect(struct work *w, const struct effect *e)
{
    w->at = e->at;
    if (e->dead)
        return;
    if (e->kind == E_GUARD) {
        check_rest(w, e->value, "a guard");
        if (g_node(&w->graph, e->value)->rests & RESTS_STACK)
            return; /* compared, not kept */
    }
    if (e->kind == E_PT) {
        check_rest(w, e->ptr, "a page-table entry's address");
        check_rest(w, e->value, "a page-table entry");
        if ((g_node(&w->graph, e->ptr)->rests | g_node(&w->graph, e->value)->rests) & RESTS_STACK)
            refuse(w, SYNTH_STACK_ESCAPES, "a page-table entry");
    }
    if (e->kind != E_STORE)
        return;
    check_rest(w, e->place.address, "an address");
    check_rest(w, e->value, "a stored value");
    if (g_node(&w->graph, e->value)->rests & RESTS_STACK)
        refuse(w, SYNTH_STACK_ESCAPES, "stored: %s", node_text(w, e->value));
    if (e->place.own || e->place.region == IN_USER)
        return;
    if (!w->in->one_vcpu)
        refuse(w, SYNTH_SHARED_STORE, "at %s", node_text(w, e->place.address));
    w->one_vcpu_used = true;
}

static unsigned int returns_in(const struct segment *s)
{
    return s ? s->returns + returns_in(s->child[0]) + returns_in(s->child[1]) : 0;
}

/* What the verifier would find of the whole program. */
static void check_number(struct work *w, const struct segment *s, unsigned int *stores)
{
    for (uint32_t i = 0; i < s->n; i++)
        *stores += !s->effect[i].dead && (s->effect[i].kind == E_STORE || s->effect[i].kind == E_PT);
    w->at = s->at;
    if (*stores > FAST_MAX_STAGED)
        refuse(w, SYNTH_TOO_LONG, "%u stores on one path", *stores);
}

/* `stores` were before it.  False: nothing in it can be handled. */
static bool check_segment(struct work *w, struct segment **at, unsigned int stores)
{
    struct segment *s = *at;
    bool some = false;

    if (!s)
        return false;
    for (uint32_t i = 0; i < s->n && !w->failed; i++)
        check_effect(w, &s->effect[i]);
    if (!w->failed)
        check_number(w, s, &stores);
    w->at = s->at;
    if (!w->failed && s->branch)
        check_rest(w, s->branch, "a branch");
    for (unsigned int r = 0; r < NR_REGS && s->returns && !w->failed; r++) {
        check_rest(w, s->final[r], "a register of user mode");
        if (g_node(&w->graph, s->final[r])->rests & RESTS_STACK)
            refuse(w, SYNTH_STACK_ESCAPES, "a register of user mode: %s",
                   node_text(w, s->final[r]));
    }
    if (w->failed && s != w->root) { /* the rest can go on without it */
        explain(w, "left to the guest kernel: %s: %s\n", synth_reason_name(w->out->reason),
                w->out->detail);
        w->failed = false;
        w->out->reason = SYNTH_OK;
        w->out->paths -= returns_in(s);
        w->out->paths_left_out += returns_in(s);
        *at = NULL;
        return false;
    }
    if (w->failed || s->returns)
        return !w->failed;
    some = check_segment(w, &s->child[0], stores);
    some = check_segment(w, &s->child[1], stores) || some;
    if (!some && s == w->root && !w->failed)
        refuse(w, SYNTH_NO_PATH, "every path is left to the guest kernel");
    if (!some)
        *at = NULL;
    return some;
}

void remove_dead(struct work *w)
{
    walk(w, w->root, NULL);
    if (!w->failed)
        check_segment(w, &w->root, 0);
    if (!w->failed && !w->root)
        refuse(w, SYNTH_NO_PATH, "every path is left to the guest kernel");
}
