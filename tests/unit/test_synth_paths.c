/* SPDX-License-Identifier: MIT */
/*
 * Whole system calls of a toy kernel (synth_guest.c): handlers are made of recorded calls and then
 * run in place of the kernel on other states.  Whatever they answer must be what the kernel really
 * does there; leaving it to the kernel is always right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "synth_guest.h"
#include "synth_world.h"

#define RUNS 400

static struct memory before, truth, made;

/* ------------------------------------------------------------------ the kernel's data */

static struct guest_task *task_at(unsigned int i)
{
    return (struct guest_task *)(uintptr_t)(KERNEL_BASE + 0x1000 + i * 0x400);
}

static struct guest_file *file_at(unsigned int i)
{
    return (struct guest_file *)(uintptr_t)(KERNEL_BASE + 0x3000 + i * 0x40);
}

static struct guest_list *list_at(unsigned int i)
{
    return (struct guest_list *)(uintptr_t)(KERNEL_BASE + 0x4000 + i * 0x20);
}

static void fill(uint64_t base, unsigned int bytes)
{
    for (unsigned int i = 0; i < bytes / 8; i++)
        ((uint64_t *)(uintptr_t)base)[i] = world_random();
}

/* Whose parents tasks may be. */
static enum { PARENT_ANY, PARENT_ANOTHER, PARENT_ITSELF, PARENT_ASKEW } parents;

static struct guest_task *random_parent(unsigned int i)
{
    uint64_t off = parents == PARENT_ANY ? world_random() % 4 : parents == PARENT_ANOTHER;

    if (parents == PARENT_ASKEW) /* a few bytes before the task, or in it */
        return (void *)((uintptr_t)task_at(i) - 16 + world_random() % 24);
    return task_at((i + (unsigned int)off) % 4);
}

static void random_task(unsigned int i)
{
    struct guest_task *t = task_at(i);

    t->flags = world_random() & ~0x3full;
    t->rcu_nesting = 0;
    t->parent = random_parent(i);
    t->lock = 0;
    t->seq = world_random() & ~1ull;
    t->self = t;
    t->mult = world_random() & 0xffffff;
    t->shift |= 1; /* no time is negative */
    t->set[15] |= 1; /* the upper word is not zero: see the scan in call_bits */
    for (unsigned int f = 0; f < 8; f++)
        t->file[f] = f == 7 ? NULL : file_at(f);
    t->list = list_at(0);
}

static void random_kernel(void)
{
    uint8_t *percpu = (uint8_t *)(uintptr_t)PERCPU_BASE;
    unsigned int links = 1 + world_random() % 4;

    fill(KERNEL_BASE, KERNEL_BYTES);
    fill(PERCPU_BASE, PERCPU_BYTES);
    fill(USER_BASE, USER_BYTES);
    for (unsigned int i = 0; i < 4; i++)
        random_task(i);
    for (unsigned int i = 0; i < 7; i++)
        file_at(i)->ops = i & 1 ? &guest_null_ops : &guest_zero_ops;
    for (unsigned int i = 0; i < links; i++) {
        list_at(i)->next = i + 1 < links ? list_at(i + 1) : NULL;
        list_at(i)->key = i;
    }
    *(struct guest_task **)(percpu + PERCPU_CURRENT) = task_at(world_random() % 4);
    *(uint32_t *)(percpu + PERCPU_PREEMPT) = 0;
    *(uint64_t *)(percpu + PERCPU_OFFSET) = PERCPU_BASE;
    percpu[VCPU_INFO_AT] = 0;     /* nothing pending */
    percpu[VCPU_INFO_AT + 1] = 1; /* masked by the entry */
}

static uint64_t user_address(void)
{
    return USER_BASE + world_random() % (USER_BYTES - 256);
}

/* ------------------------------------------------------------------ the calls */

static void args_none(struct radon_regs *r)
{
    (void)r;
}

static void args_read(struct radon_regs *r)
{
    r->rdi = (world_random() & 3) * 2; /* the zero device */
    r->rsi = user_address();
    r->rdx = 1;
}

