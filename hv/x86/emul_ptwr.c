/* SPDX-License-Identifier: MIT */
/*
 * Memory writes: the value stored, the flags and the registers, computed but not performed.
 * Flags as in APM volume 3, chapter 3; those it leaves undefined are kept, except AF of the logical
 * operations, which processors clear.
 */
#include <stddef.h>

#include "emul.h"

#define ARITHMETIC_FLAGS                                                                           \
    (X86_RFLAGS_CF | X86_RFLAGS_PF | X86_RFLAGS_AF | X86_RFLAGS_ZF | X86_RFLAGS_SF | X86_RFLAGS_OF)

/* One computation: operands and result of `bytes` bytes, in the low part of the numbers. */
struct work {
    const struct x86_insn *insn;
    const struct cpu_user_regs *regs;
    struct emul_effect *effect;
    unsigned int bytes;
    uint64_t old;       /* the destination before */
    uint64_t src;
    uint64_t result;    /* the destination after */
    bool write;
};

static uint64_t sign_bit(unsigned int bytes)
{
    return 1ULL << (8 * bytes - 1);
}

static void set_flags(struct work *w, uint64_t affected, uint64_t values)
{
    w->effect->rflags = (w->effect->rflags & ~affected) | (values & affected);
}

/* ZF, SF and PF of a value. */
static uint64_t value_flags(uint64_t value, unsigned int bytes)
{
    uint64_t flags = 0;

    value &= x86_mask(bytes);
    if (value == 0)
        flags |= X86_RFLAGS_ZF;
    if (value & sign_bit(bytes))
        flags |= X86_RFLAGS_SF;
    if (!__builtin_parity((unsigned int)value & 0xff))
        flags |= X86_RFLAGS_PF;
    return flags;
}

/* a + b == sum: the carry out of each bit is where two of a, b and not-sum agree. */
static uint64_t add_flags(uint64_t a, uint64_t b, uint64_t sum, unsigned int bytes)
{
    uint64_t carries = (a & b) | ((a | b) & ~sum);
    uint64_t flags = value_flags(sum, bytes);

    if (carries & sign_bit(bytes))
        flags |= X86_RFLAGS_CF;
    if (carries & 8)
        flags |= X86_RFLAGS_AF;
    if ((a ^ sum) & (b ^ sum) & sign_bit(bytes))
        flags |= X86_RFLAGS_OF;
    return flags;
}

/* a - b == difference. */
static uint64_t sub_flags(uint64_t a, uint64_t b, uint64_t difference, unsigned int bytes)
{
    uint64_t borrows = (~a & b) | ((~a | b) & difference);
    uint64_t flags = value_flags(difference, bytes);

    if (borrows & sign_bit(bytes))
        flags |= X86_RFLAGS_CF;
    if (borrows & 8)
        flags |= X86_RFLAGS_AF;
    if ((a ^ b) & (a ^ difference) & sign_bit(bytes))
        flags |= X86_RFLAGS_OF;
    return flags;
}

static void store(struct work *w, uint64_t result)
{
    w->result = result;
    w->write = true;
}

static void queue_gpr(struct work *w, unsigned int nr, uint64_t value)
{
    struct emul_effect *e = w->effect;

    e->gpr[e->nr_gprs].nr = (uint8_t)nr;
    e->gpr[e->nr_gprs].value = value;
    e->nr_gprs++;
}

/* Writes the instruction's register operand, of operand size. */
static void queue_operand(struct work *w, uint64_t value)
{
    const struct x86_insn *insn = w->insn;
    uint64_t old = x86_gpr_get(w->regs, insn->reg);

    if (insn->reg_high)
        value = (old & ~0xff00ULL) | ((value & 0xff) << 8);
    else
        value = x86_gpr_merge(old, w->bytes, value);
    queue_gpr(w, insn->reg, value);
}

static uint64_t source_operand(const struct x86_insn *insn, const struct cpu_user_regs *regs)
{
    if (insn->form == X86_FORM_MEM_REG)
        return x86_gpr_get(regs, insn->reg) >> (insn->reg_high ? 8 : 0);
    return (uint64_t)insn->imm;
}

static void do_add(struct work *w, uint64_t addend, uint64_t affected)
{
    store(w, w->old + addend);
    set_flags(w, affected, add_flags(w->old, addend, w->result, w->bytes));
}

static void do_sub(struct work *w, uint64_t a, uint64_t b, uint64_t affected)
{
    store(w, a - b);
    set_flags(w, affected, sub_flags(a, b, w->result, w->bytes));
}

static void do_logic(struct work *w, uint64_t result)
{
    store(w, result);
    set_flags(w, ARITHMETIC_FLAGS, value_flags(result, w->bytes));
}

/* The bit's number is cut to the operand; x86_insn_offset found the unit it is in. */
static void do_bit(struct work *w)
{
    uint64_t bit = 1ULL << (w->src & (8 * w->bytes - 1));

    set_flags(w, X86_RFLAGS_CF, w->old & bit ? X86_RFLAGS_CF : 0);
    if (w->insn->op == X86_OP_BTS)
        store(w, w->old | bit);
    else if (w->insn->op == X86_OP_BTR)
        store(w, w->old & ~bit);
    else
        store(w, w->old ^ bit);
}

