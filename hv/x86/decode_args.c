/* SPDX-License-Identifier: MIT */
/* What follows the opcode: ModRM memory operands, registers, immediates (APM volume 3, 1.4). */
#include "decode_int.h"

/* SIB byte (APM volume 3, 1.4.2). Returns the base field, whose value 5 may mean "none". */
static uint8_t take_sib(struct cursor *c, const struct prefixes *p, struct x86_mem *mem)
{
    struct modrm sib = split_modrm(take_byte(c));
    uint8_t index = sib.reg | (p->rex & REX_X ? 8 : 0);

    if (index != X86_RSP) {
        mem->index = index;
        mem->scale = sib.mod;
    }
    return sib.rm;
}

/* ModRM memory operand with 32- or 64-bit addressing (APM volume 3, 1.4.1 to 1.4.3). */
static void take_memory(struct cursor *c, const struct prefixes *p, enum x86_mode mode,
                        struct modrm modrm, struct x86_mem *mem)
{
    bool sib = modrm.rm == 4;
    uint8_t base;

    *mem = (struct x86_mem){ .base = X86_REG_NONE, .index = X86_REG_NONE, .seg = X86_SEG_DS };
    base = sib ? take_sib(c, p, mem) : modrm.rm;

    if (modrm.mod == 0 && base == 5) {
        if (!sib && mode == X86_MODE_64)
            mem->base = X86_REG_RIP;
        mem->disp = take(c, 4);
    } else {
        mem->base = base | (p->rex & REX_B ? 8 : 0);
        if (modrm.mod != 0)
            mem->disp = take(c, modrm.mod == 1 ? 1 : 4);
    }
    if (mem->base == X86_RSP || mem->base == X86_RBP)
        mem->seg = X86_SEG_SS;
    if (p->seg != X86_SEG_COUNT)
        mem->seg = p->seg;
}

/* ModRM.reg as a general register; without REX, byte registers 4-7 are AH, CH, DH, BH. */
static void set_reg_operand(struct x86_insn *insn, const struct prefixes *p, uint8_t reg)
{
    if (insn->op_bytes == 1 && !p->rex && reg >= 4) {
        insn->reg = reg - 4;
        insn->reg_high = true;
    } else {
        insn->reg = reg | (p->rex & REX_R ? 8 : 0);
    }
}

/* Control registers 0, 2, 3, 4, 8 and debug registers 0 to 7 exist; others are #UD. */
static bool set_control_operands(struct x86_insn *insn, const struct prefixes *p,
                                 struct modrm modrm, bool debug)
{
    uint8_t reg = modrm.reg | (p->rex & REX_R ? 8 : 0);

    insn->form = X86_FORM_CONTROL;
    insn->reg = reg;
    insn->rm = modrm.rm | (p->rex & REX_B ? 8 : 0);
    return debug ? reg < 8 : reg == 0 || (reg >= 2 && reg <= 4) || reg == 8;
}

static void set_string_operand(struct x86_insn *insn, const struct prefixes *p, bool source)
{
    insn->form = X86_FORM_STRING;
    insn->mem = (struct x86_mem){ .base = source ? X86_RSI : X86_RDI, .index = X86_REG_NONE,
                                  .seg = source ? X86_SEG_DS : X86_SEG_ES };
    if (source && p->seg != X86_SEG_COUNT)
        insn->mem.seg = p->seg;
}

static void set_moffs_operand(struct x86_insn *insn, const struct prefixes *p, struct cursor *c)
{
    insn->form = X86_FORM_MEM_REG;
    insn->reg = X86_RAX;
    insn->mem = (struct x86_mem){ .base = X86_REG_NONE, .index = X86_REG_NONE, .seg = X86_SEG_DS };
    insn->mem.disp = take(c, insn->addr_bytes);
    if (p->seg != X86_SEG_COUNT)
        insn->mem.seg = p->seg;
}

/* A row whose ModRM must name memory: operand, then register or immediate. */
static bool set_memory_operands(struct x86_insn *insn, const struct prefixes *p, struct cursor *c,
                                enum row_layout layout, struct modrm modrm)
{
    /* 16-bit addressing encodes its operands differently; nothing here needs it. */
    if (modrm.mod == 3 || insn->addr_bytes == 2)
        return false;
    take_memory(c, p, insn->mode, modrm, &insn->mem);

    switch (layout) {
    case LAYOUT_MEM_REG:
        insn->form = X86_FORM_MEM_REG;
        set_reg_operand(insn, p, modrm.reg);
        return true;
    case LAYOUT_MEM_IMM:
        insn->form = X86_FORM_MEM_IMM;
        insn->imm = take(c, insn->op_bytes < 4 ? insn->op_bytes : 4);
        return true;
    case LAYOUT_MEM_IMM8:
        insn->form = X86_FORM_MEM_IMM;
        insn->imm = take(c, 1);
        return true;
    case LAYOUT_MEM_BIT:
        insn->form = X86_FORM_MEM_IMM;
        insn->imm = take_byte(c);
        return true;
    default:
        insn->form = X86_FORM_MEM;
        return true;
    }
}

bool x86_take_operands(struct x86_insn *insn, const struct prefixes *p, struct cursor *c,
                       enum row_layout layout, struct modrm modrm)
{
    switch (layout) {
    case LAYOUT_PLAIN:
        insn->form = X86_FORM_NONE;
        return true;
    case LAYOUT_MEM_REG:
    case LAYOUT_MEM_IMM:
    case LAYOUT_MEM_IMM8:
    case LAYOUT_MEM_BIT:
    case LAYOUT_MEM:
        return set_memory_operands(insn, p, c, layout, modrm);
    case LAYOUT_MOFFS:
        set_moffs_operand(insn, p, c);
        return true;
    case LAYOUT_STRING_DI:
    case LAYOUT_STRING_SI:
        set_string_operand(insn, p, layout == LAYOUT_STRING_SI);
        return true;
    case LAYOUT_PORT_IMM:
        insn->form = X86_FORM_PORT_IMM;
        insn->imm = take_byte(c);
        return true;
    case LAYOUT_PORT_DX:
        insn->form = X86_FORM_PORT_DX;
        return true;
    case LAYOUT_CR:
    case LAYOUT_DR:
        return set_control_operands(insn, p, modrm, layout == LAYOUT_DR);
    case LAYOUT_RM:
        insn->form = X86_FORM_RM_REG;
        insn->rm = modrm.rm | (p->rex & REX_B ? 8 : 0);
        return modrm.mod == 3;
    case LAYOUT_GROUP:
        break;
    }
    return false;
}
