/* SPDX-License-Identifier: MIT */
#include "verify_int.h"

static bool is_taken(const struct verify *v, unsigned int from, unsigned int to)
{
    return to !=
           from + (from + 1 < v->program->head.insns && v->space->second_half[from + 1] ? 2 : 1);
}

/*
 * One way from the start to the instruction, backward along the edges noted; where a merge spoilt
 * the register, along the edge that did.
 */
static void note_path(struct verify *v, unsigned int insn, unsigned int reg)
{
    struct fast_verdict *out = v->verdict;
    const struct verify_reg *r = reg < ISA_REGS ? &v->space->now.reg[reg] : NULL;
    unsigned int at = insn, n = 0;
    struct isa_insn in;

    while (at) {
        unsigned int from = v->space->came_from[at];

        if (r && r->join_at == at)
            from = r->join_via;
        isa_decode(&v->program->insns[from], v->program->head.insns - from, &in);
        if (isa_is_branch(in.row)) {
            if (n < FAST_MAX_PATH) {
                out->path[n].insn = (uint16_t)from;
                out->path[n].taken = is_taken(v, from, at);
            }
            n++;
        }
        at = from;
    }
    out->has_path = true;
    out->path_steps = n < FAST_MAX_PATH ? n : FAST_MAX_PATH;
    out->path_dropped = n - out->path_steps;
    for (unsigned int i = 0; i < out->path_steps / 2; i++) {
        struct fast_step swap = out->path[i];

        out->path[i] = out->path[out->path_steps - 1 - i];
        out->path[out->path_steps - 1 - i] = swap;
    }
}

bool verify_refuse(struct verify *v, enum fast_refusal_id id, unsigned int insn, unsigned int reg)
{
    v->verdict->id = id;
    v->verdict->insn = insn;
    v->verdict->reg = (uint8_t)reg;
    return false;
}

/* What calling it, or an instruction that is short for that, does to the path. */
static bool charge(struct verify *v, unsigned int insn, const struct fast_helper_row *helper)
{
    struct verify_state *now = &v->space->now;

    if ((helper->flags & HELPER_BEFORE_PT) && now->pt_staged)
        return verify_refuse(v, FAST_AFTER_PT_UPDATE, insn, FAST_NO_REG);
    if ((helper->flags & HELPER_STAGES) && ++now->staged > FAST_MAX_STAGED)
        return verify_refuse(v, FAST_TOO_MANY_STAGED, insn, FAST_NO_REG);
    if ((helper->flags & HELPER_STAGES) && !(helper->flags & HELPER_BEFORE_PT))
        now->pt_staged = true;
    now->cost += helper->cost;
    if (now->cost > FAST_MAX_COST)
        return verify_refuse(v, FAST_TOO_COSTLY, insn, FAST_NO_REG);
    return true;
}

bool verify_guest(struct verify *v, unsigned int insn, const struct isa_insn *in)
{
    struct verify_state *now = &v->space->now;
    bool loads = in->row->form == FORM_GUEST_LOAD;
    unsigned int base = loads ? in->src : in->dst, size = in->row->width;

    if (!verify_readable(v, insn, base))
        return false;
    if (reg_is_pointer(&now->reg[base]))
        return verify_refuse(v, FAST_GUEST_POINTER, insn, base);
    if (!loads && !verify_readable(v, insn, in->src))
        return false;
    if (!loads && reg_is_pointer(&now->reg[in->src]))
        return verify_refuse(v, FAST_POINTER_STORED, insn, in->src);
    if (loads && in->dst == ISA_FRAME)
        return verify_refuse(v, FAST_FRAME_WRITE, insn, in->dst);
    if (!charge(v, insn, fast_helper_find(isa_guest_helper(in->row))))
        return false;
    if (loads)
        reg_set_number(&now->reg[in->dst], 0, size == 8 ? ~0ull : (1ull << (8 * size)) - 1);
    return true;
}

bool verify_call(struct verify *v, unsigned int insn, const struct isa_insn *in)
{
    struct verify_state *now = &v->space->now;
    const struct fast_helper_row *helper = fast_helper_find(in->imm);

    if (!helper)
        return verify_refuse(v, FAST_NO_HELPER, insn, FAST_NO_REG);
    if (!(helper->attach & v->attach))
        return verify_refuse(v, FAST_HELPER_ATTACH, insn, FAST_NO_REG);
    for (unsigned int i = 1; i <= helper->args; i++)
        if (now->reg[i].type != REG_NUMBER)
            return verify_refuse(v, FAST_HELPER_ARGUMENT, insn, i);
    if (!charge(v, insn, helper))
        return false;
    reg_set_number(&now->reg[0], 0, helper->flags & HELPER_VALUE ? ~0ull : 0);
    for (unsigned int i = 1; i <= 5; i++) {
        reg_set_number(&now->reg[i], 0, 0);
        now->reg[i].type = REG_UNWRITTEN;
    }
    return true;
}

static bool verify_exit(struct verify *v, unsigned int insn)
{
    const struct verify_reg *r0 = &v->space->now.reg[0];

    if (!verify_readable(v, insn, 0))
        return false;
    if (reg_is_pointer(r0))
        return verify_refuse(v, FAST_POINTER_RETURNED, insn, 0);
    if (r0->max > FAST_DONE)
        return verify_refuse(v, FAST_BAD_RETURN, insn, 0);
    if (v->space->now.cost > v->verdict->cost)
        v->verdict->cost = v->space->now.cost;
    if (v->space->now.staged > v->verdict->staged)
        v->verdict->staged = v->space->now.staged;
    return true;
}

