/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: fast handlers. Any program may be refused; one that is accepted must run to its
 * end within its bounds and do the same on the interpreter, in code that calls for guest memory, and in
 * code that has it inlined, as the hypervisor runs it.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ifastpath/core -Itests/unit \
 *       tests/fuzz/fuzz_fast.c tests/unit/fast_world.c tests/unit/fast_random.c tests/unit/real_memory.c \
 *       fastpath/core/[a-z]*.c -o fuzz_fast && ./fuzz_fast -max_len=1024 -max_total_time=120
 * The first byte chooses: the rest are instructions as they stand, or choices for a generator of
 * programs, or such choices and then changes to the program that came of them.
 *
 * fast.corpus has what was found so far (pack.py).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disasm.h"
#include "fast_random.h"
#include "fast_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int fuzz_meant_something(unsigned long kept, unsigned long made);

static unsigned long compared; /* programs that ran on interpreter and machine code, so far */

static struct fast_insn insns[FAST_MAX_INSNS];
static struct verify_space space;
static struct world wild = { .wild = true, .readonly = { [2] = 1 } };
static struct world real = { .real = true, .readonly = { [2] = 1 } };
static struct world_result by_interpreter, by_jit;
static char text[262144];

static void die(const struct fast_program *program, const char *why)
{
    struct fast_text out;

    text_init(&out, text, sizeof(text));
    fast_disasm(&out, program);
    fprintf(stderr, "%s%s\n", text, why);
    abort();
}

static void make(const uint8_t *data, size_t size, struct fast_program *program)
{
    struct draw d = { data + 1, size - 1, 0 };
    unsigned int kind = data[0] % 4, changes = 0;

    program->insns = insns;
    if (kind == 0) {
        random_head(&program->head, 1 + data[0] / 4 % 3);
        program->head.insns = (uint32_t)(size - 1) / 8;
        memcpy(insns, data + 1, program->head.insns * 8);
        return;
    }
    if (kind == 3)
        random_guest_program(&d, WORLD_REAL, insns, program);
    else
        random_program(&d, insns, program);
    if (kind == 2 || (kind == 3 && data[0] & 4))
        changes = 1 + data[0] / 8 % 4;
    for (unsigned int i = 0; i < changes; i++) {
        struct fast_insn *in = &insns[draw_below(&d, program->head.insns)];
        unsigned int what = draw_below(&d, 5);

        if (what == 0)
            in->code = (uint8_t)draw_below(&d, 256);
        else if (what == 1)
            in->regs = (uint8_t)draw_below(&d, 256);
        else if (what == 2)
            in->off = (int16_t)draw_below(&d, 0x10000);
        else if (what == 3)
            in->imm = (int32_t)draw_number(&d);
        else
            *in = insns[draw_below(&d, program->head.insns)];
    }
}

/* On both engines; returns without a word where what a program reads is not the world's. */
static void run(const struct fast_program *program, const struct fast_verdict *verdict,
                const struct world *world, unsigned int shuffle)
{
    struct fast_ctx ctx;
    const char *why;

    world_ctx(&ctx, program);
    world_interpret(program, world, &ctx, &by_interpreter);
    if (by_interpreter.run.stop >= FAST_STOP_FULL)
        die(program, fast_stop_name(by_interpreter.run.stop));
    if (by_interpreter.r0 > FAST_DONE || by_interpreter.run.nr_staged > verdict->staged)
        die(program, "more than the verdict allows");
    if (by_interpreter.world.elsewhere)
        return;
    why = world_jit(program, world, &ctx, shuffle, &by_jit);
    if (!why)
        why = world_compare(&by_interpreter, &by_jit);
    if (why)
        die(program, why);
    compared++;
}

/* So that a load shows where it went. */
static void fill(struct world *world)
{
    for (unsigned int i = 0; i < WORLD_BYTES; i++)
        world->memory[i] = (uint8_t)(i * 167 + i / 256 * 13 + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fast_program program;
    struct fast_verdict verdict;

    if (size < 9 || size > 8 * 1024)
        return -1;
    if (!real.memory[0]) {
        fill(&real);
        fill(&wild);
    }
    make(data, size, &program);
    if (!fast_verify(&program, &space, &verdict)) {
        if (verdict.id == FAST_OK || verdict.insn >= program.head.insns)
            die(&program, "a refusal that says nothing");
        fast_verdict_text(&program, &verdict, text, sizeof(text));
        return 0;
    }
    run(&program, &verdict, &wild, (unsigned int)(size % 10));
    run(&program, &verdict, &real, 0);
    real.takes = !real.takes;
    run(&program, &verdict, &real, 0);
    return 0;
}

/* Most of what is kept is accepted, and runs calling and with memory inlined. */
int fuzz_meant_something(unsigned long kept, unsigned long made)
{
    printf("%lu runs compared\n", compared);
    return compared > (kept + made / 4) / 2;
}
