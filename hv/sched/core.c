/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's core.  A vCPU belongs to the run queue of one CPU (v->cpu); cpu->lock guards the
 * queue and the states of its vCPUs, and is held across the switch, so that nobody sees a vCPU as
 * waiting whose stack is still in use.
 */
#include "hv/sched.h"
#include "hv/sites.h"

#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/desc.h"
#include "hv/entry.h"
#include "hv/fast.h"
#include "hv/fpu.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/paging.h"
#include "hv/pvcpu.h"
#include "hv/time.h"
#include "hv/trace.h"

extern const struct sched_policy sched_rr;
const struct sched_policy *sched_policy = &sched_rr;

void sched_init(const char *name)
{
    if (name[0] && strcmp(name, sched_rr.name))
        hv_log(LOG_WARNING, "sched=%s is not known; using %s\n", name, sched_rr.name);
    sched_policy = &sched_rr;
}

static void slice_over(void *arg)
{
    struct cpu *cpu = arg;

    cpu->need_resched = true;
    vcpu_raise_work(cpu->curr);
}

void sched_init_cpu(struct cpu *cpu)
{
    cpu->slice.fn = slice_over;
    cpu->slice.arg = cpu;
}

void sched_init_vcpu(struct vcpu *v)
{
    v->cpu = sched_policy->assign(v);
    v->state = VCPU_OFFLINE;
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = now_ns();
}

/* ------------------------------------------------------------------ runstates */

void runstate_set(struct vcpu *v, int state, uint64_t now)
{
    if (trace_is_on(TRACE_EV_runstate_change))
        trace_runstate(v, state);
    v->runstate.time[v->runstate.state] += now - v->runstate.state_entry_time;
    v->runstate.state_entry_time = now;
    v->runstate.state = state;
}

void runstate_get(struct vcpu *v, struct vcpu_runstate_info *out)
{
    *out = v->runstate;
    out->time[out->state] += now_ns() - out->state_entry_time;
}

/*
 * Copy the runstate to the guest.  With the update flag the guest, which may read it on another CPU,
 * sees the top bit of state_entry_time while it changes (public/vcpu.h, XEN_RUNSTATE_UPDATE).
 */
static void runstate_publish(struct vcpu *v)
{
    const uint64_t at = v->runstate_area + offsetof(struct vcpu_runstate_info, state_entry_time);
    struct vcpu_runstate_info info = v->runstate;

    if (!(v->domain->vm_assist & (1UL << VMASST_TYPE_runstate_update_flag))) {
        copy_to_guest_or_not(v->runstate_area, &info, 1);
        return;
    }
    info.state_entry_time |= XEN_RUNSTATE_UPDATE;
    if (!put_guest_u64(at, info.state_entry_time) || !copy_to_guest(v->runstate_area, &info, 1))
        return;
    put_guest_u64(at, v->runstate.state_entry_time);
}

/* Write the registered areas; the vCPU's kernel address space is loaded. */
static void update_guest_areas(struct vcpu *v)
{
    if (v->runstate_area)
        runstate_publish(v);
    if (v->time_area && v->time_dirty)
        time_update_vcpu(v);
}

/* ------------------------------------------------------------------ switching */

static void load_vcpu(struct cpu *cpu, struct vcpu *v)
{
    uint64_t cr3 = vcpu_in_kernel(v) ? v->hot->kernel_cr3 : v->hot->user_cr3;

    tlb_domain_enters(&v->domain->mm, cpu->id);
    tlb_load_cr3(cpu->id, cr3);
    if (cpu->state_owner != v) {
        if (cpu->state_owner)
            pv_save_state(cpu->state_owner);
        desc_switch_to(cpu, v);
        pv_load_state(v);
        cpu->state_owner = v;
    }
    fpu_switch_to(v);
}

/* On the stack of the vCPU that has just got the CPU, the lock still held. */
static void finish_switch(void)
{
    struct cpu *cpu = this_cpu();
    struct vcpu *v = current();
    bool others = cpu->rq_len;

    spin_unlock(&cpu->lock);
    trace_notify_if_due();
    if (v->is_idle)
        return;
    sites_look(cpu);
    update_guest_areas(v);
    if (others)
        timer_set(&cpu->slice, now_ns() + sched_policy->slice(cpu, v));
}

static void switch_to(struct cpu *cpu, struct vcpu *prev, struct vcpu *next)
{
    uint64_t now = now_ns();

    cpu->switches++;
    step_descheduled(prev);
    shadow_void(prev);
    trace_sched_switch(prev->domain->id, prev->id, next->domain->id, next->id);
    if (prev->is_idle)
        cpu->idle_ns += now - prev->runstate.state_entry_time;
    runstate_set(prev, prev->is_idle || prev->state == VCPU_RUNNABLE ? RUNSTATE_runnable
                       : prev->state == VCPU_BLOCKED ? RUNSTATE_blocked : RUNSTATE_offline, now);
    runstate_set(next, RUNSTATE_running, now);
    cpu->curr = next;
    next->hot->cpu = cpu;
    next->state = VCPU_RUNNING;
    trace_vcpu_runs(next);
    sites_vcpu_runs(next);
    if (next->domain->fast)
        fast_vcpu_runs(next);
    if (next->is_idle)
        tlb_load_cr3(cpu->id, idle_cr3);
    else
        load_vcpu(cpu, next);
    if (!prev->is_idle && (next->is_idle || next->domain != prev->domain))
        tlb_domain_leaves(&prev->domain->mm, cpu->id);
    desc_set_stack(cpu, next->hot);
    switch_stacks(&prev->saved_sp, next->saved_sp);
    finish_switch();
}

