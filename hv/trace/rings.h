/* SPDX-License-Identifier: MIT */
/* The rings of all CPUs, between who records (trace.c) and who controls (control.c). */
#ifndef HV_TRACE_RINGS_H
#define HV_TRACE_RINGS_H

#include "hv/config.h"
#include "trace/ring.h"

extern struct trace_ring trace_rings[NR_CPUS];
extern uint64_t trace_cpus; /* bit mask: CPUs that record */

#endif
