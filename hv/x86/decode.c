/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <stddef.h>

#include "decode_rows.h"

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

/* Reads the instruction's bytes; running out is latched, and reads as zero. */
struct cursor {
    const uint8_t *bytes;
    unsigned int pos;
    unsigned int end;
    bool ran_out;
};

struct prefixes {
    bool opsize;        /* 66 */
    bool addrsize;      /* 67 */
    bool lock;
    uint8_t rep;        /* F2, F3 (the last one counts) or 0 */
    uint8_t seg;        /* enum x86_seg, or X86_SEG_COUNT */
    uint8_t rex;        /* the whole byte, or 0 */
};

struct modrm {
    uint8_t mod, reg, rm;
};

static uint8_t peek(struct cursor *c)
{
    if (c->pos >= c->end) {
        c->ran_out = true;
        return 0;
    }
    return c->bytes[c->pos];
}

/* `bytes` (1, 2, 4 or 8) as a little-endian number, sign-extended. */
static int64_t take(struct cursor *c, unsigned int bytes)
{
    uint64_t value = 0;

    for (unsigned int i = 0; i < bytes; i++) {
        value |= (uint64_t)peek(c) << (8 * i);
        c->pos++;
    }
    return (int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

static uint8_t take_byte(struct cursor *c)
{
    return (uint8_t)take(c, 1);
}

/* A legacy prefix: notes it in *p and returns true. */
static bool note_prefix(struct prefixes *p, uint8_t byte, enum x86_mode mode)
{
    bool has_segments = mode == X86_MODE_32;

    switch (byte) {
    case 0x66:
        p->opsize = true;
        return true;
    case 0x67:
        p->addrsize = true;
        return true;
    case 0xf0:
        p->lock = true;
        return true;
    case 0xf2:
    case 0xf3:
        p->rep = byte;
        return true;
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        /* 64-bit mode ignores these four, also beside an FS or GS prefix (APM volume 3, 1.2.4). */
        if (has_segments)
            p->seg = (byte >> 3) & 3;
        return true;
    case 0x64:
        p->seg = X86_SEG_FS;
        return true;
    case 0x65:
        p->seg = X86_SEG_GS;
        return true;
    default:
        return false;
    }
}

/* A REX prefix counts only right before the opcode (APM volume 3, 1.2.7). */
static void take_prefixes(struct cursor *c, enum x86_mode mode, struct prefixes *p)
{
    *p = (struct prefixes){ .seg = X86_SEG_COUNT };
    for (;; c->pos++) {
        uint8_t byte = peek(c);

        if (c->ran_out)
            return;
        if (note_prefix(p, byte, mode))
            p->rex = 0;
        else if (mode == X86_MODE_64 && (byte & 0xf0) == 0x40)
            p->rex = byte;
        else
            return;
    }
}

static const struct row *take_opcode(struct cursor *c)
{
    uint8_t byte = take_byte(c);

    if (byte != 0x0f)
        return &row_one_byte[byte];
    return &row_two_byte[take_byte(c)];
}

static struct modrm split_modrm(uint8_t byte)
{
    return (struct modrm){ .mod = byte >> 6, .reg = (byte >> 3) & 7, .rm = byte & 7 };
}

static const struct row *pick_from_group(const struct row *row, uint8_t modrm_byte)
{
    if (row->op == GROUP_7 && modrm_byte >= 0xc0)
        return &row_group7_reg[modrm_byte & 0x3f];
    return &row_groups[row->op][(modrm_byte >> 3) & 7];
}

static bool prefixes_allowed(const struct row *row, const struct prefixes *p, enum x86_mode mode)
{
    if (p->lock && !(row->flags & ROW_LOCKABLE))
        return false;
    if ((row->flags & ROW_64_ONLY) && mode != X86_MODE_64)
        return false;
    if ((row->flags & ROW_NO_66) && p->opsize)
        return false;
    if ((row->flags & ROW_NO_REP) && p->rep)
        return false;
    return !(row->flags & ROW_NEEDS_F3) || p->rep == 0xf3;
}

static uint8_t operand_bytes(enum row_size size, const struct prefixes *p, enum x86_mode mode)
{
    uint8_t by_66 = p->opsize ? 2 : 4;
    bool wide = p->rex & REX_W;

    switch (size) {
    case SIZE_BYTE:
        return 1;
    case SIZE_WORD:
        return 2;
    case SIZE_FULL:
        return wide ? 8 : by_66;
    case SIZE_PORT:
        return wide ? 4 : by_66;
    case SIZE_BASE:
        return wide ? 8 : 4;
    case SIZE_NATIVE:
        return mode == X86_MODE_64 ? 8 : 4;
    case SIZE_PAIR:
        return wide ? 16 : 8;
    case SIZE_NONE:
        break;
    }
    return 0;
}

static uint8_t address_bytes(const struct prefixes *p, enum x86_mode mode)
{
    if (mode == X86_MODE_64)
        return p->addrsize ? 4 : 8;
    return p->addrsize ? 2 : 4;
}

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

static bool take_operands(struct x86_insn *insn, const struct prefixes *p, struct cursor *c,
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

static bool has_modrm(enum row_layout layout)
{
    return (layout >= LAYOUT_MEM_REG && layout <= LAYOUT_MEM) ||
           (layout >= LAYOUT_CR && layout <= LAYOUT_GROUP);
}

/* Everything but the length. False means refused, unless the cursor ran out. */
static bool decode_body(struct cursor *c, enum x86_mode mode, struct x86_insn *insn)
{
    struct prefixes p;
    struct modrm modrm = { 0 };
    const struct row *row;

    take_prefixes(c, mode, &p);
    row = take_opcode(c);
    if (has_modrm(row->layout)) {
        uint8_t byte = take_byte(c);

        modrm = split_modrm(byte);
        if (row->layout == LAYOUT_GROUP)
            row = pick_from_group(row, byte);
    }
    if (row->op == X86_OP_NONE || !prefixes_allowed(row, &p, mode))
        return false;

    *insn = (struct x86_insn){
        .mode = mode,
        .op = row->op,
        .op_bytes = operand_bytes(row->size, &p, mode),
        .addr_bytes = address_bytes(&p, mode),
        .lock = p.lock,
        .rep = p.rep != 0 && !(row->flags & ROW_NEEDS_F3),
    };
    if (row->op == X86_OP_CMPXCHG8B && insn->op_bytes == 16)
        insn->op = X86_OP_CMPXCHG16B;
    return take_operands(insn, &p, c, row->layout, modrm);
}

/*
 * "ud2a; .ascii 'xen'" (public header arch-x86/xen.h, XEN_EMULATE_PREFIX). Moves past it and returns
 * true if the bytes start with it; what is there of a prefix cut short sets ran_out.
 */
static bool take_forced_prefix(struct cursor *c)
{
    static const uint8_t prefix[] = { 0x0f, 0x0b, 'x', 'e', 'n' };

    for (unsigned int i = 0; i < sizeof(prefix); i++) {
        if (c->pos + i >= c->end) {
            c->ran_out = true;
            return false;
        }
        if (c->bytes[c->pos + i] != prefix[i])
            return false;
    }
    c->pos += sizeof(prefix);
    return true;
}

enum x86_decode_rc x86_decode(const uint8_t *bytes, unsigned int avail, enum x86_mode mode,
                              struct x86_insn *insn)
{
    struct cursor c = { .bytes = bytes };
    bool forced, ok;

    c.end = avail < X86_MAX_INSN_BYTES ? avail : X86_MAX_INSN_BYTES;
    forced = take_forced_prefix(&c);
    ok = !c.ran_out && decode_body(&c, mode, insn);
    if (c.ran_out)
        return c.end < X86_MAX_INSN_BYTES ? X86_DECODE_TRUNCATED : X86_DECODE_UNSUPPORTED;
    if (!ok || (forced && insn->op != X86_OP_CPUID))
        return X86_DECODE_UNSUPPORTED;

    insn->forced = forced;
    insn->length = (uint8_t)c.pos;
    return X86_DECODE_OK;
}

const char *x86_op_name(unsigned int op)
{
    static const char names[X86_OP_COUNT][12] = {
        "none",
#define X(name, text) text,
        X86_OPS_MEMORY(X)
        X86_OPS_PRIVILEGED(X)
#undef X
    };

    return op < X86_OP_COUNT ? names[op] : "?";
}
