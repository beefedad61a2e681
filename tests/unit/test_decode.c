/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder: fixed examples, and two million random and structured byte strings
 * from a fixed seed, each held against Zydis (decode_oracle.c).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "decode_oracle.h"

#define STRINGS_STRUCTURED 2000000
#define STRINGS_RANDOM 300000

static uint64_t rng_state;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static bool one_in(unsigned int n)
{
    return (rng() >> 32) % n == 0;
}

static uint8_t random_byte(void)
{
    return (uint8_t)(rng() >> 24);
}

static const uint8_t prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26,
                                    0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf3 };

/* Prefixes (sometimes a REX in the wrong place), a known opcode, and chance for the rest. */
static unsigned int structured_string(uint8_t *out)
{
    static const uint8_t one_byte[] = {
        0x00, 0x01, 0x08, 0x09, 0x20, 0x21, 0x28, 0x29, 0x30, 0x31, 0x6c, 0x6d, 0x6e, 0x6f, 0x80,
        0x81, 0x83, 0x86, 0x87, 0x88, 0x89, 0xa2, 0xa3, 0xaa, 0xab, 0xc6, 0xc7, 0xe4, 0xe5, 0xe6,
        0xe7, 0xec, 0xed, 0xee, 0xef, 0xf4, 0xf6, 0xf7, 0xfa, 0xfb, 0xfe, 0xff,
    };
    static const uint8_t two_byte[] = {
        0x01, 0x01, 0x01, 0x06, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32, 0x33,
        0xa2, 0xab, 0xae, 0xae, 0xb0, 0xb1, 0xb3, 0xba, 0xbb, 0xc0, 0xc1, 0xc7,
    };
    unsigned int n = 0;

    if (one_in(100)) {
        memcpy(out, "\x0f\x0bxen", 5);
        n = 5;
    }
    while (!one_in(2) && n < 12)
        out[n++] = one_in(12) ? 0x40 | (random_byte() & 15) : prefixes[rng() % sizeof(prefixes)];
    if (one_in(3))
        out[n++] = 0x40 | (random_byte() & 15);
    if (one_in(2))
        out[n++] = one_in(20) ? random_byte() : one_byte[rng() % sizeof(one_byte)];
    else {
        out[n++] = 0x0f;
        out[n++] = one_in(20) ? random_byte() : two_byte[rng() % sizeof(two_byte)];
    }
    out[n++] = one_in(3) ? 0xc0 | random_byte() : random_byte();
    while (n < 20)
        out[n++] = random_byte();
    return one_in(20) ? (unsigned int)(rng() % 16) : X86_MAX_INSN_BYTES;
}

static unsigned int random_string(uint8_t *out)
{
    for (unsigned int i = 0; i < 20; i++)
        out[i] = random_byte();
    return (unsigned int)(rng() % 21);
}

static void complain(const char *why, const uint8_t *bytes, unsigned int n, enum x86_mode mode)
{
    fprintf(stderr, "%s (%s-bit mode):", why, mode == X86_MODE_64 ? "64" : "32");
    for (unsigned int i = 0; i < n; i++)
        fprintf(stderr, " %02x", bytes[i]);
    fprintf(stderr, "\n");
}

struct tally {
    unsigned long by_op[2][X86_OP_COUNT];
    unsigned int wrong;
};

/* The string stands at the end of a heap block, so that a read beyond it is caught. */
static void check_string(const uint8_t *text, unsigned int n, uint8_t *block, enum x86_mode mode,
                         struct tally *tally)
{
    uint8_t *bytes = block + 32 - n;
    enum x86_decode_rc rc;
    struct x86_insn insn;
    const char *why;

    memcpy(bytes, text, n);
    why = decode_oracle(bytes, n, mode, &rc, &insn);
    if (rc == X86_DECODE_OK) {
        if (!why && tally->by_op[mode][insn.op] % 16 == 0)
            why = decode_oracle_pieces(bytes, n, mode, &insn);
        tally->by_op[mode][insn.op]++;
    }
    if (why && tally->wrong++ < 20)
        complain(why, bytes, n, mode);
}

