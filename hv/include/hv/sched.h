/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's core: who runs on which CPU, and the switch between vCPUs.  The policy is behind
 * struct sched_policy.
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include "hv/domain.h"
#include "hv/percpu.h"

/*
 * A scheduling policy.  All are called with cpu->lock held but assign, which picks the CPU that a
 * vCPU waits for and holds no lock.
 */
struct sched_policy {
    const char *name;
    struct cpu *(*assign)(struct vcpu *v);
    void (*enqueue)(struct cpu *cpu, struct vcpu *v, bool woken);
    void (*dequeue)(struct cpu *cpu, struct vcpu *v);
    /* The one to run next, taken off the queue; NULL = idle.  prev may be runnable: it is queued. */
    struct vcpu *(*pick)(struct cpu *cpu);
    /* ns that the picked one may run while others wait. */
    uint64_t (*slice)(struct cpu *cpu, struct vcpu *v);
    /* Whether a woken vCPU takes the CPU at once. */
    bool (*preempts)(struct cpu *cpu, struct vcpu *woken);
};

extern const struct sched_policy *sched_policy;

/* Choose a policy by its sched= name; an unknown one is a warning and the default. */
void sched_init(const char *name);
void sched_init_cpu(struct cpu *cpu);
void sched_init_vcpu(struct vcpu *v);

/* Give the CPU away if somebody else should have it.  No lock held. */
void schedule(void);
/* Wait until vcpu_wake(); returns at once when `wait` tells that there is no reason. */
void vcpu_block(void);
void vcpu_yield(void);
/* The vCPU's work byte was set: look at all that may be behind it. */
void sched_work(struct vcpu *v);

/* Offline vCPUs are not scheduled; taking another's down waits until it has left its CPU. */
void vcpu_set_offline(struct vcpu *v);
void vcpu_set_online(struct vcpu *v);

/* The idle loop of a CPU, never returns. */
void idle_loop(void) __noreturn;

/* Work byte of the flags word. */
static inline void vcpu_raise_work(struct vcpu *v)
{
    __atomic_store_n((uint8_t *)&v->hot->flags + 1, 1, __ATOMIC_RELEASE);
}

static inline bool vcpu_take_work(struct vcpu *v)
{
    uint8_t *work = (uint8_t *)&v->hot->flags + 1;

    return *work && __atomic_exchange_n(work, 0, __ATOMIC_ACQUIRE);
}

/* hv/x86/smp.c: an interrupt to another CPU, so that it looks at its flags. */
void smp_kick_cpu(struct cpu *cpu);
/* Serve requests of other CPUs while spinning with interrupts off. */
void smp_serve(void);
void smp_init(const uint32_t *apic_ids, unsigned int n);
/* The rest of the machine stops (crash, reset). */
/* Halted by domain 0's wish: nothing runs any more; ends QEMU as `radon run` starts it. */
void machine_stop(void) __noreturn;
void machine_reset(void) __noreturn;

/* hv/domain: states of a domain. */
void domain_shutdown(struct domain *d, unsigned int reason);
void vcpu_show(struct vcpu *v);

/* Runstate of a vCPU changes now (public/vcpu.h RUNSTATE_*). */
void runstate_set(struct vcpu *v, int state, uint64_t now);
/* Accounting up to now. */
void runstate_get(struct vcpu *v, struct vcpu_runstate_info *out);

#endif
