/* SPDX-License-Identifier: MIT */
/*
 * Interpreter against JIT.
 *
 * Promised: an accepted program gives the same result and the same effects on both engines,
 * whatever registers the JIT uses, and touches nothing but its stack and its context. How: every
 * arithmetic instruction and comparison on numbers that arithmetic goes wrong with, on every
 * rotation of the registers; then random programs.  The interpreter checks each access by itself,
 * the JIT runs with the context at the end of a page that has none behind it. RADON_FAST_PROGRAMS
 * sets the number of random programs, RADON_FAST_SEED where they start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "asm.h"
#include "disasm.h"
#include "fast_random.h"
#include "fast_world.h"

static struct verify_space space;
static struct world world;
static struct world_result by_interpreter, by_jit;

static void show(const struct fast_program *program)
{
    static char text[262144];
    struct fast_text out;

    text_init(&out, text, sizeof(text));
    fast_disasm(&out, program);
    fprintf(stderr, "%s", text);
}

/* Both engines; fails the test with the program's text when they differ. */
static void both(const struct fast_program *program, unsigned int shuffle)
{
    struct fast_verdict verdict;
    struct fast_ctx ctx;
    const char *why;
    char text[1024];

    if (!fast_verify(program, &space, &verdict)) {
        fast_verdict_text(program, &verdict, text, sizeof(text));
        show(program);
        fail_msg("%s", text);
    }
    world_ctx(&ctx, program);
    world_interpret(program, &world, &ctx, &by_interpreter);
    if (by_interpreter.world.elsewhere)
        return; /* nobody knows what is there */
    why = world_jit(program, &world, &ctx, shuffle, &by_jit);
    if (!why)
        why = world_compare(&by_interpreter, &by_jit);
    if (by_interpreter.run.stop == FAST_STOP_ESCAPE || by_interpreter.run.stop == FAST_STOP_FULL ||
        by_interpreter.run.stop == FAST_STOP_BUDGET)
        why = "the verifier let through what the interpreter stopped";
    if (by_interpreter.r0 > FAST_DONE)
        why = "a result that is neither 0 nor 1";
    if (by_interpreter.run.nr_staged > verdict.staged)
        why = "more staged effects than the verdict says";
    if (why) {
        show(program);
        fail_msg("shuffle %u: %s (r0 %llx, %llx)", shuffle, why,
                 (unsigned long long)by_interpreter.r0, (unsigned long long)by_jit.r0);
    }
}

static const uint64_t numbers[] = {
    0,
    1,
    2,
    31,
    32,
    0x80,
    0xff,
    0x8000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    ~0ull,
    0x123456789abcdef0,
};
#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static struct fast_insn insn(unsigned int code, unsigned int dst, unsigned int src, int off,
                             int32_t imm)
{
    return (struct fast_insn){ (uint8_t)code, (uint8_t)(dst | src << 4), (int16_t)off, imm };
}

