/* SPDX-License-Identifier: MIT */
/*
 * Encodings: AMD APM volume 3, chapter 1 and appendix A.
 */
#include "operand.h"

struct cursor {
    const uint8_t *bytes;
    unsigned int at, n;
};

struct prefixes {
    uint8_t rex, segment;
    bool opsize, rep, addr32;
};

/* One bit an opcode: whether a ModRM byte follows; low opcodes first. */
static const uint32_t modrm_one[8] = {
    0x0f0f0f0f, 0x0f0f0f0f, 0x00000000, 0x00000a08, 0x0000fffb, 0x00000000, 0xff0f00c3, 0xc0c00000,
};
static const uint32_t modrm_two[8] = { /* after 0F */
    0xffff200f, 0x0000ff0f, 0xffffffff, 0xff7fffff, 0xffff0000, 0xfffff838, 0xffff00ff, 0xffffffff,
};

static bool bit(const uint32_t *map, uint8_t i)
{
    return map[i / 32] >> (i % 32) & 1;
}

static uint8_t take(struct cursor *c)
{
    return c->at < c->n ? c->bytes[c->at++] : (c->at++, 0);
}

static uint8_t peek(const struct cursor *c)
{
    return c->at < c->n ? c->bytes[c->at] : 0;
}

static int32_t take_s32(struct cursor *c)
{
    uint32_t v = take(c);

    v |= (uint32_t)take(c) << 8;
    v |= (uint32_t)take(c) << 16;
    v |= (uint32_t)take(c) << 24;
    return (int32_t)v;
}

static void take_prefixes(struct cursor *c, struct prefixes *p)
{
    for (;;) {
        uint8_t b = peek(c);

        switch (b) {
        case 0x66:
            p->opsize = true;
            break;
        case 0x67:
            p->addr32 = true;
            break;
        case 0x64:
        case 0x65:
            p->segment = b;
            break;
        case 0xf2:
        case 0xf3:
            p->rep = true;
            break;
        case 0xf0:
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            break;
        default:
            if ((b & 0xf0) == 0x40) {
                p->rex = b;
                c->at++;
            }
            return;
        }
        c->at++;
    }
}

static uint64_t reg(const struct radon_regs *regs, unsigned int nr)
{
    return (&regs->rax)[nr & 15]; /* in the processor's order */
}

static uint64_t segment_base(const struct radon_regs *regs, const struct prefixes *p)
{
    return p->segment == 0x64 ? regs->fs_base : p->segment == 0x65 ? regs->gs_base : 0;
}

/* Bytes of immediate behind the operand, for what is relative to the next instruction. */
static unsigned int immediate(unsigned int map, uint8_t op, uint8_t modrm,
                              const struct prefixes *p)
{
    unsigned int full = p->opsize ? 2 : 4;

    if (map == 3)
        return 1;
    if (map == 1)
        return (op & 0xfc) == 0x70 || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
               (op >= 0xc4 && op <= 0xc6);
    if (map == 2)
        return 0;
    switch (op) {
    case 0x69:
    case 0x81:
    case 0xc7:
        return full;
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0xc6:
        return 1;
    case 0xf6:
        return (modrm & 0x38) < 0x10;
    case 0xf7:
        return (modrm & 0x38) < 0x10 ? full : 0;
    }
    return 0;
}

/* BTS and its like with a register reach beyond the operand. */
static int64_t bit_offset(unsigned int map, uint8_t op, uint8_t modrm, const struct prefixes *p,
                          const struct radon_regs *regs)
{
    int64_t bits;

    if (map != 1 || (op != 0xa3 && op != 0xab && op != 0xb3 && op != 0xbb))
        return 0;
    bits = (int64_t)reg(regs, (modrm >> 3 & 7) | (p->rex & 4) << 1);
    if (p->rex & 8)
        return (bits >> 6) * 8;
    return p->opsize ? ((int16_t)bits >> 4) * 2 : ((int32_t)bits >> 5) * 4;
}

static uint64_t effective(struct cursor *c, unsigned int map, uint8_t op, uint8_t modrm,
                          const struct prefixes *p, const struct radon_regs *regs)
{
    unsigned int mod = modrm >> 6, rm = modrm & 7;
    uint64_t address = 0;

    if (rm == 4) {
        uint8_t sib = take(c);
        unsigned int index = (sib >> 3 & 7) | (p->rex & 2) << 2;

        if (index != 4)
            address = reg(regs, index) << (sib >> 6);
        if ((sib & 7) == 5 && mod == 0)
            address += (uint64_t)(int64_t)take_s32(c);
        else
            address += reg(regs, (sib & 7) | (p->rex & 1) << 3);
    } else if (rm == 5 && mod == 0) {
        address = (uint64_t)(int64_t)take_s32(c) + regs->rip;
        address += c->at + immediate(map, op, modrm, p);
    } else {
        address = reg(regs, rm | (p->rex & 1) << 3);
    }
    if (mod == 1)
        address += (uint64_t)(int64_t)(int8_t)take(c);
    else if (mod == 2)
        address += (uint64_t)(int64_t)take_s32(c);
    address += (uint64_t)bit_offset(map, op, modrm, p, regs);
    if (p->addr32)
        address = (uint32_t)address;
    return address + segment_base(regs, p);
}

