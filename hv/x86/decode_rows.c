/* SPDX-License-Identifier: MIT */
/*
 * The opcodes that are emulated (APM volume 3, appendix A: tables ).
 * A row that is not here is all zero, which is X86_OP_NONE: refused.
 */
#include "decode_rows.h"

/* A write to memory that may carry LOCK, and one that may not. 64-bit mode only: see decode.h. */
#define RMW(name, layout, size) { X86_OP_##name, LAYOUT_##layout, SIZE_##size,                     \
                                  ROW_LOCKABLE | ROW_64_ONLY }
#define STORE(name, layout, size) { X86_OP_##name, LAYOUT_##layout, SIZE_##size, ROW_64_ONLY }
/* A privileged instruction. */
#define PRIV(name, layout, size, flags) { X86_OP_##name, LAYOUT_##layout, SIZE_##size, flags }
#define GROUP(number) { GROUP_##number, LAYOUT_GROUP, SIZE_NONE, 0 }

const struct row row_one_byte[256] = {
    [0x00] = RMW(ADD, MEM_REG, BYTE),
    [0x01] = RMW(ADD, MEM_REG, FULL),
    [0x08] = RMW(OR, MEM_REG, BYTE),
    [0x09] = RMW(OR, MEM_REG, FULL),
    [0x20] = RMW(AND, MEM_REG, BYTE),
    [0x21] = RMW(AND, MEM_REG, FULL),
    [0x28] = RMW(SUB, MEM_REG, BYTE),
    [0x29] = RMW(SUB, MEM_REG, FULL),
    [0x30] = RMW(XOR, MEM_REG, BYTE),
    [0x31] = RMW(XOR, MEM_REG, FULL),
    [0x6c] = PRIV(INS, STRING_DI, BYTE, 0),
    [0x6d] = PRIV(INS, STRING_DI, PORT, 0),
    [0x6e] = PRIV(OUTS, STRING_SI, BYTE, 0),
    [0x6f] = PRIV(OUTS, STRING_SI, PORT, 0),
    [0x80] = GROUP(1_BYTE),
    [0x81] = GROUP(1_FULL),
    [0x83] = GROUP(1_IMM8),
    [0x86] = RMW(XCHG, MEM_REG, BYTE),
    [0x87] = RMW(XCHG, MEM_REG, FULL),
    [0x88] = STORE(MOV, MEM_REG, BYTE),
    [0x89] = STORE(MOV, MEM_REG, FULL),
    [0xa2] = STORE(MOV, MOFFS, BYTE),
    [0xa3] = STORE(MOV, MOFFS, FULL),
    [0xaa] = STORE(STOS, STRING_DI, BYTE),
    [0xab] = STORE(STOS, STRING_DI, FULL),
    [0xc6] = GROUP(11_BYTE),
    [0xc7] = GROUP(11_FULL),
    [0xe4] = PRIV(IN, PORT_IMM, BYTE, 0),
    [0xe5] = PRIV(IN, PORT_IMM, PORT, 0),
    [0xe6] = PRIV(OUT, PORT_IMM, BYTE, 0),
    [0xe7] = PRIV(OUT, PORT_IMM, PORT, 0),
    [0xec] = PRIV(IN, PORT_DX, BYTE, 0),
    [0xed] = PRIV(IN, PORT_DX, PORT, 0),
    [0xee] = PRIV(OUT, PORT_DX, BYTE, 0),
    [0xef] = PRIV(OUT, PORT_DX, PORT, 0),
    [0xf4] = PRIV(HLT, PLAIN, NONE, 0),
    [0xf6] = GROUP(3_BYTE),
    [0xf7] = GROUP(3_FULL),
    [0xfa] = PRIV(CLI, PLAIN, NONE, 0),
    [0xfb] = PRIV(STI, PLAIN, NONE, 0),
    [0xfe] = GROUP(4),
    [0xff] = GROUP(5),
};