static void do_cmpxchg(struct work *w)
{
    uint64_t rax = x86_gpr_get(w->regs, X86_RAX);
    uint64_t expected = rax & x86_mask(w->bytes);

    set_flags(w, ARITHMETIC_FLAGS, sub_flags(expected, w->old, expected - w->old, w->bytes));
    if (expected == w->old)
        store(w, w->src);
    else
        queue_gpr(w, X86_RAX, x86_gpr_merge(rax, w->bytes, w->old));
}

static uint64_t pair(const struct cpu_user_regs *regs, unsigned int high, unsigned int low)
{
    return (x86_gpr_get(regs, high) << 32) | (x86_gpr_get(regs, low) & 0xffffffff);
}

static void do_cmpxchg8b(struct work *w)
{
    bool equal = pair(w->regs, X86_RDX, X86_RAX) == w->old;

    set_flags(w, X86_RFLAGS_ZF, equal ? X86_RFLAGS_ZF : 0);
    if (equal) {
        store(w, pair(w->regs, X86_RCX, X86_RBX));
    } else {
        queue_gpr(w, X86_RAX, w->old & 0xffffffff);
        queue_gpr(w, X86_RDX, w->old >> 32);
    }
}

/* One iteration. Counter and pointer are of address size. */
static void do_stos(struct work *w)
{
    const struct x86_insn *insn = w->insn;
    uint64_t rcx = x86_gpr_get(w->regs, X86_RCX);
    uint64_t rdi = x86_gpr_get(w->regs, X86_RDI);
    uint64_t step = w->regs->rflags & X86_RFLAGS_DF ? -(uint64_t)w->bytes : w->bytes;

    if (insn->rep) {
        uint64_t left = (rcx & x86_mask(insn->addr_bytes)) - 1;

        if (left == ~0ULL)
            return;
        if (left != 0) {
            w->effect->rip = w->regs->rip;
            w->effect->rflags |= w->regs->rflags & X86_RFLAGS_RF;
        }
        queue_gpr(w, X86_RCX, x86_gpr_merge(rcx, insn->addr_bytes, left));
    }
    queue_gpr(w, X86_RDI, x86_gpr_merge(rdi, insn->addr_bytes, rdi + step));
    store(w, x86_gpr_get(w->regs, X86_RAX));
}

static bool compute(struct work *w)
{
    switch (w->insn->op) {
    case X86_OP_MOV:
        store(w, w->src);
        return true;
    case X86_OP_XCHG:
        store(w, w->src);
        queue_operand(w, w->old);
        return true;
    case X86_OP_XADD:
        do_add(w, w->src, ARITHMETIC_FLAGS);
        queue_operand(w, w->old);
        return true;
    case X86_OP_ADD:
        do_add(w, w->src, ARITHMETIC_FLAGS);
        return true;
    case X86_OP_SUB:
        do_sub(w, w->old, w->src, ARITHMETIC_FLAGS);
        return true;
    case X86_OP_INC:
        do_add(w, 1, ARITHMETIC_FLAGS & ~X86_RFLAGS_CF);
        return true;
    case X86_OP_DEC:
        do_sub(w, w->old, 1, ARITHMETIC_FLAGS & ~X86_RFLAGS_CF);
        return true;
    case X86_OP_NEG:
        do_sub(w, 0, w->old, ARITHMETIC_FLAGS);
        return true;
    case X86_OP_NOT:
        store(w, ~w->old);
        return true;
    case X86_OP_AND:
        do_logic(w, w->old & w->src);
        return true;
    case X86_OP_OR:
        do_logic(w, w->old | w->src);
        return true;
    case X86_OP_XOR:
        do_logic(w, w->old ^ w->src);
        return true;
    case X86_OP_BTS:
    case X86_OP_BTR:
    case X86_OP_BTC:
        do_bit(w);
        return true;
    case X86_OP_CMPXCHG:
        do_cmpxchg(w);
        return true;
    case X86_OP_CMPXCHG8B:
        do_cmpxchg8b(w);
        return true;
    case X86_OP_STOS:
        do_stos(w);
        return true;
    default:
        return false;
    }
}

enum emul_rc emul_ptwr_compute(const struct x86_insn *insn, const struct cpu_user_regs *regs,
                               uint64_t addr, uint64_t old_entry, struct emul_ptwr *out)
{
    unsigned int shift = 8 * (addr & 7);
    unsigned int bytes = insn->op_bytes;
    struct work w = { .insn = insn, .regs = regs, .effect = &out->effect, .bytes = bytes };
    uint64_t mask;

    if (!x86_insn_is_memory_write(insn) || bytes == 0 || (addr & 7) + bytes > 8)
        return EMUL_UNHANDLEABLE;

    mask = x86_mask(bytes);
    w.old = (old_entry >> shift) & mask;
    w.src = source_operand(insn, regs) & mask;
    out->effect = (struct emul_effect){
        .rip = regs->rip + insn->length,
        .rflags = regs->rflags & ~X86_RFLAGS_RF,
        .single_step = regs->rflags & X86_RFLAGS_TF,
    };
    if (!compute(&w))
        return EMUL_UNHANDLEABLE;

    out->write = w.write;
    out->new_entry = (old_entry & ~(mask << shift)) | ((w.result & mask) << shift);
    return EMUL_OK;
}

void emul_effect_apply(const struct emul_effect *effect, struct cpu_user_regs *regs)
{
    for (unsigned int i = 0; i < effect->nr_gprs; i++)
        x86_gpr_set(regs, effect->gpr[i].nr, effect->gpr[i].value);
    regs->rip = effect->rip;
    regs->rflags = effect->rflags;
}