static void test_against_zydis(void **state)
{
    static struct tally tally;
    uint8_t *block = malloc(32), text[20];

    (void)state;
    rng_state = 0x9e3779b97f4a7c15;
    for (unsigned int i = 0; i < STRINGS_STRUCTURED + STRINGS_RANDOM; i++) {
        unsigned int n = i < STRINGS_STRUCTURED ? structured_string(text) : random_string(text);

        check_string(text, n, block, one_in(4) ? X86_MODE_32 : X86_MODE_64, &tally);
    }
    free(block);
    assert_int_equal(tally.wrong, 0);

    for (unsigned int op = X86_OP_NONE + 1; op < X86_OP_COUNT; op++) {
        bool in_32 = op > X86_OP_LAST_MEMORY && op != X86_OP_SWAPGS && op < X86_OP_RDFSBASE;

        if (tally.by_op[X86_MODE_64][op] < 100)
            fail_msg("only %lu strings were %s", tally.by_op[X86_MODE_64][op], x86_op_name(op));
        if ((tally.by_op[X86_MODE_32][op] >= 50) != in_32)
            fail_msg("%lu strings were %s in 32-bit mode", tally.by_op[X86_MODE_32][op],
                     x86_op_name(op));
    }
}

/* All ModRM and SIB bytes of one memory form, in 64-bit mode, with each REX prefix. */
static void test_every_modrm(void **state)
{
    static struct tally tally;
    uint8_t *block = malloc(32);

    (void)state;
    for (unsigned int i = 0; i < 16 * 65536; i += i % 65536 >= 0x4000 ? 7 : 1) {
        uint8_t text[15] = { 0x40 | (i >> 16), 0x89, (uint8_t)(i >> 8), (uint8_t)i,
                             0x81, 0x92, 0xa3, 0xb4 };

        check_string(text, sizeof(text), block, X86_MODE_64, &tally);
    }
    free(block);
    assert_int_equal(tally.wrong, 0);
    assert_true(tally.by_op[X86_MODE_64][X86_OP_MOV] > 100000);
}

static struct x86_insn decoded(const char *bytes, unsigned int n, enum x86_mode mode)
{
    struct x86_insn insn;

    assert_int_equal(x86_decode((const uint8_t *)bytes, n, mode, &insn), X86_DECODE_OK);
    assert_int_equal(insn.length, n);
    return insn;
}

/* What a Linux guest really does to its page tables, with LOCK and with LOCK patched away. */
static void test_linux_page_table_writes(void **state)
{
    struct x86_insn insn;

    (void)state;
    insn = decoded("\xf0\x80\x27\xfd", 4, X86_MODE_64);     /* lock andb $0xfd,(%rdi) */
    assert_int_equal(insn.op, X86_OP_AND);
    assert_int_equal(insn.op_bytes, 1);
    assert_int_equal(insn.imm, -3);
    assert_true(insn.lock);
    assert_true(x86_insn_is_memory_write(&insn));

    insn = decoded("\x3e\x80\x27\xfd", 4, X86_MODE_64);
    assert_int_equal(insn.op, X86_OP_AND);
    assert_false(insn.lock);
    assert_int_equal(insn.mem.seg, X86_SEG_DS);

    insn = decoded("\x49\x87\x04\x24", 4, X86_MODE_64);     /* xchg %rax,(%r12) */
    assert_int_equal(insn.op, X86_OP_XCHG);
    assert_int_equal(insn.mem.base, 12);
    assert_int_equal(insn.mem.index, X86_REG_NONE);

    insn = decoded("\x48\xc7\x00\x00\x00\x00\x80", 7, X86_MODE_64);
    assert_int_equal(insn.op, X86_OP_MOV);
    assert_int_equal(insn.imm, -0x80000000LL);
}

static void test_forced_cpuid(void **state)
{
    struct x86_insn insn = decoded("\x0f\x0bxen\x0f\xa2", 7, X86_MODE_64);

    (void)state;
    assert_int_equal(insn.op, X86_OP_CPUID);
    assert_true(insn.forced);
    assert_false(x86_insn_is_memory_write(&insn));
    /* Only CPUID may be forced, and UD2 alone is nothing. */
    assert_int_equal(x86_decode((const uint8_t *)"\x0f\x0bxen\x0f\x32", 7, X86_MODE_64, &insn),
                     X86_DECODE_UNSUPPORTED);
    assert_int_equal(x86_decode((const uint8_t *)"\x0f\x0bxem\x0f\xa2", 7, X86_MODE_64, &insn),
                     X86_DECODE_UNSUPPORTED);
    assert_int_equal(x86_decode((const uint8_t *)"\x0f\x0bxe", 4, X86_MODE_64, &insn),
                     X86_DECODE_TRUNCATED);
}

