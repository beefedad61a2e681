/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of tracing: who records (trace.c), who makes rings (buffers.c), who decides
 * what is recorded (control.c), and the two interfaces to domain 0 (xen.c, own.c).
 */
#ifndef HV_TRACE_RINGS_H
#define HV_TRACE_RINGS_H

#include "hv/domain.h"
#include "hv/spinlock.h"
#include "hv/types.h"
#include "public/radon.h"
#include "trace/ring.h"

/* Held by whoever makes, frees or reads rings, or changes what is recorded.  Never by a tracepoint.
 */
extern spinlock_t trace_lock;

/* ------------------------------------------------------------------ rings: one set of each kind */

struct trace_rings {
    uint32_t pages;      /* of each CPU's; 0 = there are none */
    struct t_info *info; /* where they are, for domain 0 */
    uint32_t info_pages;
};
extern struct trace_rings trace_rings[NR_TRACE_RINGS];

/*
 * New rings of `pages` for every CPU in place of those that were.  Nothing is recorded in them now
 * (trace_choose(), trace_wait_for_writers()).  -XEN_EINVAL, -XEN_ENOMEM: there are none then.
 */
int trace_rings_make(unsigned int which, uint32_t pages, bool flight);
/* Empty them. */
void trace_rings_reset(unsigned int which, bool flight);

/* ------------------------------------------------------------------ what is recorded */

/* As domain 0 asked: by XEN_SYSCTL_tbuf_op, by RADON_TRACE_CONTROL. */
struct trace_wanted {
    bool xen_enabled;
    uint32_t xen_mask; /* TRC_* */
    uint64_t xen_cpus; /* bit mask */
    struct radon_trace_control own;
};
extern struct trace_wanted trace_wanted;

/* Domain whose crash ended the flight recording + 1, or 0. */
extern uint32_t trace_stopped_by;

/* Whether own.domain and own.vcpus leave anybody out. */
extern bool trace_filtered;
bool trace_own_wants(const struct vcpu *v);

/* Take trace_wanted over. */
void trace_choose(void);
/* Every CPU has left the tracepoints that it entered before trace_choose(). */
void trace_wait_for_writers(void);

/* Records of each kind for which the CPU had no ring, since there are rings of that kind. */
extern uint64_t trace_no_ring[NR_TRACE_RINGS];

#endif
