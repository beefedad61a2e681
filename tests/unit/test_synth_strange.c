/* SPDX-License-Identifier: MIT */
/*
 * States that no capture saw: pointers that lead elsewhere, values that one path has seen one of. A handler leaves
 * them to the kernel, or does what the kernel does; each rests on one guard, or on a store that is not left out
 * (synth_guest_cases.c). And what the kernel may not do on a path that is to be a handler.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "synth_calls.h"

static enum guest_case the_case;
static uint64_t length;

static void args_case(struct radon_regs *r)
{
    r->rdi = the_case;
    r->rsi = USER_BASE + world_random() % (USER_BYTES - 256);
    r->rdx = length ? length - 1 : world_random();
}

static const struct scenario one_case = { "case", CALL_CASE, args_case, 4, 1, 0, SYNTH_OK },
                             many_case = { "case", CALL_CASE, args_case, 16, 1, 0, SYNTH_OK };

static const struct scenario *call_of(enum guest_call call)
{
    for (unsigned int i = 0; i < nr_scenarios; i++)
        if (scenarios[i].call == call)
            return &scenarios[i];
    fail_msg("no scenario of call %d", call);
    return NULL;
}

/* How many of RUNS states are handled, all as the kernel does. */
static unsigned int handled(struct job *job, void (*how)(struct call *))
{
    unsigned int done;

    strange = how;
    done = run_many(job, RUNS / 4);
    strange = NULL;
    return done;
}

static void record_case(struct job *job, enum guest_case which)
{
    the_case = which;
    record(job, &one_case);
    make(job);
}

/* ------------------------------------------------------------------ stores */

/* Recorded with a parent that is another task; then it may be the task itself. */
static void test_stores(void **unused)
{
    (void)unused;
    for (enum guest_case which = CASE_OVERWRITTEN; which <= CASE_SETS; which++) {
        struct job job;

        parents = PARENT_ANOTHER;
        record_case(&job, which);
        assert_int_equal(handled(&job, NULL), RUNS / 4);
        parents = PARENT_ANY;
        assert_true(handled(&job, NULL) > RUNS / 8);
        parents = PARENT_ITSELF;
        handled(&job, NULL);
        parents = PARENT_ANY;
        drop(&job);
    }
}

static void odd_and_even(struct radon_regs *r)
{
    args_case(r);
    r->rsi = world_random();
}

/* On both sides of a branch a guard of its own, and its own count of what is back. */
static void test_sides(void **unused)
{
    static const struct scenario sides = { "sides", CALL_CASE, odd_and_even, 12, 2, 0, SYNTH_OK };
    static const enum guest_case row[] = { CASE_BACK_SIDES, CASE_BACK_ODD, CASE_BACK_EVEN };

    (void)unused;
    for (unsigned int i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct job job;

        the_case = row[i];
        parents = PARENT_ANOTHER;
        record(&job, &sides);
        make(&job);
        assert_int_equal(job.out.paths, 2);
        if (row[i] == CASE_BACK_SIDES)
            assert_non_null(strstr(job.out.explanation, "is taken back: not done"));
        assert_int_equal(handled(&job, NULL), RUNS / 4);
        parents = PARENT_ANY;
        assert_true(handled(&job, NULL) > RUNS / 8);
        drop(&job);
    }
}

static void other_bits(struct call *call)
{
    (void)call;
    for (unsigned int i = 0; i < 4; i++) {
        task_at(i)->seq = world_random();
        task_at(i)->shift = world_random();
    }
}

/* What is cleared was clear, or is not. */
static void test_no_change(void **unused)
{
    (void)unused;
    for (enum guest_case which = CASE_CLEARS; which <= CASE_SETS; which++) {
        struct job job;

        record_case(&job, which);
        assert_int_equal(job.out.stores, 1); /* the stack's offset */
        assert_int_equal(handled(&job, NULL), RUNS / 4);
        assert_in_range(handled(&job, other_bits), RUNS / 20, RUNS / 5);
        drop(&job);
    }
}

