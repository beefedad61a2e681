/* SPDX-License-Identifier: MIT */
#include "jit_int.h"

static const uint8_t pool[ISA_FRAME] = { RAX, RSI, RDX, RCX, R8, R9, RBX, R13, R14, R15 };
static const uint8_t saved[] = { RBP, RBX, R12, R13, R14, R15 };
#define NR_SAVED (sizeof(saved) / sizeof(saved[0]))

static bool callee_saved(unsigned int reg)
{
    return reg == RBX || reg >= R12;
}

/*
 * The callee-saved registers to keep: r12 always, the others where the program uses them; whether
 * it has a stack, and whether anything is called.
 */
static void choose_kept(struct jit *j)
{
    const struct fast_program *program = j->program;
    uint32_t used = 1u << R12;
    uint32_t stores = 0;

    j->frame = j->calls = !j->space->guest_memory;
    /* Any instruction's register fields, used or not: too many does no harm. */
    for (unsigned int i = 0; i < program->head.insns; i++) {
        unsigned int dst = program->insns[i].regs & 15, src = program->insns[i].regs >> 4;
        struct isa_insn in;

        used |= 1u << j->map[dst < ISA_REGS ? dst : 0] | 1u << j->map[src < ISA_REGS ? src : 0];
        if (isa_decode(&program->insns[i], program->head.insns - i, &in) == FAST_OK &&
            (in.row->form == FORM_CALL || isa_is_guest(in.row))) {
            /* A load behind a store may have to be a call after all. */
            j->calls |= stores || (in.row->form == FORM_CALL && !jit_inlines(j, &in));
            jit_note(j, &in);
            stores = j->staging;
        }
    }
    j->staging = 0;
    memset(j->checked, 0, sizeof(j->checked));
    j->frame |= (used & 1u << RBP) != 0;
    used |= j->frame ? 1u << RBP : 0;
    j->keep = 0;
    for (unsigned int i = 0; i < NR_SAVED; i++)
        j->keep |= (uint16_t)(used & 1u << saved[i]);
}

/*
 * The stack pointer is a multiple of 16 where helpers are called, and so is the frame pointer: at
 * the entry it is 8 more than one, and each register pushed takes 8.
 */
static int padding(const struct jit *j)
{
    if (!j->frame && !j->calls)
        return 0;
    return __builtin_popcount(j->keep) % 2 ? 0 : 8;
}

static void enter(struct jit *j)
{
    struct emit *e = &j->e;

    for (unsigned int i = 0; i < NR_SAVED; i++)
        if (j->keep & 1u << saved[i])
            emit_push(e, saved[i]);
    emit_mov(e, true, R12, RDI);
    if (padding(j))
        emit_alu_imm(e, true, 5, RSP, padding(j));
    if (j->frame) {
        emit_mov(e, true, RBP, RSP);
        emit_alu_imm(e, true, 5, RSP, (int32_t)FAST_STACK_BYTES);
    }
    emit_reg_mem(e, true, 0x8b, j->map[1], R12, offsetof(struct fast_run, ctx));
}

static void leave(struct jit *j)
{
    struct emit *e = &j->e;

    j->space->leave = e->used;
    if (j->frame)
        emit_reg_mem(e, true, 0x8d, RSP, RBP, padding(j));
    else if (padding(j))
        emit_alu_imm(e, true, 0, RSP, padding(j));
    for (unsigned int i = NR_SAVED; i-- > 0;)
        if (j->keep & 1u << saved[i])
            emit_pop(e, saved[i]);
    emit_byte(e, 0xc3);

    if (j->space->guest_memory) {
        j->space->fault = e->used;
        emit_reg_mem(e, false, 0xc7, 0, R12, offsetof(struct fast_run, stop));
        emit_u32(e, FAST_STOP_LOAD);
    }
    j->space->stopped = e->used;
    emit_reg_reg(e, false, 0x31, RAX, RAX);
    emit_jump(e, 0xe9, j->space->leave);
}

static void call_table(struct jit *j, const struct isa_insn *in)
{
    emit_mov(&j->e, true, RDI, R12);
    emit_reg_mem(&j->e, true, 0x8b, R11, R12, offsetof(struct fast_run, helpers));
    emit_reg_mem(&j->e, false, 0xff, 2, R11, 8 * (int32_t)in->imm);
}

/* With shuffled registers arguments are moved by way of the stack, and what the call clobbers is
 * kept. */
