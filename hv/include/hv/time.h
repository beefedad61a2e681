/* SPDX-License-Identifier: MIT */
/*
 * Time.  System time is nanoseconds since boot, computed from the TSC by a factor measured once; so
 * it is the same on all CPUs whose TSCs agree, and pvclock needs no updates.
 */
#ifndef HV_TIME_H
#define HV_TIME_H

#include "hv/domain.h"
#include "hv/types.h"

extern uint64_t tsc_khz;
/* ns = ((tsc - boot_tsc) << shift) * mul >> 32, as pvclock has it (public/xen.h). */
extern uint32_t tsc_to_ns_mul;
extern int8_t tsc_to_ns_shift;
extern uint64_t boot_tsc;

/* Measure the TSC (and the APIC timer) against the PIT; read the wall clock. */
void time_init(void);


uint64_t tsc_to_ns(uint64_t tsc);
uint64_t ns_to_tsc(uint64_t ns);

/* Fill in a vCPU's time info (in its vcpu_info and registered area). */
void time_update_vcpu(struct vcpu *v);
/* Wall clock of the domain's shared info. */
void time_update_wallclock(struct domain *d);
/* Domain 0 sets the wall clock: UTC sec/nsec at system time `at`. */
void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t at);

/* Timer interrupt: run what is due, set the next deadline. */
void timers_run(struct cpu *cpu);

#endif
