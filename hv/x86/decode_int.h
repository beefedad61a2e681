/* SPDX-License-Identifier: MIT */
/* Shared by the parts of the decoder: its place in the bytes, and what the prefixes said. */
#ifndef HV_X86_DECODE_INT_H
#define HV_X86_DECODE_INT_H

#include "decode.h"
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

static inline uint8_t peek(struct cursor *c)
{
    if (c->pos >= c->end) {
        c->ran_out = true;
        return 0;
    }
    return c->bytes[c->pos];
}

/* `bytes` (1, 2, 4 or 8) as a little-endian number, sign-extended. */
static inline int64_t take(struct cursor *c, unsigned int bytes)
{
    uint64_t value = 0;

    for (unsigned int i = 0; i < bytes; i++) {
        value |= (uint64_t)peek(c) << (8 * i);
        c->pos++;
    }
    return (int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

static inline uint8_t take_byte(struct cursor *c)
{
    return (uint8_t)take(c, 1);
}

static inline struct modrm split_modrm(uint8_t byte)
{
    return (struct modrm){ .mod = byte >> 6, .reg = (byte >> 3) & 7, .rm = byte & 7 };
}

/*
 * Reads what follows opcode and ModRM byte and fills in form and operands; mode, operation and
 * sizes are already there. False means refused, unless the cursor ran out.
 */
bool x86_take_operands(struct x86_insn *insn, const struct prefixes *p, struct cursor *c,
                       enum row_layout layout, struct modrm modrm);

#endif
