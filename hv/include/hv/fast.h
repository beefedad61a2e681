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

/* Where a fault at rip in a handler's code continues; 0: it is none of those. */
uint64_t fast_fixup(uint64_t rip);

/* Everything that handlers of d rest on may have changed: all are retired. */
void fast_retire_all(struct domain *d, enum radon_fast_reason why);

static inline void fast_guest_changed(struct domain *d, enum radon_fast_reason why)
{
    if (unlikely(d->fast != NULL))
        fast_retire_all(d, why);
}

/* vcpu_info, debug registers or the set of handlers changed: the flags of v's word. */
void fast_refresh(struct vcpu *v);

#endif