static void lddw(struct fast_insn *at, unsigned int dst, uint64_t value)
{
    at[0] = insn(0x18, dst, 0, 0, (int32_t)(uint32_t)value);
    at[1] = insn(0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
}

/* One instruction of the row between known operands; its result goes to rax and rbx of the context.
 */
static void one_case(const struct isa_row *row, uint64_t a, uint64_t b, unsigned int dst,
                     unsigned int src, unsigned int shuffle)
{
    struct fast_insn insns[16];
    struct fast_program program = { .insns = insns };
    bool by_reg = row->form == FORM_ALU_REG || row->form == FORM_BRANCH_REG;
    bool by_imm = row->form == FORM_ALU_IMM || row->form == FORM_BRANCH_IMM;
    unsigned int n = 0, keep = 9;

    insns[n++] = insn(0xbf, keep, 1, 0, 0);
    for (unsigned int i = 0; i < 2; i++, n += 2)
        lddw(&insns[n], i ? dst : src, i ? a : b);
    insns[n++] = insn(row->code, dst, by_reg ? src : 0, row->off,
                      by_imm                   ? (int32_t)b
                      : row->form == FORM_SWAP ? 16 << b % 3
                                               : 0);
    if (isa_is_branch(row)) {
        insns[n - 1].off = 2;
        lddw(&insns[n], dst, 0x5555);
        n += 2;
    }
    insns[n++] = insn(0x7b, keep, dst, 0x18, 0);
    insns[n++] = insn(0x7b, keep, src, 0x20, 0);
    insns[n++] = insn(0xb7, 0, 0, 0, 1);
    insns[n++] = insn(0x95, 0, 0, 0, 0);
    random_head(&program.head, FAST_ATTACH_SYSCALL);
    program.head.insns = n;
    both(&program, shuffle);
    assert_int_equal(by_jit.outcome, FAST_DONE);
}

static void every_opcode(void **state)
{
    const struct isa_row *row;
    unsigned int shuffle = 0, rows = 0;

    (void)state;
    for (unsigned int i = 0; (row = isa_row_number(i)) != NULL; i++) {
        if (row->form > FORM_SWAP && !isa_is_branch(row))
            continue;
        rows++;
        for (unsigned int k = 0; k < NR_NUMBERS * NR_NUMBERS; k++) {
            uint64_t a = numbers[k / NR_NUMBERS], b = numbers[k % NR_NUMBERS];

            /* 9 keeps the context; every other pair of registers, equal ones too, has its turn. */
            one_case(row, a, b, k % 9, (k / 9 + k) % 9, shuffle++ % 10);
        }
    }
    assert_int_equal(rows, 66 + 44);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 0) : otherwise;
}

static void random_programs(void **state)
{
    static struct fast_insn insns[FAST_MAX_INSNS];
    static uint8_t seen[256];
    unsigned long programs = setting("RADON_FAST_PROGRAMS", 100000);
    unsigned long seed = setting("RADON_FAST_SEED", 1);
    unsigned long done = 0, stopped = 0;
    const struct isa_row *row;

    (void)state;
    for (unsigned int i = 0; i < WORLD_BYTES; i++)
        world.memory[i] = (uint8_t)(i * 37 + i / 256);
    world.wild = true;
    world.readonly[3] = 1;
    for (unsigned long i = 0; i < programs; i++) {
        struct draw d = { .seed = (seed + i) * 0x9e3779b97f4a7c15ull | 1 };
        struct fast_program program;

        random_program(&d, insns, &program);
        both(&program, (unsigned int)(i % 10));
        done += by_jit.outcome == FAST_DONE;
        stopped += by_jit.run.stop != FAST_STOP_NONE;
        for (unsigned int k = 0; k < program.head.insns; k++)
            seen[insns[k].code] = 1;
    }
    print_message("%lu programs: %lu done, %lu stopped by a helper\n", programs, done, stopped);
    /* A generator that only makes one kind would prove little. */
    assert_true(done > programs / 10 && stopped > programs / 20);
    for (unsigned int i = 0; programs >= 100000 && (row = isa_row_number(i)) != NULL; i++)
        if (row->form != FORM_REFUSED && row->form != FORM_JUMP && row->form != FORM_JUMP_IMM &&
            !seen[row->code])
            fail_msg("%s never came up", row->name);
}

/*
 * Code with guest memory inlined, as the hypervisor runs it: most addresses are the guest's, some are at
 * the ends of the range that is hidden, part of which is there to be found.
 */
