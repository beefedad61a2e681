/* SPDX-License-Identifier: MIT */
/* Helpers inlined, where guest addresses can be used as they are. */
#include "jit_int.h"

_Static_assert(sizeof(struct fast_staged) == 32, "an index is shifted by 5");

static unsigned int load_size(int64_t helper)
{
    return helper >= FAST_HELPER_load8 && helper <= FAST_HELPER_load64
               ? 1u << (helper - FAST_HELPER_load8)
               : 0;
}

static unsigned int store_size(int64_t helper)
{
    return helper >= FAST_HELPER_store8 && helper <= FAST_HELPER_store64
               ? 1u << (helper - FAST_HELPER_store8)
               : 0;
}

bool jit_inlines(const struct jit *j, const struct isa_insn *in)
{
    return j->space->guest_memory &&
           (in->imm == FAST_HELPER_tsc || load_size(in->imm) || store_size(in->imm) ||
            (in->imm == FAST_HELPER_m2p && !j->space->lean));
}

/* ------------------------------------------------------------------ loads */

/*
 * A register's value is looked at once: outside the guard it may be used with any displacement.
 * What is inside, or in the other half, becomes an address that faults, without a branch.  Signed,
 * everything below the guard is not the guest's or not canonical, but for the lower half, which is
 * positive.
 */
void jit_check_base(struct jit *j, unsigned int reg, enum isa_half half)
{
    static const uint16_t move_if[] = { [ISA_ANY] = 0x0f4c /* less */,
                                        [ISA_KERNEL] = 0x0f42 /* below */,
                                        [ISA_USER] = 0x0f43 /* not below */ };
    struct emit *e = &j->e;
    int32_t limit = half == ISA_USER ? offsetof(struct fast_run, user_end)
                                     : offsetof(struct fast_run, guard);

    if (j->checked[half] & 1u << reg)
        return;
    emit_reg_mem(e, true, 0x3b, j->map[reg], j->run, limit);
    emit_reg_mem(e, true, move_if[half], j->map[reg], j->run,
                 offsetof(struct fast_run, no_address));
    j->checked[half] |= (uint16_t)(1u << reg);
    j->checked[ISA_ANY] |= (uint16_t)(1u << reg);
}

static void load_plain(struct jit *j, unsigned int size, unsigned int dst, unsigned int base,
                       int32_t disp)
{
    static const uint16_t opcode[] = { [1] = 0x0fb6, [2] = 0x0fb7, [4] = 0x8b, [8] = 0x8b };

    emit_reg_mem(&j->e, size == 8, opcode[size], dst, base, disp);
}

static void load_from(struct jit *j, unsigned int size, unsigned int reg, int32_t disp)
{
    jit_check_base(j, reg, ISA_ANY);
    load_plain(j, size, j->map[0], j->map[reg], disp);
}

#define MAX_COMPARED 4u /* stores before a load; behind more of them it is a call */

/*
 * A load must see what the run has staged: one near a staged store is the helper's.  Places of the
 * list that this path has not filled hold anything; the helper finds out.
 */
static void compare_with_stores(struct jit *j, unsigned int base, int32_t disp,
                                uint32_t near[MAX_COMPARED])
{
    bool far = disp > INT32_MAX - 7; /* one displacement would not do */
    struct emit *e = &j->e;

    for (uint32_t i = 0; i < j->stores; i++) {
        emit_reg_mem(e, true, 0x8d, R11, base, far ? disp : disp + 7);
        if (far)
            emit_alu_imm(e, true, 0, R11, 7);
        emit_reg_mem(e, true, 0x2b, R11, j->run,
                     (int32_t)(offsetof(struct fast_run, staged) + i * sizeof(struct fast_staged) +
                               offsetof(struct fast_staged, address)));
        emit_alu_imm(e, true, 7, R11, 15);
        near[i] = emit_short_jump(e, 0x72);
    }
}