static void memory(struct operand *out, uint64_t address)
{
    out->mem = true;
    out->address = address;
}

static void memory2(struct operand *out, uint64_t address)
{
    out->mem2 = true;
    out->address2 = address;
}

/* Stack and string instructions, and what has its address in the instruction. */
static void without_modrm(struct cursor *c, uint8_t op, const struct prefixes *p,
                          const struct radon_regs *regs, struct operand *out)
{
    unsigned int word = p->opsize ? 2 : 8;
    uint64_t base = segment_base(regs, p);

    if (op >= 0x50 && op <= 0x57) {
        memory(out, regs->rsp - word);
    } else if (op >= 0x58 && op <= 0x5f) {
        memory(out, regs->rsp);
    } else if (op >= 0xa0 && op <= 0xa3) {
        uint64_t low = (uint32_t)take_s32(c);

        memory(out, (low | (uint64_t)(uint32_t)take_s32(c) << 32) + base);
    } else {
        switch (op) {
        case 0x68:
        case 0x6a:
        case 0xe8:
            memory(out, regs->rsp - 8);
            break;
        case 0x9c:
            memory(out, regs->rsp - word);
            out->special = p->opsize ? OPERAND_UNSEEN : OPERAND_PUSHF;
            break;
        case 0x9d:
            memory(out, regs->rsp);
            out->special = p->opsize ? OPERAND_UNSEEN : OPERAND_POPF;
            break;
        case 0xc2:
        case 0xc3:
            memory(out, regs->rsp);
            break;
        case 0xc9:
            memory(out, regs->rbp);
            break;
        case 0xa4:
        case 0xa5:
        case 0xa6:
        case 0xa7:
            memory(out, regs->rdi);
            memory2(out, regs->rsi + base);
            break;
        case 0xaa:
        case 0xab:
        case 0xae:
        case 0xaf:
            memory(out, regs->rdi);
            break;
        case 0xac:
        case 0xad:
            memory2(out, regs->rsi + base);
            break;
        case 0xcf:
        case 0xf1:
            out->special = OPERAND_UNSEEN;
            break;
        }
    }
}

static void with_modrm(struct cursor *c, unsigned int map, uint8_t op, const struct prefixes *p,
                       const struct radon_regs *regs, struct operand *out)
{
    uint8_t modrm = take(c), digit = modrm >> 3 & 7;

    if (map == 0 && op == 0x8e && digit == 2)
        out->special = OPERAND_UNSEEN; /* to SS: the next instruction is not stepped */
    if (map == 0 && op == 0xc7 && modrm == 0xf8)
        out->special = OPERAND_UNSEEN; /* XBEGIN */
    if (modrm < 0xc0) {
        uint64_t address = effective(c, map, op, modrm, p, regs);

        if (op == 0x8d && map == 0)
            return; /* LEA */
        memory(out, address);
        if (map == 0 && op == 0xff && (digit == 2 || digit == 6))
            memory2(out, regs->rsp - 8);
    } else if (map == 0 && op == 0xff && (digit == 2 || digit == 6)) {
        memory(out, regs->rsp - 8);
    } else if (map == 0 && op == 0x8f) {
        memory(out, regs->rsp);
    }
}

void operand_decode(const uint8_t *bytes, unsigned int n, const struct radon_regs *regs,
                    struct operand *out)
{
    struct cursor c = { bytes, 0, n };
    struct prefixes p = { 0 };
    unsigned int map = 0;
    uint8_t op;

    *out = (struct operand){ 0 };
    take_prefixes(&c, &p);
    op = take(&c);
    if (op == 0xc4 || op == 0xc5 || op == 0x62)
        return; /* vector instructions: not in what becomes a handler (rule 12) */
    if (op == 0x0f) {
        map = 1;
        op = take(&c);
        if (op == 0x38 || op == 0x3a) {
            map = op == 0x38 ? 2 : 3;
            op = take(&c);
        }
    }
    if (map == 1 && op == 0x05) {
        out->special = OPERAND_SYSCALL;
        memory(out, regs->rdi); /* where most hypercalls have their arguments */
        return;
    }
    if (map == 1 && (op == 0xa0 || op == 0xa8))
        memory(out, regs->rsp - 8); /* push fs, gs */
    else if (map == 1 && (op == 0xa1 || op == 0xa9))
        memory(out, regs->rsp);
    else if (map >= 2 || bit(map ? modrm_two : modrm_one, op))
        with_modrm(&c, map, op, &p, regs, out);
    else if (map == 0)
        without_modrm(&c, op, &p, regs, out);
    if (c.at > n)
        *out = (struct operand){ .special = out->special };
}
