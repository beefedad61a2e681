/* SPDX-License-Identifier: MIT */
#include "verify_int.h"

void reg_set_number(struct verify_reg *r, uint64_t min, uint64_t max)
{
    r->type = REG_NUMBER;
    r->min = min;
    r->max = max;
    r->off = 0;
    r->join_at = 0;
    r->join_via = 0;
}

void state_start(struct verify_state *s)
{
    memset(s, 0, sizeof(*s));
    s->reg[1].type = REG_CTX;
    s->reg[ISA_FRAME].type = REG_FRAME;
    for (unsigned int i = 0; i < FAST_STACK_BYTES / 8; i++)
        s->slot[i].type = REG_NUMBER;
}

/* Whether the register changed into something that allows less. */
static bool reg_join(struct verify_reg *into, const struct verify_reg *other)
{
    uint64_t min = into->min, max = into->max;

    if (into->type == REG_UNWRITTEN || into->type == REG_MIXED)
        return false;
    if (other->type == REG_UNWRITTEN) {
        into->type = REG_UNWRITTEN;
        return true;
    }
    if (into->type != other->type || into->off != other->off) {
        into->type = REG_MIXED;
        return true;
    }
    if (other->min < min)
        into->min = other->min;
    if (other->max > max)
        into->max = other->max;
    return into->min != min || into->max != max;
}

static void slot_join(struct verify_slot *into, const struct verify_slot *other)
{
    if (into->type == other->type && into->off == other->off) {
        into->written &= other->written;
    } else {
        into->type = REG_NUMBER;
        into->off = 0;
        into->written = 0;
    }
}

void state_join(struct verify_state *into, const struct verify_state *other, unsigned int at,
                unsigned int from)
{
    for (unsigned int i = 0; i < ISA_REGS; i++) {
        if (reg_join(&into->reg[i], &other->reg[i])) {
            into->reg[i].join_at = (uint16_t)at;
            into->reg[i].join_via = (uint16_t)from;
        }
    }
    for (unsigned int i = 0; i < FAST_STACK_BYTES / 8; i++)
        slot_join(&into->slot[i], &other->slot[i]);
    if (other->cost > into->cost)
        into->cost = other->cost;
    if (other->staged > into->staged)
        into->staged = other->staged;
    into->pt_staged |= other->pt_staged;
}

bool verify_readable(struct verify *v, unsigned int insn, unsigned int reg)
{
    switch (v->space->now.reg[reg].type) {
    case REG_UNWRITTEN:
        return verify_refuse(v, FAST_UNINITIALISED, insn, reg);
    case REG_MIXED:
        return verify_refuse(v, FAST_MIXED, insn, reg);
    default:
        return true;
    }
}