static void call_shuffled(struct jit *j, const struct isa_insn *in)
{
    unsigned int kept = 0;

    for (unsigned int i = 6; i <= 9; i++) {
        if (!callee_saved(j->map[i])) {
            emit_push(&j->e, j->map[i]);
            kept++;
        }
    }
    if (kept % 2)
        emit_push(&j->e, RAX);
    for (unsigned int i = 1; i <= 3; i++)
        emit_push(&j->e, j->map[i]);
    emit_pop(&j->e, RCX);
    emit_pop(&j->e, RDX);
    emit_pop(&j->e, RSI);
    call_table(j, in);
    emit_mov(&j->e, true, R11, RAX);
    if (kept % 2)
        emit_pop(&j->e, R10);
    for (unsigned int i = 9; i >= 6; i--)
        if (!callee_saved(j->map[i]))
            emit_pop(&j->e, j->map[i]);
    emit_mov(&j->e, true, j->map[0], R11);
}

void jit_call(struct jit *j, const struct isa_insn *in)
{
    const struct fast_helper_row *helper = fast_helper_find(in->imm);

    if (j->space->shuffle)
        call_shuffled(j, in);
    else
        call_table(j, in);
    if (helper->flags & HELPER_MAY_STOP) {
        emit_reg_mem(&j->e, false, 0x83, 7, R12, offsetof(struct fast_run, stop));
        emit_byte(&j->e, 0);
        emit_jump(&j->e, 0x0f85, j->space->stopped);
    }
}

static void call(struct jit *j, const struct isa_insn *in)
{
    if (!fast_helper_find(in->imm))
        j->e.failed = true;
    else if (jit_inlines(j, in))
        jit_inline(j, in);
    else
        jit_call(j, in);
}

static void load(struct jit *j, const struct isa_insn *in)
{
    static const uint16_t zero[] = { [1] = 0x0fb6, [2] = 0x0fb7, [4] = 0x8b, [8] = 0x8b };
    static const uint16_t sign[] = { [1] = 0x0fbe, [2] = 0x0fbf, [4] = 0x63 };
    bool wide = in->row->op == OP_LOADS || in->row->width == 8;

    emit_reg_mem(&j->e, wide, (in->row->op == OP_LOADS ? sign : zero)[in->row->width],
                 j->map[in->dst], j->map[in->src], in->off);
}

static void store(struct jit *j, const struct isa_insn *in)
{
    struct emit *e = &j->e;
    bool from_reg = in->row->form == FORM_STORE_REG;
    unsigned int size = in->row->width;
    unsigned int opcode = (from_reg ? 0x88u : 0xc6u) | (size > 1);

    if (size == 2)
        emit_byte(e, 0x66);
    emit_reg_mem(e, size == 8, opcode, from_reg ? j->map[in->src] : 0, j->map[in->dst], in->off);
    if (from_reg)
        return;
    for (unsigned int i = 0; i < (size < 4 ? size : 4); i++)
        emit_byte(e, (uint64_t)in->imm >> (8 * i) & 0xff);
}

void jit_memory(struct jit *j, const struct isa_insn *in)
{
    if (in->row->form == FORM_LOAD)
        load(j, in);
    else
        store(j, in);
}

unsigned int jit_condition(unsigned int op)
{
    static const uint8_t condition[] = {
        [OP_JEQ] = 0x4,  [OP_JNE] = 0x5,  [OP_JGT] = 0x7,  [OP_JGE] = 0x3,
        [OP_JLT] = 0x2,  [OP_JLE] = 0x6,  [OP_JSET] = 0x5, [OP_JSGT] = 0xf,
        [OP_JSGE] = 0xd, [OP_JSLT] = 0xc, [OP_JSLE] = 0xe,
    };

    return 0x0f80u | condition[op];
}

void jit_jump(struct jit *j, unsigned int condition, uint32_t to)
{
    /* While sizes are counted targets ahead are not known yet; jumps have one size. */
    emit_jump(&j->e, condition ? condition : 0xe9, j->space->offset[to]);
}

static void branch(struct jit *j, const struct isa_insn *in, uint32_t to)
{
    bool wide = in->row->width == 64;
    bool test = in->row->op == OP_JSET;
    unsigned int dst = j->map[in->dst];

    if (in->row->form == FORM_BRANCH_REG) {
        emit_reg_reg(&j->e, wide, test ? 0x85 : 0x39, j->map[in->src], dst);
    } else if (test) {
        emit_reg_reg(&j->e, wide, 0xf7, 0, dst);
        emit_u32(&j->e, (uint32_t)in->imm);
    } else {
        emit_alu_imm(&j->e, wide, 7, dst, (int32_t)in->imm);
    }
    jit_jump(j, jit_condition(in->row->op), to);
}

