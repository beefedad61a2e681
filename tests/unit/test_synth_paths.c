/* SPDX-License-Identifier: MIT */
/*
 * Whole system calls of a toy kernel (synth_calls.h): handlers are made of recorded calls and then
 * run in place of the kernel on other states.
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

static void test_calls(void **unused)
{
    const char *only = getenv("RADON_SYNTH_CALL");
    struct job job;

    (void)unused;
    for (unsigned int i = 0; i < nr_scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        unsigned int done;

        if (only && strcmp(only, s->name))
            continue;
        record(&job, s);
        make(&job);
        done = run_many(&job, RUNS);
        printf("%-22s %4u instructions of %4u, cost %5u, %3u guards %2u loads %2u stores %2u paths,"
               " %u%% handled\n",
               s->name, job.out.insns, job.out.steps, job.out.cost, job.out.guards, job.out.loads,
               job.out.stores, job.out.paths, done * 100 / RUNS);
        if (job.out.paths < s->paths || done * 100 < s->percent * RUNS)
            fail_msg("%s: %u paths, %u of %u handled\n%s", s->name, job.out.paths, done, RUNS,
                     job.out.explanation);
        drop(&job);
    }
}

/* What is left of a length that is clamped and taken to pieces is one comparison. */
static void test_one_number(void **unused)
{
    struct job job;

    (void)unused;
    record(&job, &scenarios[CALL_CLAMP]);
    make(&job);
    assert_non_null(strstr(job.out.explanation, "guard (rdx == 9)"));
    assert_int_equal(job.out.guards, 5); /* the others: GS base, events, work flags, a distance */
    drop(&job);
}

/* With a second vCPU: no locked instruction, no store to shared memory; the rest is handled. */
/* What another vCPU would make another program, or none, is for one vCPU. */
static void says_so(struct job *job)
{
    struct synth_output several = job->out, *alone = &job->out;

    job->in.one_vcpu = true;
    synth(&job->in, alone);
    if (alone->reason)
        fail_msg("%s: %s: %s", job->s->name, synth_reason_name(alone->reason), alone->detail);
    if (several.reason || several.program_bytes != alone->program_bytes ||
        memcmp(several.program, alone->program, alone->program_bytes))
        assert_int_equal(alone->flags, RADON_FAST_ONE_VCPU);
    synth_free(&several);
}

static void test_shared(void **unused)
{
    struct job job;

    (void)unused;
    for (unsigned int i = 0; i < nr_scenarios; i++) {
        const struct scenario *s = &scenarios[i];

        record(&job, s);
        job.in.one_vcpu = false;
        synth(&job.in, &job.out);
        if (job.out.reason != s->shared)
            fail_msg("%s: %s: %s", s->name, synth_reason_name(job.out.reason), job.out.detail);
        assert_int_equal(job.out.flags, 0);
        if (s->shared == SYNTH_OK) {
            assert_int_equal(program_parse(job.out.program, job.out.program_bytes, &job.program),
                             FAST_OK);
            assert_true(run_many(&job, 100) > 0);
        }
        says_so(&job);
        drop(&job);
    }
}

/* Pages of text and tables that were used are listed; the time stamp's store is tainted. */
static void test_watches_and_taint(void **unused)
{
    struct job job;
    bool text = false, tables = false;

    (void)unused;
    parents = PARENT_ANOTHER;
    record(&job, &scenarios[CALL_TIME]);
    parents = PARENT_ANY;
    make(&job);
    for (unsigned int i = 0; i < job.out.nr_watches; i++) {
        text |= job.out.watches[i].address == ((uintptr_t)guest_entry & ~4095ull);
        assert_int_not_equal(job.out.watches[i].hash, 0);
    }
    assert_true(text);
    /* The time in user memory and in the task, what was made of it there, the stack's offset; and by the
     * way to it: the task's mask. */
    assert_int_equal(job.out.nr_tainted, 5);
    for (unsigned int i = 0; i < job.out.nr_tainted; i++)
        assert_int_equal(job.program.insns[job.out.tainted[i]].code & 0xe7, 0x23); /* stores */
    drop(&job);

    record(&job, &scenarios[CALL_READ]);
    make(&job);
    for (unsigned int i = 0; i < job.out.nr_watches; i++)
        tables |= job.out.watches[i].address == ((uintptr_t)&guest_zero_ops & ~4095ull);
    assert_true(tables);
    drop(&job);
}

/*
 * A pointer that never led to what the path had stored of the time stamp, when it was recorded: it does now,
 * and the handler passes, or says that what it read rests on it.  On one path of two, too.
 */
static void test_taint_through_pointers(void **unused)
{
    struct job job;

    (void)unused;
    for (int recorded = PARENT_ANY; recorded <= PARENT_ITSELF; recorded++) {
        parents = recorded;
        record(&job, &scenarios[CALL_TIME]);
        make(&job);
        parents = PARENT_ANY;
        assert_true(run_many(&job, RUNS) > RUNS / 5);
        drop(&job);
    }
}

