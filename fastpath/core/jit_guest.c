/* SPDX-License-Identifier: MIT */
/* Helpers inlined, where guest addresses can be used as they are. */
#include "jit_int.h"

_Static_assert(offsetof(struct fast_run, nr_staged) == offsetof(struct fast_run, stop) + 4,
               "cleared together by hv/x86/fast_entry.S");
_Static_assert(sizeof(struct fast_staged) == 32, "an index is shifted by 5");

static unsigned int load_size(int64_t helper)
{
    return helper >= FAST_HELPER_load8 && helper <= FAST_HELPER_load64
               ? 1u << (helper - FAST_HELPER_load8) : 0;
}

static unsigned int store_size(int64_t helper)
{
    return helper >= FAST_HELPER_store8 && helper <= FAST_HELPER_store64
               ? 1u << (helper - FAST_HELPER_store8) : 0;
}

bool jit_inlines(const struct jit *j, const struct isa_insn *in)
{
    return j->space->guest_memory &&
           (in->imm == FAST_HELPER_tsc || load_size(in->imm) || store_size(in->imm));
}

/* ------------------------------------------------------------------ loads */

/*
 * A register's value is looked at once: outside the guard it may be used with any displacement.  What
 * is inside becomes an address that faults, without a branch.
 */
static void check_base(struct jit *j, unsigned int reg)
{
    struct emit *e = &j->e;

    if (j->checked & 1u << reg)
        return;
    emit_reg_mem(e, true, 0x3b, j->map[reg], R12, offsetof(struct fast_run, guard));
    emit_reg_mem(e, true, 0x0f4c, j->map[reg], R12, offsetof(struct fast_run, no_address));
    j->checked |= (uint16_t)(1u << reg);
}

static void load_from(struct jit *j, unsigned int size, unsigned int reg, int32_t disp)
{
    static const uint16_t opcode[] = { [1] = 0x0fb6, [2] = 0x0fb7, [4] = 0x8b, [8] = 0x8b };

    check_base(j, reg);
    emit_reg_mem(&j->e, size == 8, opcode[size], j->map[0], j->map[reg], disp);
}

#define MAX_COMPARED 4u /* stores before a load; behind more of them it is a call */

/*
 * A load must see what the run has staged: one near a staged store is the helper's.  The address is in
 * r1.  Places of the list that this path has not filled hold anything; the helper finds out.
 */
static void load_behind_stores(struct jit *j, const struct isa_insn *in, unsigned int size)
{
    struct emit *e = &j->e;
    uint32_t near[MAX_COMPARED], done;

    for (uint32_t i = 0; i < j->stores; i++) {
        emit_mov(e, true, R11, j->map[1]);
        emit_reg_mem(e, true, 0x2b, R11, R12,
                     (int32_t)(offsetof(struct fast_run, staged) + i * sizeof(struct fast_staged) +
                               offsetof(struct fast_staged, address)));
        emit_alu_imm(e, true, 0, R11, 7);
        emit_alu_imm(e, true, 7, R11, 15);
        near[i] = emit_short_jump(e, 0x72);
    }
    j->checked &= (uint16_t)~2u;
    load_from(j, size, 1, 0);
    done = emit_short_jump(e, 0xeb);
    for (uint32_t i = 0; i < j->stores; i++)
        emit_land(e, near[i]);
    jit_call(j, in);
    emit_land(e, done);
}

/* r1 = another register, perhaps plus a number: how many slots of the program that takes. */
static unsigned int take_base(const struct jit *j, const struct fast_program *program,
                              unsigned int i, unsigned int *reg, int32_t *disp)
{
    unsigned int n = program->head.insns;
    struct isa_insn in;

    *reg = 1;
    *disp = 0;
    if (isa_decode(&program->insns[i], n - i, &in) != FAST_OK || in.row->op != OP_MOV ||
        in.row->form != FORM_ALU_REG || in.row->width != 64 || in.dst != 1 ||
        in.src >= ISA_FRAME || i + 1 >= n || jit_is_target(j, i + 1))
        return 0;
    *reg = in.src;
    if (isa_decode(&program->insns[i + 1], n - i - 1, &in) != FAST_OK || in.row->op != OP_ADD ||
        in.row->form != FORM_ALU_IMM || in.row->width != 64 || in.dst != 1 || i + 2 >= n ||
        jit_is_target(j, i + 2))
        return 1;
    *disp = (int32_t)in.imm;
    return 2;
}

