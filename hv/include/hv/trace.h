/* SPDX-License-Identifier: MIT */
/*
 * Tracing: the events of tracing/events.def, recorded in per-CPU rings that domain 0 maps (docs/
 * tracing.md).
 *
 * A tracepoint may stand anywhere but in NMI context: with locks held, in interrupts.  Interrupts are off
 * (they are wherever the hypervisor runs), so each ring has one writer.
 */
#ifndef HV_TRACE_H
#define HV_TRACE_H

#include "hv/domain.h"
#include "hv/trace_ring.h"
#include "hv/types.h"
#include "hv/xenpub.h"
#include "public/radon.h"

#include <xen/sysctl.h>
#include <xen/trace.h>

/* Places of the events in the catalogue. */
enum trace_event {
#define EVENT(name, id, fields, text) TRACE_EV_##name,
#define EVENT_VAR(name, id, text) TRACE_EV_##name,
#include "../../../tracing/events.def"
    NR_TRACE_EVENTS
};

/*
 * Where records of each event go: TRACE_TO_*.  0, as it is for all while tracing is off, is all that
 * a tracepoint asks.  Written by hv/trace/control.c.
 */
extern uint8_t trace_on[NR_TRACE_EVENTS];

static inline bool trace_is_on(enum trace_event event)
{
    return unlikely(READ_ONCE(trace_on[event]));
}

/*
 * Record on this CPU, in the rings that `on` (TRACE_TO_*) says.  head: TRACE_HEAD(event, words).  q: the
 * words of data, two by two, the rest anything.
 */
void trace_emit(unsigned int on, uint32_t head, uint64_t q0, uint64_t q1, uint64_t q2, uint64_t q3);
/* The same of `words` words at `data`, at most TRACE_EXTRA_MAX; `event` has the number, id its place. */
void trace_put(enum trace_event id, uint32_t event, const void *data, unsigned int words);

#define TRACE_TYPE(name, representation, show) typedef representation trace_##name;
#include "../../../tracing/types.def"
#undef TRACE_TYPE

