/* SPDX-License-Identifier: MIT */
/*
 * libradon-lttng.so: the tracepoints, and the clock that gives them the time of the record.
 *
 * LTTng stamps an event when it is emitted.  A relayed one happened before; so this process reads
 * LTTng's clock, CLOCK_MONOTONIC, through a function that says when the record was made.
 *
 * A session's buffers begin when they are made, and nothing in them may be older (`floor_ns`): what
 * happened before has that time.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "events.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <lttng/ust-clock.h>

static uint64_t event_ns;       /* of the event that is emitted now; 0: none */
static uint64_t floor_ns;       /* the last event's time, or when the session's buffers were there */
static bool session;            /* there is one that wants events */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t read_clock(void)
{
    uint64_t ns = __atomic_load_n(&event_ns, __ATOMIC_RELAXED);

    return ns ? ns : now_ns();
}

/* The rest as LTTng's own clock, which it stays for all others. */
static uint64_t frequency(void)
{
    return 1000000000;
}

static const char *name(void)
{
    return "monotonic";
}

static const char *description(void)
{
    return "Monotonic Clock";
}

static bool wanted(unsigned int event)
{
    switch (event) {
#define EVENT(name, id, fields, text)                                                              \
    case TRACE_EV_##name:                                                                          \
        return lttng_ust_tracepoint_enabled(radon, name);
#define EVENT_VAR(name, id, text) EVENT(name, id, , text)
#include "../events.def"
    }
    return lttng_ust_tracepoint_enabled(radon, unknown);
}

int radon_lttng_init(void);
int radon_lttng_init(void)
{
    int error = lttng_ust_trace_clock_set_read64_cb(read_clock);

    for (unsigned int ev = 0; ev <= TRACE_EVENTS && !session; ev++)
        session = wanted(ev);
    floor_ns = now_ns();
    if (!error)
        error = lttng_ust_trace_clock_set_freq_cb(frequency);
    if (!error)
        error = lttng_ust_trace_clock_set_name_cb(name);
    if (!error)
        error = lttng_ust_trace_clock_set_description_cb(description);
    return error ? error : lttng_ust_enable_trace_clock_override();
}

void radon_lttng_emit(const struct relayed *r);
void radon_lttng_emit(const struct relayed *r)
{
    if (r->time_ns) {
        if (!session && wanted(r->event)) {
            session = true;
            floor_ns = now_ns();
        }
        floor_ns = r->time_ns > floor_ns ? r->time_ns : floor_ns;
        __atomic_store_n(&event_ns, floor_ns, __ATOMIC_RELAXED);
    }
    switch (r->event) {
#define EVENT(name, id, fields, text)                                                              \
    case TRACE_EV_##name:                                                                          \
        lttng_ust_tracepoint(radon, name, r);                                                      \
        break;
#define EVENT_VAR(name, id, text) EVENT(name, id, , text)
#include "../events.def"
    default:
        lttng_ust_tracepoint(radon, unknown, r);
    }
    __atomic_store_n(&event_ns, 0, __ATOMIC_RELAXED);
}
