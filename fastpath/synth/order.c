/* SPDX-License-Identifier: MIT */
/* The order: items of what a path does, each behind those that make what it needs. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

static struct item *add(struct code *c, enum item_kind kind, uint64_t at)
{
    static struct item nowhere;
    struct item *i;

    if (!grow(c->w, &c->item, c->n, &c->room, sizeof(*c->item)))
        return &nowhere;
    i = &c->item[c->n++];
    memset(i, 0, sizeof(*i));
    i->kind = (uint8_t)kind;
    i->at = at;
    return i;
}

static void mark_emitted(struct code *c, node_id a)
{
    c->emitted[a] = 1;
    if (grow(c->w, &c->trail, c->nr_trail, &c->trail_room, sizeof(*c->trail)))
        c->trail[c->nr_trail++] = a;
}

/* Constants and inputs can be had anywhere. */
static bool at_hand(const struct code *c, node_id a)
{
    unsigned int op = g_node(&c->w->graph, a)->op;

    return !a || op == N_CONST || op == N_INPUT || c->emitted[a];
}

/* a = (x >> n | x << 32 - n) in 32 bits, of an x that has no more. */
static bool rotates(const struct graph *g, node_id a, node_id *x, uint64_t *by)
{
    const struct node *n = g_node(g, a), *or = g_node(g, n->a), *right, *left;
    uint64_t mask, back;

    if (n->op != N_AND || !g_is_const(g, n->b, &mask) || mask != 0xffffffffull || or->op != N_OR)
        return false;
    right = g_node(g, or->a);
    left = g_node(g, or->b);
    if (right->op != N_SHR) {
        right = left;
        left = g_node(g, or->a);
    }
    *x = right->a;
    return right->op == N_SHR && left->op == N_SHL && left->a == *x && fits_32(g, *x) &&
           g_is_const(g, right->b, by) && g_is_const(g, left->b, &back) && *by + back == 32;
}

static void require(struct code *c, node_id a, uint64_t at);

static void require_rotation(struct code *c, node_id a, node_id x, uint64_t by, uint64_t at)
{
    struct item *i;

    require(c, x, at);
    i = add(c, I_ROTATE, at);
    i->node = a;
    i->a = x;
    i->off = (int64_t)by;
    mark_emitted(c, a);
}

/* x of x & 0xffffffff; else, or if there is a shorter way to that, a itself. */
static node_id unmasked(const struct graph *g, node_id a)
{
    const struct node *n = g_node(g, a);
    uint64_t mask, by;
    node_id x;

    return n->op == N_AND && g_is_const(g, n->b, &mask) && mask == 0xffffffffull &&
                   !rotates(g, a, &x, &by)
               ? n->a
               : a;
}

/* A result of 32 bits that rests on the low 32 bits of its operands alone. */
static bool is_narrow(const struct graph *g, const struct node *n)
{
    switch (n->op) {
    case N_ADD:
    case N_SUB:
    case N_MUL:
    case N_AND:
    case N_OR:
    case N_XOR:
        return n->hi <= 0xffffffffull && (unmasked(g, n->a) != n->a || unmasked(g, n->b) != n->b) &&
               (n->op != N_AND || g_node(g, n->b)->op != N_CONST);
    default:
        return false;
    }
}

/* The operation in 32 bits, for which nothing needs to be masked. */
static void require_narrow(struct code *c, node_id a, uint64_t at)
{
    const struct graph *g = &c->w->graph;
    const struct node *n = g_node(g, a);
    struct item i = { .kind = I_OP, .width = 32, .at = at, .node = a };

    i.a = unmasked(g, n->a);
    i.b = unmasked(g, n->b);
    require(c, i.a, at);
    require(c, i.b, at);
    *add(c, I_OP, at) = i;
    mark_emitted(c, a);
}