static void guest_programs(void **state)
{
    static struct fast_insn insns[FAST_MAX_INSNS];
    unsigned long programs = setting("RADON_FAST_PROGRAMS", 100000) / 5;
    unsigned long seed = setting("RADON_FAST_SEED", 1);
    unsigned long done = 0, stopped = 0, unknown = 0, took = 0;

    (void)state;
    for (unsigned int i = 0; i < WORLD_BYTES; i++)
        world.memory[i] = (uint8_t)(i * 37 + i / 256 + 1);
    world.wild = false;
    world.real = true;
    for (unsigned long i = 0; i < programs; i++) {
        struct draw d = { .seed = (seed + i) * 0x9e3779b97f4a7c15ull | 1 };
        struct fast_program program;

        random_guest_program(&d, WORLD_REAL, insns, &program);
        world.takes = true;
        both(&program, 0);
        took += by_jit.took;
        world.takes = false;
        both(&program, 0);
        assert_false(by_jit.took);
        unknown += by_interpreter.world.elsewhere;
        done += by_jit.outcome == FAST_DONE;
        stopped += by_jit.run.stop != FAST_STOP_NONE;
    }
    world.real = false;
    print_message("%lu programs: %lu done, %lu took what they staged, %lu stopped by a helper\n", programs,
                  done, took, stopped);
    assert_true(done > programs / 20 && stopped > programs / 20 && unknown < programs / 20);
}

/*
 * The end of such code takes what it staged: stores to known pages, and a page-table update behind them.
 * If not all of it can be taken nothing is, and C has the list, or the run passes.
 */
static void ends_take(void **state)
{
    static const char program_text[] = "lddw r6, 0x300000000000\n"
                                       "ldxdw r7, [r1+184]\n"
                                       "mov r8, r6\nadd r8, %u\n"
                                       "kstxdw [r6+8], r7\nkstxb [r6+3], r7\n"
                                       "jeq r7, %d, +2\n" /* never: another number of stores */
                                       "kstxw [r8+0], r7\n"
                                       "ja +2\n"
                                       "mov r0, %u\nexit\n"
                                       "kstxh [r6+2046], r7\n"
                                       "mov r1, %u\nlddw r2, 0\nmov r3, 77\ncall pt_update\n"
                                       "mov r0, 1\nexit\n";
    static const struct {
        unsigned int away, other, ptr;
        bool took;
        enum fast_outcome outcome;
    } cases[] = {
        { 4096, 1, WORLD_PTE_BASE + 24, true, FAST_DONE },
        { 2044, 0, WORLD_PTE_BASE + 8 * (WORLD_PTES - 1), true, FAST_DONE },
        { 3 * 4096, 1, WORLD_PTE_BASE + 24, false, FAST_DONE },  /* a page that is not known */
        { 4097, 1, WORLD_PTE_BASE + 24, false, FAST_DONE },      /* not aligned */
        { 4096, 1, WORLD_PTE_BASE + 4, false, FAST_PASS },       /* no entry */
        { 2 * 4096, 1, WORLD_PTE_BASE + 24, false, FAST_PASS },  /* a page that is read-only */
        { 1 << 20, 1, WORLD_PTE_BASE + 24, false, FAST_PASS },   /* none */
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fast_insn insns[64];
        struct fast_program program = { .insns = insns };
        char text[1024], error[256];
        int n;

        memset(&world, 0, sizeof(world));
        world.real = world.takes = true;
        world.readonly[2] = 1;
        snprintf(text, sizeof(text), program_text, cases[i].away, 7 + (int)i, cases[i].other,
                 cases[i].ptr);
        n = fast_assemble(text, insns, 64, error, sizeof(error));
        if (n <= 0)
            fail_msg("%s", error);
        random_head(&program.head, FAST_ATTACH_EXCEPTION);
        program.head.insns = (uint32_t)n;
        both(&program, 0);
        assert_int_equal(by_jit.outcome, cases[i].outcome);
        assert_int_equal(by_jit.took, cases[i].took);
        assert_int_equal(by_jit.world.pte[(cases[i].ptr - WORLD_PTE_BASE) / 8],
                         cases[i].outcome == FAST_DONE ? 77 : 0);
        world.takes = false;
        both(&program, 0);
        assert_int_equal(by_jit.outcome, cases[i].outcome);
        assert_false(by_jit.took);
    }
    world.real = false;
}

