/* SPDX-License-Identifier: MIT */
/* Hardware events by name (libpfm4). */
#ifndef TRACING_PROFILE_PMU_H
#define TRACING_PROFILE_PMU_H

#include <stddef.h>
#include <stdint.h>

enum pmu_answer {
    PMU_FOUND,
    PMU_UNKNOWN,                /* no such event, or part of it, on any processor that libpfm4 knows */
    PMU_NOT_HERE,               /* there is one, but of another processor than this */
    PMU_NOT_ONE,                /* it takes more than one event select register */
};

struct pmu_event {
    uint64_t select;            /* as struct radon_profile_control has it */
    char name[256];             /* in full, with all modifiers */
    char text[512];             /* what it is, or why it is not to be had */
};

/* NAME[:UMASK][:MODIFIER...] as libpfm4 takes it; u: guests, k: the hypervisor, without: both. */
enum pmu_answer pmu_ask(const char *event, struct pmu_event *answer);

#endif