static void require_select(struct code *c, node_id a, uint64_t at)
{
    const struct node *n = g_node(&c->w->graph, a);
    struct item i = { .kind = I_SELECT, .at = at, .node = a, .c = n->b, .d = n->c };

    as_comparison(c->w, n->a, &i);
    require(c, i.a, at);
    require(c, i.b, at);
    require(c, i.c, at);
    require(c, i.d, at);
    *add(c, I_SELECT, at) = i;
    mark_emitted(c, a);
}

/* An item for the node, and before it for what it is made of. */
static void require(struct code *c, node_id a, uint64_t at)
{
    uint64_t by;
    node_id x;

    const struct node *n = g_node(&c->w->graph, a);
    struct item *i;

    if (at_hand(c, a) || c->w->failed)
        return;
    if (n->op == N_LOAD || n->op == N_TSC || n->op == N_UNKNOWN) {
        refuse(c->w, SYNTH_BAD_CAPTURE, "a value is used before it is read: %s",
               node_text(c->w, a));
        return;
    }
    if (rotates(&c->w->graph, a, &x, &by)) {
        require_rotation(c, a, x, by, at);
        return;
    }
    if (is_narrow(&c->w->graph, n)) {
        require_narrow(c, a, at);
        return;
    }
    if (n->op == N_ITE) {
        require_select(c, a, at);
        return;
    }
    require(c, n->a, at);
    require(c, n->b, at);
    i = add(c, I_OP, at);
    i->node = a;
    i->a = n->a;
    i->b = n->b;
    mark_emitted(c, a);
}

static void require_address(struct code *c, node_id address, struct item *i, uint64_t at)
{
    int64_t off;
    node_id base = near_base(c, g_split(&c->w->graph, address, &off), &off);

    require(c, base, at);
    i->a = base;
    i->off = off;
}

static bool order_apart(struct code *c, const struct effect *e, struct item *i)
{
    struct item apart = *i;

    if (!as_apart(c, e->value, &apart) || (apart.b && !negative_of(c, apart.b)))
        return false;
    apart.b = negative_of(c, apart.b);
    *i = apart;
    require(c, i->a, e->at);
    if (i->b)
        require(c, i->b, e->at);
    return true;
}

/* Whether a store behind effect e goes to the base. */
static bool stores_by(const struct code *c, const struct segment *s, const struct effect *e,
                      node_id base)
{
    int64_t off;

    for (e++; e < s->effect + s->n; e++)
        if (e->kind == E_STORE && !e->dead &&
            g_split(&c->w->graph, e->place.address, &off) == base)
            return true;
    return false;
}

/*
 * A load just before the time stamp is taken, at a base that a later store goes to as well, comes behind it:
 * what it gives need not survive the call then.
 */
static void stamp_first(struct code *c, const struct segment *s, const struct effect *e)
{
    for (uint32_t t = c->n - 1; t > 0 && !c->w->failed; t--) {
        struct item load = c->item[t - 1];

        if (load.kind != I_LOAD || !load.a || !stores_by(c, s, e, load.a))
            return;
        c->item[t - 1] = c->item[t];
        c->item[t] = load;
    }
}

/*
 * A value that was loaded just before item n, for a comparison, is loaded behind what came since: next to the
 * comparison both are one instruction (jit_compare.c).
 */
static void load_last(struct code *c, uint32_t n, const struct item *comparison)
{
    struct item load = n && n < c->n ? c->item[n - 1] : (struct item){ 0 };

    if (load.kind != I_LOAD || (load.node != comparison->a && load.node != comparison->b))
        return;
    for (uint32_t i = n; i < c->n; i++)
        if (c->item[i].a == load.node || c->item[i].b == load.node || c->item[i].c == load.node ||
            c->item[i].d == load.node)
            return;
    memmove(&c->item[n - 1], &c->item[n], (c->n - n) * sizeof(*c->item));
    c->item[c->n - 1] = load;
}

