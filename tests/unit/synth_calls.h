/* SPDX-License-Identifier: MIT */
/*
 * Calls of the toy kernel (synth_guest.c) on random states: recorded, made into handlers, and the handlers run in
 * place of the kernel. Whatever they answer must be what the kernel really does there; leaving it to the kernel is
 * always right.
 */
#ifndef SYNTH_CALLS_H
#define SYNTH_CALLS_H

#include "synth_guest.h"
#include "synth_world.h"

#define RUNS 400

/* Whose parents tasks may be; ASKEW: a few bytes before the task, or in it. */
enum parents { PARENT_ANY, PARENT_ANOTHER, PARENT_ITSELF, PARENT_ASKEW };
extern enum parents parents;

/* What is done to every state that is not recorded: what no capture saw. NULL: nothing. */
extern void (*strange)(struct call *call);

struct scenario {
    const char *name;
    enum guest_call call;
    void (*args)(struct radon_regs *r);
    unsigned int captures, paths; /* at least so many paths in the handler */
    unsigned int percent;         /* of other calls that must be handled */
    enum synth_reason shared;     /* with more than one vCPU; SYNTH_OK: handled as well */
};
extern const struct scenario scenarios[];
extern const unsigned int nr_scenarios;

struct job {
    const struct scenario *s;
    struct synth_capture capture[SYNTH_MAX_CAPTURES];
    struct synth_input in;
    struct synth_output out;
    struct fast_program program;
};

struct guest_task *task_at(unsigned int i);
struct guest_file *file_at(unsigned int i);
void random_call(const struct scenario *s, struct call *call);
void record(struct job *job, const struct scenario *s);
void make(struct job *job); /* of what was recorded; fails when it is refused */
void drop(struct job *job);
/* One random state: false when the handler leaves it to the kernel, fails when it does what the kernel does not. */
bool run_once(struct job *job);
/* Of n random states, how many the handler does not leave to it. */
unsigned int run_many(struct job *job, unsigned int n);

#endif
