/* SPDX-License-Identifier: MIT */
/*
 * Places kept apart by what the kernel's objects are aligned to.  Where two addresses are multiples of 2^k so is their
 * distance: a guard that forbids distances among which there is no such multiple holds then, and of one that
 * forbids a single multiple a comparison is left.  That many addresses are aligned is one look at them all, bit
 * by bit, and one instruction for each; a distance takes three.
 */
#include "code.h"

#include <stdlib.h>

#define MOST 6u /* a cache line.  That the captures saw more was chance */
#define MAX_PAIRS 64u
#define MAX_PARTS 96u

/* Two addresses, and what guards of the segment forbid of their distance. */
struct pair {
    node_id distance, a, b;
    unsigned int k;  /* by multiples of 2^k: */
    bool one;        /* one distance is left, else none */
    bool taken;
    uint64_t left;
};

/* A guard of the segment that keeps two addresses apart, looked up once. */
struct about {
    struct effect *guard;
    node_id distance, a, b;
    int64_t from, bytes;
};

/* What must be a multiple of 2^k. */
struct part {
    node_id node;
    unsigned int k;
};

struct aligned {
    const struct aligned *up; /* what the segments before it look at */
    struct scope scope;
    struct code *c;
    struct work *w;
    struct segment *s;
    struct about *about;
    uint32_t abouts;
    struct pair pair[MAX_PAIRS];
    struct part part[MAX_PARTS];
    uint32_t pairs, parts;
};

static bool is_about(const struct graph *g, struct effect *e, struct about *out)
{
    const struct node *n;

    if (e->kind != E_GUARD || e->dead || !keeps_apart(g, e->value, &out->distance, &out->from, &out->bytes))
        return false;
    n = g_node(g, out->distance);
    out->guard = e;
    out->a = n->a;
    out->b = n->b;
    return n->op == N_SUB && g_node(g, out->a)->op != N_CONST && g_node(g, out->b)->op != N_CONST;
}

/* Without memory for them, the guards stay as they are. */
static void list_guards(struct aligned *al)
{
    al->about = calloc(al->s->n + 1, sizeof(*al->about));
    for (uint32_t i = 0; al->about && i < al->s->n; i++)
        al->abouts += is_about(&al->w->graph, &al->s->effect[i], &al->about[al->abouts]);
}

/* ------------------------------------------------------------------ what is to be looked at */

/* Notes that the node is to be a multiple of 2^k, by what it is a sum of. */
static bool add_part(struct aligned *al, node_id a, unsigned int k)
{
    const struct node *n = g_node(&al->w->graph, a);

    if (!(n->ones & ((1u << k) - 1)))
        return true;
    if (n->op == N_CONST)
        return false;
    if (n->op == N_ADD || n->op == N_SUB)
        return add_part(al, n->a, k) && add_part(al, n->b, k);
    for (const struct aligned *up = al->up; up; up = up->up)
        for (uint32_t i = 0; i < up->parts; i++)
            if (up->part[i].node == a && up->part[i].k >= k)
                return true;
    for (uint32_t i = 0; i < al->parts; i++) {
        if (al->part[i].node == a) {
            al->part[i].k = al->part[i].k > k ? al->part[i].k : k;
            return true;
        }
    }
    if (al->parts == MAX_PARTS)
        return false;
    al->part[al->parts++] = (struct part){ a, k };
    return true;
}

static bool add_pair_parts(struct aligned *al, const struct pair *p)
{
    return add_part(al, p->a, p->k) && add_part(al, p->b, p->k);
}

/* (a & (2^k - 1)) == 0. */
static node_id is_multiple(struct graph *g, node_id a, unsigned int k)
{
    return g_op_imm(g, N_EQ, g_op_imm(g, N_AND, a, (1u << k) - 1), 0);
}

/* Whether all that must be aligned was, in the captures. */
static bool seen(struct aligned *al)
{
    uint64_t holds;

    for (uint32_t i = 0; i < al->parts; i++)
        if (!concrete_agreed(al->w, al->s->captures, is_multiple(&al->w->graph, al->part[i].node, al->part[i].k),
                             &holds) ||
            !holds)
            return false;
    return true;
}

/* ------------------------------------------------------------------ what that does for a pair */

/* Other distances of the pair than *left that a guard forbids: multiples of 2^k that nothing else would stop at. */
static unsigned int forbidden_by(const struct aligned *al, const struct about *by, const struct pair *p, bool some,
                                 uint64_t *left)
{
    uint64_t step = 1ull << p->k, first = ((uint64_t)-by->from + step - 1) & ~(step - 1);
    unsigned int n = 0;

    for (uint64_t d = first; n < 2 && d + (uint64_t)by->from < (uint64_t)by->bytes; d += step) {
        if (((some || n) && d == *left) || witness(al->c, &al->scope, by->guard, p->a, p->b, d))
            continue;
        *left = d;
        n++;
    }
    return n;
}

/* How many the guards on the pair forbid: *left is the one, if it is only one. */
static unsigned int forbidden(const struct aligned *al, const struct pair *p, uint64_t *left)
{
    unsigned int n = 0;

    for (uint32_t i = 0; i < al->abouts && n < 2; i++)
        if (al->about[i].distance == p->distance)
            n += forbidden_by(al, &al->about[i], p, n, left);
    return n;
}