/*
 * What is loaded is kept from the word that rcu_lock() counts in by what addresses are multiples of: tasks that
 * are not, so that what is read of the parent is that word, are the guest kernel's.
 */
static void test_alignment(void **unused)
{
    unsigned int done;
    struct job job;

    (void)unused;
    parents = PARENT_ANOTHER;
    record(&job, &scenarios[CALL_PID]);
    make(&job);
    assert_non_null(strstr(job.out.explanation, "& 0x1f) == 0)"));
    assert_true(run_many(&job, RUNS) > RUNS / 2);
    parents = PARENT_ASKEW;
    done = run_many(&job, RUNS);
    parents = PARENT_ANY;
    assert_true(done < RUNS / 12); /* one of 24 is a multiple of 32 */
    drop(&job);
}

/*
 * The word that rcu_lock() counts in is stored to and taken back, and no other store keeps the path's loads apart
 * from anything: a parent that would be read there, counted up, is the guest kernel's.
 */
static void test_taken_back(void **unused)
{
    struct job job;

    (void)unused;
    parents = PARENT_ANOTHER;
    record(&job, &scenarios[CALL_QUIET]);
    make(&job);
    assert_non_null(strstr(job.out.explanation, "is taken back: not done"));
    assert_true(run_many(&job, RUNS) > RUNS / 2);
    parents = PARENT_ASKEW;
    run_many(&job, RUNS); /* one in 24 is there, and others begin or end there */
    parents = PARENT_ANY;
    drop(&job);
}

/* Work flags, a pending event: the guest kernel's. */
static void test_passes(void **unused)
{
    uint8_t *percpu = (uint8_t *)(uintptr_t)PERCPU_BASE;
    struct handled h;
    struct call call;
    struct job job;

    (void)unused;
    record(&job, &scenarios[CALL_PID]);
    make(&job);
    for (unsigned int bit = 0; bit < 6; bit++) {
        random_call(job.s, &call);
        (*(struct guest_task **)(percpu + PERCPU_CURRENT))->flags |= 1ull << bit;
        world_handle(&job.program, &call, false, &h);
        assert_int_equal(h.outcome, FAST_PASS);
    }
    random_call(job.s, &call);
    percpu[VCPU_INFO_AT] = 1;
    world_handle(&job.program, &call, false, &h);
    assert_int_equal(h.outcome, FAST_PASS);
    random_call(job.s, &call);
    world_handle(&job.program, &call, false, &h);
    assert_int_equal(h.outcome, FAST_DONE);
    drop(&job);
}

static enum synth_reason remade(struct job *job)
{
    synth_free(&job->out);
    synth(&job->in, &job->out);
    return job->out.reason;
}

/* Captures that lie, are cut, or of two entries. */
static void test_bad_captures(void **unused)
{
    struct radon_capture_head *head;
    struct radon_capture_step *step;
    struct job job, other;

    (void)unused;
    record(&job, &scenarios[CALL_PID]);
    job.in.nr_captures = 1;
    head = (void *)(uintptr_t)job.capture[0].head;
    step = (void *)(uintptr_t)job.capture[0].step;

    step[9].regs.rbx ^= 4;
    assert_int_equal(remade(&job), SYNTH_DISAGREES);
    step[9].regs.rbx ^= 4;
    step[4].regs.rflags ^= 0x40;
    step[30].regs.rip += 1;
    assert_true(remade(&job) != SYNTH_OK);
    step[30].regs.rip -= 1;
    step[4].regs.rflags ^= 0x40;
    head->after.rax ^= 1;
    assert_int_equal(remade(&job), SYNTH_DISAGREES);
    head->after.rax ^= 1;
    head->steps--;
    assert_int_equal(remade(&job), SYNTH_BAD_CAPTURE);
    head->steps++;
    head->kernel_sp += 16;
    assert_int_equal(remade(&job), SYNTH_ENTRY_FRAME);
    head->kernel_sp -= 16;
    head->end = RADON_CAPTURE_EVENT;
    assert_int_equal(remade(&job), SYNTH_NO_CAPTURE);
    head->end = RADON_CAPTURE_DONE;
    assert_int_equal(remade(&job), SYNTH_OK);

    free((void *)(uintptr_t)job.capture[1].head);
    record(&other, &scenarios[CALL_MASK]);
    job.capture[1].head = other.capture[0].head;
    free((void *)(uintptr_t)job.capture[2].head);
    free((void *)(uintptr_t)job.capture[3].head);
    job.in.nr_captures = 2;
    assert_int_equal(remade(&job), SYNTH_MIXED_CAPTURES);
    synth_free(&job.out);
    free(head);
    drop(&other);
}

