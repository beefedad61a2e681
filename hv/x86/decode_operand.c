/* SPDX-License-Identifier: MIT */
/* Operands of a decoded instruction: general registers and effective addresses. */
#include <stddef.h>

#include "decode.h"

/* struct cpu_user_regs has its own order; this is the processor's. */
static const uint8_t gpr_offset[16] = {
    offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx),
    offsetof(struct cpu_user_regs, rdx), offsetof(struct cpu_user_regs, rbx),
    offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
    offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi),
    offsetof(struct cpu_user_regs, r8),  offsetof(struct cpu_user_regs, r9),
    offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
    offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13),
    offsetof(struct cpu_user_regs, r14), offsetof(struct cpu_user_regs, r15),
};

uint64_t x86_gpr_get(const struct cpu_user_regs *regs, unsigned int nr)
{
    return *(const uint64_t *)((const char *)regs + gpr_offset[nr & 15]);
}

void x86_gpr_set(struct cpu_user_regs *regs, unsigned int nr, uint64_t value)
{
    *(uint64_t *)((char *)regs + gpr_offset[nr & 15]) = value;
}

uint64_t x86_gpr_merge(uint64_t old, unsigned int bytes, uint64_t value)
{
    uint64_t mask = x86_mask(bytes);

    if (bytes == 4)
        return value & mask;
    return (old & ~mask) | (value & mask);
}

/*
 * Bit strings: the register is a signed bit number that reaches beyond the operand. In bytes, the
 * distance of the operand-sized unit with that bit (APM volume 3, BTS).
 */
static uint64_t bit_string_distance(const struct x86_insn *insn, const struct cpu_user_regs *regs)
{
    unsigned int spare = 64 - 8 * insn->op_bytes;
    int64_t bit = (int64_t)(x86_gpr_get(regs, insn->reg) << spare) >> spare;
    int64_t unit_bits = 8 * insn->op_bytes;

    return (uint64_t)((bit & ~(unit_bits - 1)) >> 3);
}

static bool is_bit_string(const struct x86_insn *insn)
{
    return insn->form == X86_FORM_MEM_REG && insn->op >= X86_OP_BTS && insn->op <= X86_OP_BTC;
}

uint64_t x86_insn_offset(const struct x86_insn *insn, const struct cpu_user_regs *regs)
{
    const struct x86_mem *mem = &insn->mem;
    uint64_t offset = (uint64_t)mem->disp;

    if (mem->base == X86_REG_RIP)
        offset += regs->rip + insn->length;
    else if (mem->base != X86_REG_NONE)
        offset += x86_gpr_get(regs, mem->base);
    if (mem->index != X86_REG_NONE)
        offset += x86_gpr_get(regs, mem->index) << mem->scale;
    if (is_bit_string(insn))
        offset += bit_string_distance(insn, regs);
    return offset & x86_mask(insn->addr_bytes);
}

uint64_t x86_insn_linear(const struct x86_insn *insn, const struct cpu_user_regs *regs,
                         const uint64_t bases[X86_SEG_COUNT])
{
    uint64_t offset = x86_insn_offset(insn, regs);

    if (insn->mem.seg == X86_SEG_FS || insn->mem.seg == X86_SEG_GS)
        offset += bases[insn->mem.seg];
    return offset;
}
