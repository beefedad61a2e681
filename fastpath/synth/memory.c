/* SPDX-License-Identifier: MIT */
/*
 * Memory.  This entry's own stack is followed byte by byte and vanishes.  Everything else is really
 * loaded and stored when the handler runs, in the guest's order (a handler's loads see its staged
 * stores); a value that the path already has is used again only where that provably is the same.
 */
#include <string.h>

#include "memory.h"
#include "run.h"

#define VCPU_INFO_BYTES 64
#define CR2_OFFSET 16 /* of arch.cr2 in struct vcpu_info: the bounce of a page fault leaves it there */
#define PAGE_FAULT 14
#define MAX_OVER 8

void watch_add(struct work *w, uint64_t address)
{
    address &= ~4095ull;
    for (uint32_t i = 0; i < w->nr_watch; i++)
        if (w->watch[i] == address)
            return;
    if (w->nr_watch == RADON_FAST_MAX_WATCHED)
        refuse(w, SYNTH_TOO_LONG, "more than %u pages of text and data", RADON_FAST_MAX_WATCHED);
    else
        w->watch[w->nr_watch++] = address;
}

static void know(struct work *w, struct state *st, const struct place *p, node_id value,
                 bool stored)
{
    if (grow(w, &st->known, st->nr_known, &st->known_room, sizeof(*st->known)))
        st->known[st->nr_known++] = (struct known){ .place = *p, .value = value, .stored = stored };
}

/* `size` bytes of value from byte `from` on. */
static node_id part(struct work *w, node_id value, unsigned int from, unsigned int size)
{
    return g_low(&w->graph, g_op_imm(&w->graph, N_SHR, value, 8 * from), size);
}

/*
 * Whether what was read there before may stand for reading again.  With other vCPUs only per-CPU data
 * may: two reads of anything else can be a check that nobody wrote in between.
 */
static bool reusable(struct work *w, const struct known *k)
{
    bool per_cpu = k->place.region == IN_GS || k->place.region == IN_MASK;

    if (k->stored)
        return true;
    if (k->stale || (!w->in->one_vcpu && !per_cpu))
        return false;
    if (!per_cpu)
        w->one_vcpu_used = true;
    return true;
}

/* Whether a guard on the distance of two places' bases is one of few more than there are. */
static bool affordable(struct work *w, const struct state *st, const struct place *a,
                       const struct place *b, node_id *fresh, unsigned int *n)
{
    node_id bases = bases_apart(w, a, b);

    for (unsigned int i = 0; i < *n; i++)
        if (fresh[i] == bases)
            return true;
    for (uint32_t i = 0; i < st->nr_facts; i++)
        if (bases_guarded(&w->graph, st->fact[i], bases))
            return true;
    if (*n == w->limits.reuse)
        return false;
    fresh[(*n)++] = bases;
    return true;
}

/* A store that wrote some of the bytes of a place. */
struct over {
    const struct known *k;
    unsigned int at;
};

/* `value`, of an older time, with what was stored there since: newest first. */
static node_id with_stores(struct work *w, const struct place *p, node_id value,
                           const struct over *over, unsigned int n)
{
    struct graph *g = &w->graph;

    while (n-- > 0) {
        uint64_t mask = byte_mask(over[n].k->place.size) << (8 * over[n].at);

        value = g_op(g, N_OR, g_op_imm(g, N_AND, value, byte_mask(p->size) & ~mask),
                     g_op_imm(g, N_SHL, over[n].k->value, 8 * over[n].at));
    }
    return value;
}

/*
 * The value at the place if the path has it: from the newest store or load there.  Stores in
 * between that may be to the same place are excluded by guards, as they were elsewhere in the
 * captures; those to some of its bytes replace these.
 */
static node_id from_known(struct work *w, struct state *st, const struct place *p)
{
    const struct place *between[MAX_BETWEEN];
    unsigned int n = 0, distances = 0, overs = 0;
    node_id fresh[MAX_DISTANCES];
    struct over over[MAX_OVER];
    node_id value;

    for (uint32_t i = st->nr_known; i-- > 0;) {
        const struct known *k = &st->known[i];

        switch (alias(w, &k->place, p)) {
        case ALIAS_NO:
            continue;
        case ALIAS_MAY:
            if (!k->stored)
                continue;
            if (n == w->limits.between || !disjoint_seen(w, st->captures, &k->place, p) ||
                !affordable(w, st, &k->place, p, fresh, &distances))
                return 0;
            between[n++] = &k->place;
            continue;
        case ALIAS_PART:
            if (!k->stored)
                continue;
            if (overs == MAX_OVER || alias(w, p, &k->place) != ALIAS_INSIDE)
                return 0;
            over[overs++] = (struct over){ k, (unsigned int)(k->place.off - p->off) };
            continue;
        case ALIAS_SAME:
        case ALIAS_INSIDE:
            if (!reusable(w, k)) {
                if (k->stale)
                    continue; /* an older one is stale too, but a store may lie before it */
                return 0;
            }
            value = part(w, k->value, (unsigned int)(p->off - k->place.off), p->size);
            while (n > 0)
                guard(w, st, disjoint(w, between[--n], p));
            return with_stores(w, p, value, over, overs);
        }
    }
    return 0;
}