static void order_effect(struct code *c, const struct segment *s, const struct effect *e)
{
    struct item i = { .at = e->at, .size = e->place.size };
    uint32_t n = c->n;

    if (e->dead)
        return;
    switch (e->kind) {
    case E_GUARD:
        c->w->out->guards++;
        if (order_apart(c, e, &i))
            break;
        as_comparison(c->w, e->value, &i);
        require(c, i.a, e->at);
        require(c, i.b, e->at);
        load_last(c, n, &i);
        i.kind = I_GUARD;
        break;
    case E_LOAD:
        if (!c->needed[e->value])
            return;
        if (e->place.region == IN_M2P) {
            require(c, e->place.base, e->at);
            i.a = e->place.base;
            i.kind = I_M2P;
        } else {
            require_address(c, e->place.address, &i, e->at);
            i.half = (uint8_t)half_of(c->w, s->captures, &e->place);
            i.kind = I_LOAD;
        }
        i.node = e->value;
        mark_emitted(c, e->value);
        c->w->out->loads++;
        break;
    case E_TSC:
        if (!c->needed[e->value])
            return;
        i.kind = I_TSC;
        i.node = e->value;
        mark_emitted(c, e->value);
        break;
    case E_PT:
        c->entry = e;
        return;
    default:
        require_address(c, e->place.address, &i, e->at);
        require(c, e->value, e->at);
        i.half = (uint8_t)half_of(c->w, s->captures, &e->place);
        i.kind = I_STORE;
        i.b = e->value;
        i.tainted = e->timed || g_node(&c->w->graph, e->value)->rests & RESTS_TSC;
        c->w->out->stores++;
        break;
    }
    *add(c, (enum item_kind)i.kind, e->at) = i;
    if (i.kind == I_TSC)
        stamp_first(c, s, e);
}

/* The registers of user mode that change; a field is written once nobody reads it any more. */
static void order_registers(struct code *c, const struct segment *s)
{
    static const uint32_t field[NR_REGS] = {
#define AT(name) offsetof(struct fast_ctx, name)
        AT(rax), AT(rcx), AT(rdx), AT(rbx), AT(rsp), AT(rbp), AT(rsi), AT(rdi),
        AT(r8),  AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15)
#undef AT
    };
    const struct graph *g = &c->w->graph;
    bool waits[NR_REGS], some = true;
    unsigned int left = 0;

    for (unsigned int r = 0; r < NR_REGS; r++) {
        const struct node *n = g_node(g, s->final[r]);

        waits[r] = n->op != N_INPUT || n->imm != field[r];
        left += waits[r];
        if (waits[r])
            require(c, s->final[r], s->at);
    }
    while (left && some) {
        some = false;
        for (unsigned int r = 0; r < NR_REGS; r++) {
            bool read = false;

            for (unsigned int q = 0; q < NR_REGS && waits[r]; q++)
                read |= q != r && waits[q] && g_node(g, s->final[q])->op == N_INPUT &&
                        g_node(g, s->final[q])->imm == field[r];
            if (!waits[r] || read)
                continue;
            struct item *i = add(c, I_SET, s->at);

            i->a = s->final[r];
            i->off = field[r];
            waits[r] = false;
            left--;
            some = true;
        }
    }
    if (left)
        refuse(c->w, SYNTH_RETURN_STATE, "registers of user mode change places");
}

/* Behind all stores, whose addresses it must not change the meaning of. */
static void order_entry(struct code *c)
{
    const struct effect *e = c->entry;
    struct item i = { .kind = I_PT, .at = e->at, .a = e->ptr, .b = e->original, .c = e->value };

    require(c, i.a, e->at);
    require(c, i.b, e->at);
    require(c, i.c, e->at);
    *add(c, I_PT, e->at) = i;
}

/* Whether all that the node is made of has been read. */
static bool ready(const struct code *c, node_id a)
{
    const struct node *n = g_node(&c->w->graph, a);

    if (at_hand(c, a))
        return true;
    if (n->op == N_LOAD || n->op == N_TSC || n->op == N_UNKNOWN)
        return false;
    return ready(c, n->a) && ready(c, n->b) && ready(c, n->c);
}

