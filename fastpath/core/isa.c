/* SPDX-License-Identifier: MIT */
#include "isa.h"

static const struct isa_row rows[256] = {
#define ISA(code, name, op, form, width) [code] = { name, code, OP_##op, FORM_##form, width, 0 },
#define ISA_VARIANT(code, off, name, op, form, width)
#include "isa.def"
};

static const struct isa_row variants[] = {
#define ISA(code, name, op, form, width)
#define ISA_VARIANT(code, off, name, op, form, width)                                              \
    { name, code, OP_##op, FORM_##form, width, off },
#include "isa.def"
};
#define NR_VARIANTS (sizeof(variants) / sizeof(variants[0]))

const struct isa_row *isa_row_number(unsigned int n)
{
    for (unsigned int code = 0; code < 256; code++)
        if (rows[code].name && n-- == 0)
            return &rows[code];
    return n < NR_VARIANTS ? &variants[n] : NULL;
}

/* The fields that a form uses as operands; all others must be zero. */
enum { USES_DST = 1, USES_SRC = 2, USES_OFF = 4, USES_IMM = 8 };

static const uint8_t operands[] = {
    [FORM_NONE] = 0,
    [FORM_ALU_IMM] = USES_DST | USES_IMM,
    [FORM_ALU_REG] = USES_DST | USES_SRC,
    [FORM_UNARY] = USES_DST,
    [FORM_SWAP] = USES_DST | USES_IMM,
    [FORM_JUMP] = USES_OFF,
    [FORM_JUMP_IMM] = USES_IMM,
    [FORM_BRANCH_IMM] = USES_DST | USES_OFF | USES_IMM,
    [FORM_BRANCH_REG] = USES_DST | USES_SRC | USES_OFF,
    [FORM_CALL] = USES_IMM,
    [FORM_EXIT] = 0,
    [FORM_LDDW] = USES_DST | USES_IMM,
    [FORM_LOAD] = USES_DST | USES_SRC | USES_OFF,
    [FORM_STORE_IMM] = USES_DST | USES_OFF | USES_IMM,
    [FORM_STORE_REG] = USES_DST | USES_SRC | USES_OFF,
    [FORM_GUEST_LOAD] = USES_DST | USES_SRC | USES_IMM,
    [FORM_GUEST_STORE] = USES_DST | USES_SRC | USES_IMM,
    [FORM_REFUSED] = 0,
};

static const struct isa_row *find_row(const struct fast_insn *at)
{
    const struct isa_row *row = &rows[at->code];

    if (at->off == 0 || (row->form != FORM_ALU_IMM && row->form != FORM_ALU_REG && !isa_is_guest(row)))
        return row;
    for (unsigned int i = 0; i < NR_VARIANTS; i++)
        if (variants[i].code == at->code && variants[i].off == at->off)
            return &variants[i];
    return row;
}

static enum fast_refusal_id check_fields(const struct fast_insn *at, const struct isa_insn *in)
{
    unsigned int uses = operands[in->row->form];

    if (in->row->form == FORM_CALL && in->src)
        return FAST_LOCAL_CALL;
    if (in->row->form == FORM_LDDW && in->src)
        return FAST_MAP_LDDW;
    if ((!(uses & USES_DST) && in->dst) || (!(uses & USES_SRC) && in->src) ||
        (!(uses & USES_OFF) && at->off != in->row->off) || (!(uses & USES_IMM) && at->imm))
        return FAST_RESERVED_FIELD;
    if (in->dst >= ISA_REGS || in->src >= ISA_REGS)
        return FAST_BAD_REGISTER;
    if (in->row->form == FORM_SWAP && at->imm != 16 && at->imm != 32 && at->imm != 64)
        return FAST_BAD_SWAP;
    if (isa_is_guest(in->row) && in->row->off == ISA_USER && at->imm < 0)
        return FAST_BAD_DISTANCE;
    return FAST_OK;
}

static enum fast_refusal_id decode_lddw(const struct fast_insn *at, unsigned int left,
                                        struct isa_insn *out)
{
    if (left < 2 || at[1].code)
        return FAST_HALF_LDDW;
    if (at[1].regs || at[1].off)
        return FAST_RESERVED_FIELD;
    out->length = 2;
    out->imm = (int64_t)((uint64_t)(uint32_t)at[1].imm << 32 | (uint32_t)at[0].imm);
    return FAST_OK;
}

enum fast_refusal_id isa_decode(const struct fast_insn *at, unsigned int left, struct isa_insn *out)
{
    enum fast_refusal_id refused;

    out->row = find_row(at);
    out->dst = at->regs & 15;
    out->src = at->regs >> 4;
    out->length = 1;
    out->off = at->off;
    out->imm = at->imm;
    out->jump = out->row->form == FORM_JUMP_IMM ? at->imm : at->off;

    if (out->row->form == FORM_NONE)
        return FAST_RESERVED;
    if (out->row->form == FORM_REFUSED)
        return out->row->op == OP_ATOMIC ? FAST_ATOMIC : FAST_PACKET;
    refused = check_fields(at, out);
    if (refused == FAST_OK && out->row->form == FORM_LDDW)
        refused = decode_lddw(at, left, out);
    return refused;
}
