/* SPDX-License-Identifier: MIT */
/*
 * Lean code: for a system call on its way from user mode and back (hv/x86/fast_entry.S).  User
 * mode's registers stay where they are; what the code uses itself it saves, and so the arguments
 * are read from their registers.  rcx holds the run, r11 is scratch and, with rax, what is left at
 * the end.
 *
 *   stack, downward: the return address; saved registers; the program's stack; padding
 *
 * What was staged is taken here as well, if all of it goes to pages of run->page; each store's
 * place in the list is known, and at the end their number.
 */
#include "jit_int.h"

#define NO_REG 16u
#define MAX_TAKEN 24u /* more stores than that are C's to take */

/* r0 is rax.  The others in this order: those that no argument is in first. */
static const uint8_t lean_pool[] = { RBX, RBP, R12, R13, R14, R15, R9, R8, R10 };

/* ------------------------------------------------------------------ may it be lean? */

#define FIELD(name) ((int)offsetof(struct fast_ctx, name))

static const struct {
    int16_t at;
    uint8_t reg;
} arguments[] = { { FIELD(rdi), RDI }, { FIELD(rsi), RSI }, { FIELD(rdx), RDX },
                  { FIELD(r10), R10 }, { FIELD(r8), R8 },   { FIELD(r9), R9 } };
#define NR_ARGUMENTS (sizeof(arguments) / sizeof(arguments[0]))

static int argument(int off)
{
    for (unsigned int i = 0; i < NR_ARGUMENTS; i++)
        if (arguments[i].at == off)
            return arguments[i].reg;
    return -1;
}

static bool is_ctx(const struct jit *j, unsigned int i, unsigned int reg)
{
    return j->space->point[i].ctx & 1u << reg;
}

static bool reads_well(const struct jit *j, unsigned int i, const struct isa_insn *in)
{
    if (in->src == ISA_FRAME)
        return true;
    return is_ctx(j, i, in->src) && in->row->op == OP_LOAD &&
           (in->row->width == 8 || in->row->width == 4) &&
           (argument(in->off) >= 0 || in->off == FIELD(kernel_gs) || in->off == FIELD(kernel_sp) ||
            (in->off == FIELD(rax) && j->space->point[i].result != JIT_MIXED));
}

static bool writes_well(const struct jit *j, unsigned int i, const struct isa_insn *in)
{
    bool from_ctx = in->row->form == FORM_STORE_REG &&
                    (is_ctx(j, i, in->src) || in->src == ISA_FRAME);

    if (from_ctx)
        return false;
    return in->dst == ISA_FRAME || (is_ctx(j, i, in->dst) && in->off == FIELD(rax));
}

/* Whether arithmetic leaves the addresses of context and stack alone. */
static bool counts_well(const struct jit *j, unsigned int i, const struct isa_insn *in)
{
    bool copies = in->row->op == OP_MOV && in->row->form == FORM_ALU_REG && in->row->width == 64;

    if (in->row->form == FORM_ALU_REG && in->src == ISA_FRAME)
        return false;
    if (in->row->form == FORM_ALU_REG && is_ctx(j, i, in->src))
        return copies;
    return in->row->op == OP_MOV || in->row->op == OP_LDDW || !is_ctx(j, i, in->dst);
}

static bool fits(const struct jit *j, unsigned int i, const struct isa_insn *in)
{
    switch (in->row->form) {
    case FORM_LOAD:
        return reads_well(j, i, in);
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        return writes_well(j, i, in);
    case FORM_CALL:
        return jit_inlines(j, in) &&
               (in->imm == FAST_HELPER_tsc || j->space->point[i].stores != JIT_MIXED);
    case FORM_GUEST_LOAD:
    case FORM_GUEST_STORE:
        return j->space->point[i].stores != JIT_MIXED;
    default:
        return in->row->form > FORM_SWAP || counts_well(j, i, in);
    }
}

/* ------------------------------------------------------------------ registers */

struct plan {
    uint16_t regs; /* of the program that need one of the processor's */
    int32_t deepest;
    bool stores, loads_behind, scratch, tsc, divides;
};