/* The address is in r1. */
static void load_behind_stores(struct jit *j, const struct isa_insn *in, unsigned int size)
{
    struct emit *e = &j->e;
    uint32_t near[MAX_COMPARED], done;

    compare_with_stores(j, j->map[1], 0, near);
    j->checked[ISA_ANY] &= (uint16_t)~2u;
    load_from(j, size, 1, 0);
    done = emit_short_jump(e, 0xeb);
    for (uint32_t i = 0; i < j->stores; i++)
        emit_land(e, near[i]);
    jit_call(j, in);
    emit_land(e, done);
}

/* r1 = another register, perhaps plus a number: how many slots of the program that takes. */
static unsigned int take_base(const struct jit *j, unsigned int i, unsigned int *reg, int32_t *disp)
{
    const struct fast_program *program = j->program;
    unsigned int n = program->head.insns;
    struct isa_insn in;

    *reg = 1;
    *disp = 0;
    if (isa_decode(&program->insns[i], n - i, &in) != FAST_OK || in.row->op != OP_MOV ||
        in.row->form != FORM_ALU_REG || in.row->width != 64 || in.dst != 1 || in.src >= ISA_FRAME ||
        i + 1 >= n || jit_is_target(j, i + 1))
        return 0;
    *reg = in.src;
    if (isa_decode(&program->insns[i + 1], n - i - 1, &in) != FAST_OK || in.row->op != OP_ADD ||
        in.row->form != FORM_ALU_IMM || in.row->width != 64 || in.dst != 1 || i + 2 >= n ||
        jit_is_target(j, i + 2))
        return 1;
    *disp = (int32_t)in.imm;
    return 2;
}

unsigned int jit_load(struct jit *j, unsigned int i)
{
    const struct fast_program *program = j->program;
    unsigned int n = program->head.insns, reg, slots, size;
    struct isa_insn in;
    int32_t disp;

    if (!j->space->guest_memory || j->space->lean)
        return 0;
    slots = take_base(j, i, &reg, &disp);
    if (isa_decode(&program->insns[i + slots], n - i - slots, &in) != FAST_OK ||
        in.row->form != FORM_CALL)
        return 0;
    size = load_size(in.imm);
    if (!size)
        return 0;
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
    return slots + in.length;
}

static void forget(struct jit *j, uint16_t regs)
{
    for (unsigned int half = 0; half < 3; half++)
        j->checked[half] &= (uint16_t)~regs;
}

static void note_copy(struct jit *j, const struct isa_insn *in)
{
    for (unsigned int half = 0; half < 3; half++)
        if (j->checked[half] & 1u << in->src)
            j->checked[half] |= (uint16_t)(1u << in->dst);
}

void jit_note(struct jit *j, const struct isa_insn *in)
{
    const struct fast_helper_row *helper;

    switch (in->row->form) {
    case FORM_CALL:
        helper = fast_helper_find(in->imm);
        j->staging += helper && (helper->flags & HELPER_STAGES);
        forget(j, 0x3f); /* r0 to r5 are lost */
        break;
    case FORM_GUEST_STORE:
        j->staging++;
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
        forget(j, (uint16_t)(1u << in->dst));
        if (in->row->op == OP_MOV && in->row->form == FORM_ALU_REG && in->row->width == 64)
            note_copy(j, in);
        /* A number of the last 2 GiB, which are above any guard. */
        if (in->row->op == OP_MOV && in->row->form == FORM_ALU_IMM && in->row->width == 64 &&
            in->imm < 0) {
            j->checked[ISA_ANY] |= (uint16_t)(1u << in->dst);
            j->checked[ISA_KERNEL] |= (uint16_t)(1u << in->dst);
        }
        if (jit_is_gs(j, in)) { /* one that the hypervisor has looked at, or that faults */
            j->checked[ISA_ANY] |= (uint16_t)(1u << in->dst);
            j->checked[ISA_KERNEL] |= (uint16_t)(1u << in->dst);
        }
        break;
    }
}

/* ------------------------------------------------------------------ stores and the time stamp */

