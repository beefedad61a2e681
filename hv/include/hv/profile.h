/* SPDX-License-Identifier: MIT */
/*
 * Samples of what CPUs run (RADON_PROFILE_CONTROL of public/radon.h; docs/profile.md).
 */
#ifndef HV_PROFILE_H
#define HV_PROFILE_H

#include "hv/percpu.h"
#include "hv/xenpub.h"

/* Up by one whenever the settings change. */
extern uint32_t profile_generation;

/* Take the settings over on this CPU. */
void profile_start_cpu(struct cpu *cpu);

/* Called on every CPU that was kicked: new settings since it looked last? */
static inline void profile_look(struct cpu *cpu)
{
    if (unlikely(READ_ONCE(profile_generation) != cpu->profile_generation))
        profile_start_cpu(cpu);
}

/* An NMI: true if it came for samples' sake.  In NMI context: takes no lock, reads no guest memory. */
bool profile_nmi(struct cpu *cpu, const struct cpu_user_regs *regs);

/* Whether an NMI has found something on this CPU; record it, in the interrupt that it asked for. */
bool profile_is_full(const struct cpu *cpu);
void profile_take(struct cpu *cpu, const struct cpu_user_regs *interrupted);

#endif