static void look_at(const struct jit *j, unsigned int i, const struct isa_insn *in, struct plan *p)
{
    bool copies_ctx = in->row->op == OP_MOV && in->row->form == FORM_ALU_REG &&
                      in->row->width == 64 && is_ctx(j, i, in->src);
    bool in_stack = (in->row->form == FORM_LOAD && in->src == ISA_FRAME) ||
                    ((in->row->form == FORM_STORE_IMM || in->row->form == FORM_STORE_REG) &&
                     in->dst == ISA_FRAME);
    bool loads = in->row->form == FORM_GUEST_LOAD;

    if (in_stack && in->off < p->deepest)
        p->deepest = in->off;
    if (in->row->form == FORM_CALL) {
        p->tsc |= in->imm == FAST_HELPER_tsc;
        loads |= in->imm >= FAST_HELPER_load8 && in->imm <= FAST_HELPER_load64;
        p->stores |= in->imm >= FAST_HELPER_store8 && in->imm <= FAST_HELPER_store64;
    }
    p->stores |= in->row->form == FORM_GUEST_STORE;
    p->loads_behind |= loads && j->space->point[i].stores;
    p->divides |= in->row->op >= OP_DIV && in->row->op <= OP_SMOD;
    p->scratch |= in->row->op >= OP_LSH && in->row->op <= OP_ARSH && in->row->form == FORM_ALU_REG;
    /* Registers that the program names; ones that only ever hold the context need none. */
    if (!copies_ctx && in->dst < ISA_FRAME && !is_ctx(j, i, in->dst))
        p->regs |= (uint16_t)(1u << in->dst);
    if (!copies_ctx &&
        (in->row->op == OP_MOV || in->row->form == FORM_LOAD || in->row->form == FORM_GUEST_LOAD ||
         in->row->form == FORM_LDDW) &&
        in->dst < ISA_FRAME)
        p->regs |= (uint16_t)(1u << in->dst);
    if (in->src < ISA_FRAME && !is_ctx(j, i, in->src))
        p->regs |= (uint16_t)(1u << in->src);
    if (in->row->form == FORM_CALL)
        p->regs |= 0x7; /* arguments and the result */
}

static unsigned int count_bits(unsigned int set)
{
    unsigned int n = 0;

    for (; set; set &= set - 1)
        n++;
    return n;
}

static bool assign(struct jit *j, const struct plan *p)
{
    unsigned int next = 0;

    j->map[0] = RAX;
    j->keep = 0;
    for (unsigned int i = 1; i < ISA_FRAME; i++) {
        j->map[i] = RAX; /* nobody's */
        if (!(p->regs & 1u << i))
            continue;
        j->map[i] = lean_pool[next];
        j->keep |= (uint16_t)(1u << lean_pool[next++]);
    }
    j->map[ISA_FRAME] = RSP;
    if ((p->scratch || p->divides) && j->keep & 1u << R10)
        return false;
    if (p->stores || p->loads_behind || p->scratch || p->divides)
        j->keep |= 1u << R11;
    if (p->scratch || p->divides)
        j->keep |= 1u << R10;
    if (p->divides)
        j->keep |= 1u << RDI;
    if (p->tsc)
        j->keep |= 1u << RDX;
    j->calls = p->loads_behind;
    j->stack = ((uint32_t)-p->deepest + 7) & ~7u;
    /* Helpers want the stack aligned, as it is at the entry. */
    if (j->calls && (8 * count_bits(j->keep) + j->stack) % 16)
        j->stack += 8;
    return true;
}

