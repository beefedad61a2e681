/* SPDX-License-Identifier: MIT */
/* The decoder's table: one row an opcode. Private to decode.c. */
#ifndef HV_X86_DECODE_ROWS_H
#define HV_X86_DECODE_ROWS_H

#include <stdint.h>

#include "decode.h"

/* How the bytes after the opcode are laid out. */
enum row_layout {
    LAYOUT_PLAIN,       /* nothing follows */
    LAYOUT_MEM_REG,     /* ModRM, memory only; reg is an operand */
    LAYOUT_MEM_IMM,     /* ModRM, memory only; immediate of operand size, at most 4 bytes */
    LAYOUT_MEM_IMM8,    /* ModRM, memory only; one byte, sign-extended */
    LAYOUT_MEM_BIT,     /* ModRM, memory only; one byte, zero-extended */
    LAYOUT_MEM,         /* ModRM, memory only */
    LAYOUT_MOFFS,       /* absolute address of address size; AL/AX/EAX/RAX is the operand */
    LAYOUT_STRING_DI,   /* nothing follows; memory at ES:rDI */
    LAYOUT_STRING_SI,   /* nothing follows; memory at rSI, DS unless overridden */
    LAYOUT_PORT_IMM,    /* one byte: the port */
    LAYOUT_PORT_DX,     /* nothing follows */
    LAYOUT_CR,          /* ModRM whose mod field is ignored; reg is a control register */
    LAYOUT_DR,          /* ModRM whose mod field is ignored; reg is a debug register */
    LAYOUT_RM,          /* ModRM, register only */
    LAYOUT_GROUP,       /* ModRM.reg chooses the row: `op` is an enum row_group */
};

/* How large the operand is. */
enum row_size {
    SIZE_NONE,
    SIZE_BYTE,
    SIZE_WORD,      /* always 2 */
    SIZE_FULL,      /* 2, 4 or 8 by 0x66 and REX.W */
    SIZE_PORT,      /* 2 or 4 by 0x66, which REX.W overrides */
    SIZE_BASE,      /* 4 or 8 by REX.W */
    SIZE_NATIVE,    /* 8 in 64-bit mode, 4 in 32-bit mode */
    SIZE_PAIR,      /* 8, or 16 with REX.W (cmpxchg8b, cmpxchg16b) */
};

enum row_flag {
    ROW_LOCKABLE = 1,   /* LOCK is allowed; everywhere else it is #UD */
    ROW_64_ONLY = 2,    /* does not exist, or is not wanted, in 32-bit mode */
    ROW_NO_66 = 4,      /* 0x66 makes it another, or no, instruction */
    ROW_NO_REP = 8,     /* so do F2 and F3 */
    ROW_NEEDS_F3 = 16,  /* F3 is part of the opcode */
};

enum row_group {
    GROUP_1_BYTE,       /* 80 */
    GROUP_1_FULL,       /* 81 */
    GROUP_1_IMM8,       /* 83 */
    GROUP_3_BYTE,       /* F6 */
    GROUP_3_FULL,       /* F7 */
    GROUP_4,            /* FE */
    GROUP_5,            /* FF */
    GROUP_7,            /* 0F 01; with a register operand: row_group7_reg */
    GROUP_8,            /* 0F BA */
    GROUP_9,            /* 0F C7 */
    GROUP_11_BYTE,      /* C6 */
    GROUP_11_FULL,      /* C7 */
    GROUP_15,           /* 0F AE */
    GROUP_COUNT
};

struct row {
    uint8_t op;         /* enum x86_op, or enum row_group for LAYOUT_GROUP */
    uint8_t layout;     /* enum row_layout */
    uint8_t size;       /* enum row_size */
    uint8_t flags;      /* enum row_flag */
};

extern const struct row row_one_byte[256];
extern const struct row row_two_byte[256];              /* after 0F */
extern const struct row row_groups[GROUP_COUNT][8];     /* by ModRM.reg */
extern const struct row row_group7_reg[64];             /* by the low six bits, when mod is 3 */

#endif
