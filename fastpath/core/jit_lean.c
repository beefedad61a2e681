/* SPDX-License-Identifier: MIT */
/*
 * Lean code: for a system call on its way from user mode and back (hv/x86/fast_entry.S).  User
 * mode's registers stay where they are; what the code uses itself it saves, and so the arguments
 * are read from their registers.  rcx holds the run; rax is the program's r0, and at the end the
 * result.
 *
 *   stack, downward: the return address; saved registers; the program's stack; padding
 *
 * What was staged is taken here as well (jit_lean_take.c), if all of it goes to pages that are
 * known; each store's place in the list is known too, and their number at the end.
 */
#include "jit_lean.h"

static bool is_ctx(const struct jit *j, unsigned int i, unsigned int reg)
{
    return j->space->point[i].ctx & 1u << reg;
}

static unsigned int count_bits(unsigned int set)
{
    unsigned int n = 0;

    for (; set; set &= set - 1)
        n++;
    return n;
}

/* ------------------------------------------------------------------ beginning and end */

void jit_lean_enter(struct jit *j)
{
    for (unsigned int r = 0; r < 16; r++)
        if (j->keep & 1u << r)
            emit_push(&j->e, r);
    if (j->stack)
        emit_alu_imm(&j->e, true, 5, RSP, (int32_t)j->stack);
}

/* Where a register was saved, from rsp. */
static int32_t saved_at(const struct jit *j, unsigned int reg)
{
    unsigned int above = count_bits(j->keep >> (reg + 1));

    return (int32_t)(j->stack + 8 * above);
}

static void put_back(struct jit *j)
{
    if (j->stack)
        emit_reg_mem(&j->e, true, 0x8d, RSP, RSP, (int32_t)j->stack);
    for (unsigned int r = 16; r-- > 0;)
        if (j->keep & 1u << r)
            emit_pop(&j->e, r);
}

static void put_result(struct jit *j, const struct jit_point *p, unsigned int in_reg)
{
    if (in_reg != NO_REG && j->result_extends)
        emit_reg_reg(&j->e, true, 0x63, RAX, in_reg);
    else if (in_reg != NO_REG)
        emit_mov(&j->e, true, RAX, in_reg);
    else if (p->result)
        emit_reg_mem(&j->e, true, 0x8b, RAX, RCX, offsetof(struct fast_run, result));
    else
        emit_mov_imm(&j->e, RAX, j->program->head.attach_number);
}

static void end_done(struct jit *j, bool carry_is_clear)
{
    put_back(j);
    if (!carry_is_clear)
        emit_byte(&j->e, 0xf8); /* clc */
    emit_byte(&j->e, 0xc3);
}

/* DONE, with the result in a register, or (NO_REG) in the run, or none. */
static void done(struct jit *j, const struct jit_point *p, unsigned int in_reg)
{
    struct lean_outs out = { .n = 0 };
    bool clear = false;

    if (p->stores && p->stores <= MAX_TAKEN)
        clear = lean_take(j, p, in_reg, &out);
    if (p->stores <= MAX_TAKEN) {
        put_result(j, p, in_reg);
        end_done(j, clear);
    }
    if (!p->stores)
        return;
    lean_land(j, &out);
    put_result(j, p, in_reg);
    emit_reg_mem(&j->e, true, 0x89, RAX, RCX, offsetof(struct fast_run, result));
    lean_set(j, offsetof(struct fast_run, nr_staged), p->stores);
    lean_set(j, offsetof(struct fast_run, stop), FAST_STOP_UNTAKEN);
    emit_jump(&j->e, 0xe9, j->space->stopped);
}

static const uint8_t kept_by_call[] = { RAX, RCX, RDX, RSI, RDI, R8, R9, R10 };
#define NR_KEPT (sizeof(kept_by_call) / sizeof(kept_by_call[0]))

/* r11 = the helper's value of the address in r11; what else a call loses is kept.  Eight words and
 * the return address: one more keeps the stack aligned. */