static void args_write(struct radon_regs *r)
{
    r->rdi = world_random() % 7;
    r->rsi = user_address();
    r->rdx = world_random() & 0xffff;
}

static void args_action(struct radon_regs *r)
{
    r->rdi = 1 + world_random() % 6;
    r->rsi = world_random() & 1 ? user_address() : 0;
    r->rdx = world_random() & 1 ? user_address() : 0;
}

static void args_small(struct radon_regs *r)
{
    r->rdi = world_random() % 7;
    r->rsi = world_random() & 1 ? world_random() : world_random() & 0xff;
    r->rdx = world_random() & 1 ? world_random() : r->rsi;
}

static void args_list(struct radon_regs *r)
{
    r->rdi = world_random() % 3;
}

static void args_bits(struct radon_regs *r)
{
    r->rdi = world_random() % 64;
}

static void args_time(struct radon_regs *r)
{
    r->rdi = user_address();
}

static void args_seek(struct radon_regs *r)
{
    r->rdi = world_random() % 7;
    r->rsi = world_random() >> (world_random() & 63);
    r->rdx = world_random() & 1;
}

static void args_stat(struct radon_regs *r)
{
    r->rdi = world_random() % 7;
    r->rsi = user_address();
}

static void args_math(struct radon_regs *r)
{
    r->rdi = world_random() >> (world_random() & 63);
    r->rsi = world_random() >> (world_random() & 63);
    r->rdx = world_random();
}

static void args_hyper(struct radon_regs *r)
{
    r->rdi = world_random() % 4;
}

static void args_fill(struct radon_regs *r)
{
    r->rdi = 1 + world_random() % 3;
}

static bool recording;

static void args_clamp(struct radon_regs *r)
{
    static const uint64_t others[] = { 0, 1, 8, 10, 17, 73, 0x1009, 0x7ffff009, 1ull << 63 | 9 };

    r->rdx = recording || world_random() & 1
                 ? 9
                 : others[world_random() % (sizeof(others) / sizeof(others[0]))];
}

static const struct scenario {
    const char *name;
    enum guest_call call;
    void (*args)(struct radon_regs *r);
    unsigned int captures, paths; /* at least so many paths in the handler */
    unsigned int percent;         /* of other calls that must be handled */
    enum synth_reason shared;     /* with more than one vCPU; SYNTH_OK: handled as well */
} scenarios[] = {
    { "pid", CALL_PID, args_none, 4, 1, 100, SYNTH_OK },
    { "read", CALL_READ, args_read, 4, 1, 100, SYNTH_SHARED_STORE },
    { "write", CALL_WRITE, args_write, 8, 1, 80, SYNTH_SHARED_STORE },
    { "action", CALL_ACTION, args_action, 24, 4, 80, SYNTH_LOCKED },
    { "mask", CALL_MASK, args_small, 3, 1, 100, SYNTH_LOCKED },
    { "list", CALL_LIST, args_list, 16, 3, 80, SYNTH_OK },
    { "switch", CALL_SWITCH, args_small, 40, 7, 80, SYNTH_OK },
    { "bits", CALL_BITS, args_bits, 4, 1, 90, SYNTH_LOCKED },
    { "time", CALL_TIME, args_time, 3, 1, 60, SYNTH_OK },
    { "seek", CALL_SEEK, args_seek, 20, 2, 60, SYNTH_OK },
    { "stat", CALL_STAT, args_stat, 4, 1, 80, SYNTH_OK },
    { "math", CALL_MATH, args_math, 20, 1, 60, SYNTH_OK },
    { "hypercall on one path", CALL_HYPER, args_hyper, 12, 1, 60, SYNTH_OK },
    { "fill", CALL_FILL, args_fill, 8, 1, 50, SYNTH_OK }, /* the long path is left out */
    { "clamp", CALL_CLAMP, args_clamp, 4, 1, 40, SYNTH_OK },
    { "quiet", CALL_QUIET, args_none, 4, 1, 100, SYNTH_OK },
};