/* The newest store to one byte of the stack; NULL: it was not written since the entry. */
static const struct known *stack_byte(struct work *w, struct state *st, const struct place *byte)
{
    for (uint32_t i = st->nr_known; i-- > 0;) {
        const struct known *k = &st->known[i];
        enum alias how = k->stored ? alias(w, &k->place, byte) : ALIAS_NO;

        if (how == ALIAS_SAME || how == ALIAS_INSIDE)
            return k;
        if (how == ALIAS_MAY) {
            if (!disjoint_seen(w, st->captures, &k->place, byte)) {
                refuse(w, SYNTH_STACK_ALIAS, "%s", node_text(w, byte->address));
                return NULL;
            }
            guard(w, st, disjoint(w, &k->place, byte));
        }
    }
    return NULL;
}

static node_id stack_load(struct work *w, struct state *st, const struct place *p)
{
    node_id value = g_const(&w->graph, 0), unknown;
    struct place byte = *p;

    byte.size = 1;
    for (unsigned int i = 0; i < p->size;) {
        const struct known *k;
        unsigned int from, run = 1;

        byte.off = p->off + i;
        byte.address = g_op_imm(&w->graph, N_ADD, p->address, i);
        k = stack_byte(w, st, &byte);
        if (!k) {
            unknown = g_unknown(&w->graph, p->size);
            bind_recorded(w, st, p, unknown);
            return unknown;
        }
        from = (unsigned int)(byte.off - k->place.off);
        while (i + run < p->size && from + run < k->place.size) {
            struct place next = byte;

            next.off += run;
            next.address = g_op_imm(&w->graph, N_ADD, byte.address, run);
            if (stack_byte(w, st, &next) != k)
                break;
            run++;
        }
        value = g_op(&w->graph, N_OR, value,
                     g_op_imm(&w->graph, N_SHL, part(w, k->value, from, run), 8 * i));
        i += run;
    }
    return value;
}

/* Read-only memory, and the captures saw what the caller says is there. */
static bool fold_constant(struct work *w, struct state *st, uint64_t address, unsigned int size,
                          uint64_t *value)
{
    uint64_t seen;

    *value = 0;
    if (!w->in->ro_read || !w->in->ro_read(w->in->ro_arg, address, value, size))
        return false;
    FOR_CAPTURES(i, st->captures)
    if (!recorded(w, i, false, address, size, &seen) || seen != *value)
        return false;
    watch_add(w, address);
    watch_add(w, address + size - 1);
    return true;
}

/* Through a pointer into read-only data: the pointer becomes a guard, the data a constant. */
static bool fold_through(struct work *w, struct state *st, const struct place *p, uint64_t *value)
{
    uint64_t base;

    if (p->region != IN_POINTER || g_node(&w->graph, p->base)->op != N_LOAD ||
        !concrete_agreed(w, st->captures, p->base, &base) ||
        !fold_constant(w, st, base + (uint64_t)p->off, p->size, value))
        return false;
    pin(w, st, p->base);
    return !w->failed;
}

/* A store of what rests on the time stamp that may be to the place. */
static bool may_taint(struct work *w, const struct known *k, const struct place *p)
{
    return k->stored && (g_node(&w->graph, k->value)->rests & RESTS_TSC) &&
           alias(w, &k->place, p) != ALIAS_NO;
}

/*
 * RESTS_TSC if the path itself may have stored something there that rests on the time stamp, through
 * another pointer perhaps: then so does what is read.  Where such a store was elsewhere in all captures, a
 * guard keeps it there; but not on a path that the time stamp chose, whose stores are tainted anyway.
 */
static uint8_t rests_on(struct work *w, struct state *st, const struct place *p)
{
    unsigned int distances = 0;
    node_id fresh[MAX_DISTANCES];

    for (uint32_t i = 0; i < st->nr_known; i++)
        if (may_taint(w, &st->known[i], p) &&
            (!disjoint_seen(w, st->captures, &st->known[i].place, p) ||
             (!st->timed && !affordable(w, st, &st->known[i].place, p, fresh, &distances))))
            return RESTS_TSC;
    for (uint32_t i = 0; i < st->nr_known && !st->timed; i++)
        if (may_taint(w, &st->known[i], p))
            guard(w, st, disjoint(w, &st->known[i].place, p));
    return 0;
}