static void slow_load_body(struct jit *j, unsigned int which)
{
    struct emit *e = &j->e;
    uint32_t good;

    j->space->slow[which] = e->used;
    for (unsigned int i = 0; i < NR_KEPT; i++)
        emit_push(e, kept_by_call[i]);
    emit_push(e, R11);
    emit_mov(e, true, RDI, RCX);
    emit_mov(e, true, RSI, R11);
    emit_reg_mem(e, true, 0x8b, R11, RCX, offsetof(struct fast_run, helpers));
    emit_reg_mem(e, false, 0xff, 2, R11, 8 * (int32_t)(FAST_HELPER_load8 + which));
    emit_pop(e, R11);
    emit_mov(e, true, R11, RAX);
    for (unsigned int i = NR_KEPT; i-- > 0;)
        emit_pop(e, kept_by_call[i]);
    emit_reg_mem(e, false, 0x83, 7, RCX, offsetof(struct fast_run, stop));
    emit_byte(e, 0);
    good = emit_short_jump(e, 0x74);
    emit_reg_mem(e, true, 0x8d, RSP, RSP, 8);
    emit_jump(e, 0xe9, j->space->stopped);
    emit_land(e, good);
    emit_byte(e, 0xc3);
}

static bool end_here(struct jit *j, const struct jit_point *p, unsigned int in_reg)
{
    if (p->r0 == 0)
        emit_jump(&j->e, 0xe9, j->space->leave);
    else if (p->r0 != 1 || p->stores == JIT_MIXED || p->result == JIT_MIXED)
        return false;
    else
        done(j, p, in_reg);
    return true;
}

void jit_lean_leave(struct jit *j)
{
    struct emit *e = &j->e;

    for (unsigned int i = 0; i < 4; i++)
        if (j->space->slow[i])
            slow_load_body(j, i);
    j->space->fault = e->used;
    lean_set(j, offsetof(struct fast_run, stop), FAST_STOP_LOAD);
    emit_jump(e, 0xe9, j->space->stopped);
    j->space->leave = j->space->stopped = e->used; /* nothing stopped it, or it was said above */
    put_back(j);
    emit_mov_imm(e, RAX, j->space->tag);
    emit_byte(e, 0xf9); /* stc */
    emit_byte(e, 0xc3);
}

/* ------------------------------------------------------------------ instructions */

static void read_ctx(struct jit *j, const struct jit_point *p, const struct isa_insn *in)
{
    bool wide = in->row->width == 8;
    unsigned int dst = j->map[in->dst];
    struct emit *e = &j->e;
    int reg = lean_argument(in->off);

    if (reg >= 0 && j->keep & 1u << reg) {
        emit_reg_mem(e, wide, 0x8b, dst, RSP, saved_at(j, (unsigned int)reg));
    } else if (reg >= 0) {
        emit_mov(e, wide, dst, (unsigned int)reg);
    } else if (in->off == FIELD(kernel_gs)) {
        emit_reg_mem(e, wide, 0x8b, dst, RCX, offsetof(struct fast_run, kernel_gs));
    } else if (in->off == FIELD(kernel_sp)) {
        emit_reg_mem(e, true, 0x8b, dst, RCX, offsetof(struct fast_run, kernel_sp));
        emit_reg_mem(e, wide, 0x8b, dst, dst, 0);
    } else if (p->result) {
        emit_reg_mem(e, wide, 0x8b, dst, RCX, offsetof(struct fast_run, result));
    } else {
        emit_mov_imm(e, dst, j->program->head.attach_number);
    }
}

static void stack_access(struct jit *j, const struct isa_insn *in)
{
    /* From rsp, which is as far below the program's frame pointer as the stack is deep. */
    struct isa_insn moved = *in;

    moved.off = (int16_t)(in->off + (int32_t)j->stack);
    jit_memory(j, &moved);
}

/* The context's rax, which is `value` of the program's, DONE, and the end, one behind the other. */
static unsigned int result_and_end(struct jit *j, unsigned int i, const struct isa_insn *in,
                                   unsigned int value)
{
    unsigned int n = j->program->head.insns, reg = j->map[value];
    struct isa_insn next;

    if (in->row->form != FORM_STORE_REG || i + 2 >= n || jit_is_target(j, i + 1) ||
        jit_is_target(j, i + 2) || reg == RAX || reg == R11 || j->space->point[i + 2].r0 != 1 ||
        isa_decode(&j->program->insns[i + 1], n - i - 1, &next) != FAST_OK ||
        next.row->op != OP_MOV || next.dst != 0 ||
        isa_decode(&j->program->insns[i + 2], n - i - 2, &next) != FAST_OK ||
        next.row->form != FORM_EXIT || j->space->point[i + 2].stores == JIT_MIXED)
        return 0;
    done(j, &j->space->point[i + 2], reg);
    return 3;
}

