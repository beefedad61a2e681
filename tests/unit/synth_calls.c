/* SPDX-License-Identifier: MIT */
#include "synth_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct memory before, truth, made;

/* ------------------------------------------------------------------ the kernel's data */

struct guest_task *task_at(unsigned int i)
{
    return (struct guest_task *)(uintptr_t)(KERNEL_BASE + 0x1000 + i * 0x400);
}

struct guest_file *file_at(unsigned int i)
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

enum parents parents;
void (*strange)(struct call *call);

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
    t->frame = (void *)(uintptr_t)(KERNEL_SP - sizeof(struct guest_regs));
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

const struct scenario scenarios[] = {
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

const unsigned int nr_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);

void random_call(const struct scenario *s, struct call *call)
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
    if (strange && !recording)
        strange(call);
}

/* ------------------------------------------------------------------ one scenario */

void record(struct job *job, const struct scenario *s)
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

void make(struct job *job)
{
    if (synth(&job->in, &job->out))
        fail_msg("%s: %s: %s\n%s", job->s->name, synth_reason_name(job->out.reason),
                 job->out.detail, job->out.explanation);
    assert_int_equal(program_parse(job->out.program, job->out.program_bytes, &job->program),
                     FAST_OK);
    if (getenv("RADON_SYNTH_EXPLAIN"))
        printf("%s", job->out.explanation);
}

void drop(struct job *job)
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

bool run_once(struct job *job)
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

unsigned int run_many(struct job *job, unsigned int n)
{
    unsigned int done = 0;

    while (n--)
        done += run_once(job);
    return done;
}
