/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: fast handlers. Any program may be refused; one that is accepted must run to its
 * end within its bounds and do the same on both engines.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ifastpath/core -Itests/unit \
 *       tests/fuzz/fuzz_fast.c tests/unit/fast_world.c tests/unit/fast_random.c \
 *       fastpath/core/[a-z]*.c -o fuzz_fast && ./fuzz_fast -max_len=1024 -max_total_time=120
 * The first byte chooses: the rest are instructions as they stand, or choices for the generator of
 * programs, or such choices and then changes to the program that came of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disasm.h"
#include "fast_random.h"
#include "fast_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fast_insn insns[FAST_MAX_INSNS];
static struct verify_space space;
static struct world world = { .wild = true, .readonly = { [2] = 1 } };
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
    unsigned int changes;

    program->insns = insns;
    if (data[0] % 3 == 0) {
        random_head(&program->head, 1 + data[0] / 3 % 3);
        program->head.insns = (uint32_t)(size - 1) / 8;
        memcpy(insns, data + 1, program->head.insns * 8);
        return;
    }
    changes = data[0] % 3 == 2 ? 1 + data[0] / 3 % 4 : 0;
    random_program(&d, insns, program);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fast_program program;
    struct fast_verdict verdict;
    struct fast_ctx ctx;
    const char *why;

    if (size < 9 || size > 8 * 1024)
        return -1;
    make(data, size, &program);
    if (!fast_verify(&program, &space, &verdict)) {
        if (verdict.id == FAST_OK || verdict.insn >= program.head.insns)
            die(&program, "a refusal that says nothing");
        fast_verdict_text(&program, &verdict, text, sizeof(text));
        return 0;
    }
    world_ctx(&ctx, &program);
    world_interpret(&program, &world, &ctx, &by_interpreter);
    if (by_interpreter.run.stop >= FAST_STOP_FULL)
        die(&program, fast_stop_name(by_interpreter.run.stop));
    if (by_interpreter.r0 > FAST_DONE || by_interpreter.run.nr_staged > verdict.staged)
        die(&program, "more than the verdict allows");
    why = world_jit(&program, &world, &ctx, (unsigned int)(size % 10), &by_jit);
    if (!why)
        why = world_compare(&by_interpreter, &by_jit);
    if (why)
        die(&program, why);
    return 0;
}
