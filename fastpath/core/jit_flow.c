/* SPDX-License-Identifier: MIT */
/*
 * What is known at each instruction before code is made: which registers are still read, which hold
 * the context, how many stores are staged.  Jumps go forward only, so one pass each way is exact.
 */
#include "jit_int.h"

struct uses {
    uint16_t reads, writes;
};

#define BIT(reg) ((uint16_t)(1u << (reg)))

static struct uses of_call(const struct isa_insn *in)
{
    const struct fast_helper_row *helper = fast_helper_find(in->imm);
    uint16_t args = helper ? (uint16_t)((1u << (helper->args + 1)) - 2) : 0x3e;

    return (struct uses){ args, 0x3f };
}

static struct uses of_alu(const struct isa_insn *in)
{
    bool moves = in->row->op >= OP_MOV && in->row->op <= OP_MOVSX32;
    uint16_t reads = moves ? 0 : BIT(in->dst);

    if (in->row->form == FORM_ALU_REG)
        reads |= BIT(in->src);
    return (struct uses){ reads, BIT(in->dst) };
}

static struct uses uses_of(const struct isa_insn *in)
{
    switch (in->row->form) {
    case FORM_JUMP:
    case FORM_JUMP_IMM:
        return (struct uses){ 0, 0 };
    case FORM_BRANCH_IMM:
    case FORM_STORE_IMM:
        return (struct uses){ BIT(in->dst), 0 };
    case FORM_BRANCH_REG:
    case FORM_STORE_REG:
    case FORM_GUEST_STORE:
        return (struct uses){ BIT(in->dst) | BIT(in->src), 0 };
    case FORM_CALL:
        return of_call(in);
    case FORM_EXIT:
        return (struct uses){ BIT(0), 0 };
    case FORM_LDDW:
        return (struct uses){ 0, BIT(in->dst) };
    case FORM_LOAD:
    case FORM_GUEST_LOAD:
        return (struct uses){ BIT(in->src), BIT(in->dst) };
    default:
        return of_alu(in);
    }
}

static bool decode(const struct fast_program *program, unsigned int i, struct isa_insn *in)
{
    unsigned int n = program->head.insns;

    return isa_decode(&program->insns[i], n - i, in) == FAST_OK &&
           (!isa_is_jump(in->row) || (in->jump >= 0 && (int64_t)i + 1 + in->jump < (int64_t)n));
}

static unsigned int target_of(unsigned int i, const struct isa_insn *in)
{
    return i + 1 + (unsigned int)in->jump;
}

static bool falls_through(const struct isa_insn *in)
{
    return in->row->op != OP_JA && in->row->op != OP_EXIT;
}

uint16_t jit_writes(const struct jit *j, unsigned int i)
{
    struct isa_insn in;

    return !j->space->point[i].half && decode(j->program, i, &in) ? uses_of(&in).writes : 0;
}

/* ------------------------------------------------------------------ backward: what is still read
 */

static void liveness(struct jit_space *space, const struct fast_program *program)
{
    unsigned int n = program->head.insns;
    struct isa_insn in;

    for (unsigned int i = n; i-- > 0;) {
        struct uses uses;
        uint16_t live = 0;

        if (space->point[i].half || !decode(program, i, &in))
            continue;
        if (falls_through(&in) && i + in.length < n)
            live |= space->point[i + in.length].live;
        if (isa_is_jump(in.row))
            live |= space->point[target_of(i, &in)].live;
        uses = uses_of(&in);
        space->point[i].live = (uint16_t)((live & ~uses.writes) | uses.reads);
    }
}

uint16_t jit_live_after(const struct jit *j, unsigned int i)
{
    const struct fast_program *program = j->program;
    uint16_t live = 0;
    struct isa_insn in;

    if (!decode(program, i, &in) || (falls_through(&in) && i + in.length >= program->head.insns))
        return 0xffff;
    if (falls_through(&in))
        live |= j->space->point[i + in.length].live;
    if (isa_is_jump(in.row))
        live |= j->space->point[target_of(i, &in)].live;
    return live;
}

bool jit_dead_after(const struct jit *j, unsigned int i, unsigned int reg)
{
    return !(jit_live_after(j, i) & BIT(reg));
}

