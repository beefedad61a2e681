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
#include "hv/types.h"
#include "hv/xenpub.h"
#include "public/radon.h"

#include <xen/sysctl.h>
#include <xen/trace.h>

/* Classes and subclasses wanted (public/trace.h TRC_*), 0 while tracing is off. */
extern uint32_t trace_mask;

static inline bool trace_wanted(uint32_t event)
{
    uint32_t both = READ_ONCE(trace_mask) & event;

    return unlikely((both & 0x0fff0000) && (both & 0xf000));
}

/* Record on this CPU: at most TRACE_EXTRA_MAX words. */
void trace_put(uint32_t event, const void *data, unsigned int words);

#define TRACE_TYPE(name, representation, show) typedef representation trace_##name;
#include "../../../tracing/types.def"
#undef TRACE_TYPE

#define TRACE_EMIT(name, id, ...)                                                                  \
    do {                                                                                           \
        struct trace_data_##name data = { __VA_ARGS__ };                                           \
                                                                                                   \
        if (trace_wanted(id))                                                                      \
            trace_put(id, &data, sizeof(data) / 4);                                                \
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

/* A hypercall (TRC_PV_HYPERCALL_V2) or an entry of a multicall (TRC_PV_HYPERCALL_SUBCALL). */
void trace_hypercall(uint32_t event, unsigned long op, const uint64_t args[6]);
/* v's runstate is about to become `state`; v->runstate.state is what it was. */
void trace_runstate(const struct vcpu *v, int state);

/*
 * v is about to run on this CPU: whether it takes the full entry paths, which record, follows what is
 * wanted now.
 */
void trace_choose_paths(struct vcpu *v);

static inline void trace_vcpu_runs(struct vcpu *v)
{
    if (unlikely(READ_ONCE(trace_mask) || (v->hot->flags & HOT_TRACE)))
        trace_choose_paths(v);
}

/* Rings are to be told of to domain 0 (bit mask of CPUs). */
extern uint64_t trace_notify_cpus;
/* Tell it; no lock is held. */
void trace_notify(void);

static inline void trace_notify_if_due(void)
{
    if (unlikely(READ_ONCE(trace_notify_cpus)))
        trace_notify();
}

/* XEN_SYSCTL_tbuf_op; 0 or -XEN_E*. */
int trace_sysctl(struct xen_sysctl_tbuf_op *op);

#endif
