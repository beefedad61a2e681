/* SPDX-License-Identifier: MIT */
/* Whether lean code (jit_lean.c) can be made of a program, and the registers that it has then. */
#include "jit_lean.h"

/* r0 is rax.  The others in this order: those that no argument is in first. */
static const uint8_t lean_pool[] = { RBX, RBP, R12, R13, R14, R15, R9, R8, R10 };

/* ------------------------------------------------------------------ may it be lean? */

static const struct {
    int16_t at;
    uint8_t reg;
} arguments[] = { { FIELD(rdi), RDI }, { FIELD(rsi), RSI }, { FIELD(rdx), RDX },
                  { FIELD(r10), R10 }, { FIELD(r8), R8 },   { FIELD(r9), R9 } };
#define NR_ARGUMENTS (sizeof(arguments) / sizeof(arguments[0]))

int lean_argument(int off)
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

/* Where the guest kernel would be entered, as long as it is not in it already. */
static bool takes_stack(const struct jit *j, const struct isa_insn *in)
{
    return in->off == FIELD(kernel_sp) && j->program->head.attach_kind == FAST_ATTACH_SYSCALL;
}

static bool reads_well(const struct jit *j, unsigned int i, const struct isa_insn *in)
{
    if (in->src == ISA_FRAME)
        return true;
    return is_ctx(j, i, in->src) && in->row->op == OP_LOAD &&
           (in->row->width == 8 || in->row->width == 4) &&
           (lean_argument(in->off) >= 0 || in->off == FIELD(kernel_gs) || takes_stack(j, in) ||
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
    uint16_t apart[ISA_REGS]; /* registers that cannot be one with it */
    unsigned int skip;        /* one that the next instruction reads, and that is never loaded */
    int32_t deepest;
    bool stores, loads_behind, scratch, tsc, divides;
};

/* Registers that the program names; ones that only ever hold the context need none. */
static void name_registers(const struct jit *j, unsigned int i, const struct isa_insn *in, struct plan *p)
{
    unsigned int skip = p->skip;
    bool moves = in->row->op == OP_MOV || in->row->form == FORM_LOAD ||
                 in->row->form == FORM_GUEST_LOAD || in->row->form == FORM_LDDW;
    struct isa_insn branch;

    p->skip = NO_REG;
    if (in->row->form == FORM_GUEST_LOAD && jit_compares(j, i, in, &branch))
        p->skip = in->dst;
    else if (in->dst < ISA_FRAME && in->dst != skip && (moves || !is_ctx(j, i, in->dst)))
        p->regs |= (uint16_t)(1u << in->dst);
    if (in->src < ISA_FRAME && in->src != skip && !is_ctx(j, i, in->src))
        p->regs |= (uint16_t)(1u << in->src);
}

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
    if (!copies_ctx)
        name_registers(j, i, in, p);
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

/*
 * What instruction i writes is in no register that holds something else then.  Of what a call loses only its
 * result is written, by the time stamp r2 as well (below).
 */
static void keep_apart(const struct jit *j, unsigned int i, const struct isa_insn *in, struct plan *p)
{
    uint16_t writes = jit_writes(j, i), others = jit_live_after(j, i);
    struct isa_insn branch;

    if (in->row->form == FORM_CALL)
        writes = in->imm == FAST_HELPER_tsc ? 0x5 : 0x1;
    else if (in->row->form == FORM_GUEST_LOAD && jit_compares(j, i, in, &branch))
        return;
    others |= writes;
    for (unsigned int a = 0; a < ISA_REGS; a++) {
        if (!(writes & 1u << a))
            continue;
        p->apart[a] |= others;
        for (unsigned int b = 0; b < ISA_REGS; b++)
            if (others & 1u << b)
                p->apart[b] |= (uint16_t)(1u << a);
    }
}

/* Whether one of the program's registers may be in the processor's, beside those that are in it. */
static bool may_share(const struct jit *j, const struct plan *p, unsigned int reg, unsigned int x86)
{
    if (x86 == RDX && p->apart[2] & 1u << reg)
        return false;
    for (unsigned int i = 1; i < reg; i++)
        if (p->regs & 1u << i && j->map[i] == x86 && p->apart[i] & 1u << reg)
            return false;
    return true;
}

/* A register of the program gets one of the processor's that is saved already, if one is free whenever it is not. */
static void assign_one(struct jit *j, const struct plan *p, unsigned int reg, unsigned int *next)
{
    unsigned int shared = NO_REG;

    for (unsigned int x86 = 16; x86-- > 0;)
        if (j->keep & 1u << x86 && may_share(j, p, reg, x86))
            shared = x86;
    if (reg == 2 && p->tsc) /* the time stamp's other half: r2 is lost by calls anyway */
        shared = RDX;
    j->map[reg] = (uint8_t)(shared == NO_REG ? lean_pool[(*next)++] : shared);
    j->keep |= (uint16_t)(1u << j->map[reg]);
}

static bool assign(struct jit *j, const struct plan *p)
{
    unsigned int next = 0;

    j->map[0] = RAX;
    j->map[ISA_FRAME] = RSP;
    j->keep = (uint16_t)(p->tsc ? 1u << RDX : 0);
    for (unsigned int i = 1; i < ISA_FRAME; i++) {
        j->map[i] = RAX; /* nobody's */
        if (p->regs & 1u << i)
            assign_one(j, p, i, &next);
    }
    if ((p->scratch || p->divides) && j->keep & 1u << R10)
        return false;
    /* r11 where it is scratch; taking stores needs some register that is kept and in nobody's way.
     */
    if (p->loads_behind || p->scratch || p->divides || (p->stores && count_bits(j->keep) < 4))
        j->keep |= 1u << R11;
    if (p->scratch || p->divides)
        j->keep |= 1u << R10;
    if (p->divides)
        j->keep |= 1u << RDI;
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
    struct plan plan = { .skip = NO_REG };
    struct isa_insn in;

    if (j->program->head.attach_kind == FAST_ATTACH_EXCEPTION)
        return false;
    for (unsigned int i = 0; i < n; i += in.length) {
        if (isa_decode(&j->program->insns[i], n - i, &in) != FAST_OK || !fits(j, i, &in))
            return false;
        look_at(j, i, &in, &plan);
        keep_apart(j, i, &in, &plan);
    }
    j->run = RCX;
    j->stores = 0;
    memset(j->checked, 0, sizeof(j->checked));
    return assign(j, &plan);
}