static void test_length_limit(void **state)
{
    uint8_t bytes[17];
    struct x86_insn insn;

    (void)state;
    memset(bytes, 0x66, sizeof(bytes));
    bytes[14] = 0xf4;
    assert_int_equal(x86_decode(bytes, 15, X86_MODE_64, &insn), X86_DECODE_OK);
    assert_int_equal(insn.length, 15);
    bytes[14] = 0x66;
    bytes[15] = 0xf4;
    assert_int_equal(x86_decode(bytes, 16, X86_MODE_64, &insn), X86_DECODE_UNSUPPORTED);
    assert_int_equal(x86_decode(bytes, 14, X86_MODE_64, &insn), X86_DECODE_TRUNCATED);
}

static struct cpu_user_regs numbered_regs(void)
{
    struct cpu_user_regs regs = { 0 };

    for (unsigned int nr = 0; nr < 16; nr++)
        x86_gpr_set(&regs, nr, 0x1000000000ULL * (nr + 1));
    regs.rip = 0xffffffff81000000;
    return regs;
}

static uint64_t offset_of(const char *bytes, unsigned int n, const struct cpu_user_regs *regs)
{
    struct x86_insn insn = decoded(bytes, n, X86_MODE_64);

    return x86_insn_offset(&insn, regs);
}

static void test_effective_address(void **state)
{
    struct cpu_user_regs regs = numbered_regs();
    uint64_t bases[X86_SEG_COUNT] = { 1, 1, 1, 1, 0x70000, 0x90000 };
    struct x86_insn insn;

    (void)state;
    assert_int_equal(regs.rax, 0x1000000000);
    assert_int_equal(regs.r15, 0x10000000000);
    /* mov %eax,-8(%rbx,%r9,4) */
    assert_int_equal(offset_of("\x42\x89\x44\x8b\xf8", 5, &regs), 0x2c000000000 - 8);
    /* mov %rax,0x10(%rip) counts from the next instruction */
    assert_int_equal(offset_of("\x48\x89\x05\x10\x00\x00\x00", 7, &regs), 0xffffffff81000017);
    /* mov %eax,-4(%esi) wraps at 32 bits */
    assert_int_equal(offset_of("\x67\x89\x46\xfc", 4, &regs), 0xfffffffc);
    /* mov %eax,0x12345678 without base or index */
    assert_int_equal(offset_of("\x89\x04\x25\x78\x56\x34\x12", 7, &regs), 0x12345678);

    regs.rcx = (uint64_t)-1;
    /* bts %rcx,(%rax): bit -1 is in the 8 bytes before */
    assert_int_equal(offset_of("\x48\x0f\xab\x08", 4, &regs), 0x1000000000 - 8);
    /* bts %cx,(%rax): and in the 2 bytes before */
    assert_int_equal(offset_of("\x66\x0f\xab\x08", 4, &regs), 0x1000000000 - 2);
    regs.rcx = 0x123;
    assert_int_equal(offset_of("\x0f\xab\x08", 3, &regs), 0x1000000000 + 0x24);
    /* an immediate bit number stays within the operand */
    assert_int_equal(offset_of("\x0f\xba\x28\xff", 4, &regs), 0x1000000000);

    insn = decoded("\x65\x48\x89\x00", 4, X86_MODE_64);
    assert_int_equal(x86_insn_linear(&insn, &regs, bases), 0x1000090000);
    insn = decoded("\x3e\x48\x89\x00", 4, X86_MODE_64);
    assert_int_equal(x86_insn_linear(&insn, &regs, bases), 0x1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux_page_table_writes),
        cmocka_unit_test(test_forced_cpuid),
        cmocka_unit_test(test_length_limit),
        cmocka_unit_test(test_effective_address),
        cmocka_unit_test(test_every_modrm),
        cmocka_unit_test(test_against_zydis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