static node_id real_load(struct work *w, struct state *st, const struct place *p)
{
    node_id value = g_load(&w->graph, p->address, p->size, rests_on(w, st, p));
    struct effect *e = effect_add(w, st->segment, E_LOAD);

    if (e) {
        e->place = *p;
        e->value = value;
    }
    bind_recorded(w, st, p, value);
    return value;
}

/*
 * A pointer that the path has, but read before events were masked, is read anew (rule 7) and must be the same
 * again, if it was in all captures: so what is known of it stays known.
 */
static node_id same_again(struct work *w, struct state *st, const struct place *p, node_id value)
{
    uint64_t same, number;

    for (uint32_t i = st->nr_known; i-- > 0 && p->size == 8;) {
        const struct known *k = &st->known[i];
        node_id truth;

        if (!k->stale || alias(w, &k->place, p) != ALIAS_SAME)
            continue;
        truth = g_op(&w->graph, N_EQ, value, k->value);
        if (!concrete_agreed(w, st->captures, truth, &same) || !same ||
            !concrete_agreed(w, st->captures, value, &number) || number < FAST_GUARD)
            return value;
        value = k->value;
        guard(w, st, truth);
        return value;
    }
    return value;
}

void memory_entry_changes(struct work *w, struct state *st, const struct place *at)
{
    if (st->entry_changed)
        refuse(w, SYNTH_AFTER_PT, "another entry");
    st->entry_changed = true;
    st->entry = *at;
    know(w, st, at, g_unknown(&w->graph, at->size), true);
}

/*
 * The update is done last of all: nothing behind it may go by way of the entry, or read the entry itself.
 * A store there is found impossible by the page's type.
 */
static void not_by_entry(struct work *w, struct state *st, const struct place *p)
{
    if (st->entry_changed && p->region == IN_USER)
        refuse(w, SYNTH_AFTER_PT, "user memory: %s", node_text(w, p->address));
    else if (st->entry_changed && alias(w, &st->entry, p) > ALIAS_MAY)
        refuse(w, SYNTH_AFTER_PT, "the entry itself: %s", node_text(w, p->address));
}

static void not_the_entry(struct work *w, struct state *st, const struct place *p)
{
    if (!st->entry_changed || w->failed || alias(w, &st->entry, p) == ALIAS_NO)
        return;
    if (!disjoint_seen(w, st->captures, &st->entry, p))
        refuse(w, SYNTH_AFTER_PT, "the entry itself: %s", node_text(w, p->address));
    else
        guard(w, st, disjoint(w, &st->entry, p));
}

node_id memory_load(struct work *w, struct state *st, node_id address, unsigned int size)
{
    struct place p;
    node_id value = 0;
    uint64_t folded, base;

    if (w->failed || !place_of(w, st, address, size, &p))
        return g_const(&w->graph, 0);
    if ((p.region == IN_ABSOLUTE && fold_constant(w, st, (uint64_t)p.off, size, &folded)) ||
        fold_through(w, st, &p, &folded)) {
        value = g_const(&w->graph, folded);
        explain_at(w, w->at, "folded: read-only %s is %#llx", node_text(w, address),
                   (unsigned long long)folded);
    } else if (p.region == IN_STACK) {
        value = stack_load(w, st, &p);
    } else {
        not_by_entry(w, st, &p);
        value = from_known(w, st, &p);
        if (!value) {
            if (p.region == IN_MASK) {
                refuse(w, SYNTH_UPCALL_MASK, "read in part");
                return g_const(&w->graph, 0);
            }
            not_the_entry(w, st, &p);
            value = same_again(w, st, &p, real_load(w, st, &p));
            know(w, st, &p, value, false);
        }
    }
    if (w->failed)
        return g_const(&w->graph, 0);
    check_recorded(w, st, &p, value);
    /* Per-CPU data that holds the per-CPU base itself (Linux: this_cpu_off). */
    if (p.region == IN_GS && size == 8 && concrete_agreed(w, st->captures, w->gs, &base) &&
        concrete_agreed(w, st->captures, value, &folded) && folded == base && value != w->gs) {
        guard(w, st, g_op(&w->graph, N_EQ, value, w->gs));
        return w->gs;
    }
    return value;
}

/* What memory held at the place before the path's first store there, if the path has read it. */
static node_id original_of(struct work *w, struct state *st, const struct place *p)
{
    uint64_t one;

    for (uint32_t i = st->nr_known; i-- > 0;) {
        const struct known *k = &st->known[i];

        switch (alias(w, &k->place, p)) {
        case ALIAS_SAME:
            if (!k->stored)
                return k->value;
            continue;
        case ALIAS_MAY:
            if (k->stored &&
                !(g_is_const(&w->graph, truth_here(w, st, disjoint(w, &k->place, p)), &one) && one))
                return 0;
            continue;
        case ALIAS_NO:
            continue;
        default:
            if (k->stored)
                return 0;
        }
    }
    return 0;
}

