/* SPDX-License-Identifier: MIT */
/*
 * The verifier: each reason for a refusal, with the instruction and the register it names; that
 * what is close to the refused is accepted; the path; the time. Every reason in refusals.def must
 * come up here, or the test fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "asm.h"
#include "fast_random.h"
#include "verifier.h"

static struct verify_space space;
static struct fast_verdict verdict;
static struct fast_insn insns[FAST_MAX_INSNS + 1];
static bool seen[FAST_NR_REFUSALS];

static const struct {
    const char *text;
    enum fast_refusal_id id;
    unsigned int insn, reg;
    unsigned int kind; /* 0: system call */
} cases[] = {
    /* Flow. */
    { "mov r0, 0\nexit\n", FAST_OK, 0, 0, 0 },
    { "mov r0, 0\n", FAST_NO_EXIT, 0, FAST_NO_REG, 0 },
    { "mov r0, 0\njeq r0, 0, +1\nexit\nmov r0, 1\n", FAST_NO_EXIT, 3, FAST_NO_REG, 0 },
    { "mov r0, 0\nja +1\nexit\n", FAST_JUMP_OUT, 1, FAST_NO_REG, 0 },
    { "ja -2\nmov r0, 0\nexit\n", FAST_JUMP_OUT, 0, FAST_NO_REG, 0 },
    { "ja32 +100000\nmov r0, 0\nexit\n", FAST_JUMP_OUT, 0, FAST_NO_REG, 0 },
    { "mov r0, 0\nja32 +0\nja +0\nexit\n", FAST_OK, 0, 0, 0 },
    { "mov r0, 0\njeq r0, 0, -2\nexit\n", FAST_JUMP_BACK, 1, FAST_NO_REG, 0 },
    { "mov r0, 0\nja -1\nexit\n", FAST_JUMP_BACK, 1, FAST_NO_REG, 0 },
    { "mov r0, 0\njeq r0, 0, +1\nlddw r2, 5\nexit\n", FAST_JUMP_INTO_LDDW, 1, FAST_NO_REG, 0 },
    { "mov r0, 0\nja +1\nmov r0, 1\nexit\n", FAST_UNREACHABLE, 2, FAST_NO_REG, 0 },
    { "mov r0, 0\nexit\nexit\n", FAST_UNREACHABLE, 2, FAST_NO_REG, 0 },
    /* A branch that is never taken is followed all the same. */
    { "mov r0, 0\njeq r0, 1, +1\nexit\nmov r3, r4\nexit\n", FAST_UNINITIALISED, 3, 4, 0 },
    /* Types. */
    { "exit\n", FAST_UNINITIALISED, 0, 0, 0 },
    { "mov r0, r5\nexit\n", FAST_UNINITIALISED, 0, 5, 0 },
    { "add r3, 1\nmov r0, 0\nexit\n", FAST_UNINITIALISED, 0, 3, 0 },
    { "movsx8 r3, r2\nmov r0, 0\nexit\n", FAST_UNINITIALISED, 0, 2, 0 },
    { "be r3, 16\nmov r0, 0\nexit\n", FAST_UNINITIALISED, 0, 3, 0 },
    { "ldxw r2, [r1+4]\njeq r2, 5, +1\nmov r3, 1\nmov r0, r3\nexit\n", FAST_UNINITIALISED, 3, 3,
      0 },
    { "mov r0, 0\njgt r0, r7, +0\nexit\n", FAST_UNINITIALISED, 1, 7, 0 },
    { "call tsc\nmov r0, r1\nexit\n", FAST_UNINITIALISED, 1, 1, 0 },
    { "mov r5, 1\ncall tsc\nstxdw [r10-8], r5\nmov r0, 0\nexit\n", FAST_UNINITIALISED, 2, 5, 0 },
    { "mov r6, 1\ncall tsc\nstxdw [r10-8], r6\nmov r0, 0\nexit\n", FAST_OK, 0, 0, 0 },
    { "mov r2, 5\nldxw r3, [r1+4]\njeq r3, 1, +1\nmov r2, r1\nmov r0, r2\nexit\n", FAST_MIXED, 4, 2,
      0 },
    { "mov r2, r1\nldxw r3, [r1+4]\njeq r3, 1, +1\nadd r2, 8\nldxdw r0, [r2+0]\nexit\n", FAST_MIXED,
      4, 2, 0 },
    { "mov r10, 5\nmov r0, 0\nexit\n", FAST_FRAME_WRITE, 0, 10, 0 },
    { "add r10, 8\nmov r0, 0\nexit\n", FAST_FRAME_WRITE, 0, 10, 0 },
    { "lddw r10, 8\nmov r0, 0\nexit\n", FAST_FRAME_WRITE, 0, 10, 0 },
    { "ldxw r10, [r1+0]\nmov r0, 0\nexit\n", FAST_FRAME_WRITE, 0, 10, 0 },
    { "mul r1, 2\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 0, 1, 0 },
    { "neg r1\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 0, 1, 0 },
    { "bswap r1, 64\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 0, 1, 0 },
    { "add32 r1, 2\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 0, 1, 0 },
    { "mov32 r2, r1\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 0, 1, 0 },
    { "movsx32 r2, r1\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 0, 1, 0 },
    { "mov r2, r10\nsub r2, r1\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 1, 2, 0 },
    { "mov r2, 8\nsub r2, r1\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 1, 2, 0 },
    { "ldxdw r2, [r1+24]\nadd r1, r2\nmov r0, 0\nexit\n", FAST_POINTER_ARITHMETIC, 1, 1, 0 },
    { "xor r2, r2\nmov r0, 0\nexit\n", FAST_UNINITIALISED, 0, 2, 0 },
    { "mov r2, 24\nadd r2, r1\nldxdw r2, [r2+0]\nmov r0, 0\nexit\n", FAST_OK, 0, 0, 0 },
    { "mov r2, r10\nsub r2, 16\nstdw [r2+8], 1\nldxdw r0, [r10-8]\nand r0, 1\nexit\n", FAST_OK, 0,
      0, 0 },
    { "mov r2, r1\nadd r2, 1025\nmov r0, 0\nexit\n", FAST_POINTER_RANGE, 1, 2, 0 },
    { "mov r2, r1\nadd r2, -1025\nmov r0, 0\nexit\n", FAST_POINTER_RANGE, 1, 2, 0 },
    { "lddw r2, 0x7fffffffffffffff\nadd r1, r2\nmov r0, 0\nexit\n", FAST_POINTER_RANGE, 2, 1, 0 },
    { "lddw r2, 0x8000000000000000\nsub r1, r2\nmov r0, 0\nexit\n", FAST_POINTER_RANGE, 2, 1, 0 },
    { "mov r0, 0\njeq r1, 0, +0\nexit\n", FAST_POINTER_COMPARED, 1, 1, 0 },
    { "mov r0, 0\njgt r0, r10, +0\nexit\n", FAST_POINTER_COMPARED, 1, 10, 0 },
    { "mov r2, 4096\nldxw r0, [r2+0]\nexit\n", FAST_NOT_POINTER, 1, 2, 0 },
    { "mov r2, 4096\nstw [r2+0], 1\nmov r0, 0\nexit\n", FAST_NOT_POINTER, 1, 2, 0 },
    /* Guest memory: numbers only, in which nothing of the handler's shows. */
    { "mov r2, 4096\nkldxw r0, [r2+70000]\nmov r0, 0\nexit\n", FAST_OK, 0, 0, 0 },
    { "gldxw r0, [r1+0]\nmov r0, 0\nexit\n", FAST_GUEST_POINTER, 0, 1, 0 },
    { "mov r2, 1\nustxw [r10+0], r2\nmov r0, 0\nexit\n", FAST_GUEST_POINTER, 1, 10, 0 },
    { "mov r2, 1\ngstxw [r2+0], r1\nmov r0, 0\nexit\n", FAST_POINTER_STORED, 1, 1, 0 },
    { "gldxw r0, [r2+0]\nmov r0, 0\nexit\n", FAST_UNINITIALISED, 0, 2, 0 },
    { "mov r2, 1\ngldxw r10, [r2+0]\nmov r0, 0\nexit\n", FAST_FRAME_WRITE, 1, 10, 0 },
    /* Memory. */
    { "stdw [r10-512], 1\nstb [r10-1], 1\nmov r0, 0\nexit\n", FAST_OK, 0, 0, 0 },
    { "stdw [r10-520], 1\nmov r0, 0\nexit\n", FAST_STACK_BOUNDS, 0, 10, 0 },
    { "stb [r10+0], 1\nmov r0, 0\nexit\n", FAST_STACK_BOUNDS, 0, 10, 0 },
    { "stdw [r10-4], 1\nmov r0, 0\nexit\n", FAST_STACK_BOUNDS, 0, 10, 0 },
    { "ldxb r0, [r10-513]\nexit\n", FAST_STACK_BOUNDS, 0, 10, 0 },
    { "mov r2, r10\nadd r2, 1024\nldxb r0, [r2-32768]\nexit\n", FAST_STACK_BOUNDS, 2, 2, 0 },
    { "stdw [r10-12], 1\nmov r0, 0\nexit\n", FAST_MISALIGNED, 0, 10, 0 },
    { "ldxh r2, [r1+25]\nmov r0, 0\nexit\n", FAST_MISALIGNED, 0, 1, 0 },
    { "ldxdw r0, [r10-8]\nexit\n", FAST_STACK_UNINITIALISED, 0, 10, 0 },
    { "stw [r10-8], 1\nldxdw r0, [r10-8]\nexit\n", FAST_STACK_UNINITIALISED, 1, 10, 0 },
    { "stw [r10-8], 1\nstw [r10-4], 0\nldxdw r0, [r10-8]\nand r0, 1\nexit\n", FAST_OK, 0, 0, 0 },
    { "ldxw r2, [r1+4]\njeq r2, 5, +1\nstdw [r10-8], 1\nldxdw r0, [r10-8]\nexit\n",
      FAST_STACK_UNINITIALISED, 3, 10, 0 },
    /* A number over half a pointer: the other half must not be read. */
    { "stxdw [r10-8], r1\nstw [r10-8], 1\nldxw r0, [r10-4]\nexit\n", FAST_STACK_UNINITIALISED, 2,
      10, 0 },
    /* A pointer on one path, a number on the other. */
    { "ldxw r2, [r1+4]\nstxdw [r10-8], r1\njeq r2, 5, +1\nstdw [r10-8], 1\nldxdw r0, "
      "[r10-8]\nexit\n",
      FAST_STACK_UNINITIALISED, 4, 10, 0 },
    { "stxdw [r10-8], r1\nldxw r0, [r10-8]\nexit\n", FAST_POINTER_IN_PART, 1, 10, 0 },
    { "stxw [r10-8], r1\nmov r0, 0\nexit\n", FAST_POINTER_IN_PART, 0, 1, 0 },
    { "stxdw [r10-8], r1\nldxdw r2, [r10-8]\nldxdw r3, [r2+24]\nmov r0, 0\nexit\n", FAST_OK, 0, 0,
      0 },
    /* The context. */
    { "ldxdw r2, [r1+208]\nldxb r3, [r1+215]\nmov r0, 0\nexit\n", FAST_OK, 0, 0, 0 },
    { "ldxdw r2, [r1+216]\nmov r0, 0\nexit\n", FAST_CTX_BOUNDS, 0, 1, 0 },
    { "ldxdw r2, [r1-8]\nmov r0, 0\nexit\n", FAST_CTX_BOUNDS, 0, 1, 0 },
    { "ldxdw r2, [r1+0]\nmov r0, 0\nexit\n", FAST_CTX_BOUNDS, 0, 1, 0 },
    { "stdw [r1+80], 0\nmov r0, 0\nexit\n", FAST_CTX_READ_ONLY, 0, 1, 0 },
    { "stw [r1+0], 0\nmov r0, 0\nexit\n", FAST_CTX_READ_ONLY, 0, 1, 0 },
    { "stdw [r1+152], 0\nmov r0, 0\nexit\n", FAST_CTX_READ_ONLY, 0, 1, 0 },
    { "stdw [r1+152], 0\nmov r0, 0\nexit\n", FAST_OK, 0, 0, FAST_ATTACH_EXCEPTION },
    { "stdw [r1+160], 0\nmov r0, 0\nexit\n", FAST_CTX_READ_ONLY, 0, 1, FAST_ATTACH_EXCEPTION },
    { "stw [r1+24], 0\nmov r0, 0\nexit\n", FAST_CTX_PARTIAL, 0, 1, 0 },
    /* Helpers. */
    { "call 0\nmov r0, 0\nexit\n", FAST_NO_HELPER, 0, FAST_NO_REG, 0 },
    { "call 12\nmov r0, 0\nexit\n", FAST_NO_HELPER, 0, FAST_NO_REG, 0 },
    { "call -1\nmov r0, 0\nexit\n", FAST_NO_HELPER, 0, FAST_NO_REG, 0 },
    { "mov r1, 0\nmov r2, 0\nmov r3, 0\ncall pt_update\nexit\n", FAST_HELPER_ATTACH, 3, FAST_NO_REG,
      0 },
    { "mov r1, 0\nmov r2, 0\nmov r3, 0\ncall pt_update\nexit\n", FAST_OK, 0, 0,
      FAST_ATTACH_HYPERCALL },
    { "mov r1, 0\ncall store64\nexit\n", FAST_HELPER_ARGUMENT, 1, 2, 0 },
    { "call load64\nmov r0, 0\nexit\n", FAST_HELPER_ARGUMENT, 0, 1, 0 },
    { "mov r2, r10\nmov r1, 5\ncall store64\nexit\n", FAST_HELPER_ARGUMENT, 2, 2, 0 },
    { "mov r1, 0\nmov r2, 0\nmov r3, 0\ncall pt_update\nmov r1, 0\ncall load8\nexit\n",
      FAST_AFTER_PT_UPDATE, 5, FAST_NO_REG, FAST_ATTACH_EXCEPTION },
    { "mov r1, 0\nmov r2, 0\nmov r3, 0\njeq r1, 1, +1\ncall pt_update\nmov r1, 0\nmov r2, 0\n"
      "call store8\nexit\n",
      FAST_AFTER_PT_UPDATE, 7, FAST_NO_REG, FAST_ATTACH_EXCEPTION },
    { "mov r1, 0\nmov r2, 0\nmov r3, 0\ncall pt_update\nmov r1, 0\ncall m2p\nmov r0, 0\nexit\n",
      FAST_OK, 0, 0, FAST_ATTACH_EXCEPTION },
    { "call m2p\nmov r0, 0\nexit\n", FAST_HELPER_ARGUMENT, 0, 1, 0 },
    /* Leaks and results. */
    { "stxdw [r1+24], r1\nmov r0, 0\nexit\n", FAST_POINTER_STORED, 0, 1, 0 },
    { "stxdw [r1+24], r10\nmov r0, 0\nexit\n", FAST_POINTER_STORED, 0, 10, 0 },
    { "mov r0, r1\nexit\n", FAST_POINTER_RETURNED, 1, 0, 0 },
    { "mov r0, 2\nexit\n", FAST_BAD_RETURN, 1, 0, 0 },
    { "mov r0, -1\nexit\n", FAST_BAD_RETURN, 1, 0, 0 },
    { "ldxdw r0, [r1+24]\nexit\n", FAST_BAD_RETURN, 1, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nexit\n", FAST_OK, 0, 0, 0 },
    { "ldxdw r0, [r1+24]\nrsh r0, 63\nexit\n", FAST_OK, 0, 0, 0 },
    { "ldxdw r0, [r1+24]\narsh r0, 63\nexit\n", FAST_BAD_RETURN, 2, 0, 0 },
    { "ldxsb r0, [r1+24]\nexit\n", FAST_BAD_RETURN, 1, 0, 0 },
    { "call store64\nexit\n", FAST_HELPER_ARGUMENT, 0, 1, 0 },
    { "mov r1, 1\nmov r2, 1\ncall store64\nexit\n", FAST_OK, 0, 0, 0 },
    /* What holds after a merge holds on both ways. */
    { "mov r0, 1\nldxw r2, [r1+4]\njeq r2, 5, +1\nmov r0, 5\nexit\n", FAST_BAD_RETURN, 4, 0, 0 },
    { "mov r0, 5\nldxw r2, [r1+4]\njeq r2, 5, +1\nmov r0, 1\nexit\n", FAST_BAD_RETURN, 4, 0, 0 },
    { "mov r0, 0\nldxw r2, [r1+4]\njeq r2, 5, +1\nmov r0, 1\nexit\n", FAST_OK, 0, 0, 0 },
    { "mov r3, 8\nldxw r2, [r1+4]\njeq r2, 5, +1\nmov r3, 16\nadd r1, r3\nmov r0, 0\nexit\n",
      FAST_POINTER_ARITHMETIC, 4, 1, 0 },
    { "mov r3, 16\nldxw r2, [r1+4]\njeq r2, 5, +1\nmov r3, 8\nadd r1, r3\nmov r0, 0\nexit\n",
      FAST_POINTER_ARITHMETIC, 4, 1, 0 },
    { "ldxw r2, [r1+4]\nstxdw [r10-8], r1\njeq r2, 5, +2\nadd r1, 8\nstxdw [r10-8], r1\n"
      "ldxdw r2, [r10-8]\nmov r0, 0\nexit\n",
      FAST_STACK_UNINITIALISED, 5, 10, 0 },
    /* Bounds. */
    { "ldxdw r0, [r1+24]\nand r0, 1\nor r0, 2\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nxor r0, 2\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nxor r0, 1\nexit\n", FAST_OK, 0, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nadd r0, 1\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nsub r0, 1\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nadd r0, -1\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nadd32 r0, -1\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxdw r0, [r1+24]\nrsh32 r0, 30\nexit\n", FAST_BAD_RETURN, 2, 0, 0 },
    { "ldxdw r0, [r1+24]\nrsh32 r0, 63\nexit\n", FAST_OK, 0, 0, 0 },
    { "ldxdw r0, [r1+24]\nldxdw r2, [r1+32]\nand r0, 3\nrsh r0, r2\nexit\n", FAST_BAD_RETURN, 4, 0,
      0 },
    { "lddw r0, 0x100000000\nldxdw r2, [r1+32]\nand r2, 7\nadd32 r0, r2\nexit\n", FAST_BAD_RETURN,
      5, 0, 0 },
    /* The sum wraps around to 0 or 1, which shifted right is the constant 0. */
    { "ldxdw r0, [r1+24]\nand r0, 1\nadd r0, 0x7fffffff\nadd r0, 0x7fffffff\nadd32 r0, 2\n"
      "rsh r0, 32\nadd r1, r0\nldxdw r2, [r1+24]\nmov r0, 0\nexit\n",
      FAST_OK, 0, 0, 0 },
    { "lddw r0, 0x100000000\nldxdw r2, [r1+32]\nand r2, 1\nadd32 r0, r2\nexit\n", FAST_OK, 0, 0,
      0 },
    { "lddw r0, 0x100000001\nmov32 r0, r0\nexit\n", FAST_OK, 0, 0, 0 },
    { "lddw r0, 0x100000002\nmov32 r0, r0\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxdw r0, [r1+24]\nand r0, 1\nbe r0, 16\nexit\n", FAST_BAD_RETURN, 3, 0, 0 },
    { "ldxb r0, [r1+24]\nrsh r0, 7\nexit\n", FAST_OK, 0, 0, 0 },
    { "ldxh r0, [r1+24]\nrsh r0, 7\nexit\n", FAST_BAD_RETURN, 2, 0, 0 },
    { "ldxw r2, [r1+4]\nstxb [r10-8], r2\nldxb r0, [r10-8]\nrsh r0, 7\nexit\n", FAST_OK, 0, 0, 0 },
    /* Instructions. */
    { "be r1, 17\nmov r0, 0\nexit\n", FAST_BAD_SWAP, 0, FAST_NO_REG, 0 },
};

static bool verify(unsigned int n, unsigned int kind)
{
    struct fast_program program = { .insns = insns };
    bool ok;

    random_head(&program.head, kind ? kind : FAST_ATTACH_SYSCALL);
    program.head.insns = n;
    memset(&space, 0xa5, sizeof(space)); /* its contents must not matter */
    ok = fast_verify(&program, &space, &verdict);
    assert_int_equal(ok, verdict.id == FAST_OK);
    seen[verdict.id] = true;
    return ok;
}

static unsigned int assemble(const char *text)
{
    char error[128];
    int n = fast_assemble(text, insns, FAST_MAX_INSNS, error, sizeof(error));

    if (n < 0)
        fail_msg("%s in\n%s", error, text);
    return (unsigned int)n;
}

static void table(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        verify(assemble(cases[i].text), cases[i].kind);
        if (verdict.id != cases[i].id ||
            (verdict.id && (verdict.insn != cases[i].insn || verdict.reg != cases[i].reg)))
            fail_msg("%s\nwanted %s at %u r%u, got %s at %u r%u", cases[i].text,
                     refusal_text(cases[i].id)->name, cases[i].insn, cases[i].reg,
                     refusal_text(verdict.id)->name, verdict.insn, verdict.reg);
    }
}

/* What no assembler writes. */
static void encodings(void **state)
{
    static const struct {
        uint64_t first, second;
        enum fast_refusal_id id;
    } raw[] = {
        { 0x8d, 0, FAST_RESERVED }, /* call by register */
        { 0x00, 0, FAST_RESERVED },
        { 0xff, 0, FAST_RESERVED },
        { 0x0000000100000195, 0, FAST_RESERVED_FIELD }, /* exit with a register and an immediate */
        { 0x00000000000021b7, 0, FAST_RESERVED_FIELD }, /* mov immediate with a source */
        { 0x00000001000012bf, 0, FAST_RESERVED_FIELD }, /* mov register with an immediate */
        { 0x0000000000070107, 0, FAST_RESERVED_FIELD }, /* add with an offset */
        { 0x0000000000020037, 0, FAST_RESERVED_FIELD }, /* div with an offset of 2 */
        { 0x00000005000000b4 | 0x20 << 16, 0, FAST_RESERVED_FIELD }, /* movsx of an immediate */
        { 0x00000001000000bf | 0xb000, 0, FAST_RESERVED_FIELD },
        { 0x000000000000b0bf, 0, FAST_BAD_REGISTER },
        { 0x0000000000000bb7, 0, FAST_BAD_REGISTER },
        { 0xffffffff00022121, 0, FAST_BAD_DISTANCE },
        { 0x0000000000032121, 0, FAST_RESERVED_FIELD },
        { 0x18, 0x95, FAST_HALF_LDDW },
        { 0x18, 0x100, FAST_RESERVED_FIELD },
        { 0x1118, 0, FAST_MAP_LDDW },
        { 0x00000000000021db, 0, FAST_ATOMIC },
        { 0x00000000000021c3, 0, FAST_ATOMIC },
        { 0x20, 0, FAST_PACKET },
        { 0x0000000100001085, 0, FAST_LOCAL_CALL },
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
        memcpy(&insns[0], &raw[i].first, 8);
        memcpy(&insns[1], &raw[i].second, 8);
        insns[2] = (struct fast_insn){ 0x95, 0, 0, 0 };
        verify(3, 0);
        if (verdict.id != raw[i].id || verdict.insn != 0)
            fail_msg("case %u: wanted %s, got %s at %u", i, refusal_text(raw[i].id)->name,
                     refusal_text(verdict.id)->name, verdict.insn);
    }
    /* lddw as the last instruction has no second half. */
    memcpy(&insns[0], &(uint64_t){ 0x18 }, 8);
    assert_false(verify(1, 0));
    assert_int_equal(verdict.id, FAST_HALF_LDDW);
}

static void limits(void **state)
{
    unsigned int n = 0;

    (void)state;
    assert_false(verify(0, 0));
    assert_int_equal(verdict.id, FAST_EMPTY);
    assert_false(verify(FAST_MAX_INSNS + 1, 0));
    assert_int_equal(verdict.id, FAST_TOO_LONG);

    for (n = 0; n < FAST_MAX_INSNS - 1; n++)
        insns[n] = (struct fast_insn){ 0xb7, 0, 0, 1 };
    insns[n++] = (struct fast_insn){ 0x95, 0, 0, 0 };
    assert_true(verify(n, 0));
    assert_int_equal(verdict.cost, FAST_MAX_INSNS);

    for (unsigned int stores = 64; stores <= 65; stores++) {
        n = 0;
        for (unsigned int i = 0; i < stores; i++) {
            insns[n++] = (struct fast_insn){ 0xb7, 1, 0, 1 };
            insns[n++] = (struct fast_insn){ 0xb7, 2, 0, 1 };
            insns[n++] = (struct fast_insn){ 0x85, 0, 0, FAST_HELPER_store64 };
        }
        insns[n++] = (struct fast_insn){ 0x95, 0, 0, 0 };
        assert_int_equal(verify(n, 0), stores == 64);
        assert_int_equal(verdict.id, stores == 64 ? FAST_OK : FAST_TOO_MANY_STAGED);
    }

    n = 0;
    for (unsigned int i = 0; i < 1000; i++)
        insns[n++] = (struct fast_insn){ 0x85, 0, 0, FAST_HELPER_tsc };
    insns[n++] = (struct fast_insn){ 0xb7, 0, 0, 0 };
    insns[n++] = (struct fast_insn){ 0x95, 0, 0, 0 };
    assert_false(verify(n, 0));
    assert_int_equal(verdict.id, FAST_TOO_COSTLY);
    assert_int_equal(verdict.insn, FAST_MAX_COST / 21);

    for (unsigned int targets = 128; targets <= 129; targets++) {
        n = 0;
        insns[n++] = (struct fast_insn){ 0xb7, 0, 0, 0 };
        for (unsigned int i = 0; i < targets; i++, n++)
            insns[n] = (struct fast_insn){ 0x15, 0, (int16_t)targets, 5 };
        for (unsigned int i = 0; i < targets; i++)
            insns[n++] = (struct fast_insn){ 0xb7, 0, 0, 0 };
        insns[n++] = (struct fast_insn){ 0x95, 0, 0, 0 };
        assert_int_equal(verify(n, 0), targets == 128);
        assert_int_equal(verdict.id, targets == 128 ? FAST_OK : FAST_TOO_MANY_TARGETS);
    }
}

static void parsing(void **state)
{
    static uint64_t blob[64];
    struct fast_header good;
    struct fast_program program;
    size_t size = sizeof(good) + 16;

    (void)state;
    random_head(&good, FAST_ATTACH_SYSCALL);
    good.insns = 2;
    good.total_bytes = (uint32_t)size;
#define PARSE(change, bytes)                                                                       \
    ({                                                                                             \
        struct fast_header h = good;                                                               \
        change;                                                                                    \
        memcpy(blob, &h, sizeof(h));                                                               \
        enum fast_refusal_id id_ = program_parse(blob, bytes, &program);                           \
        seen[id_] = true;                                                                          \
        id_;                                                                                       \
    })
    assert_int_equal(PARSE((void)h, size), FAST_OK);
    assert_ptr_equal(program.insns, (char *)blob + sizeof(good));
    assert_int_equal(PARSE((void)h, size - 8), FAST_BAD_SIZE);
    assert_int_equal(PARSE((void)h, size + 8), FAST_BAD_SIZE);
    assert_int_equal(PARSE((void)h, 63), FAST_BAD_SIZE);
    assert_int_equal(PARSE((void)h, 0), FAST_BAD_SIZE);
    assert_int_equal(PARSE(h.insns = 3, size), FAST_BAD_SIZE);
    assert_int_equal(PARSE(h.header_bytes = 72, size), FAST_BAD_SIZE);
    assert_int_equal(PARSE(h.total_bytes = 0, size), FAST_BAD_SIZE);
    assert_int_equal(PARSE(h.insns = 0, size), FAST_EMPTY);
    assert_int_equal(PARSE(h.insns = 4097, size), FAST_TOO_LONG);
    assert_int_equal(PARSE(h.insns = 0x20000002, size), FAST_TOO_LONG);
    assert_int_equal(PARSE(h.magic ^= 1, size), FAST_BAD_MAGIC);
    assert_int_equal(PARSE(h.version = 2, size), FAST_BAD_VERSION);
    assert_int_equal(PARSE(h.name[0] = 0, size), FAST_BAD_NAME);
    assert_int_equal(PARSE(h.name[1] = '\n', size), FAST_BAD_NAME);
    assert_int_equal(PARSE(h.name[31] = 'x', size), FAST_BAD_NAME);
    assert_int_equal(PARSE(memset(h.name, 'x', 32), size), FAST_BAD_NAME);
    assert_int_equal(PARSE(h.attach_kind = 0, size), FAST_BAD_ATTACH);
    assert_int_equal(PARSE(h.attach_kind = FAST_NR_ATTACH, size), FAST_BAD_ATTACH);
    assert_int_equal(PARSE(h.attach_number = 1024, size), FAST_BAD_ATTACH);
    assert_int_equal(PARSE(h.attach_address = 1, size), FAST_BAD_ATTACH);
    assert_int_equal(PARSE((h.attach_kind = FAST_ATTACH_EXCEPTION, h.attach_number = 14), size),
                     FAST_BAD_ATTACH);
    assert_int_equal(PARSE((h.attach_kind = FAST_ATTACH_HYPERCALL, h.attach_number = 64), size),
                     FAST_BAD_ATTACH);
}

/* The path leads over the branch that spoils the register, and the text says all of it. */
static void path_and_text(void **state)
{
    struct fast_program program = { .insns = insns };
    char text[1024];

    (void)state;
    random_head(&program.head, FAST_ATTACH_SYSCALL);
    program.head.insns = assemble("ldxdw r2, [r1+24]\n"
                                  "mov r3, 1\n"
                                  "jeq r2, 5, one\n"
                                  "jeq r2, 6, one\n"
                                  "call tsc\n"
                                  "ja two\n"
                                  "one: mov r4, 0\n"
                                  "two: mov r0, 0\n"
                                  "jgt r0, 1, +0\n"
                                  "mov r0, r3\n"
                                  "exit\n");
    assert_false(fast_verify(&program, &space, &verdict));
    assert_int_equal(verdict.id, FAST_UNINITIALISED);
    fast_verdict_text(&program, &verdict, text, sizeof(text));
    assert_string_equal(text,
                        "refused: type: a register is read that some path has not written "
                        "[UNINITIALISED]\n"
                        "  where: instruction 9: mov r0, r3  (r3)\n"
                        "  path: from the start, 2 not taken, 3 not taken, 8 not taken\n"
                        "  to do: write it on every path; a call leaves r1 to r5 unwritten\n");
    /* Of two ways to the instruction, the one that leaves r3 unwritten. */
    program.head.insns = assemble("ldxdw r2, [r1+24]\njeq r2, 5, +2\nmov r3, 1\nja +1\n"
                                  "mov r4, 1\nmov r0, r3\nexit\n");
    assert_false(fast_verify(&program, &space, &verdict));
    assert_int_equal(verdict.path_steps, 1);
    assert_int_equal(verdict.path[0].insn, 1);
    assert_true(verdict.path[0].taken);
    program.head.insns = assemble("ldxdw r2, [r1+24]\njeq r2, 5, +2\nmov r4, 1\nja +1\n"
                                  "mov r3, 1\nmov r0, r3\nexit\n");
    assert_false(fast_verify(&program, &space, &verdict));
    assert_false(verdict.path[0].taken);
    fast_verdict_text(&program, &verdict, text, sizeof(text));

    /* What is wrong however one gets there has no path. */
    program.head.insns = assemble("mov r0, 0\nexit\nexit\n");
    assert_false(fast_verify(&program, &space, &verdict));
    fast_verdict_text(&program, &verdict, text, sizeof(text));
    assert_string_equal(text, "refused: flow: no path leads to the instruction [UNREACHABLE]\n"
                              "  where: instruction 2: exit\n"
                              "  to do: remove it\n");

    /* Any smaller buffer holds the start of it, and nothing behind is touched. */
    for (unsigned int size = 0; size <= strlen(text); size++) {
        char small[301];
        unsigned int used;

        memset(small, 0x5a, sizeof(small));
        used = fast_verdict_text(&program, &verdict, small, size);
        assert_true(size == 0 ? used == 0 : used < size && small[used] == 0);
        assert_memory_equal(small, text, used);
        assert_int_equal(small[size], 0x5a);
    }
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The most merges that 512 instructions can have.  With sanitizers and without. */
static void time_bound(void **state)
{
    double best = 1;
    unsigned int n = 0;

    (void)state;
    insns[n++] = (struct fast_insn){ 0xb7, 0, 0, 0 };
    while (n < 510) {
        insns[n] = (struct fast_insn){ 0x15, 0, (int16_t)(n < 382 ? 127 : 509 - (int)n), 5 };
        n++;
    }
    insns[n++] = (struct fast_insn){ 0xb7, 0, 0, 0 };
    insns[n++] = (struct fast_insn){ 0x95, 0, 0, 0 };
    for (int i = 0; i < 20; i++) {
        struct fast_program program = { .insns = insns };
        double start = seconds();

        random_head(&program.head, FAST_ATTACH_SYSCALL);
        program.head.insns = n;
        assert_true(fast_verify(&program, &space, &verdict));
        if (seconds() - start < best)
            best = seconds() - start;
    }
    print_message("512 instructions, most of them branches: %.0f us\n", best * 1e6);
    /* The promise is 1 ms; the sanitizers of this build cost several times that. */
    assert_true(best < 5e-3);
}

static void every_reason(void **state)
{
    (void)state;
    for (unsigned int i = 1; i < FAST_NR_REFUSALS; i++) {
        if (!seen[i])
            fail_msg("%s never came up", refusal_text(i)->name);
        assert_true(refusal_text(i)->category[0] && refusal_text(i)->advice[0]);
        assert_true(refusal_category(i) != FAST_CATEGORY_NONE);
    }
    assert_string_equal(refusal_text(FAST_NR_REFUSALS)->name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),         cmocka_unit_test(encodings),
        cmocka_unit_test(limits),        cmocka_unit_test(parsing),
        cmocka_unit_test(path_and_text), cmocka_unit_test(time_bound),
        cmocka_unit_test(every_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
