/* SPDX-License-Identifier: MIT */
/*
 * Fast handlers and capture, as the rest of the hypervisor sees them (docs/fast-hypervisor.md).
 *
 * What is not inline here is called only when a flag says that there is something to do: HOT_FAST*,
 * HOT_STEP (vcpu_hot.h), PGS_WATCHED (mm.h), or domain->fast.
 */
#ifndef HV_FAST_H
#define HV_FAST_H

#include "hv/domain.h"
#include "public/radon.h"

#include "hv/vcpu_hot.h"

struct page_info;

/* Boot, before domain 0 takes the memory; `allowed`: the option fast=. */
void fast_init(bool allowed);

/*
 * An entry that a handler may be attached to; regs: the full frame at the stack's top.  True: the
 * handler did the work and regs are those to resume with.  False: nothing happened.
 */
bool fast_syscall(struct cpu_user_regs *regs);
bool fast_exception(struct cpu_user_regs *regs, unsigned int vector, uint32_t error_code,
                    uint64_t cr2);

/* A hypercall with a handler, by its lean frame made full; true: done, the result is hot()->scratch. */
bool fast_hypercall(struct cpu_user_regs *regs);
/* In place of the hypercall's function; called by hv/x86/syscall.S alone. */
long fast_hypercall_entry(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long,
                          unsigned long);

/* Where a fault at rip in a handler's code continues; 0: it is none of those. */
uint64_t fast_fixup(uint64_t rip);

/*
 * The number of the handler whose code rip is in, 0 for none; asked while this CPU is there, in NMI
 * context, too.
 */
uint32_t fast_at(uint64_t rip);

/* Everything that handlers of d rest on may have changed: all are retired. */
void fast_retire_all(struct domain *d, enum radon_fast_reason why);

static inline void fast_guest_changed(struct domain *d, enum radon_fast_reason why)
{
    if (unlikely(d->fast != NULL))
        fast_retire_all(d, why);
}

/*
 * Stepping for a capture (hv/fast/step.c), on the current vCPU; all but step_wanted() only where HOT_STEP is
 * set.  step_wanted(), where HOT_HANDLERS are: whether this entry, not yet given to the guest kernel, is to be recorded; then
 * step_begin() once it was.
 */
bool step_wanted(const struct cpu_user_regs *regs, uint32_t kind, uint32_t number, uint64_t address,
                 uint32_t error_code, uint64_t cr2);
void step_begin(struct cpu_user_regs *regs);
/* A #DB; true: it was a step. */
bool step_debug(struct cpu_user_regs *regs);
/* Something else than a step comes now, an exception or an upcall. */
void step_end(struct cpu_user_regs *regs, enum radon_capture_end end);
/* The hypervisor is being left; the guest kernel's iret is done. */
void step_exit(struct cpu_user_regs *regs);
void step_iret(struct cpu_user_regs *regs);
void step_descheduled(struct vcpu *v);

/* The same moments for a comparison (hv/fast/shadow.c). */
void shadow_bounce(void);
void shadow_iret(const struct cpu_user_regs *regs);
void shadow_exit(void);
void shadow_void(struct vcpu *v);
/* A #GP of the guest, where HOT_STEP is set; true: it read the time, which a comparison holds (hv/fast/shadow_time.c). */
bool shadow_time_read(struct cpu_user_regs *regs);

/* Handlers are attached, or a capture waits. */
static inline bool fast_has_handlers(const struct vcpu *v)
{
    return unlikely(v->hot->flags & HOT_HANDLERS);
}

static inline bool fast_stepping(void)
{
    return unlikely(hot()->flags & HOT_STEP);
}

/* v is about to run on its CPU. */
void fast_vcpu_runs(struct vcpu *v);
/* The current vCPU, where HOT_HANDLERS are: its kernel's tables, or its kernel's GS base, are others now. */
void fast_state_changed(struct vcpu *v);

/* vcpu_info, debug registers or the set of handlers changed: the flags of v's word. */
void fast_refresh(struct vcpu *v);

#endif