/* A stopped run changes nothing, whatever an engine says that it returned. */
static void stopped_runs_pass(void **state)
{
    struct fast_ctx ctx = { 0 };
    struct fast_run run;

    (void)state;
    memset(&world, 0, sizeof(world));
    fast_run_init(&run, &ctx, &world_env, &world);
    run.stop = FAST_STOP_LOAD;
    assert_int_equal(fast_finish(&run, FAST_DONE), FAST_PASS);
    run.helpers[FAST_HELPER_store8](&run, WORLD_BASE, 0x1ff, 0);
    run.stop = FAST_STOP_LOAD;
    assert_int_equal(fast_finish(&run, FAST_DONE), FAST_PASS);
    assert_int_equal(world.memory[0], 0);
    run.stop = FAST_STOP_NONE;
    assert_int_equal(fast_finish(&run, FAST_DONE), FAST_DONE);
    assert_int_equal(world.memory[0], 0xff);
    assert_int_equal(world.memory[1], 0);
    /* More than there is room for, which the verifier excludes. */
    for (unsigned int i = 0; i < FAST_MAX_STAGED; i++)
        run.helpers[FAST_HELPER_store8](&run, WORLD_BASE, 1, 0);
    assert_int_equal(run.stop, FAST_STOP_FULL);
    assert_int_equal(run.nr_staged, FAST_MAX_STAGED);
}

/* What the verifier refuses stops in the interpreter, too, before anything is touched. */
static void interpreter_trusts_nobody(void **state)
{
    static const struct {
        const char *text;
        uint32_t budget;
        enum fast_stop stop;
    } cases[] = {
        { "mov r0, 1\nexit\n", 2, FAST_STOP_NONE },
        { "mov r0, 1\nexit\n", 1, FAST_STOP_BUDGET },
        { "ja -1\nexit\n", 1000, FAST_STOP_BUDGET },
        { "mov r0, 1\n", 9, FAST_STOP_ESCAPE },
        { "ja +1\nexit\n", 9, FAST_STOP_ESCAPE },
        { "ja -2\nexit\n", 9, FAST_STOP_ESCAPE },
        { "ja +1\nlddw r0, 1\nexit\n", 9, FAST_STOP_ESCAPE },
        { "ldxb r0, [r10+0]\nexit\n", 9, FAST_STOP_ESCAPE },
        { "ldxb r0, [r10-513]\nexit\n", 9, FAST_STOP_ESCAPE },
        { "ldxw r0, [r10-3]\nexit\n", 9, FAST_STOP_ESCAPE },
        { "stb [r1+216], 1\nexit\n", 9, FAST_STOP_ESCAPE },
        { "stb [r1-1], 1\nexit\n", 9, FAST_STOP_ESCAPE },
        { "ldxdw r0, [r1+209]\nexit\n", 9, FAST_STOP_ESCAPE },
        { "ldxdw r0, [r5+0]\nexit\n", 9, FAST_STOP_ESCAPE },
        { "call 0\nexit\n", 9, FAST_STOP_ESCAPE },
        { "call 12\nexit\n", 9, FAST_STOP_ESCAPE },
    };
    struct fast_insn insns[8];
    struct fast_program program = { .insns = insns };
    struct fast_ctx ctx = { 0 };
    struct fast_run run;
    char error[128];

    (void)state;
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int n = fast_assemble(cases[i].text, insns, 8, error, sizeof(error));

        assert_true(n > 0);
        random_head(&program.head, FAST_ATTACH_SYSCALL);
        program.head.insns = (uint32_t)n;
        fast_run_init(&run, &ctx, &world_env, &world);
        if (fast_interpret(&program, &run, cases[i].budget) != (run.stop == FAST_STOP_NONE) ||
            run.stop != cases[i].stop)
            fail_msg("%s: stop %s", cases[i].text, fast_stop_name(run.stop));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_runs_pass),
        cmocka_unit_test(interpreter_trusts_nobody),
        cmocka_unit_test(every_opcode),
        cmocka_unit_test(random_programs),
        cmocka_unit_test(guest_programs),
        cmocka_unit_test(ends_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