static int32_t staged_field(const struct jit *j, unsigned int place, size_t field)
{
    return (int32_t)(offsetof(struct fast_run, staged) + field +
                     (place == R11 ? 0 : j->stores * sizeof(struct fast_staged)));
}

/*
 * The next staged effect: `size` bytes of a register to another's address and more.  The verifier
 * has counted that there is room.  Where the place in the list depends on the way it is counted as the
 * code runs.  Lean code says how many there are at its end.
 */
static void stage(struct jit *j, unsigned int size, unsigned int base_reg, int32_t disp,
                  unsigned int value_reg, enum isa_half half)
{
    unsigned int place = j->counted ? j->run : R11, base = j->map[base_reg],
                 value = j->map[value_reg];
    struct emit *e = &j->e;

    if (half != ISA_ANY)
        jit_check_base(j, base_reg, half);
    if (place == R11) {
        emit_reg_mem(e, false, 0x8b, place, j->run, offsetof(struct fast_run, nr_staged));
        emit_reg_reg(e, false, 0xc1, 4, place);
        emit_byte(e, 5);
        emit_reg_reg(e, true, 0x01, j->run, place);
    }
    emit_reg_mem(e, true, 0x89, base, place,
                 staged_field(j, place, offsetof(struct fast_staged, address)));
    if (disp) {
        emit_reg_mem(e, true, 0x81, 0, place,
                     staged_field(j, place, offsetof(struct fast_staged, address)));
        emit_u32(e, (uint32_t)disp);
    }
    if (size < 8 && !j->space->lean) { /* fast_call_lean() does it for lean code */
        unsigned int scratch = R10;

        emit_reg_reg(e, false, size == 4 ? 0x8b : size == 1 ? 0x0fb6 : 0x0fb7, scratch, value);
        value = scratch;
    }
    emit_reg_mem(e, true, 0x89, value, place,
                 staged_field(j, place, offsetof(struct fast_staged, value)));
    emit_reg_mem(e, true, 0xc7, 0, place,
                 staged_field(j, place, offsetof(struct fast_staged, size)));
    emit_u32(e, size);
    if (j->space->lean)
        return;
    emit_reg_mem(e, false, j->counted ? 0xc7 : 0xff, 0, j->run, offsetof(struct fast_run, nr_staged));
    if (j->counted)
        emit_u32(e, j->stores + 1);
}

/* ------------------------------------------------------------------ guest accesses (isa.def) */

/* The helper, with every register kept but the one that is loaded. */
static void guest_call(struct jit *j, const struct isa_insn *in)
{
    bool loads = in->row->form == FORM_GUEST_LOAD;
    unsigned int base = j->map[loads ? in->src : in->dst];
    struct emit *e = &j->e;

    for (unsigned int i = 0; i < ISA_FRAME; i++)
        if (j->map[i] < R12 && j->map[i] != RBX)
            emit_push(e, j->map[i]); /* six, whatever the map: the stack stays aligned */
    emit_mov(e, true, R10, loads ? base : j->map[in->src]);
    emit_reg_mem(e, true, 0x8d, RSI, base, (int32_t)in->imm);
    emit_mov(e, true, RDX, R10);
    emit_mov(e, true, RDI, j->run);
    emit_reg_mem(e, true, 0x8b, R11, j->run, offsetof(struct fast_run, helpers));
    emit_reg_mem(e, false, 0xff, 2, R11, 8 * (int32_t)isa_guest_helper(in->row));
    emit_mov(e, true, R11, RAX);
    for (unsigned int i = ISA_FRAME; i-- > 0;)
        if (j->map[i] < R12 && j->map[i] != RBX)
            emit_pop(e, j->map[i]);
    emit_reg_mem(e, false, 0x83, 7, j->run, offsetof(struct fast_run, stop));
    emit_byte(e, 0);
    emit_jump(e, 0x0f85, j->space->stopped);
    if (loads)
        emit_mov(e, true, j->map[in->dst], R11);
}