static void any_number(struct call *call)
{
    call->user.rdx = world_random() % 11;
}

/* A guard says what a number is not, or what it is below: neither decides another comparison. */
static void test_numbers(void **unused)
{
    (void)unused;
    for (enum guest_case which = CASE_NOT_FIVE; which <= CASE_BELOW_EIGHT; which++) {
        struct job job;

        length = 2;
        record_case(&job, which);
        length = 0;
        assert_in_range(handled(&job, any_number), RUNS / 8, RUNS / 4 - 1);
        drop(&job);
    }
}

/* ------------------------------------------------------------------ where things lead */

static void another_case(struct call *call)
{
    call->user.rdi = CASE_OVERWRITTEN_HALF + world_random() % 2;
}

/* The function that the table has for it. */
static void test_jump(void **unused)
{
    struct job job;

    (void)unused;
    record_case(&job, CASE_OVERWRITTEN_READ);
    assert_int_equal(handled(&job, another_case), 0);
    assert_int_equal(handled(&job, NULL), RUNS / 4);
    drop(&job);
}

static void any_length(struct call *call)
{
    call->user.rdx = world_random() % 5;
}

static void test_lengths(void **unused)
{
    struct job job;

    (void)unused;
    for (uint64_t n = 0; n <= 3; n++) {
        length = n + 1;
        record_case(&job, CASE_COUNT);
        assert_int_equal(handled(&job, NULL), RUNS / 4);
        assert_in_range(handled(&job, any_length), 1, RUNS / 8);
        length = 0;
        drop(&job);
    }
}

static void own_data(struct call *call)
{
    call->user.rsi = PERCPU_BASE + PERCPU_TRACE - 7 + world_random() % 15;
}

/* An address of user mode's that is the kernel's, which this kernel lets through. */
static void test_user_address(void **unused)
{
    struct job job;

    (void)unused;
    record_case(&job, CASE_USER_STORE);
    assert_int_equal(handled(&job, own_data), 0);
    assert_int_equal(handled(&job, NULL), RUNS / 4);
    drop(&job);
}

static void frame_elsewhere(struct call *call)
{
    (void)call;
    for (unsigned int i = 0; i < 4; i++)
        task_at(i)->frame = (void *)(uintptr_t)(KERNEL_BASE + 0x6000 + world_random() % 64);
}

/* A pointer that led into this entry's frame. */
static void test_frame(void **unused)
{
    struct job job;

    (void)unused;
    record_case(&job, CASE_BY_FRAME);
    assert_int_equal(handled(&job, frame_elsewhere), 0);
    assert_int_equal(handled(&job, NULL), RUNS / 4);
    drop(&job);
}

static void base_elsewhere(struct call *call)
{
    (void)call;
    *(uint64_t *)(uintptr_t)(PERCPU_BASE + PERCPU_OFFSET) = KERNEL_BASE + 0x6000;
}

/* Per-CPU data that held the per-CPU base. */
static void test_base(void **unused)
{
    struct job job;

    (void)unused;
    record(&job, call_of(CALL_PID));
    make(&job);
    assert_int_equal(handled(&job, base_elsewhere), 0);
    drop(&job);
}

static void another_table(struct call *call)
{
    struct guest_ops *ops = (void *)(uintptr_t)(KERNEL_BASE + 0x6000);

    *ops = (struct guest_ops){ guest_null_ops.read, guest_zero_ops.write };
    file_at((unsigned int)call->user.rdi)->ops = ops;
}

/* A pointer into read-only data: what is read by it is a constant, if it leads there. */
static void test_table(void **unused)
{
    struct job job;

    (void)unused;
    record(&job, call_of(CALL_READ));
    make(&job);
    assert_int_equal(handled(&job, another_table), 0);
    drop(&job);
}

/* A branch on the time stamp: what is stored on its sides rests on it. */
static void test_timed_sides(void **unused)
{
    struct job job;

    (void)unused;
    the_case = CASE_TIMED_SIDES;
    record(&job, &many_case);
    make(&job);
    assert_int_equal(job.out.paths, 2);
    assert_int_equal(job.out.nr_tainted, 4); /* of each: the mask, the stack's offset */
    handled(&job, NULL);
    drop(&job);
}

