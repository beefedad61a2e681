/* SPDX-License-Identifier: MIT */
/*
 * Timer samples (RADON_PROFILE_CONTROL of public/radon.h; docs/profile.md).
 */
#ifndef HV_PROFILE_H
#define HV_PROFILE_H

#include "hv/percpu.h"

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

#endif