const struct row row_two_byte[256] = {
    [0x01] = GROUP(7),
    [0x06] = PRIV(CLTS, PLAIN, NONE, 0),
    [0x08] = PRIV(INVD, PLAIN, NONE, 0),
    [0x09] = PRIV(WBINVD, PLAIN, NONE, 0),   /* with F3 also wbnoinvd, which it may stand for */
    [0x20] = PRIV(READ_CR, CR, NATIVE, 0),
    [0x21] = PRIV(READ_DR, DR, NATIVE, 0),
    [0x22] = PRIV(WRITE_CR, CR, NATIVE, 0),
    [0x23] = PRIV(WRITE_DR, DR, NATIVE, 0),
    [0x30] = PRIV(WRMSR, PLAIN, NONE, 0),
    [0x31] = PRIV(RDTSC, PLAIN, NONE, 0),
    [0x32] = PRIV(RDMSR, PLAIN, NONE, 0),
    [0x33] = PRIV(RDPMC, PLAIN, NONE, 0),
    [0xa2] = PRIV(CPUID, PLAIN, NONE, 0),
    [0xab] = RMW(BTS, MEM_REG, FULL),
    [0xae] = GROUP(15),
    [0xb0] = RMW(CMPXCHG, MEM_REG, BYTE),
    [0xb1] = RMW(CMPXCHG, MEM_REG, FULL),
    [0xb3] = RMW(BTR, MEM_REG, FULL),
    [0xba] = GROUP(8),
    [0xbb] = RMW(BTC, MEM_REG, FULL),
    [0xc0] = RMW(XADD, MEM_REG, BYTE),
    [0xc1] = RMW(XADD, MEM_REG, FULL),
    [0xc7] = GROUP(9),
};

#define GROUP_1_ROWS(layout, size)                                                                 \
    { [0] = RMW(ADD, layout, size), [1] = RMW(OR, layout, size), [4] = RMW(AND, layout, size),     \
      [5] = RMW(SUB, layout, size), [6] = RMW(XOR, layout, size) }

const struct row row_groups[GROUP_COUNT][8] = {
    [GROUP_1_BYTE] = GROUP_1_ROWS(MEM_IMM, BYTE),
    [GROUP_1_FULL] = GROUP_1_ROWS(MEM_IMM, FULL),
    [GROUP_1_IMM8] = GROUP_1_ROWS(MEM_IMM8, FULL),
    [GROUP_3_BYTE] = { [2] = RMW(NOT, MEM, BYTE), [3] = RMW(NEG, MEM, BYTE) },
    [GROUP_3_FULL] = { [2] = RMW(NOT, MEM, FULL), [3] = RMW(NEG, MEM, FULL) },
    [GROUP_4] = { [0] = RMW(INC, MEM, BYTE), [1] = RMW(DEC, MEM, BYTE) },
    [GROUP_5] = { [0] = RMW(INC, MEM, FULL), [1] = RMW(DEC, MEM, FULL) },
    [GROUP_7] = {
        [4] = PRIV(SMSW, MEM, WORD, 0),
        [6] = PRIV(LMSW, MEM, WORD, 0),
        [7] = PRIV(INVLPG, MEM, NONE, 0),
    },
    [GROUP_8] = {
        [5] = RMW(BTS, MEM_BIT, FULL),
        [6] = RMW(BTR, MEM_BIT, FULL),
        [7] = RMW(BTC, MEM_BIT, FULL),
    },
    [GROUP_9] = { [1] = RMW(CMPXCHG8B, MEM, PAIR) },
    [GROUP_11_BYTE] = { [0] = STORE(MOV, MEM_IMM, BYTE) },
    [GROUP_11_FULL] = { [0] = STORE(MOV, MEM_IMM, FULL) },
    [GROUP_15] = {
        [0] = PRIV(RDFSBASE, RM, BASE, ROW_64_ONLY | ROW_NEEDS_F3),
        [1] = PRIV(RDGSBASE, RM, BASE, ROW_64_ONLY | ROW_NEEDS_F3),
        [2] = PRIV(WRFSBASE, RM, BASE, ROW_64_ONLY | ROW_NEEDS_F3),
        [3] = PRIV(WRGSBASE, RM, BASE, ROW_64_ONLY | ROW_NEEDS_F3),
    },
};

#define NO_PREFIX (ROW_NO_66 | ROW_NO_REP)

const struct row row_group7_reg[64] = {
    [0x10] = PRIV(XGETBV, PLAIN, NONE, NO_PREFIX),
    [0x11] = PRIV(XSETBV, PLAIN, NONE, NO_PREFIX),
    [0x20 ... 0x27] = PRIV(SMSW, RM, FULL, 0),
    [0x30 ... 0x37] = PRIV(LMSW, RM, WORD, 0),
    [0x38] = PRIV(SWAPGS, PLAIN, NONE, ROW_64_ONLY),
    [0x39] = PRIV(RDTSCP, PLAIN, NONE, 0),
};
