/* SPDX-License-Identifier: MIT */
/*
 * Round robin: one queue a CPU, vCPUs stay on the CPU that their number gives them.
 */
#include "hv/sched.h"

#define SLICE_NS 10000000UL

static struct cpu *rr_assign(struct vcpu *v)
{
    return cpus[v->id % nr_cpus];
}

static void rr_enqueue(struct cpu *cpu, struct vcpu *v, bool woken)
{
    (void)woken;
    v->rq_next = NULL;
    if (cpu->rq_tail)
        cpu->rq_tail->rq_next = v;
    else
        cpu->rq_head = v;
    cpu->rq_tail = v;
    cpu->rq_len++;
}

static void rr_dequeue(struct cpu *cpu, struct vcpu *v)
{
    struct vcpu *before = NULL;

    for (struct vcpu *at = cpu->rq_head; at; before = at, at = at->rq_next) {
        if (at != v)
            continue;
        if (before)
            before->rq_next = v->rq_next;
        else
            cpu->rq_head = v->rq_next;
        if (cpu->rq_tail == v)
            cpu->rq_tail = before;
        cpu->rq_len--;
        return;
    }
}

static struct vcpu *rr_pick(struct cpu *cpu)
{
    struct vcpu *v = cpu->rq_head;

    if (v)
        rr_dequeue(cpu, v);
    return v;
}

static uint64_t rr_slice(struct cpu *cpu, struct vcpu *v)
{
    (void)cpu, (void)v;
    return SLICE_NS;
}

static bool rr_preempts(struct cpu *cpu, struct vcpu *woken)
{
    (void)cpu, (void)woken;
    return false;
}

extern const struct sched_policy sched_rr;
const struct sched_policy sched_rr = {
    .name = "rr",
    .assign = rr_assign,
    .enqueue = rr_enqueue,
    .dequeue = rr_dequeue,
    .pick = rr_pick,
    .slice = rr_slice,
    .preempts = rr_preempts,
};
