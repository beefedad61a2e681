/* SPDX-License-Identifier: MIT */
#include "orc.h"

#include <stdlib.h>

/* Where a register of the previous frame is found: relative to what. */
enum { REG_UNDEFINED, REG_PREV_SP, REG_DX, REG_DI, REG_BP, REG_SP, REG_R10, REG_R13,
       REG_BP_INDIRECT, REG_SP_INDIRECT };
/* What is at the stack pointer then. */
enum { TYPE_CALL, TYPE_REGS, TYPE_REGS_PARTIAL };

/* Offsets in struct pt_regs, and in the frame that the processor pushes. */
enum { REGS_BP = 32, REGS_IP = 128, REGS_SP = 152, IRET_IP = 0, IRET_SP = 24 };

static unsigned int sp_reg(const struct orc_entry *e) { return e->regs & 15; }
static unsigned int bp_reg(const struct orc_entry *e) { return e->regs >> 4 & 15; }
static unsigned int type(const struct orc_entry *e) { return e->regs >> 8 & 3; }
static bool is_end(const struct orc_entry *e) { return e->regs >> 10 & 1; }

struct state {
    uint64_t ip, sp, bp;
    bool bp_known;
    bool at_call;               /* ip is a return address: the call is before it */
};

void orc_free(struct orc_tables *t)
{
    for (size_t i = 0; i < t->nr; i++) {
        free(t->table[i].ip);
        free(t->table[i].entry);
    }
    free(t->table);
    *t = (struct orc_tables){ 0 };
}

static uint64_t address_of(const struct orc_table *t, size_t i)
{
    return t->base + 4 * i + (uint64_t)(int64_t)t->ip[i];
}

static const struct orc_entry *find_in(const struct orc_table *t, uint64_t ip)
{
    size_t low = 0, high = t->nr;

    if (ip < t->start || ip >= t->end)
        return NULL;
    while (low < high) { /* the first entry above ip */
        size_t middle = low + (high - low) / 2;

        if (address_of(t, middle) <= ip)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &t->entry[low - 1] : NULL;
}

const struct orc_entry *orc_find(const struct orc_tables *t, uint64_t ip)
{
    for (size_t i = 0; i < t->nr; i++) {
        const struct orc_entry *e = find_in(&t->table[i], ip);

        if (e)
            return e;
    }
    return NULL;
}

static bool word_at(const struct stack_view *v, uint64_t at, uint64_t *value)
{
    size_t low = 0, high = v->nr;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (v->word[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == v->nr || v->word[low].at != at)
        return false;
    *value = v->word[low].value;
    return true;
}

static bool is_text(const struct stack_view *v, uint64_t ip)
{
    return ip >= v->text_start && ip < v->text_end;
}

/* The stack pointer that e says, *sp; false if it takes a register that is not known. */
static bool find_sp(const struct stack_view *v, const struct orc_entry *e, const struct state *s,
                    uint64_t *sp)
{
    uint64_t offset = (uint64_t)(int64_t)e->sp_offset;

    switch (sp_reg(e)) {
    case REG_SP:
        *sp = s->sp + offset;
        return true;
    case REG_BP:
        *sp = s->bp + offset;
        return s->bp_known;
    case REG_SP_INDIRECT:
        if (!word_at(v, s->sp, sp))
            return false;
        *sp += offset;
        return true;
    case REG_BP_INDIRECT:
        return s->bp_known && word_at(v, s->bp + offset, sp);
    }
    return false;
}

/* rbp of the previous frame, whose stack pointer is sp. */
static void find_bp(const struct stack_view *v, const struct orc_entry *e, struct state *s,
                    uint64_t sp)
{
    uint64_t offset = (uint64_t)(int64_t)e->bp_offset;

    switch (bp_reg(e)) {
    case REG_UNDEFINED: /* as it is */
        break;
    case REG_PREV_SP:
        s->bp_known = word_at(v, sp + offset, &s->bp);
        break;
    case REG_BP:
        s->bp_known = s->bp_known && word_at(v, s->bp + offset, &s->bp);
        break;
    default:
        s->bp_known = false;
    }
}

/* Registers that an entry saved: of the kernel, which goes on there, or of the user: the end. */
static enum unwind_end step_regs(const struct stack_view *v, struct state *s, uint64_t sp, bool full)
{
    uint64_t ip;

    if (!word_at(v, sp + (full ? REGS_IP : IRET_IP), &ip) || !is_text(v, ip))
        return UNWIND_DONE;
    s->bp_known = full && word_at(v, sp + REGS_BP, &s->bp);
    if (!word_at(v, sp + (full ? REGS_SP : IRET_SP), &s->sp))
        return UNWIND_NO_WORD;
    s->ip = ip;
    s->at_call = false;
    return UNWIND_NO_ENTRY; /* go on */
}

/* To the previous frame: UNWIND_NO_ENTRY if there is one, *ended is false then. */
static enum unwind_end step(const struct orc_tables *t, const struct stack_view *v,
                            struct state *s, bool *ended)
{
    const struct orc_entry *e = orc_find(t, s->at_call ? s->ip - 1 : s->ip);
    enum unwind_end end;
    uint64_t sp, ip;

    *ended = true;
    if (!e)
        return UNWIND_NO_ENTRY;
    if (sp_reg(e) == REG_UNDEFINED)
        return is_end(e) ? UNWIND_DONE : UNWIND_NO_ENTRY;
    if (!find_sp(v, e, s, &sp))
        return UNWIND_NO_WORD;
    if (type(e) != TYPE_CALL) {
        end = step_regs(v, s, sp, type(e) == TYPE_REGS);
        *ended = end != UNWIND_NO_ENTRY;
        return end;
    }
    if (!word_at(v, sp - 8, &ip) || !is_text(v, ip))
        return UNWIND_NO_WORD;
    find_bp(v, e, s, sp);
    s->sp = sp;
    s->ip = ip;
    s->at_call = true;
    *ended = false;
    return UNWIND_NO_ENTRY;
}

enum unwind_end orc_unwind(const struct orc_tables *t, const struct stack_view *v, uint64_t *ip,
                           size_t room, size_t *nr)
{
    struct state s = { v->rip, v->rsp, v->rbp, true, v->rip_is_return };
    enum unwind_end end;
    bool ended;

    for (*nr = 0; *nr < room;) {
        ip[(*nr)++] = s.ip;
        end = step(t, v, &s, &ended);
        if (ended)
            return end;
    }
    return UNWIND_DEEP;
}
