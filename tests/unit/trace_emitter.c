/* SPDX-License-Identifier: MIT */
#include "trace_emitter.h"

#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sched.h"
#include "hv/entry.h"
#include "hv/trace.h"

#include "trace/rings.h"

static struct cpu this_one;
static struct domain some_domain = { .id = 5 };
static struct vcpu some_vcpu = { .id = 3, .domain = &some_domain };

/* In the hypervisor they are found by the stack. */
#define this_cpu() (&this_one)
#define current() (&some_vcpu)
#include "../../hv/trace/trace.c"

/* What the emitter calls only when a ring is full or events are left out. */
struct trace_wanted trace_wanted = { .xen_cpus = ~0UL };
bool trace_filtered;
struct domain *dom0;

static bool wanted = true;

bool trace_own_wants(const struct vcpu *v)
{
    (void)v;
    return wanted;
}

/* Assembly (hv/x86/trace_subcall.S): here the general way does it. */
void trace_subcall(unsigned long op, const uint64_t args[6])
{
    trace_subcall_slow(trace_on[TRACE_EV_pv_subcall], op, args);
}

void evtchn_send_global_virq(struct domain *d, unsigned int virq)
{
    (void)d;
    (void)virq;
}

static uint8_t buffer[1 << 16] __attribute__((aligned(16)));

void emitter_start(void)
{
    trace_ring_init(&this_one.trace[TRACE_RING_OWN], buffer, sizeof(buffer), false);
    for (unsigned int ev = 0; ev < NR_TRACE_EVENTS; ev++)
        trace_on[ev] = TRACE_TO_OWN;
}

void emitter_start_without_ring(bool to_both)
{
    memset(this_one.trace, 0, sizeof(this_one.trace)); /* as free_rings() leaves them */
    memset(trace_no_ring, 0, sizeof(trace_no_ring));
    for (unsigned int ev = 0; ev < NR_TRACE_EVENTS; ev++)
        trace_on[ev] = to_both ? TRACE_TO_OWN | TRACE_TO_XEN : TRACE_TO_OWN;
}

void emitter_leave_out(bool leave_out)
{
    trace_filtered = leave_out;
    wanted = !leave_out;
}

uint64_t emitter_lost(bool own)
{
    return trace_no_ring[own ? TRACE_RING_OWN : TRACE_RING_XEN];
}

const void *emitter_bytes(size_t *n)
{
    const struct trace_ring *r = &this_one.trace[TRACE_RING_OWN];

    *n = (size_t)(r->cur - r->data);
    return r->data;
}

#define V(t, i) (trace_##t)emitter_value(ev, i)

int emitter_event(unsigned int ev)
{
    switch (ev) {
#define CASE(name, ...)                                                                            \
    case TRACE_EV_##name:                                                                          \
        trace_##name(__VA_ARGS__);                                                                 \
        return 1;
#define EVENT1(name, id, t1, f1, text) CASE(name, V(t1, 0))
#define EVENT2(name, id, t1, f1, t2, f2, text) CASE(name, V(t1, 0), V(t2, 1))
#define EVENT3(name, id, t1, f1, t2, f2, t3, f3, text) CASE(name, V(t1, 0), V(t2, 1), V(t3, 2))
#define EVENT4(name, id, t1, f1, t2, f2, t3, f3, t4, f4, text)                                     \
    CASE(name, V(t1, 0), V(t2, 1), V(t3, 2), V(t4, 3))
#define EVENT5(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, text)                             \
    CASE(name, V(t1, 0), V(t2, 1), V(t3, 2), V(t4, 3), V(t5, 4))
#define EVENT6(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, t6, f6, text)                     \
    CASE(name, V(t1, 0), V(t2, 1), V(t3, 2), V(t4, 3), V(t5, 4), V(t6, 5))
#define EVENT7(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, t6, f6, t7, f7, text)             \
    CASE(name, V(t1, 0), V(t2, 1), V(t3, 2), V(t4, 3), V(t5, 4), V(t6, 5), V(t7, 6))
#define EVENT_VAR(name, id, text)
#include "../../tracing/events.def"
    }
    return 0;
}

void emitter_subcall(uint64_t op, const uint64_t args[6])
{
    trace_subcall(op, args);
}

void emitter_iret(void)
{
    trace_iret();
}

void emitter_runstate(int from, int to)
{
    some_vcpu.runstate.state = from;
    trace_runstate(&some_vcpu, to);
}