/* The least alignment after which at most `rest` distances are left to forbid. */
static bool choose_k(struct aligned *al, struct pair *p, unsigned int rest)
{
    unsigned int n;
    bool good;

    for (p->k = 1; p->k <= MOST; p->k++) {
        n = forbidden(al, p, &p->left);
        p->one = n == 1;
        if (n > rest)
            continue;
        al->parts = 0;
        good = add_pair_parts(al, p) && seen(al);
        al->parts = 0;
        if (good)
            return true;
    }
    return false;
}

static void find_pairs(struct aligned *al)
{
    uint32_t k;

    for (uint32_t i = 0; i < al->abouts && al->pairs < MAX_PAIRS; i++) {
        const struct about *by = &al->about[i];
        struct pair p = { .distance = by->distance, .a = by->a, .b = by->b };

        for (k = 0; k < i && al->about[k].distance != p.distance; k++)
            ; /* seen before: taken, or found to be of no use */
        if (k == i && (choose_k(al, &p, 0) || choose_k(al, &p, 1)))
            al->pair[al->pairs++] = p;
    }
}

/* ------------------------------------------------------------------ whether it pays */

/* Instructions: the addresses put together and looked at, one comparison for each alignment. */
static unsigned int price_of_parts(const struct aligned *al)
{
    unsigned int n[MOST + 1] = { 0 }, price = 0;

    for (uint32_t i = 0; i < al->parts; i++)
        n[al->part[i].k]++;
    for (unsigned int k = 1; k <= MOST; k++)
        price += n[k] == 0 ? 0 : n[k] == 1 ? 2 : n[k] + 2;
    return price;
}

/* A distance: and what it is from, negated, once. */
static unsigned int price_of_pairs(const struct aligned *al)
{
    unsigned int price = 0;

    for (uint32_t i = 0; i < al->pairs; i++) {
        bool first = true;

        if (al->pair[i].taken) {
            price += al->pair[i].one ? 3 : 0;
            continue;
        }
        for (uint32_t j = 0; j < i; j++)
            first &= al->pair[j].taken || al->pair[j].b != al->pair[i].b;
        price += first ? 5 : 3;
    }
    return price;
}

/* With none of the pairs, those of which nothing is left, or all. */
static unsigned int take(struct aligned *al, unsigned int most_left)
{
    bool room = true;

    al->parts = 0;
    for (uint32_t i = 0; i < al->pairs; i++) {
        al->pair[i].taken = most_left > al->pair[i].one;
        if (al->pair[i].taken)
            room &= add_pair_parts(al, &al->pair[i]);
    }
    return room ? price_of_parts(al) + price_of_pairs(al) : UINT32_MAX;
}

static void take_best(struct aligned *al)
{
    unsigned int best = 0;

    for (unsigned int most = 1; most <= 2; most++)
        if (take(al, most) < take(al, best))
            best = most;
    take(al, best);
}

/* ------------------------------------------------------------------ done */

/* What stops the handler in place of guard e is done in any case. */
static void keep_witnesses(struct aligned *al, const struct effect *e, const struct pair *p, int64_t from,
                           int64_t bytes)
{
    uint64_t step = 1ull << p->k;

    for (uint64_t d = ((uint64_t)-from + step - 1) & ~(step - 1); d + (uint64_t)from < (uint64_t)bytes; d += step) {
        struct effect *access = witness(al->c, &al->scope, e, p->a, p->b, d);

        if (access)
            access->kept = true;
    }
}

static void replace_guards(struct aligned *al, const struct pair *p)
{
    struct graph *g = &al->w->graph;
    bool left = p->one;

    for (uint32_t i = 0; i < al->abouts; i++) {
        struct effect *e = al->about[i].guard;

        if (al->about[i].distance != p->distance)
            continue;
        al->w->at = e->at;
        keep_witnesses(al, e, p, al->about[i].from, al->about[i].bytes);
        e->dead = !left;
        if (left)
            e->value = g_not(g, g_op(g, N_EQ, p->a, g_op_imm(g, N_ADD, p->b, p->left)));
        left = false;
    }
}

/* One guard for all that must be a multiple of 2^k. */
static void look_at_parts(struct aligned *al, unsigned int k)
{
    struct graph *g = &al->w->graph;
    node_id all = 0, least = 0, next;
    struct effect *e;

    do { /* the older ones first: they are there sooner */
        next = 0;
        for (uint32_t i = 0; i < al->parts; i++)
            if (al->part[i].k == k && al->part[i].node > least && (!next || al->part[i].node < next))
                next = al->part[i].node;
        if (next)
            all = all ? g_op(g, N_OR, all, next) : next;
        least = next;
    } while (next);
    e = all ? effect_add(al->w, al->s, E_GUARD) : NULL;
    if (e) {
        e->value = is_multiple(g, all, k);
        e->gathers = true;
    }
}

static void align_segment(struct code *c, struct segment *s, const struct aligned *up)
{
    struct aligned al = { .up = up, .scope = { up ? &up->scope : NULL, s }, .c = c, .w = c->w, .s = s };

    if (!s || c->w->failed)
        return;
    list_guards(&al);
    find_pairs(&al);
    take_best(&al);
    for (uint32_t i = 0; i < al.pairs; i++)
        if (al.pair[i].taken)
            replace_guards(&al, &al.pair[i]);
    free(al.about); /* effects move when one is added */
    for (unsigned int k = 1; k <= MOST; k++)
        look_at_parts(&al, k);
    align_segment(c, s->child[0], &al);
    align_segment(c, s->child[1], &al);
}

void align_guards(struct code *c)
{
    align_segment(c, c->w->root, NULL);
}
