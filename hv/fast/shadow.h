/* SPDX-License-Identifier: MIT */
/* A comparison under way, of one vCPU (shadow.c); nobody else's but the handler, under fd->lock. */
#ifndef HV_FAST_SHADOW_H
#define HV_FAST_SHADOW_H

#include "fast_int.h"

#define SHADOW_READS 256u

struct shadow {
    uint32_t id;                  /* the handler's, which may be gone */
    bool bounced;                 /* the entry itself has been given to the guest kernel */
    bool voided;
    uint32_t path;
    uint32_t nr_reads;
    uint32_t too_many_reads;
    uint64_t kernel_sp;
    uint64_t tsc;                 /* the time, for the interpreter and the guest kernel */
    bool time_held;               /* this CPU's RDTSC traps, outside of the hypervisor */
    uint32_t time_reads;
    struct fast_ctx before, after, interpreted;
    struct fast_run oracle;       /* the interpreter's run: staged effects, and who staged them */
    struct fast_world world;
    struct { uint64_t address, value; uint32_t size; } reads[SHADOW_READS];
};

/* shadow_time.c: time stands still for the guest kernel, from here to there, on this CPU. */
void shadow_hold_time(struct shadow *s);
void shadow_let_time_go(struct shadow *s);

/* shadow_compare.c */
/* Whether both have staged the same at place i; a value that the time stamp has a part in may be another. */
bool shadow_same_staged(const struct fast_handler *h, const struct shadow *s, const struct fast_run *jit,
                        uint32_t i);
/*
 * What the guest kernel left, regs and memory: what differs, as in struct radon_fast_evidence, but for reads.
 * *changed: something that was read, and that the handler does not store to, is not what it was.
 */
uint32_t shadow_compare(const struct shadow *s, const struct cpu_user_regs *regs, bool *changed);
/* h->evidence, if there is memory for it: of machine code and interpreter; of handler and guest kernel. */
void shadow_keep_engines(struct fast_handler *h, const struct shadow *s, const struct fast_run *jit);
void shadow_keep_evidence(struct fast_handler *h, const struct shadow *s, const struct cpu_user_regs *regs,
                          uint32_t differs);

#endif