static void store_mask(struct work *w, struct state *st, const struct place *p, node_id value)
{
    uint64_t mask;

    if (!g_is_const(&w->graph, value, &mask) || mask > 1) {
        refuse(w, SYNTH_UPCALL_MASK, "stored: %s", node_text(w, value));
        return;
    }
    if (mask && !st->masked)
        for (uint32_t i = 0; i < st->nr_known; i++)
            st->known[i].stale |= st->known[i].place.region != IN_GS;
    st->masked = mask;
    know(w, st, p, value, true);
}

void memory_store(struct work *w, struct state *st, node_id address, unsigned int size,
                  node_id value)
{
    struct place p;
    struct effect *e;

    if (w->failed || !place_of(w, st, address, size, &p))
        return;
    value = g_low(&w->graph, value, size);
    check_stored(w, st, &p, value);
    if (p.region == IN_MASK) {
        store_mask(w, st, &p, value);
        return;
    }
    if (p.region == IN_GS && w->vcpu_info && p.off + (int64_t)size > w->vcpu_info &&
        p.off < w->vcpu_info + VCPU_INFO_BYTES) {
        refuse(w, SYNTH_VCPU_INFO, "gs:%#llx", (unsigned long long)p.off);
        return;
    }
    if (p.region != IN_STACK) {
        node_id original = original_of(w, st, &p);

        not_by_entry(w, st, &p);
        e = effect_add(w, st->segment, E_STORE);
        if (e) {
            e->place = p;
            e->value = value;
            e->original = original;
            e->timed = st->timed;
        }
    }
    know(w, st, &p, value, true);
}

void memory_locked(struct work *w, struct state *st, node_id address, unsigned int size)
{
    struct place p;

    if (w->failed || !place_of(w, st, address, size, &p))
        return;
    /*
     * On the stack it is a fence: Linux's smp_mb() is lock addl $0, -4(%rsp). Per-CPU data is not private either
     * where it is locked: others look at it. Linux tells RCU there that this CPU is in the kernel (context
     * tracking, nohz_full), and a handler would when it has read all that RCU keeps for it (rule 5).
     */
    if (!w->in->one_vcpu)
        refuse(w, p.region == IN_STACK ? SYNTH_FENCE : SYNTH_LOCKED, "at %s",
               node_text(w, address));
    w->one_vcpu_used = true;
}

/* Vectors whose exceptions push an error code (APM volume 2, 8.4). */
static bool has_error_code(uint32_t vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

void memory_entry_frame(struct work *w, struct state *st)
{
    bool exception = w->attach_kind == FAST_ATTACH_EXCEPTION;
    uint64_t field[8];
    struct place p = { .base = w->sp, .region = IN_STACK, .size = 8, .own = true };
    unsigned int words = 0;

    field[words++] = offsetof(struct fast_ctx, rcx);
    field[words++] = offsetof(struct fast_ctx, r11);
    if (exception && has_error_code(w->attach_number))
        field[words++] = offsetof(struct fast_ctx, error_code);
    field[words++] = offsetof(struct fast_ctx, rip);
    field[words++] = exception ? offsetof(struct fast_ctx, cs) : 0;
    field[words++] = offsetof(struct fast_ctx, rflags);
    field[words++] = offsetof(struct fast_ctx, rsp);
    field[words++] = exception ? offsetof(struct fast_ctx, ss) : 0;
    w->entry_words = words;
    p.off = -8 * (int64_t)words;
    for (unsigned int i = 0; i < words; i++, p.off += 8) {
        p.address = g_op_imm(&w->graph, N_ADD, w->sp, (uint64_t)p.off);
        if (field[i])
            know(w, st, &p, g_input(&w->graph, (uint32_t)field[i]), true);
    }
    /* The entry masks events (CALLBACKF_mask_events), and the iret hypercall sets the mask by the
     * flags that it returns with. */
    st->masked = true;
    if (w->vcpu_info) {
        p = (struct place){ .base = w->gs,
                            .off = w->vcpu_info + MASK_OFFSET,
                            .region = IN_MASK,
                            .size = 1,
                            .own = true };
        p.address = g_op_imm(&w->graph, N_ADD, w->gs, (uint64_t)p.off);
        know(w, st, &p, g_const(&w->graph, 1), true);
        if (exception && w->attach_number == PAGE_FAULT) {
            p.off = w->vcpu_info + CR2_OFFSET;
            p.region = IN_GS;
            p.size = 8;
            p.address = g_op_imm(&w->graph, N_ADD, w->gs, (uint64_t)p.off);
            know(w, st, &p, g_input(&w->graph, offsetof(struct fast_ctx, cr2)), true);
        }
    }
}
