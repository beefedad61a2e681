/* SPDX-License-Identifier: MIT */
/*
 * Registers: a value stays where it was made; when room is needed, the one whose next use is
 * farthest goes to the stack.  Constants and context fields are made again instead.
 */
#include "code.h"

static bool remade(const struct emitter *e, node_id a)
{
    unsigned int op = g_node(&e->w->graph, a)->op;

    return op == N_CONST || op == N_INPUT;
}

bool reg_dead_after(const struct emitter *e, node_id a)
{
    return next_use(e->code, a, e->at, e->end) == UINT32_MAX;
}

static int slot_of(const struct emitter *e, node_id a)
{
    for (unsigned int i = 0; i < SLOTS; i++)
        if (e->regs.slot[i] == a)
            return (int)i;
    return -1;
}

static int16_t slot_at(unsigned int slot)
{
    return (int16_t)(-8 * ((int)slot + 1));
}

/* Needed at the item at hand, or later. */
static bool alive(const struct emitter *e, node_id a)
{
    const struct item *i = &e->code->item[e->at];

    return a && (i->a == a || i->b == a || i->c == a || i->d == a || !reg_dead_after(e, a));
}

static void spill(struct emitter *e, unsigned int reg)
{
    node_id a = e->regs.reg[reg];
    unsigned int slot;

    e->regs.reg[reg] = 0;
    if (!alive(e, a) || remade(e, a) || slot_of(e, a) >= 0)
        return;
    for (unsigned int i = 0; i < POOL; i++)
        if (e->regs.reg[i] == a)
            return;
    for (slot = 0; slot < SLOTS; slot++)
        if (!alive(e, e->regs.slot[slot]))
            break;
    if (slot == SLOTS) {
        refuse(e->w, SYNTH_TOO_LONG, "more than %u values at once", SLOTS + POOL);
        return;
    }
    e->regs.slot[slot] = a;
    put(e, 0x7b, 10, reg, slot_at(slot), 0); /* stxdw [r10+slot], reg */
}

bool reg_across_call(const struct emitter *e, node_id a)
{
    uint32_t from = next_use(e->code, a, e->at, e->end), i = e->at + 1;

    if (from == UINT32_MAX)
        return false;
    /* A short look: what is used soon and once needs no register that survives. */
    for (unsigned int n = 0; n < 64 && i < e->end && i < e->code->n; n++, i++) {
        unsigned int kind = e->code->item[i].kind;

        if ((kind == I_TSC || kind == I_M2P || kind == I_PT) &&
            next_use(e->code, a, i, e->end) != UINT32_MAX)
            return true;
        if (next_use(e->code, a, i, e->end) == UINT32_MAX)
            return false;
    }
    return true;
}

static int free_reg(const struct emitter *e, uint32_t keep, bool saved)
{
    static const uint8_t order[2][POOL] = { { 0, 1, 2, 3, 4, 5, 8, 7, 6 },
                                            { 6, 7, 8, 0, 1, 2, 3, 4, 5 } };

    for (unsigned int i = 0; i < POOL; i++) {
        unsigned int r = order[saved][i];

        if (!(keep >> r & 1) && !alive(e, e->regs.reg[r]))
            return (int)r;
    }
    return -1;
}

unsigned int reg_new(struct emitter *e, node_id a, uint32_t keep)
{
    int reg = free_reg(e, keep, a && reg_across_call(e, a));
    uint32_t farthest = 0;

    if (reg < 0) {
        for (unsigned int r = 0; r < POOL; r++) {
            uint32_t use = next_use(e->code, e->regs.reg[r], e->at, e->end);

            if (!(keep >> r & 1) && (reg < 0 || use > farthest)) {
                reg = (int)r;
                farthest = use;
            }
        }
        spill(e, (unsigned int)reg);
    }
    e->regs.reg[reg] = a;
    return (unsigned int)reg;
}

void put_const(struct emitter *e, unsigned int reg, uint64_t value)
{
    if (fits_imm(value)) {
        put(e, 0xb7, reg, 0, 0, (int32_t)value);
    } else if (value <= 0xffffffffull) {
        put(e, 0xb4, reg, 0, 0, (int32_t)(uint32_t)value); /* mov32 */
    } else {
        put(e, 0x18, reg, 0, 0, (int32_t)(uint32_t)value); /* lddw */
        put(e, 0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
    }
}

unsigned int reg_get(struct emitter *e, node_id a, uint32_t keep)
{
    const struct node *n = g_node(&e->w->graph, a);
    unsigned int reg;
    int slot;

    for (unsigned int r = 0; r < POOL && a; r++)
        if (e->regs.reg[r] == a)
            return r;
    reg = reg_new(e, a, keep);
    slot = a ? slot_of(e, a) : -1;
    if (!a || n->op == N_CONST)
        put_const(e, reg, n->imm);
    else if (n->op == N_INPUT)
        put(e, 0x79, reg, CTX, (int16_t)n->imm, 0); /* ldxdw reg, [ctx+field] */
    else if (slot >= 0)
        put(e, 0x79, reg, 10, slot_at((unsigned int)slot), 0);
    else
        refuse(e->w, SYNTH_BAD_CAPTURE, "a value is nowhere: %s", node_text(e->w, a));
    return reg;
}

void regs_save(struct emitter *e)
{
    for (unsigned int r = 0; r < 6; r++) {
        node_id a = e->regs.reg[r];
        int to;

        if (!a || reg_dead_after(e, a) || remade(e, a) || slot_of(e, a) >= 0)
            continue;
        to = free_reg(e, CALL_LOSES, true);
        if (to >= 0) {
            put(e, 0xbf, (unsigned int)to, r, 0, 0);
            e->regs.reg[to] = a;
        } else {
            spill(e, r);
            e->regs.reg[r] = a; /* it is there as well until the call */
        }
    }
}

void regs_lost(struct emitter *e)
{
    for (unsigned int r = 0; r < 6; r++)
        e->regs.reg[r] = 0;
}