static void random_call(const struct scenario *s, struct call *call)
{
    random_kernel();
    for (unsigned int i = 0; i < 16; i++)
        ((uint64_t *)&call->user)[i] = world_random();
    call->number = s->call;
    call->user.rax = s->call;
    call->user.rip = 0x200000001234ull;
    call->user.rflags = 0x206;
    call->user.rcx = call->user.rip;
    call->user.r11 = call->user.rflags;
    call->user.rsp = USER_BASE + 0x1800;
    s->args(&call->user);
}

/* ------------------------------------------------------------------ one scenario */

struct job {
    const struct scenario *s;
    struct synth_capture capture[SYNTH_MAX_CAPTURES];
    struct synth_input in;
    struct synth_output out;
    struct fast_program program;
};

static void record(struct job *job, const struct scenario *s)
{
    struct radon_regs after;
    struct call call;

    memset(job, 0, sizeof(*job));
    job->s = s;
    job->in = (struct synth_input){ .capture = job->capture,
                                    .nr_captures = s->captures,
                                    .one_vcpu = true,
                                    .user_end = USER_LIMIT,
                                    .live = true,
                                    .ro_read = world_ro_read };
    recording = true;
    for (unsigned int i = 0; i < s->captures; i++) {
        void *recorded;

        do
            random_call(s, &call);
        while (s->call == CALL_HYPER && call.user.rdi == 3); /* recorded apart */
        recorded = world_run((uintptr_t)guest_entry, &call, true, &after);
        job->capture[i].head = recorded;
        job->capture[i].step = (const void *)(job->capture[i].head + 1);
    }
    recording = false;
    world_keep(s->name, job->capture, 2);
}

static void make(struct job *job)
{
    if (synth(&job->in, &job->out))
        fail_msg("%s: %s: %s\n%s", job->s->name, synth_reason_name(job->out.reason),
                 job->out.detail, job->out.explanation);
    assert_int_equal(program_parse(job->out.program, job->out.program_bytes, &job->program),
                     FAST_OK);
    if (getenv("RADON_SYNTH_EXPLAIN"))
        printf("%s", job->out.explanation);
}

static void drop(struct job *job)
{
    synth_free(&job->out);
    for (unsigned int i = 0; i < job->s->captures; i++)
        free((void *)(uintptr_t)job->capture[i].head);
}

static bool is_tainted(const struct job *job, uint32_t insn)
{
    for (uint32_t i = 0; i < job->out.nr_tainted; i++)
        if (job->out.tainted[i] == insn)
            return true;
    return false;
}

/* A value that rests on the time stamp is compared by place: both get the kernel's bytes. */
static void forgive_tainted(const struct job *job, const struct handled *h)
{
    static const uint64_t base[] = { KERNEL_BASE, PERCPU_BASE, USER_BASE };
    uint8_t *const to[] = { made.kernel, made.percpu, made.user };
    const uint8_t *const from[] = { truth.kernel, truth.percpu, truth.user };
    const uint32_t room[] = { KERNEL_BYTES, PERCPU_BYTES, USER_BYTES };

    for (unsigned int i = 0; i < h->nr_staged; i++) {
        if (!is_tainted(job, h->staged_by[i]))
            continue;
        for (unsigned int a = 0; a < 3; a++)
            if (h->staged[i].address - base[a] < room[a])
                memcpy(to[a] + (h->staged[i].address - base[a]),
                       from[a] + (h->staged[i].address - base[a]), h->staged[i].size);
    }
}

