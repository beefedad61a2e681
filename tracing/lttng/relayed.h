/* SPDX-License-Identifier: MIT */
/*
 * Between radon-relay and the LTTng-UST provider, a shared object that it loads: one call a record.
 */
#ifndef TRACING_LTTNG_RELAYED_H
#define TRACING_LTTNG_RELAYED_H

#include "../reader/catalogue.h"

/* A record and what its event has besides. */
struct relayed {
    const struct trace_record *rec;
    unsigned int event;                 /* enum trace_event_index; TRACE_EVENTS: none of them */
    int domain, vcpu;                   /* who ran, -1: not known */
    uint64_t time_ns;                   /* CLOCK_MONOTONIC; 0: when it is relayed */
    char name[TRACE_NAME_MAX];          /* of its row */
    unsigned int nr;
    struct trace_value value[TRACE_VALUES_MAX];
    uint64_t args[TRACE_VALUES_MAX];    /* the values alone, or of an unknown event its words */
    char text[TRACE_VALUES_MAX][TRACE_VALUE_MAX];   /* of values that have names */
};

#define RADON_LTTNG_OBJECT "libradon-lttng.so"
#define RADON_LTTNG_EMIT "radon_lttng_emit"
/* Emit it as an event of provider "radon", at the time that it says; times never go back. */
typedef void radon_lttng_emit_fn(const struct relayed *r);

/* Called once, before all: nonzero when LTTng cannot be given a clock. */
#define RADON_LTTNG_INIT "radon_lttng_init"
typedef int radon_lttng_init_fn(void);

#endif