static void one(struct jit *j, const struct isa_insn *in, unsigned int next, bool last)
{
    uint32_t target = isa_is_jump(in->row) ? (uint32_t)((int32_t)next + in->jump) : 0;

    switch (in->row->form) {
    case FORM_JUMP:
    case FORM_JUMP_IMM:
        jit_jump(j, 0, target);
        break;
    case FORM_BRANCH_IMM:
    case FORM_BRANCH_REG:
        branch(j, in, target);
        break;
    case FORM_CALL:
        call(j, in);
        break;
    case FORM_EXIT:
        if (j->space->guest_memory)
            jit_take(j, next - 1);
        if (j->map[0] != RAX)
            emit_mov(&j->e, true, RAX, j->map[0]);
        if (!last)
            emit_jump(&j->e, 0xe9, j->space->leave);
        break;
    case FORM_LDDW:
        emit_mov_imm(&j->e, j->map[in->dst], (uint64_t)in->imm);
        break;
    case FORM_LOAD:
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        jit_memory(j, in);
        break;
    default:
        jit_alu(j, in);
        break;
    }
}

/* Everything from instruction i on that is made at once: slots of the program. */
static unsigned int next_piece(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int slots = jit_load(j, i);

    if (!slots && j->space->lean)
        slots = jit_lean(j, i, in);
    if (!slots && isa_is_guest(in->row))
        slots = jit_guest(j, i, in);
    if (!slots)
        slots = jit_rotate(j, i, in);
    if (!slots)
        slots = jit_lea(j, i, in);
    if (!slots) {
        one(j, in, i + 1, i + in->length == j->program->head.insns);
        slots = in->length;
    }
    return slots;
}

static bool body(struct jit *j)
{
    unsigned int n = j->program->head.insns, slots;
    struct isa_insn in;

    for (unsigned int i = 0; i < n; i += slots) {
        if (jit_is_target(j, i))
            memset(j->checked, 0, sizeof(j->checked));
        j->space->offset[i] = j->e.used;
        j->counted = j->space->point[i].stores != JIT_MIXED;
        j->stores = j->counted ? j->space->point[i].stores : j->staging;
        if (isa_decode(&j->program->insns[i], n - i, &in) != FAST_OK ||
            (isa_is_jump(in.row) && (in.jump < 0 || (int64_t)i + 1 + in.jump >= (int64_t)n)))
            return false;
        slots = next_piece(j, i, &in);
        for (unsigned int k = i; k < i + slots; k += in.length) {
            if (k > i)
                j->space->offset[k] = j->e.used;
            isa_decode(&j->program->insns[k], n - k, &in);
            jit_note(j, &in);
        }
    }
    return true;
}

static void translate(struct jit *j)
{
    for (unsigned int i = 0; i < ISA_FRAME; i++)
        j->map[i] = pool[(i + j->space->shuffle) % ISA_FRAME];
    j->map[ISA_FRAME] = RBP;
    j->run = R12;
    if (j->space->lean) {
        if (!jit_lean_plan(j)) {
            j->e.failed = true;
            return;
        }
        jit_lean_enter(j);
    } else {
        choose_kept(j);
        enter(j);
    }
    if (!body(j))
        j->e.failed = true;
    else if (j->space->lean)
        jit_lean_leave(j);
    else
        leave(j);
}

static uint32_t size_of(const struct fast_program *program, struct jit_space *space)
{
    struct jit j = { .space = space, .program = program };

    if (program->head.insns == 0 || program->head.insns > FAST_MAX_INSNS)
        return 0;
    jit_flow(space, program);
    translate(&j);
    return j.e.failed ? 0 : j.e.used;
}

uint32_t fast_jit_size(const struct fast_program *program, struct jit_space *space,
                       unsigned int shuffle)
{
    memset(space, 0, sizeof(*space));
    space->shuffle = shuffle % ISA_FRAME;
    return size_of(program, space);
}

uint32_t fast_jit_size_guest(const struct fast_program *program, struct jit_space *space,
                             uint32_t first_page)
{
    memset(space, 0, sizeof(*space));
    space->guest_memory = true;
    space->first_page = first_page;
    return size_of(program, space);
}

uint32_t fast_jit_size_lean(const struct fast_program *program, struct jit_space *space,
                            uint64_t tag, uint32_t first_page)
{
    memset(space, 0, sizeof(*space));
    space->tag = tag;
    space->first_page = first_page;
    space->guest_memory = space->lean = true;
    return size_of(program, space);
}

bool fast_jit_emit(const struct fast_program *program, struct jit_space *space, void *buffer,
                   uint32_t size)
{
    struct jit j = { .e = { buffer, size, 0, false }, .space = space, .program = program };

    translate(&j);
    return !j.e.failed && j.e.used == size;
}
