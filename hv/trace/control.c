/* SPDX-License-Identifier: MIT */
/*
 * What is recorded, out of what domain 0 asked for: trace_on, and the flags that take vCPUs off the
 * lean entry paths.
 *
 * Rings are replaced and read only while nothing is to go to them and after every CPU has left its
 * tracepoint: CPUs record with interrupts off and answer a TLB flush with them on or while they
 * wait for a lock outside of it, so a flush of all is what to wait for.
 */
#include "hv/domain.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/trace.h"
#include "trace/rings.h"

spinlock_t trace_lock;
struct trace_wanted trace_wanted = {
    .xen_mask = TRC_ALL,
    .xen_cpus = ~0UL,
    .own = { .domain = RADON_DOMID_ANY, .vcpus = ~0UL },
};
bool trace_filtered;

static const uint32_t event_numbers[NR_TRACE_EVENTS] = {
#define EVENT(name, id, fields, text) id,
#define EVENT_VAR(name, id, text) id,
#include "../../tracing/events.def"
};

#define CLASSES 0x0fff0000u
#define SUBCLASSES 0x0000f000u

/* Xen's tools give up on a class that they do not know. */
static bool is_own(uint32_t number)
{
    return number & RADON_TRC_CLASS & CLASSES;
}

static bool xen_wants(uint32_t number)
{
    uint32_t both = trace_wanted.xen_mask & number;

    return trace_wanted.xen_enabled && !is_own(number) && (both & CLASSES) && (both & SUBCLASSES);
}

static bool own_event(enum trace_event e)
{
    return trace_wanted.own.mode != RADON_TRACE_OFF &&
           (trace_wanted.own.events[e / 64] >> (e % 64) & 1);
}

bool trace_own_wants(const struct vcpu *v)
{
    const struct radon_trace_control *own = &trace_wanted.own;

    return (own->domain == RADON_DOMID_ANY || own->domain == v->domain->id) &&
           (own->vcpus >> (v->id & 63) & 1);
}

/* ------------------------------------------------------------------ entry paths */

/* Events of the lean entry paths, which ask the vCPU's flags word alone. */
static const uint8_t entry_events[] = {
    TRACE_EV_pv_hypercall,   TRACE_EV_pv_page_fault, TRACE_EV_exit_hypercall,
    TRACE_EV_bounce_syscall, TRACE_EV_iret_user,     TRACE_EV_fast_hit,
    TRACE_EV_fast_pass,
};

static bool entries_recorded(const struct vcpu *v)
{
    uint8_t on = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(entry_events); i++)
        on |= trace_on[entry_events[i]];
    return on & TRACE_TO_XEN || (on & TRACE_TO_OWN && trace_own_wants(v));
}

static void choose_paths(struct vcpu *v)
{
    hot_set_instrumented(v->hot, HOT_TRACE, entries_recorded(v));
}

void trace_choose_paths(struct vcpu *v)
{
    if (!v->is_idle)
        choose_paths(v);
    if (trace_filtered)
        this_cpu()->trace[TRACE_RING_OWN].limit = NULL; /* to be looked at: for whom is it? */
}

/* ------------------------------------------------------------------ changes */

void trace_choose(void)
{
    const struct radon_trace_control *own = &trace_wanted.own;
    bool any = false;

    trace_filtered = own->domain != RADON_DOMID_ANY || own->vcpus != ~0UL;
    for (unsigned int e = 0; e < NR_TRACE_EVENTS; e++) {
        uint8_t on = (xen_wants(event_numbers[e]) ? TRACE_TO_XEN : 0) |
                     (own_event(e) ? TRACE_TO_OWN : 0);

        WRITE_ONCE(trace_on[e], on);
        any |= on;
    }
    WRITE_ONCE(trace_any, any);
    for (struct domain *d = domain_list; d; d = d->next)
        for (unsigned int i = 0; i < d->nr_vcpus; i++)
            if (d->vcpu[i])
                choose_paths(d->vcpu[i]);
}

void trace_wait_for_writers(void)
{
    uint64_t all = nr_cpus < 64 ? (1UL << nr_cpus) - 1 : ~0UL;

    smp_tlb_flush(all, ~0UL);
}