static bool run_once(struct job *job)
{
    struct radon_regs after;
    struct handled h;
    struct call call;
    bool done = false;

    random_call(job->s, &call);
    if (job->s->call == CALL_HYPER && call.user.rdi == 3)
        return false;
    world_save(&before);
    world_run((uintptr_t)guest_entry, &call, false, &after);
    world_save(&truth);
    for (int jit = 0; jit < 2; jit++) {
        world_restore(&before);
        world_handle(&job->program, &call, jit, &h);
        world_save(&made);
        done = h.outcome == FAST_DONE;
        if (!done) {
            assert_memory_equal(&made, &before, sizeof(made));
            continue;
        }
        forgive_tainted(job, &h);
        for (size_t i = 0; i < sizeof(made); i++)
            if (((uint8_t *)&made)[i] != ((uint8_t *)&truth)[i])
                fail_msg("%s: byte %#zx is %#x, the handler says %#x\n%s", job->s->name, i,
                         ((uint8_t *)&truth)[i], ((uint8_t *)&made)[i], job->out.explanation);
        for (unsigned int i = 0; i < 18; i++)
            if (((uint64_t *)&after)[i] != ((uint64_t *)&h.after)[i])
                fail_msg("%s: register %u is %#lx, the handler says %#lx\n%s", job->s->name, i,
                         ((uint64_t *)&after)[i], ((uint64_t *)&h.after)[i], job->out.explanation);
    }
    return done;
}

static void test_calls(void **unused)
{
    const char *only = getenv("RADON_SYNTH_CALL");
    struct job job;

    (void)unused;
    for (unsigned int i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        const struct scenario *s = &scenarios[i];
        unsigned int done = 0;

        if (only && strcmp(only, s->name))
            continue;
        record(&job, s);
        make(&job);
        for (unsigned int r = 0; r < RUNS; r++)
            done += run_once(&job);
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
static void test_shared(void **unused)
{
    struct job job;

    (void)unused;
    for (unsigned int i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        const struct scenario *s = &scenarios[i];

        record(&job, s);
        job.in.one_vcpu = false;
        synth(&job.in, &job.out);
        if (job.out.reason != s->shared)
            fail_msg("%s: %s: %s", s->name, synth_reason_name(job.out.reason), job.out.detail);
        assert_int_equal(job.out.flags, 0);
        if (s->shared == SYNTH_OK) {
            unsigned int done = 0;

            assert_int_equal(program_parse(job.out.program, job.out.program_bytes, &job.program),
                             FAST_OK);
            for (unsigned int r = 0; r < 100; r++)
                done += run_once(&job);
            assert_true(done > 0);
        }
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
        unsigned int done = 0;

        parents = recorded;
        record(&job, &scenarios[CALL_TIME]);
        make(&job);
        parents = PARENT_ANY;
        for (unsigned int r = 0; r < RUNS; r++)
            done += run_once(&job);
        assert_true(done > RUNS / 5);
        drop(&job);
    }
}

/*
 * What is loaded is kept from the word that rcu_lock() counts in by what addresses are multiples of: tasks that
 * are not, so that what is read of the parent is that word, are the guest kernel's.
 */
static void test_alignment(void **unused)
{
    unsigned int done = 0;
    struct job job;

    (void)unused;
    parents = PARENT_ANOTHER;
    record(&job, &scenarios[CALL_PID]);
    make(&job);
    assert_non_null(strstr(job.out.explanation, "& 0x1f) == 0)"));
    for (unsigned int r = 0; r < RUNS; r++)
        done += run_once(&job);
    assert_true(done > RUNS / 2);
    done = 0;
    parents = PARENT_ASKEW;
    for (unsigned int r = 0; r < RUNS; r++)
        done += run_once(&job);
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
    unsigned int done = 0;
    struct job job;

    (void)unused;
    parents = PARENT_ANOTHER;
    record(&job, &scenarios[CALL_QUIET]);
    make(&job);
    assert_non_null(strstr(job.out.explanation, "is taken back: not done"));
    for (unsigned int r = 0; r < RUNS; r++)
        done += run_once(&job);
    assert_true(done > RUNS / 2);
    parents = PARENT_ASKEW;
    for (unsigned int r = 0; r < RUNS; r++)
        run_once(&job); /* one in 24 is there, and others begin or end there */
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
        cmocka_unit_test(test_cut_captures),
        cmocka_unit_test(test_damaged_captures),
    };
    const char *seed = getenv("RADON_SYNTH_SEED");
    int failed;

    world_seed(seed ? strtoull(seed, NULL, 0) : 1);
    if (!world_start()) {
        fprintf(stderr, "no ptrace, or its addresses are taken: skipped\n");
        return 77;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