/* The state now also holds at `target`, which lies ahead. */
static bool go_to(struct verify *v, unsigned int from, unsigned int target)
{
    struct verify_space *space = v->space;
    unsigned int i = 0;

    if (space->slot_of[target]) {
        state_join(&space->ahead[space->slot_of[target] - 1], &space->now, target, from);
        return true;
    }
    while (i < FAST_MAX_TARGETS && space->in_use[i])
        i++;
    if (i == FAST_MAX_TARGETS)
        return verify_refuse(v, FAST_TOO_MANY_TARGETS, from, FAST_NO_REG);
    space->in_use[i] = 1;
    space->ahead[i] = space->now;
    space->slot_of[target] = (uint8_t)(i + 1);
    space->came_from[target] = (uint16_t)from;
    return true;
}

static bool verify_jump(struct verify *v, unsigned int insn, const struct isa_insn *in)
{
    const struct verify_state *now = &v->space->now;

    if (isa_is_branch(in->row)) {
        if (!verify_readable(v, insn, in->dst) ||
            (in->row->form == FORM_BRANCH_REG && !verify_readable(v, insn, in->src)))
            return false;
        if (reg_is_pointer(&now->reg[in->dst]))
            return verify_refuse(v, FAST_POINTER_COMPARED, insn, in->dst);
        if (in->row->form == FORM_BRANCH_REG && reg_is_pointer(&now->reg[in->src]))
            return verify_refuse(v, FAST_POINTER_COMPARED, insn, in->src);
    }
    return go_to(v, insn, (unsigned int)((int32_t)insn + 1 + in->jump));
}

static bool verify_insn(struct verify *v, unsigned int insn, const struct isa_insn *in)
{
    if (++v->space->now.cost > FAST_MAX_COST)
        return verify_refuse(v, FAST_TOO_COSTLY, insn, FAST_NO_REG);
    if (isa_is_jump(in->row))
        return verify_jump(v, insn, in);
    switch (in->row->form) {
    case FORM_CALL:
        return verify_call(v, insn, in);
    case FORM_EXIT:
        return verify_exit(v, insn);
    case FORM_LDDW:
        if (in->dst == ISA_FRAME)
            return verify_refuse(v, FAST_FRAME_WRITE, insn, in->dst);
        reg_set_number(&v->space->now.reg[in->dst], (uint64_t)in->imm, (uint64_t)in->imm);
        return true;
    case FORM_GUEST_LOAD:
    case FORM_GUEST_STORE:
        return verify_guest(v, insn, in);
    case FORM_LOAD:
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        return verify_memory(v, insn, in);
    default:
        return verify_alu(v, insn, in);
    }
}

/* Takes up the state that waits at `insn`; `falls` when the instruction before leads here too. */
static void merge(struct verify_space *space, unsigned int insn, bool falls)
{
    unsigned int waiting = space->slot_of[insn] - 1u;

    if (falls)
        state_join(&space->ahead[waiting], &space->now, insn, space->came_from[insn]);
    space->now = space->ahead[waiting];
    space->in_use[waiting] = 0;
}

static bool walk(struct verify *v)
{
    struct verify_space *space = v->space;
    unsigned int n = v->program->head.insns, before = 0;
    bool falls = true;
    struct isa_insn in;

    state_start(&space->now);
    for (unsigned int i = 0; i < n; i += in.length) {
        if (space->slot_of[i]) {
            unsigned int first = space->came_from[i];

            /* The edge that falls through is the one noted while it is joined. */
            space->came_from[i] = (uint16_t)before;
            merge(space, i, falls);
            space->came_from[i] = (uint16_t)first;
        } else if (falls) {
            space->came_from[i] = (uint16_t)before;
        } else {
            return verify_refuse(v, FAST_UNREACHABLE, i, FAST_NO_REG);
        }
        isa_decode(&v->program->insns[i], n - i, &in);
        if (!verify_insn(v, i, &in)) {
            note_path(v, i, v->verdict->reg);
            return false;
        }
        falls = in.row->op != OP_JA && in.row->op != OP_EXIT;
        before = i;
    }
    if (falls) {
        verify_refuse(v, FAST_NO_EXIT, before, FAST_NO_REG);
        note_path(v, before, FAST_NO_REG);
        return false;
    }
    return true;
}

bool fast_verify(const struct fast_program *program, struct verify_space *space,
                 struct fast_verdict *verdict)
{
    struct verify v = { program, space, verdict, 0 };
    enum fast_refusal_id refused = program_check_attach(&program->head);

    memset(verdict, 0, sizeof(*verdict));
    verdict->reg = FAST_NO_REG;
    if (refused == FAST_OK && program->head.insns == 0)
        refused = FAST_EMPTY;
    if (refused == FAST_OK && program->head.insns > FAST_MAX_INSNS)
        refused = FAST_TOO_LONG;
    if (refused != FAST_OK)
        return verify_refuse(&v, refused, 0, FAST_NO_REG);

    v.attach = 1u << program->head.attach_kind;
    memset(space->slot_of, 0, sizeof(space->slot_of));
    memset(space->in_use, 0, sizeof(space->in_use));
    memset(space->second_half, 0, sizeof(space->second_half));
    return verify_flow(&v) && walk(&v);
}