#define TRACE_EMIT(name, id, ...)                                                                  \
    do {                                                                                           \
        if (trace_is_on(TRACE_EV_##name)) {                                                        \
            union {                                                                                \
                uint64_t q[4];                                                                     \
                struct trace_data_##name data;                                                     \
            } u = { .q = { 0 } };                                                                  \
                                                                                                   \
            u.data = (struct trace_data_##name){ __VA_ARGS__ };                                    \
            trace_emit(READ_ONCE(trace_on[TRACE_EV_##name]), TRACE_HEAD(id, sizeof(u.data) / 4),   \
                       u.q[0], u.q[1], u.q[2], u.q[3]);                                            \
        }                                                                                          \
    } while (0)

#define EVENT1(name, id, t1, f1, text)                                                             \
    struct trace_data_##name { trace_##t1 f1; } __packed;                                          \
    static inline void trace_##name(trace_##t1 f1) { TRACE_EMIT(name, id, f1); }
#define EVENT2(name, id, t1, f1, t2, f2, text)                                                     \
    struct trace_data_##name { trace_##t1 f1; trace_##t2 f2; } __packed;                           \
    static inline void trace_##name(trace_##t1 f1, trace_##t2 f2) { TRACE_EMIT(name, id, f1, f2); }
#define EVENT3(name, id, t1, f1, t2, f2, t3, f3, text)                                             \
    struct trace_data_##name { trace_##t1 f1; trace_##t2 f2; trace_##t3 f3; } __packed;            \
    static inline void trace_##name(trace_##t1 f1, trace_##t2 f2, trace_##t3 f3)                   \
    {                                                                                              \
        TRACE_EMIT(name, id, f1, f2, f3);                                                          \
    }
#define EVENT4(name, id, t1, f1, t2, f2, t3, f3, t4, f4, text)                                     \
    struct trace_data_##name {                                                                     \
        trace_##t1 f1; trace_##t2 f2; trace_##t3 f3; trace_##t4 f4;                                \
    } __packed;                                                                                    \
    static inline void trace_##name(trace_##t1 f1, trace_##t2 f2, trace_##t3 f3,                   \
                                    trace_##t4 f4)                                                 \
    {                                                                                              \
        TRACE_EMIT(name, id, f1, f2, f3, f4);                                                      \
    }
#define EVENT5(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, text)                             \
    struct trace_data_##name {                                                                     \
        trace_##t1 f1; trace_##t2 f2; trace_##t3 f3; trace_##t4 f4;                                \
        trace_##t5 f5;                                                                             \
    } __packed;                                                                                    \
    static inline void trace_##name(trace_##t1 f1, trace_##t2 f2, trace_##t3 f3,                   \
                                    trace_##t4 f4, trace_##t5 f5)                                  \
    {                                                                                              \
        TRACE_EMIT(name, id, f1, f2, f3, f4, f5);                                                  \
    }
#define EVENT6(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, t6, f6, text)                     \
    struct trace_data_##name {                                                                     \
        trace_##t1 f1; trace_##t2 f2; trace_##t3 f3; trace_##t4 f4;                                \
        trace_##t5 f5; trace_##t6 f6;                                                              \
    } __packed;                                                                                    \
    static inline void trace_##name(trace_##t1 f1, trace_##t2 f2, trace_##t3 f3,                   \
                                    trace_##t4 f4, trace_##t5 f5, trace_##t6 f6)                   \
    {                                                                                              \
        TRACE_EMIT(name, id, f1, f2, f3, f4, f5, f6);                                              \
    }
#define EVENT7(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, t6, f6, t7, f7, text)             \
    struct trace_data_##name {                                                                     \
        trace_##t1 f1; trace_##t2 f2; trace_##t3 f3; trace_##t4 f4;                                \
        trace_##t5 f5; trace_##t6 f6; trace_##t7 f7;                                               \
    } __packed;                                                                                    \
    static inline void trace_##name(trace_##t1 f1, trace_##t2 f2, trace_##t3 f3,                   \
                                    trace_##t4 f4, trace_##t5 f5, trace_##t6 f6, trace_##t7 f7)    \
    {                                                                                              \
        TRACE_EMIT(name, id, f1, f2, f3, f4, f5, f6, f7);                                          \
    }
#define EVENT_VAR(name, id, text)
#include "../../../tracing/events.def"

/* A vCPU, in fields of type `who`. */
static inline uint32_t trace_vcpu_number(const struct vcpu *v)
{
    return (uint32_t)v->domain->id << 16 | v->id;
}

/* An entry of a multicall. */
void trace_subcall(unsigned long op, const uint64_t args[6]);
/* The iret hypercall of a vCPU that is off the lean path. */
void trace_iret(void);
/* v's runstate is about to become `state`; v->runstate.state is what it was. */
void trace_runstate(const struct vcpu *v, int state);

/*
 * v is about to run on this CPU: whether it takes the full entry paths, which record, follows what is
 * wanted now.
 */
void trace_choose_paths(struct vcpu *v);

extern bool trace_any; /* something of trace_on is not 0 */

static inline void trace_vcpu_runs(struct vcpu *v)
{
    if (unlikely(READ_ONCE(trace_any) || (v->hot->flags & HOT_TRACE)))
        trace_choose_paths(v);
}

/* Rings that are half full: TRACE_TO_*. */
extern uint8_t trace_notify_rings;
/* Tell it; no lock is held. */
void trace_notify(void);

static inline void trace_notify_if_due(void)
{
    if (unlikely(READ_ONCE(trace_notify_rings)))
        trace_notify();
}

/* Option flight=: all events to rings of so many pages, from now on; 0: none. */
void trace_start_flight(uint32_t pages);
/* d crashed, or its kernel says so: a flight recorder may have been asked to stop then. */
void trace_domain_crashed(const struct domain *d);
/* The machine ends by a defect: the flight recorder's newest on the console, if that was asked for. */
void trace_dump(void);

/* XEN_SYSCTL_tbuf_op; 0 or -XEN_E*. */
int trace_sysctl(struct xen_sysctl_tbuf_op *op);

#endif
