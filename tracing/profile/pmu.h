/* SPDX-License-Identifier: MIT */
/* Hardware events by name (libpfm4). */
#ifndef TRACING_PROFILE_PMU_H
#define TRACING_PROFILE_PMU_H

#include <stddef.h>

enum pmu_answer {
    PMU_UNKNOWN,                /* no such event on any processor that libpfm4 knows */
    PMU_NOT_HERE,               /* there is one, but not on this machine: its PMU is missing */
    PMU_NOT_SERVED,             /* this machine counts it; the hypervisor does not sample by it */
};

/* What can be done with an event; *text says it for people. */
enum pmu_answer pmu_ask(const char *event, char *text, size_t bytes);

#endif