static unsigned int memory(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    bool loads = in->row->form == FORM_LOAD;
    unsigned int slots;

    if ((loads ? in->src : in->dst) == ISA_FRAME) {
        stack_access(j, in);
        return 1;
    }
    if (loads) {
        read_ctx(j, &j->space->point[i], in);
        return 1;
    }
    slots = result_and_end(j, i, in, in->src);
    if (slots)
        return slots;
    if (in->row->form == FORM_STORE_REG) {
        emit_reg_mem(&j->e, true, 0x89, j->map[in->src], RCX, offsetof(struct fast_run, result));
    } else {
        emit_reg_mem(&j->e, true, 0xc7, 0, RCX, offsetof(struct fast_run, result));
        emit_u32(&j->e, (uint32_t)in->imm);
    }
    return 1;
}

/* An end that this way comes to by a jump, or by falling into it: made here, with what this way
 * knows. */
static unsigned int to_the_end(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int n = j->program->head.insns, to;
    bool jumps = in->row->op == OP_JA;
    struct jit_point after;
    struct isa_insn end;

    if (!jumps && (in->row->op != OP_MOV || in->dst != 0))
        return 0;
    to = i + 1 + (jumps ? (unsigned int)in->jump : 0);
    if (to >= n || isa_decode(&j->program->insns[to], n - to, &end) != FAST_OK ||
        end.row->form != FORM_EXIT)
        return 0;
    after = jit_behind(i, in, j->space->point[i]);
    if (!end_here(j, &after, NO_REG))
        return 0;
    return jumps || jit_is_target(j, to) ? 1 : 2;
}

/* The helper's calls, by what they are short for. */
static unsigned int call(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    static const uint8_t load_codes[] = { 0x31, 0x29, 0x21, 0x39 },
                         store_codes[] = { 0x33, 0x2b, 0x23, 0x3b };
    struct fast_insn plain = { 0 };
    struct isa_insn as;

    if (in->imm == FAST_HELPER_tsc) {
        if (jit_low_half(j, i))
            emit_byte(&j->e, 0x0f), emit_byte(&j->e, 0x31);
        else
            jit_inline(j, in);
        return 1;
    }
    if (in->imm <= FAST_HELPER_load64) {
        plain.code = load_codes[in->imm - FAST_HELPER_load8];
        plain.regs = 1 << 4; /* r0 = [r1] */
    } else {
        plain.code = store_codes[in->imm - FAST_HELPER_store8];
        plain.regs = 1 | 2 << 4; /* [r1] = r2 */
    }
    isa_decode(&plain, 1, &as);
    jit_guest_access(j, &as);
    if (as.row->form == FORM_GUEST_STORE)
        emit_reg_reg(&j->e, false, 0x31, RAX, RAX);
    return 1;
}

/* The same behind the sign extension of what goes to rax, which is extended on its way there. */
static unsigned int extended_and_end(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int n = j->program->head.insns, slots;
    struct isa_insn next;

    if (in->row->op != OP_MOVSX32 || i + 1 >= n || jit_is_target(j, i + 1) ||
        isa_decode(&j->program->insns[i + 1], n - i - 1, &next) != FAST_OK ||
        next.row->form != FORM_STORE_REG || next.src != in->dst || !is_ctx(j, i + 1, next.dst))
        return 0;
    j->result_extends = true;
    slots = result_and_end(j, i + 1, &next, in->src);
    j->result_extends = false;
    return slots ? slots + 1 : 0;
}

unsigned int jit_lean(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int slots = to_the_end(j, i, in);

    if (!slots)
        slots = extended_and_end(j, i, in);

    if (slots)
        return slots;
    if (in->row->op == OP_MOV && in->row->form == FORM_ALU_REG && in->row->width == 64 &&
        is_ctx(j, i, in->src))
        return 1; /* the context's address: nothing to do */
    switch (in->row->form) {
    case FORM_GUEST_STORE:
        return lean_keep_store(j, i, in) ? 1 : 0;
    case FORM_LOAD:
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        return memory(j, i, in);
    case FORM_CALL:
        return call(j, i, in);
    case FORM_EXIT:
        /* Where no way is plain each has its end made where it comes from. */
        if (j->space->point[i].plain && !end_here(j, &j->space->point[i], NO_REG))
            j->e.failed = true;
        return 1;
    default:
        return 0;
    }
}

/* ------------------------------------------------------------------ loads by the helper */

void jit_lean_slow_load(struct jit *j, unsigned int size, unsigned int dst)
{
    unsigned int which = (unsigned int)__builtin_ctz(size);

    lean_set(j, offsetof(struct fast_run, nr_staged), j->stores);
    emit_jump(&j->e, 0xe8, j->space->slow[which]);
    emit_mov(&j->e, true, dst, R11);
    if (!j->space->slow[which])
        j->space->slow[which] = 1; /* wanted; its place is known when it is made */
}