/* Guards from effect `from` on that can be made now: the sooner, the fewer values wait for them. */
static void order_ready_guards(struct code *c, struct segment *s, uint32_t from)
{
    for (uint32_t i = from; i < s->n && !c->w->failed; i++) {
        struct effect *e = &s->effect[i];

        if (e->kind != E_GUARD || e->dead || !ready(c, e->value))
            continue;
        order_effect(c, s, e);
        e->dead = true; /* done */
    }
}

/* What a value is put together from, as far as that is there. */
static void gather(struct code *c, node_id a, uint64_t at)
{
    const struct node *n = g_node(&c->w->graph, a);

    if (n->op != N_OR || at_hand(c, a))
        return;
    if (ready(c, a)) {
        require(c, a, at);
        return;
    }
    gather(c, n->a, at);
    gather(c, n->b, at);
}

static void order_gathered(struct code *c, const struct segment *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct effect *e = &s->effect[i];

        if (e->kind == E_GUARD && e->gathers && !e->dead) /* (all & mask) == 0 */
            gather(c, g_node(&c->w->graph, g_node(&c->w->graph, e->value)->a)->a, e->at);
    }
}

static void order_waiting(struct code *c, const struct segment *s)
{
    for (uint32_t i = 0; i < c->nr_waiting; i++)
        order_effect(c, s, c->waiting[i]);
    c->nr_waiting = 0;
}

static void order_segment(struct code *c, struct segment *s)
{
    order_ready_guards(c, s, 0);
    for (uint32_t i = 0; i < s->n && !c->w->failed; i++) {
        uint8_t kind = s->effect[i].kind;

        if (kind == E_STORE && s->effect[i].waits && !s->effect[i].dead) {
            if (grow(c->w, &c->waiting, c->nr_waiting, &c->waiting_room, sizeof(*c->waiting)))
                c->waiting[c->nr_waiting++] = &s->effect[i];
            continue;
        }
        if (kind == E_STORE && !s->effect[i].dead)
            order_waiting(c, s);
        order_effect(c, s, &s->effect[i]);
        if (kind == E_LOAD || kind == E_TSC) {
            order_ready_guards(c, s, i + 1);
            order_gathered(c, s);
        }
    }
}

/* Both sides of a branch, each with what waits. */
static void order_both(struct code *c, const struct segment *s, uint32_t branch)
{
    uint32_t n = c->nr_waiting;
    const struct effect **kept = malloc((n + 1) * sizeof(*kept));

    if (!kept) {
        refuse(c->w, SYNTH_NO_MEMORY, "stores");
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        kept[i] = c->waiting[i];
    order_items(c, s->child[0]);
    c->item[branch].other = c->n;
    c->nr_waiting = n;
    for (uint32_t i = 0; i < n; i++)
        c->waiting[i] = kept[i];
    order_items(c, s->child[1]);
    free(kept);
}

void order_items(struct code *c, struct segment *s)
{
    const struct effect *entry = c->entry;
    uint32_t start = c->n, trail = c->nr_trail, branch;

    if (!s) {
        add(c, I_PASS, 0);
    } else {
        order_segment(c, s);
        if (s->returns) {
            order_waiting(c, s);
            if (c->entry)
                order_entry(c);
            order_registers(c, s);
            add(c, I_DONE, s->at);
        } else {
            struct item i = { .kind = I_BRANCH, .at = s->at };

            as_comparison(c->w, s->branch, &i);
            require(c, i.a, s->at);
            require(c, i.b, s->at);
            branch = c->n;
            *add(c, I_BRANCH, s->at) = i;
            order_both(c, s, branch);
        }
    }
    for (uint32_t i = start; i < c->n; i++)
        if (!c->item[i].end)
            c->item[i].end = c->n;
    while (c->nr_trail > trail)
        c->emitted[c->trail[--c->nr_trail]] = 0;
    c->entry = entry;
}
