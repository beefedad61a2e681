/* SPDX-License-Identifier: MIT */
#include "disasm.h"

static void reg(struct fast_text *out, unsigned int number)
{
    text_char(out, 'r');
    text_dec(out, number);
}

static void memory(struct fast_text *out, unsigned int base, int64_t off)
{
    text_char(out, '[');
    reg(out, base);
    text_offset(out, off);
    text_char(out, ']');
}

static void operand(struct fast_text *out, const struct isa_insn *in)
{
    unsigned int form = in->row->form;

    text_str(out, ", ");
    if (form == FORM_ALU_REG || form == FORM_BRANCH_REG || form == FORM_STORE_REG ||
        form == FORM_GUEST_STORE)
        reg(out, in->src);
    else
        text_dec(out, in->imm);
}

void fast_disasm_insn(struct fast_text *out, const struct isa_insn *in)
{
    text_str(out, in->row->name);
    if (in->row->form == FORM_EXIT)
        return;
    text_char(out, ' ');
    switch (in->row->form) {
    case FORM_JUMP:
    case FORM_JUMP_IMM:
        text_offset(out, in->jump);
        return;
    case FORM_CALL:
        if (fast_helper_find(in->imm))
            text_str(out, fast_helper_find(in->imm)->name);
        else
            text_dec(out, in->imm);
        return;
    case FORM_LDDW:
        reg(out, in->dst);
        text_str(out, ", ");
        text_hex(out, (uint64_t)in->imm);
        return;
    case FORM_LOAD:
        reg(out, in->dst);
        text_str(out, ", ");
        memory(out, in->src, in->off);
        return;
    case FORM_GUEST_LOAD:
        reg(out, in->dst);
        text_str(out, ", ");
        memory(out, in->src, in->imm);
        return;
    case FORM_GUEST_STORE:
        memory(out, in->dst, in->imm);
        operand(out, in);
        return;
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        memory(out, in->dst, in->off);
        operand(out, in);
        return;
    default:
        reg(out, in->dst);
        if (in->row->form != FORM_UNARY)
            operand(out, in);
        break;
    }
    if (isa_is_branch(in->row)) {
        text_str(out, ", ");
        text_offset(out, in->jump);
    }
}

static void head(struct fast_text *out, const struct fast_header *h)
{
    static const char *const kinds[FAST_NR_ATTACH] = { "none", "syscall", "exception",
                                                       "hypercall" };

    text_str(out, "# handler ");
    text_str(out, h->name);
    text_str(out, ", ");
    text_str(out, h->attach_kind < FAST_NR_ATTACH ? kinds[h->attach_kind] : "unknown");
    text_char(out, ' ');
    text_dec(out, h->attach_number);
    if (h->attach_address) {
        text_str(out, " at ");
        text_hex(out, h->attach_address);
    }
    text_str(out, ", ");
    text_dec(out, h->insns);
    text_str(out, " instructions\n");
}

void fast_disasm(struct fast_text *out, const struct fast_program *program)
{
    unsigned int n = program->head.insns;
    struct isa_insn in;

    head(out, &program->head);
    for (unsigned int i = 0; i < n; i += in.length) {
        enum fast_refusal_id refused = isa_decode(&program->insns[i], n - i, &in);

        text_dec(out, i);
        text_str(out, ": ");
        if (refused == FAST_OK) {
            fast_disasm_insn(out, &in);
        } else {
            uint64_t raw;

            memcpy(&raw, &program->insns[i], sizeof(raw));
            text_str(out, "?? ");
            text_hex(out, raw);
            text_str(out, "  # ");
            text_str(out, refusal_text(refused)->reason);
            in.length = 1;
        }
        text_char(out, '\n');
    }
}