/* Where there is no guest memory but by calls: the half by a comparison. */
static void check_half(struct jit *j, const struct isa_insn *in)
{
    bool loads = in->row->form == FORM_GUEST_LOAD;
    unsigned int base = j->map[loads ? in->src : in->dst];
    struct emit *e = &j->e;
    uint32_t good;

    if (in->row->off == ISA_ANY)
        return;
    emit_reg_mem(e, true, 0x3b, base, j->run,
                 in->row->off == ISA_USER ? offsetof(struct fast_run, user_end)
                                          : offsetof(struct fast_run, guard));
    good = emit_short_jump(e, in->row->off == ISA_USER ? 0x72 : 0x73);
    emit_reg_mem(e, true, 0x8b, base, j->run, offsetof(struct fast_run, no_address));
    if (loads) {
        emit_reg_mem(e, false, 0xc7, 0, j->run, offsetof(struct fast_run, stop));
        emit_u32(e, FAST_STOP_LOAD);
        emit_jump(e, 0xe9, j->space->stopped);
    }
    emit_land(e, good);
}

static void guest_load(struct jit *j, const struct isa_insn *in)
{
    unsigned int size = in->row->width, base = j->map[in->src], dst = j->map[in->dst];
    uint32_t near[MAX_COMPARED], done;
    struct emit *e = &j->e;

    jit_check_base(j, in->src, (enum isa_half)in->row->off);
    if (!j->stores) {
        load_plain(j, size, dst, base, (int32_t)in->imm);
        return;
    }
    if (j->stores > MAX_COMPARED) {
        if (j->space->lean) {
            emit_reg_mem(e, true, 0x8d, R11, base, (int32_t)in->imm);
            jit_lean_slow_load(j, size, dst);
        } else {
            guest_call(j, in);
        }
        return;
    }
    compare_with_stores(j, base, (int32_t)in->imm, near);
    load_plain(j, size, dst, base, (int32_t)in->imm);
    done = emit_short_jump(e, 0xeb);
    for (uint32_t i = 0; i < j->stores; i++)
        emit_land(e, near[i]);
    if (j->space->lean) {
        emit_reg_mem(e, true, 0x8d, R11, base, (int32_t)in->imm);
        jit_lean_slow_load(j, size, dst);
    } else {
        guest_call(j, in);
    }
    emit_land(e, done);
}

void jit_guest_access(struct jit *j, const struct isa_insn *in)
{
    if (!j->space->guest_memory) {
        check_half(j, in);
        guest_call(j, in);
    } else if (in->row->form == FORM_GUEST_STORE) {
        stage(j, in->row->width, in->dst, (int32_t)in->imm, in->src, (enum isa_half)in->row->off);
    } else {
        guest_load(j, in);
    }
}

unsigned int jit_guest(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    if (j->space->guest_memory && in->row->form == FORM_GUEST_LOAD && jit_compare(j, i, in))
        return 2;
    jit_guest_access(j, in);
    return 1;
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

/* r0 = table[r1]; behind its end is an address that faults, without a branch. */
static void m2p(struct jit *j)
{
    struct emit *e = &j->e;

    emit_mov(e, true, R11, j->map[1]);
    emit_reg_reg(e, true, 0xc1, 4, R11);
    emit_byte(e, 3);
    emit_reg_mem(e, true, 0x03, R11, j->run, offsetof(struct fast_run, m2p));
    emit_reg_mem(e, true, 0x3b, j->map[1], j->run, offsetof(struct fast_run, nr_m2p));
    emit_reg_mem(e, true, 0x0f43, R11, j->run, offsetof(struct fast_run, no_address));
    emit_reg_mem(e, true, 0x8b, j->map[0], R11, 0);
}

void jit_inline(struct jit *j, const struct isa_insn *in)
{
    if (in->imm == FAST_HELPER_m2p) {
        m2p(j);
    } else if (store_size(in->imm)) {
        stage(j, store_size(in->imm), 1, 0, 2, ISA_ANY);
        emit_reg_reg(&j->e, false, 0x31, j->map[0], j->map[0]);
    } else {
        tsc(j);
    }
}
