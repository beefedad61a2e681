/* SPDX-License-Identifier: MIT */
/* Prefixes, opcode, and the verdict. */
#include "decode.h"

#include "decode_int.h"

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
    return x86_take_operands(insn, &p, c, row->layout, modrm);
}

/*
 * "ud2a; .ascii 'xen'" (public header arch-x86/xen.h, XEN_EMULATE_PREFIX). Moves past it and
 * returns true if the bytes start with it; a prefix that is cut short sets ran_out.
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
