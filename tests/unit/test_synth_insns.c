/* SPDX-License-Identifier: MIT */
/*
 * Every instruction that is lifted, on random registers and memory: a handler is made of a few
 * recorded runs and then must do on others what the processor does, or pass.  Interpreter and JIT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "synth_world.h"

#define CAPTURES 6
#define RUNS 120

static struct memory before, truth, made;

static uint64_t number(void)
{
    static const uint64_t edge[] = { 0,
                                     1,
                                     2,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0xffffffffffffffff };
    uint64_t r = world_random();

    switch (r & 7) {
    case 0:
    case 1:
        return edge[(r >> 8) % (sizeof(edge) / sizeof(edge[0]))];
    case 2:
        return (r >> 8) & 0xff;
    case 3:
        return (uint64_t)(int64_t)(int8_t)(r >> 8);
    default:
        return world_random();
    }
}

static void random_world(struct call *call)
{
    uint64_t *word = (uint64_t *)(uintptr_t)KERNEL_BASE;

    for (unsigned int i = 0; i < 64; i++)
        word[i] = number();
    if (world_random() & 1) /* so that comparisons of memory find equal bytes, too */
        memcpy(word + 4, word, 32);
    for (unsigned int i = 0; i < 16; i++)
        ((uint64_t *)&call->user)[i] = number();
    if ((world_random() & 3) == 0)
        call->user.r9 = call->user.r8;
    call->user.rax = 7; /* the number attached to: the handler guards it */
    call->user.rsi = KERNEL_BASE + 0x40;
    call->user.rip = 0x200000000100ull;
    call->user.rflags = 0x246;
    call->user.rcx = number();
    call->user.rsp = USER_BASE + 0x1000;
    call->number = 7;
}

static void same(const struct insn_row *row, const struct radon_regs *a, const struct radon_regs *b)
{
    for (unsigned int i = 0; i < 18; i++)
        if (((const uint64_t *)a)[i] != ((const uint64_t *)b)[i])
            fail_msg("%s: register %u is %#lx, the handler says %#lx", row->name, i,
                     ((const uint64_t *)a)[i], ((const uint64_t *)b)[i]);
}

/* A run of the processor and two of the handler, from one state. */
static bool run_once(const struct insn_row *row, const struct fast_program *program)
{
    struct radon_regs after;
    struct handled handled;
    struct call call;
    bool done = false;

    random_world(&call);
    world_save(&before);
    world_run(row->entry, &call, false, &after);
    world_save(&truth);
    for (int jit = 0; jit < 2; jit++) {
        world_restore(&before);
        world_handle(program, &call, jit, &handled);
        world_save(&made);
        done = handled.outcome == FAST_DONE;
        if (!done && !row->guards)
            fail_msg("%s: passes (%s)", row->name, fast_stop_name(handled.stop));
        if (memcmp(&made, done ? &truth : &before, sizeof(made)))
            fail_msg("%s: memory differs", row->name);
        if (done)
            same(row, &after, &handled.after);
    }
    return done;
}

static void one_insn(const struct insn_row *row)
{
    struct synth_capture capture[CAPTURES];
    struct synth_input in = { .capture = capture,
                              .nr_captures = CAPTURES,
                              .one_vcpu = true,
                              .user_end = USER_LIMIT,
                              .ro_read = world_ro_read };
    struct synth_output out;
    struct fast_program program;
    struct radon_regs after;
    struct call call;
    unsigned int done = 0;

    for (unsigned int i = 0; i < CAPTURES; i++) {
        void *recorded;

        random_world(&call);
        recorded = world_run(row->entry, &call, true, &after);
        capture[i].head = recorded;
        capture[i].step = (const void *)(capture[i].head + 1);
    }
    world_keep(row->name, capture, 2);
    if (synth(&in, &out))
        fail_msg("%s: %s: %s\n%s", row->name, synth_reason_name(out.reason), out.detail,
                 out.explanation);
    assert_int_equal(program_parse(out.program, out.program_bytes, &program), FAST_OK);
    for (unsigned int i = 0; i < RUNS; i++)
        done += run_once(row, &program);
    if (done == 0)
        fail_msg("%s: no run was handled\n%s", row->name, out.explanation);
    synth_free(&out);
    for (unsigned int i = 0; i < CAPTURES; i++)
        free((void *)(uintptr_t)capture[i].head);
}

static void test_instructions(void **unused)
{
    const char *only = getenv("RADON_SYNTH_INSN");

    (void)unused;
    for (const struct insn_row *row = insn_table; row->name; row++) {
        if (only && !strstr(row->name, only))
            continue;
        one_insn(row);
        if (strncmp(row->name, "rep", 3) == 0) {
            world_extra_step = true;
            one_insn(row);
            world_extra_step = false;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_instructions) };
    int failed;

    if (!world_start())
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