void vcpu_first_run(struct cpu_user_regs *regs)
{
    (void)regs;
    finish_switch();
}

/* cpu->lock is held and is released. */
static void schedule_locked(struct cpu *cpu)
{
    struct vcpu *prev = current(), *next;

    cpu->need_resched = false;
    if (!prev->is_idle && prev->state == VCPU_RUNNING) {
        prev->state = VCPU_RUNNABLE;
        sched_policy->enqueue(cpu, prev, false);
    }
    next = sched_policy->pick(cpu);
    if (!next)
        next = cpu->idle;
    if (next == prev) {
        prev->state = VCPU_RUNNING;
        spin_unlock(&cpu->lock);
        return;
    }
    switch_to(cpu, prev, next);
}

void schedule(void)
{
    struct cpu *cpu = this_cpu();

    spin_lock(&cpu->lock);
    schedule_locked(cpu);
}

void vcpu_yield(void)
{
    trace_sched_yield(current()->domain->id, current()->id);
    schedule();
}

void vcpu_block(void)
{
    struct vcpu *v = current();
    struct cpu *cpu = this_cpu();

    spin_lock(&cpu->lock);
    if (v->woken || v->state != VCPU_RUNNING) {
        spin_unlock(&cpu->lock);
        return;
    }
    v->state = VCPU_BLOCKED;
    trace_sched_block(v->domain->id, v->id);
    schedule_locked(cpu);
}

/* v became runnable on its CPU, whose lock is held. */
static void make_runnable(struct cpu *cpu, struct vcpu *v)
{
    v->state = VCPU_RUNNABLE;
    runstate_set(v, RUNSTATE_runnable, now_ns());
    sched_policy->enqueue(cpu, v, true);
}

/* Tell cpu that its queue has changed. */
static void notify(struct cpu *cpu, bool preempt)
{
    if (preempt)
        cpu->need_resched = true;
    if (cpu != this_cpu()) {
        smp_kick_cpu(cpu);
    } else if (!cpu->curr->is_idle) {
        if (preempt)
            vcpu_raise_work(cpu->curr);
        else if (!cpu->slice.cpu)
            timer_set(&cpu->slice, now_ns() + sched_policy->slice(cpu, cpu->curr));
    }
}

void vcpu_wake(struct vcpu *v)
{
    struct cpu *cpu = v->cpu;
    bool preempt = false, woken = false;

    WRITE_ONCE(v->woken, true);
    if (READ_ONCE(v->state) == VCPU_RUNNING && v == current())
        return;
    spin_lock(&cpu->lock);
    if (v->state == VCPU_BLOCKED) {
        trace_sched_wake(v->domain->id, v->id);
        make_runnable(cpu, v);
        woken = true;
        preempt = cpu->curr->is_idle || sched_policy->preempts(cpu, v);
    }
    spin_unlock(&cpu->lock);
    if (woken)
        notify(cpu, preempt);
}

void vcpu_kick(struct vcpu *v)
{
    if (v == current())
        return; /* every exit looks at the pending flag */
    vcpu_wake(v);
    if (READ_ONCE(v->state) == VCPU_RUNNING && v->cpu != this_cpu()) {
        vcpu_raise_work(v);
        smp_kick_cpu(v->cpu);
    }
}

void vcpu_set_online(struct vcpu *v)
{
    struct cpu *cpu = v->cpu;
    bool preempt;

    spin_lock(&cpu->lock);
    if (v->state != VCPU_OFFLINE) {
        spin_unlock(&cpu->lock);
        return;
    }
    trace_vcpu_online(trace_vcpu_number(v));
    make_runnable(cpu, v);
    preempt = cpu->curr->is_idle || sched_policy->preempts(cpu, v);
    spin_unlock(&cpu->lock);
    notify(cpu, preempt);
}

void vcpu_set_offline(struct vcpu *v)
{
    struct cpu *cpu = v->cpu;
    bool running;

    spin_lock(&cpu->lock);
    if (v->state == VCPU_RUNNABLE)
        sched_policy->dequeue(cpu, v);
    running = v->state == VCPU_RUNNING;
    if (v->state != VCPU_OFFLINE)
        trace_vcpu_offline(trace_vcpu_number(v));
    if (v->state != VCPU_OFFLINE && !running)
        runstate_set(v, RUNSTATE_offline, now_ns());
    v->state = VCPU_OFFLINE;
    if (v == current()) {
        schedule_locked(cpu);
        return;
    }
    if (running) {
        cpu->need_resched = true;
        vcpu_raise_work(v);
    }
    spin_unlock(&cpu->lock);
    if (!running)
        return;
    smp_kick_cpu(cpu);
    while (READ_ONCE(cpu->curr) == v)
        smp_serve();
    spin_lock(&cpu->lock); /* held until the stacks are switched */
    spin_unlock(&cpu->lock);
}

void sched_work(struct vcpu *v)
{
    struct cpu *cpu = this_cpu();

    (void)v;
    if (cpu->need_resched)
        schedule();
}

void preempt_point(void)
{
    sti();
    __asm__ volatile("nop");
    cli();
    if (this_cpu()->need_resched)
        schedule();
}

void idle_loop(void)
{
    struct cpu *cpu = this_cpu();

    for (;;) {
        cli();
        if (cpu->rq_len || cpu->need_resched)
            schedule();
        else
            __asm__ volatile("sti; hlt" ::: "memory");
    }
}
