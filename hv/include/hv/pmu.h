/* SPDX-License-Identifier: MIT */
/*
 * One performance counter of each CPU, which raises an NMI every so many events (Intel SDM volume 3,
 * performance monitoring; AMD APM volume 2, 13.2).  Guests do not get at it.
 */
#ifndef HV_PMU_H
#define HV_PMU_H

#include "hv/types.h"

/*
 * The shortest period.  The counter stands still in the NMI, but what goes on behind it, the way back to
 * the guest, counts: with a period that it takes up alone the guest would not get on any more.
 */
#define PMU_PERIOD_MIN 10000u
#define PMU_PERIOD_MAX 0x7fffffffu /* a write reaches 31 bits and the sign, not more, on Intel's */

/* Take CPUID's word for counters, before pmu_find(): for emulators whose registers hold nothing. */
void pmu_trust(void);
/* Look for counters, while none is in use here. */
void pmu_find(void);
/*
 * Whether that can be counted: 0; -XEN_ENODEV no counter; -XEN_EINVAL `event` has bits that are no part of
 * an event, or names neither privilege level, or the period is out of range.
 */
int pmu_check(uint64_t event, uint32_t period);

/*
 * On the CPU itself, interrupts off: begin with what pmu_check() allowed; end, all as it was before (of an
 * Intel's counter what a write reaches, see above).
 */
void pmu_start(uint32_t cpu, uint64_t event, uint32_t period);
void pmu_stop(uint32_t cpu);

enum pmu_nmi {
    PMU_NOT_MINE,
    PMU_LATE,     /* the counter's, but what it tells of has been dealt with */
    PMU_OVERFLOW, /* the period is over: the counter stands until pmu_go_on() */
};

/* In an NMI. */
enum pmu_nmi pmu_nmi(uint32_t cpu);
void pmu_go_on(uint32_t cpu);

#endif