/* ------------------------------------------------------------------ what is refused */

static void test_refusals(void **unused)
{
    static const struct {
        enum guest_case which;
        enum synth_reason one, more; /* with one vCPU, and with more */
    } row[] = {
        { CASE_VCPU_FIRST, SYNTH_VCPU_INFO, SYNTH_VCPU_INFO },
        { CASE_VCPU_LAST, SYNTH_VCPU_INFO, SYNTH_VCPU_INFO },
        { CASE_VCPU_AROUND, SYNTH_OK, SYNTH_OK },
        { CASE_MASK_TWO, SYNTH_UPCALL_MASK, SYNTH_UPCALL_MASK },
        { CASE_KEEPS_STACK, SYNTH_STACK_ESCAPES, SYNTH_STACK_ESCAPES },
        { CASE_RETURNS_STACK, SYNTH_STACK_ESCAPES, SYNTH_STACK_ESCAPES },
        { CASE_STACK_BEFORE, SYNTH_STACK_UNKNOWN, SYNTH_STACK_UNKNOWN },
        { CASE_MOVES_RETURN, SYNTH_RETURN_STATE, SYNTH_RETURN_STATE },
        { CASE_MOVES_STACK, SYNTH_RETURN_STATE, SYNTH_RETURN_STATE },
        { CASE_SELECTS, SYNTH_RETURN_STATE, SYNTH_RETURN_STATE },
        { CASE_VECTORS, SYNTH_VECTOR, SYNTH_VECTOR },
        { CASE_FENCES, SYNTH_OK, SYNTH_FENCE },
        { CASE_FENCES_BY_LOCK, SYNTH_OK, SYNTH_FENCE },
        { CASE_LOCKS_PER_CPU, SYNTH_OK, SYNTH_LOCKED },
        { CASE_LOCKS_OWN_PER_CPU, SYNTH_OK, SYNTH_LOCKED },
    };

    (void)unused;
    for (unsigned int i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        for (int one = 0; one < 2; one++) {
            enum synth_reason want = one ? row[i].one : row[i].more;
            struct job job;

            the_case = row[i].which;
            record(&job, &one_case);
            job.in.one_vcpu = one;
            synth(&job.in, &job.out);
            if (job.out.reason != want)
                fail_msg("case %d: %s: %s, and not %s", row[i].which, synth_reason_name(job.out.reason),
                         job.out.detail, synth_reason_name(want));
            if (one && want == SYNTH_OK) /* rests on it if it is refused with more */
                assert_int_equal(job.out.flags, row[i].more == SYNTH_OK ? 0 : RADON_FAST_ONE_VCPU);
            drop(&job);
        }
    }
}

static bool watched(const struct job *job, uint64_t address)
{
    for (unsigned int i = 0; i < job->out.nr_watches; i++)
        if (job->out.watches[i].address == (address & ~4095ull))
            return true;
    return false;
}

/* Every page that an instruction begins or ends on. */
static void test_watches(void **unused)
{
    extern char guest_cross[];
    uint64_t address = (uintptr_t)guest_cross;
    struct job job;

    (void)unused;
    record_case(&job, CASE_CROSSES_PAGES);
    assert_int_equal(address & 4095, 4093);
    assert_true(watched(&job, address));
    assert_true(watched(&job, address + 4));
    for (uint32_t i = 0; i < job.capture[0].head->steps; i++)
        assert_true(watched(&job, job.capture[0].step[i].regs.rip));
    drop(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores),       cmocka_unit_test(test_sides),
        cmocka_unit_test(test_no_change),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_jump),         cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_user_address), cmocka_unit_test(test_frame),
        cmocka_unit_test(test_base),         cmocka_unit_test(test_table),
        cmocka_unit_test(test_timed_sides),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_watches),
    };
    int failed;

    if (!world_start())
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