bool jit_low_half(const struct jit *j, unsigned int i)
{
    struct isa_insn in;

    for (i++; i < j->program->head.insns && decode(j->program, i, &in); i += in.length) {
        struct uses uses = uses_of(&in);
        bool narrow = in.row->form >= FORM_ALU_IMM && in.row->form <= FORM_UNARY &&
                      in.row->width == 32;

        if (uses.reads & BIT(0) && !narrow)
            return false;
        if (uses.writes & BIT(0))
            return true;
        if (!falls_through(&in) ||
            (isa_is_jump(in.row) && j->space->point[target_of(i, &in)].live & BIT(0)))
            return false;
    }
    return false;
}

/* ------------------------------------------------------------------ forward: context and stores */

static uint8_t constant_r0(const struct isa_insn *in)
{
    if (in->row->op == OP_MOV && in->row->form == FORM_ALU_IMM && (in->imm == 0 || in->imm == 1))
        return (uint8_t)in->imm;
    return JIT_MIXED;
}

struct jit_point jit_behind(unsigned int i, const struct isa_insn *in, struct jit_point p)
{
    const struct fast_helper_row *helper = in->row->form == FORM_CALL ? fast_helper_find(in->imm)
                                                                      : NULL;
    uint16_t writes = uses_of(in).writes;
    bool copies = in->row->op == OP_MOV && in->row->form == FORM_ALU_REG && in->row->width == 64 &&
                  p.ctx & BIT(in->src);

    if (in->row->form == FORM_STORE_REG && p.ctx & BIT(in->dst) &&
        in->off == (int)offsetof(struct fast_ctx, rax))
        p.result = 1;
    if (in->row->form == FORM_GUEST_STORE || (helper && helper->flags & HELPER_STAGES)) {
        p.stores = (uint8_t)(p.stores + (p.stores < JIT_MIXED));
        p.last_store = (uint16_t)i;
    }
    if (writes & BIT(0))
        p.r0 = constant_r0(in);
    p.ctx = (uint16_t)((p.ctx & ~writes) | (copies ? BIT(in->dst) : 0));
    return p;
}

static void flow_to(struct jit_space *space, unsigned int i, const struct jit_point *from)
{
    struct jit_point *p = &space->point[i], old = *p;

    if (!old.reached) {
        *p = *from;
        p->reached = true;
        p->target = old.target;
        p->half = old.half;
        p->plain = old.plain;
        return;
    }
    p->ctx &= from->ctx;
    if (p->stores != from->stores || p->last_store != from->last_store)
        p->stores = JIT_MIXED;
    if (p->result != from->result)
        p->result = JIT_MIXED;
    if (p->r0 != from->r0)
        p->r0 = JIT_MIXED;
}

/* Whether a way with this can be ended where it leaves for the end: its outcome is known, and what it does. */
static bool ends(const struct jit_point *p)
{
    return p->r0 == 0 || (p->r0 == 1 && p->stores != JIT_MIXED && p->result != JIT_MIXED);
}

static void forward(struct jit_space *space, const struct fast_program *program)
{
    unsigned int n = program->head.insns;
    struct isa_insn in;

    space->point[0].ctx = BIT(1);
    space->point[0].r0 = JIT_MIXED;
    space->point[0].reached = true;
    for (unsigned int i = 0; i < n; i += in.length) {
        struct jit_point after;

        if (!decode(program, i, &in))
            return; /* translate() says so */
        after = jit_behind(i, &in, space->point[i]);
        if (falls_through(&in) && i + in.length < n) {
            space->point[i + in.length].plain |= in.row->op != OP_MOV || in.dst != 0 || !ends(&after);
            flow_to(space, i + in.length, &after);
        }
        if (isa_is_jump(in.row)) {
            unsigned int to = target_of(i, &in);

            space->point[to].target = true;
            space->point[to].plain |= in.row->op != OP_JA || !ends(&after);
            flow_to(space, to, &after);
        }
        if (in.length == 2)
            space->point[i + 1].half = true;
    }
}

void jit_flow(struct jit_space *space, const struct fast_program *program)
{
    forward(space, program);
    liveness(space, program);
}
