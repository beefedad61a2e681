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
    if (!j->space->guest_memory)
        return false;
    return in->imm == FAST_HELPER_tsc || store_size(in->imm) || (load_size(in->imm) && !j->staged);
}

/* r0 = the `size` bytes at r1, which is lost. */
static void load(struct jit *j, unsigned int size)
{
    static const uint16_t opcode[] = { [1] = 0x0fb6, [2] = 0x0fb7, [4] = 0x8b, [8] = 0x8b };
    struct emit *e = &j->e;
    unsigned int address = j->map[1];

    emit_mov(e, true, R11, address);
    emit_reg_reg(e, true, 0xc1, 5, R11);
    emit_byte(e, FAST_HIDDEN_SHIFT);
    emit_alu_imm(e, false, 7, R11, (int32_t)FAST_HIDDEN);
    emit_reg_mem(e, true, 0x0f44, address, R12, offsetof(struct fast_run, no_address));
    emit_reg_mem(e, size == 8, opcode[size], j->map[0], address, 0);
}

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
    if (load_size(in->imm))
        load(j, load_size(in->imm));
    else if (store_size(in->imm))
        store(j, store_size(in->imm));
    else
        tsc(j);
}