/* Flags and the GS base are compared at each step; both captures saw the same code. */
static void test_changed_captures(void **unused)
{
    static const unsigned int flags[] = { 0, 2, 6, 7, 11 };
    struct radon_capture_step *step, *other;
    struct job job;

    (void)unused;
    record(&job, &scenarios[0]);
    job.in.nr_captures = 2;
    step = (void *)(uintptr_t)job.capture[0].step;
    other = (void *)(uintptr_t)job.capture[1].step;
    for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        unsigned int noticed = 0;

        for (uint32_t k = 1; noticed < 2 && k < job.capture[0].head->steps; k++) {
            step[k].regs.rflags ^= 1u << flags[i];
            noticed += remade(&job) == SYNTH_DISAGREES;
            step[k].regs.rflags ^= 1u << flags[i];
        }
        assert_int_equal(noticed, 2);
    }
    step[20].regs.gs_base += 8;
    assert_int_equal(remade(&job), SYNTH_PRIVILEGED);
    step[20].regs.gs_base -= 8;
    other[20].bytes[0] ^= 1;
    assert_int_equal(remade(&job), SYNTH_CODE_CHANGED);
    other[20].bytes[0] ^= 1;
    assert_int_equal(remade(&job), SYNTH_OK);
    drop(&job);
}

/* One step is missing, whichever: what it did is not known. */
static void test_missing_steps(void **unused)
{
    const struct radon_capture_head *whole;
    struct job job;

    (void)unused;
    record(&job, &scenarios[0]);
    whole = job.capture[0].head;
    job.in.nr_captures = 1;
    for (uint32_t k = 0; k < whole->steps; k++) {
        struct radon_capture_head *rest = malloc(sizeof(*whole) +
                                                  (whole->steps - 1) * sizeof(struct radon_capture_step));
        struct radon_capture_step *step = (void *)(rest + 1);
        const struct radon_capture_step *from = (const void *)(whole + 1);

        memcpy(rest, whole, sizeof(*whole));
        rest->steps--;
        memcpy(step, from, k * sizeof(*step));
        memcpy(step + k, from + k + 1, (rest->steps - k) * sizeof(*step));
        job.capture[0] = (struct synth_capture){ rest, step };
        if (remade(&job) == SYNTH_OK)
            fail_msg("without step %u, at %#lx", k, from[k].regs.rip);
        free(rest);
    }
    job.capture[0] = (struct synth_capture){ whole, (const void *)(whole + 1) };
    assert_int_equal(remade(&job), SYNTH_OK);
    drop(&job);
}

/* Cut behind any step, with nothing behind it: what is missing is not read (sanitizers watch). */
static void test_cut_captures(void **unused)
{
    const struct scenario *time = scenarios;
    const struct radon_capture_head *whole;
    struct job job;

    (void)unused;
    while (time->call != CALL_TIME)
        time++;
    record(&job, time);
    whole = job.capture[0].head;
    job.in.nr_captures = 1;
    for (uint32_t steps = 2; steps < whole->steps; steps++) {
        size_t bytes = sizeof(*whole) + steps * sizeof(struct radon_capture_step);
        struct radon_capture_head *cut = malloc(bytes);

        memcpy(cut, whole, bytes);
        cut->steps = steps;
        job.capture[0] = (struct synth_capture){ cut, (const void *)(cut + 1) };
        assert_int_equal(remade(&job), SYNTH_BAD_CAPTURE);
        free(cut);
    }
    job.capture[0] = (struct synth_capture){ whole, (const void *)(whole + 1) };
    assert_int_equal(remade(&job), SYNTH_OK);
    drop(&job);
}

/* Captures with damage anywhere: refused or made, never a crash (sanitizers watch). */
static void test_damaged_captures(void **unused)
{
    unsigned int refused = 0;
    struct job job;

    (void)unused;
    record(&job, &scenarios[CALL_ACTION]);
    job.in.nr_captures = 3;
    for (unsigned int run = 0; run < 400; run++) {
        struct radon_capture_head *head = (void *)(uintptr_t)job.capture[run % 3].head;
        size_t steps = head->steps, bytes = steps * sizeof(struct radon_capture_step);
        uint8_t *damaged = run % 8 ? (uint8_t *)(head + 1) : (uint8_t *)head;
        size_t at = world_random() % (run % 8 ? bytes : sizeof(*head));
        uint8_t old = damaged[at];

        damaged[at] ^= (uint8_t)(1u << (world_random() & 7));
        if (head->steps <= steps) /* what a reader would have found to be cut */
            refused += remade(&job) != SYNTH_OK;
        damaged[at] = old;
    }
    assert_true(refused > 50);
    assert_int_equal(remade(&job), SYNTH_OK);
    drop(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_one_number),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_watches_and_taint),
        cmocka_unit_test(test_taint_through_pointers),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_bad_captures),
        cmocka_unit_test(test_changed_captures),
        cmocka_unit_test(test_missing_steps),
        cmocka_unit_test(test_cut_captures),
        cmocka_unit_test(test_damaged_captures),
    };
    int failed;

    if (!world_start())
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
