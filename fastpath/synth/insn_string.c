/* SPDX-License-Identifier: MIT */
/*
 * String instructions.  Single-stepping takes one step for each element of a repeated one; where it
 * took several in a step, all of them are followed here.  How often it goes is a guard on the
 * count.
 */
#include "insn.h"

#define MAX_ELEMENTS 256u

struct string {
    unsigned int size;
    bool loads, stores, compares; /* loads: at rsi; compares: with rdi, or rax with rdi */
    bool from_rax;
};

static bool describe(struct insn *in, struct string *s)
{
    ZydisMnemonic m = in->z.mnemonic;

#define ANY(x)                                                                                     \
    (m == ZYDIS_MNEMONIC_##x##B || m == ZYDIS_MNEMONIC_##x##W || m == ZYDIS_MNEMONIC_##x##D ||     \
     m == ZYDIS_MNEMONIC_##x##Q)
    s->compares = ANY(CMPS) || ANY(SCAS);
    s->stores = ANY(MOVS) || ANY(STOS);
    s->loads = ANY(MOVS) || ANY(LODS) || ANY(CMPS);
    s->from_rax = ANY(STOS) || ANY(SCAS);
#undef ANY
    s->size = in->z.operand_width / 8u;
    if (in->op[0].size / 8u == 1 || in->op[1].size / 8u == 1)
        s->size = 1;
    for (unsigned int i = 0; i < in->z.operand_count; i++)
        if (op_is_memory(in, i) && (in->op[i].mem.segment == ZYDIS_REGISTER_GS ||
                                    in->op[i].mem.segment == ZYDIS_REGISTER_FS))
            return false;
    return in->z.address_width == 64 &&
           !(step_of(in->w, (unsigned int)__builtin_ctzll(in->st->captures), in->w->step)
                 ->regs.rflags &
             1u << 10);
}

static void forward(struct insn *in, unsigned int reg, unsigned int size)
{
    in->st->reg[reg] = op2i(in, N_ADD, in->st->reg[reg], size);
}

static void element(struct insn *in, const struct string *s)
{
    node_id *reg = in->st->reg, a, b;

    a = s->loads ? memory_load(in->w, in->st, reg[RSI], s->size) : g_low(in->g, reg[RAX], s->size);
    if (s->compares) {
        b = memory_load(in->w, in->st, reg[RDI], s->size);
        flags_sub(in, a, b, imm(in, 0), g_low(in->g, op2(in, N_SUB, a, b), s->size), s->size);
    } else if (s->stores) {
        memory_store(in->w, in->st, reg[RDI], s->size, a);
    } else {
        static const ZydisRegister to[] = { ZYDIS_REGISTER_AL, ZYDIS_REGISTER_AX,
                                            ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_RAX };

        reg_write(in, to[__builtin_ctz(s->size)], a);
    }
    if (s->loads)
        forward(in, RSI, s->size);
    if (s->stores || s->compares)
        forward(in, RDI, s->size);
}

/* Whether a repeated one goes on behind an element. */
static node_id goes_on(struct insn *in, const struct string *s)
{
    node_id more = g_not(in->g, op2i(in, N_EQ, in->st->reg[RCX], 0)), zf = in->st->flags.zf;

    if (!s->compares)
        return more;
    if (in->z.attributes & ZYDIS_ATTRIB_HAS_REPNE)
        zf = g_not(in->g, zf);
    return op2(in, N_AND, more, zf);
}

/* Elements done in this step. */
static uint64_t elements(struct insn *in)
{
    uint64_t n = 0;
    bool first = true;

    FOR_CAPTURES(i, in->st->captures)
    {
        const struct radon_capture_step *s = step_of(in->w, i, in->w->step);
        uint64_t here = s[0].regs.rcx - s[1].regs.rcx;

        if (!first && here != n)
            refuse(in->w, SYNTH_PATHS_DIFFER, "a repeated instruction, %llu and %llu times",
                   (unsigned long long)n, (unsigned long long)here);
        n = here;
        first = false;
    }
    return n;
}

void lift_string(struct insn *in)
{
    ZydisInstructionAttributes rep = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
                                     ZYDIS_ATTRIB_HAS_REPNE;
    struct string s;
    uint64_t n;
    node_id zero;
    bool none;

    if (!describe(in, &s)) {
        refuse(in->w, SYNTH_UNSUPPORTED,
               "string instruction with DF, a segment, or short addresses");
        return;
    }
    if (!(in->z.attributes & rep)) {
        element(in, &s);
        return;
    }
    zero = op2i(in, N_EQ, in->st->reg[RCX], 0);
    if (!settle(in, zero, &none))
        return;
    n = elements(in);
    if (n > MAX_ELEMENTS) {
        refuse(in->w, SYNTH_TOO_LONG, "%llu elements in one step", (unsigned long long)n);
        return;
    }
    if (none)
        return;
    for (uint64_t i = 0; i < n && !in->w->failed; i++) {
        if (i)
            guard(in->w, in->st, goes_on(in, &s));
        in->st->reg[RCX] = op2i(in, N_ADD, in->st->reg[RCX], ~0ull);
        element(in, &s);
    }
    in->flow = FLOW_AGAIN;
    in->taken = goes_on(in, &s);
}