bool jit_lean_plan(struct jit *j)
{
    unsigned int n = j->program->head.insns;
    struct plan plan = { 0 };
    struct isa_insn in;

    if (j->program->head.attach_kind != FAST_ATTACH_SYSCALL)
        return false;
    for (unsigned int i = 0; i < n; i += in.length) {
        if (isa_decode(&j->program->insns[i], n - i, &in) != FAST_OK || !fits(j, i, &in))
            return false;
        look_at(j, i, &in, &plan);
    }
    j->run = RCX;
    j->stores = 0;
    memset(j->checked, 0, sizeof(j->checked));
    return assign(j, &plan);
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

static void set_field(struct jit *j, size_t field, uint32_t value)
{
    emit_reg_mem(&j->e, false, 0xc7, 0, RCX, (int32_t)field);
    emit_u32(&j->e, value);
}

static int32_t staged(uint32_t i, size_t field)
{
    return (int32_t)(offsetof(struct fast_run, staged) + i * sizeof(struct fast_staged) + field);
}

/* A jump forward on a condition, to be landed: where its distance ends. */
static uint32_t jump_far(struct emit *e, unsigned int opcode)
{
    emit_byte(e, 0x0f);
    emit_byte(e, opcode);
    emit_u32(e, 0);
    return e->used;
}

static void land_far(struct emit *e, uint32_t jump)
{
    uint32_t distance = e->used - jump;

    if (e->at && !e->failed)
        memcpy(e->at + jump - 4, &distance, sizeof(distance));
}

/*
 * rax = where store i goes: a page that is known, or out by a jump.  An address that its size does
 * not divide has low bits that no tag has.
 */
static uint32_t find_page(struct jit *j, uint32_t i, uint32_t size)
{
    const int32_t page = offsetof(struct fast_run, page);
    struct emit *e = &j->e;
    uint32_t out;

    emit_reg_mem(e, true, 0x8b, R11, RCX, staged(i, offsetof(struct fast_staged, address)));
    emit_reg_reg(e, false, 0x89, R11, RAX);
    emit_reg_reg(e, false, 0xc1, 5, RAX); /* bits 12 to 19, times 16 */
    emit_byte(e, 8);
    emit_alu_imm(e, false, 4, RAX, (int32_t)((FAST_PAGES - 1) * sizeof(struct fast_page)));
    emit_alu_imm(e, true, 4, R11, -4096 | (int32_t)(size - 1));
    emit_reg_index(e, true, 0x3b, R11, RCX, RAX, page + (int32_t)offsetof(struct fast_page, tag));
    out = jump_far(e, 0x85);
    emit_reg_index(e, true, 0x8b, RAX, RCX, RAX,
                   page + (int32_t)offsetof(struct fast_page, distance));
    emit_reg_mem(e, true, 0x03, RAX, RCX, staged(i, offsetof(struct fast_staged, address)));
    return out;
}

static void store_at_rax(struct jit *j, uint32_t i, uint32_t size)
{
    struct emit *e = &j->e;

    emit_reg_mem(e, true, 0x8b, R11, RCX, staged(i, offsetof(struct fast_staged, value)));
    if (size == 2)
        emit_byte(e, 0x66);
    emit_reg_mem(e, size == 8, size == 1 ? 0x88 : 0x89, R11, RAX, 0);
}

static unsigned int stored_bytes(const struct jit *j, unsigned int i)
{
    struct isa_insn in;

    if (isa_decode(&j->program->insns[i], j->program->head.insns - i, &in) != FAST_OK)
        return 0;
    return in.row->form == FORM_GUEST_STORE ? in.row->width : 1u << (in.imm - FAST_HELPER_store8);
}

/* The sizes of the stores on the way to p, first to last. */
static void sizes_of(const struct jit *j, const struct jit_point *p, uint8_t size[MAX_TAKEN])
{
    for (uint32_t k = p->stores; k-- > 0;) {
        size[k] = (uint8_t)stored_bytes(j, p->last_store);
        p = &j->space->point[p->last_store];
    }
}

/* Stores taken, all or none; the jumps that are left to be landed where none was. */
static unsigned int take_stores(struct jit *j, const struct jit_point *p,
                                uint32_t out[MAX_TAKEN + 1])
{
    const int32_t proved = offsetof(struct fast_run, proved);
    uint8_t size[MAX_TAKEN];
    struct emit *e = &j->e;
    unsigned int jumps = 0;

    sizes_of(j, p, size);
    emit_reg_mem(e, true, 0x8b, RAX, RCX, offsetof(struct fast_run, gone_at));
    emit_reg_mem(e, true, 0x8b, RAX, RAX, 0);
    emit_reg_mem(e, true, 0x3b, RAX, RCX, offsetof(struct fast_run, gone));
    out[jumps++] = jump_far(e, 0x85);
    for (uint32_t k = 0; k < p->stores; k++) {
        out[jumps++] = find_page(j, k, size[k]);
        if (p->stores > 1)
            emit_reg_mem(e, true, 0x89, RAX, RCX, proved + 8 * (int32_t)k);
    }
    /* ---- point of no return ---- */
    for (uint32_t k = 0; k < p->stores; k++) {
        if (p->stores > 1)
            emit_reg_mem(e, true, 0x8b, RAX, RCX, proved + 8 * (int32_t)k);
        store_at_rax(j, k, size[k]);
    }
    return jumps;
}

static void put_result(struct jit *j, const struct jit_point *p, unsigned int in_reg)
{
    if (in_reg != NO_REG)
        emit_mov(&j->e, true, RAX, in_reg);
    else if (p->result)
        emit_reg_mem(&j->e, true, 0x8b, RAX, RCX, offsetof(struct fast_run, result));
    else
        emit_mov_imm(&j->e, RAX, j->program->head.attach_number);
}

static void end_done(struct jit *j)
{
    put_back(j);
    emit_byte(&j->e, 0xf8); /* clc */
    emit_byte(&j->e, 0xc3);
}

/* DONE, with the result in a register, or (NO_REG) in the run, or none. */
static void done(struct jit *j, const struct jit_point *p, unsigned int in_reg)
{
    uint32_t out[MAX_TAKEN + 1];
    unsigned int jumps = 0;

    if (p->stores && p->stores <= MAX_TAKEN)
        jumps = take_stores(j, p, out);
    if (p->stores <= MAX_TAKEN) {
        put_result(j, p, in_reg);
        end_done(j);
    }
    if (!p->stores)
        return;
    for (unsigned int i = 0; i < jumps; i++)
        land_far(&j->e, out[i]);
    put_result(j, p, in_reg);
    emit_reg_mem(&j->e, true, 0x89, RAX, RCX, offsetof(struct fast_run, result));
    set_field(j, offsetof(struct fast_run, nr_staged), p->stores);
    set_field(j, offsetof(struct fast_run, stop), FAST_STOP_UNTAKEN);
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
    set_field(j, offsetof(struct fast_run, stop), FAST_STOP_LOAD);
    emit_jump(e, 0xe9, j->space->stopped);
    j->space->leave = e->used;
    set_field(j, offsetof(struct fast_run, stop), FAST_STOP_NONE);
    j->space->stopped = e->used;
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
    int reg = argument(in->off);

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

/* The context's rax, DONE, and the end, one behind the other. */
static unsigned int result_and_end(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int n = j->program->head.insns, reg = j->map[in->src];
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
    slots = result_and_end(j, i, in);
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
static unsigned int call(struct jit *j, const struct isa_insn *in)
{
    static const uint8_t load_codes[] = { 0x31, 0x29, 0x21, 0x39 },
                         store_codes[] = { 0x33, 0x2b, 0x23, 0x3b };
    struct fast_insn plain = { 0 };
    struct isa_insn as;

    if (in->imm == FAST_HELPER_tsc) {
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

unsigned int jit_lean(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int slots = to_the_end(j, i, in);

    if (slots)
        return slots;
    if (in->row->op == OP_MOV && in->row->form == FORM_ALU_REG && in->row->width == 64 &&
        is_ctx(j, i, in->src))
        return 1; /* the context's address: nothing to do */
    switch (in->row->form) {
    case FORM_LOAD:
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        return memory(j, i, in);
    case FORM_CALL:
        return call(j, in);
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

    set_field(j, offsetof(struct fast_run, nr_staged), j->stores);
    emit_jump(&j->e, 0xe8, j->space->slow[which]);
    emit_mov(&j->e, true, dst, R11);
    if (!j->space->slow[which])
        j->space->slow[which] = 1; /* wanted; its place is known when it is made */
}