unsigned int jit_load(struct jit *j, const struct fast_program *program, unsigned int i)
{
    unsigned int n = program->head.insns, reg, slots, size;
    struct isa_insn in;
    int32_t disp;

    if (!j->space->guest_memory)
        return 0;
    slots = take_base(j, program, i, &reg, &disp);
    if (isa_decode(&program->insns[i + slots], n - i - slots, &in) != FAST_OK ||
        in.row->form != FORM_CALL)
        return 0;
    size = load_size(in.imm);
    if (!size)
        return 0;
    j->space->offset[i + slots] = j->e.used;
    if (!j->stores) {
        load_from(j, size, reg, disp);
    } else {
        if (slots)
            emit_reg_mem(&j->e, true, 0x8d, j->map[1], j->map[reg], disp);
        if (j->stores <= MAX_COMPARED)
            load_behind_stores(j, &in, size);
        else
            jit_call(j, &in);
    }
    jit_note(j, &in);
    return slots + in.length;
}

void jit_note(struct jit *j, const struct isa_insn *in)
{
    const struct fast_helper_row *helper;

    switch (in->row->form) {
    case FORM_CALL:
        helper = fast_helper_find(in->imm);
        j->stores += helper && (helper->flags & HELPER_STAGES);
        j->checked &= (uint16_t)~0x3fu; /* r0 to r5 are lost */
        break;
    case FORM_JUMP:
    case FORM_JUMP_IMM:
    case FORM_BRANCH_IMM:
    case FORM_BRANCH_REG:
    case FORM_EXIT:
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        break;
    default:
        j->checked &= (uint16_t)~(1u << in->dst);
        break;
    }
}

/* ------------------------------------------------------------------ stores and the time stamp */

/* The next staged effect: `size` bytes of r2 to r1. The verifier has counted that there is room. */
static void store(struct jit *j, unsigned int size)
{
    const int32_t at = offsetof(struct fast_run, staged);
    struct emit *e = &j->e;
    unsigned int place = R11, value = j->map[2];

    emit_reg_mem(e, false, 0x8b, place, R12, offsetof(struct fast_run, nr_staged));
    emit_reg_reg(e, false, 0xc1, 4, place);
    emit_byte(e, 5);
    emit_reg_reg(e, true, 0x01, R12, place);
    emit_reg_mem(e, true, 0x89, j->map[1], place, at + (int32_t)offsetof(struct fast_staged, address));
    if (size == 4)
        emit_mov(e, false, value, value);
    else if (size < 4)
        emit_reg_reg(e, false, size == 1 ? 0x0fb6 : 0x0fb7, value, value);
    emit_reg_mem(e, true, 0x89, value, place, at + (int32_t)offsetof(struct fast_staged, value));
    emit_reg_mem(e, true, 0xc7, 0, place, at + (int32_t)offsetof(struct fast_staged, size));
    emit_u32(e, size);
    emit_reg_mem(e, false, 0xff, 0, R12, offsetof(struct fast_run, nr_staged));
    emit_reg_reg(e, false, 0x31, j->map[0], j->map[0]);
}

/* rdtsc has its result in edx:eax: r0 is rax, and r2, lost by any call, is rdx. */
static void tsc(struct jit *j)
{
    struct emit *e = &j->e;

    emit_byte(e, 0x0f);
    emit_byte(e, 0x31);
    emit_reg_reg(e, true, 0xc1, 4, RDX);
    emit_byte(e, 32);
    emit_reg_reg(e, true, 0x09, RDX, RAX);
}

void jit_inline(struct jit *j, const struct isa_insn *in)
{
    if (store_size(in->imm))
        store(j, store_size(in->imm));
    else
        tsc(j);
}
