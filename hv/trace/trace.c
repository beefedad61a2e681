/* SPDX-License-Identifier: MIT */
/*
 * The CPUs' rings: recording in them, and telling domain 0 that there is something to read.
 */
#include "hv/trace.h"

#include "hv/asm.h"
#include "hv/entry.h"
#include "hv/event.h"
#include "hv/hypercall.h"
#include "hv/percpu.h"
#include "hv/sched.h"
#include "trace/rings.h"

/* The numbers as they are in the stream, without parameters: no two alike, each of a class. */
#define NOT_ANOTHERS(name, id)                                                                     \
    case id:                                                                                       \
        break;                                                                                     \
        _Static_assert(((id) & 0x0fff0000) && ((id) & 0xf000), #name " has class and subclass");
#define FITS(name) \
    _Static_assert(sizeof(struct trace_data_##name) <= 4 * TRACE_EXTRA_MAX, #name " fits a record");
static inline __attribute__((unused)) void events_are_distinct(uint32_t id)
{
    switch (id) {
#define EVENT(name, id, fields, text) NOT_ANOTHERS(name, id)
#define EVENT_VAR(name, id, text) NOT_ANOTHERS(name, id)
#include "../../tracing/events.def"
    }
}
#define EVENT(name, id, fields, text) FITS(name)
#define EVENT_VAR(name, id, text)
#include "../../tracing/events.def"

uint32_t trace_mask;
uint64_t trace_notify_cpus;

struct trace_ring trace_rings[NR_CPUS];
uint64_t trace_cpus = ~0UL;

void trace_put(uint32_t event, const void *data, unsigned int words)
{
    struct cpu *cpu = this_cpu();
    struct vcpu *v = current();
    struct trace_stamp stamp = { rdtsc(), v->domain->id, (uint16_t)v->id };

    if (!(READ_ONCE(trace_cpus) & (1UL << cpu->id)))
        return;
    if (trace_ring_put(&trace_rings[cpu->id], event, data, words, &stamp) != TRACE_PUT_HALF)
        return;
    /* Not from here: locks may be held.  The next exit to a guest, or switch, does it. */
    __atomic_or_fetch(&trace_notify_cpus, 1UL << cpu->id, __ATOMIC_RELAXED);
    if (!v->is_idle)
        vcpu_raise_work(v);
}

void trace_notify(void)
{
    if (__atomic_exchange_n(&trace_notify_cpus, 0, __ATOMIC_RELAXED))
        evtchn_send_global_virq(dom0, VIRQ_TBUF);
}

/* ------------------------------------------------------------------ events with parameters */

/* How many arguments mean something, by number (hypercalls.def). */
static const uint8_t nr_args[NR_HYPERCALLS] = {
#define HYPERCALL(nr, name, handler, nargs, doc) [nr] = nargs,
#include "public/hypercalls.def"
#undef HYPERCALL
};

/*
 * Arguments that fit 32 bits take one word, others two; bits 20-31 of the first word say which
 * (public/trace.h).  What does not fit the record is left out from the first such argument on.
 */
void trace_hypercall(uint32_t event, unsigned long op, const uint64_t args[6])
{
    uint32_t words[TRACE_EXTRA_MAX], n = 1;
    unsigned int nr = op < NR_HYPERCALLS ? nr_args[op] : 0;

    words[0] = (uint32_t)op & ~TRC_PV_HYPERCALL_V2_ARG_MASK;
    for (unsigned int i = 0; i < nr; i++) {
        bool wide = args[i] >> 32;

        if (n + 1 + wide > TRACE_EXTRA_MAX)
            break;
        words[0] |= wide ? TRC_PV_HYPERCALL_V2_ARG_64(i) : TRC_PV_HYPERCALL_V2_ARG_32(i);
        words[n++] = (uint32_t)args[i];
        if (wide)
            words[n++] = (uint32_t)(args[i] >> 32);
    }
    trace_put(event, words, n);
}

void trace_hypercall_entry(const uint64_t f[9])
{
    const uint64_t args[6] = { f[8], f[7], f[6], f[1], f[3], f[2] };

    if (trace_wanted(TRC_PV_HYPERCALL_V2))
        trace_hypercall(TRC_PV_HYPERCALL_V2, f[4], args);
}

void trace_iret_entry(void)
{
    uint32_t op = __HYPERVISOR_iret;

    if (trace_wanted(TRC_PV_HYPERCALL_V2))
        trace_put(TRC_PV_HYPERCALL_V2, &op, 1);
}

/* From user mode: the error code is the guest's as it is. */
void trace_page_fault_entry(const uint64_t f[2])
{
    trace_pv_page_fault(f[1], read_cr2(), (uint32_t)f[0]);
}

/* The event's number has both states (as xenalyze and xentrace_format read it). */
void trace_runstate(const struct vcpu *v, int state)
{
    struct { uint16_t vcpu, domain; } data = { (uint16_t)v->id, v->domain->id };

    trace_put(TRC_SCHED_RUNSTATE_CHANGE | (uint32_t)v->runstate.state << 8 | (uint32_t)state << 4,
              &data, 1);
}
