/* SPDX-License-Identifier: MIT */
#include "trace_shim.h"

uint8_t trace_on[NR_TRACE_EVENTS] = {
#define EVENT(name, id, fields, text) TRACE_TO_OWN,
#define EVENT_VAR(name, id, text) TRACE_TO_OWN,
#include "../../tracing/events.def"
};

static const uint32_t numbers[NR_TRACE_EVENTS] = {
#define EVENT(name, id, fields, text) id,
#define EVENT_VAR(name, id, text) id,
#include "../../tracing/events.def"
};

unsigned long trace_seen[NR_TRACE_EVENTS];
uint64_t trace_seen_words[NR_TRACE_EVENTS][4];

void trace_emit(unsigned int on, uint32_t head, uint64_t q0, uint64_t q1, uint64_t q2, uint64_t q3)
{
    const uint64_t q[4] = { q0, q1, q2, q3 };

    (void)on;
    for (unsigned int e = 0; e < NR_TRACE_EVENTS; e++) {
        if (numbers[e] != TRC_HD_TO_EVENT(head))
            continue;
        __atomic_add_fetch(&trace_seen[e], 1, __ATOMIC_RELAXED);
        for (unsigned int i = 0; i < 4; i++)
            __atomic_store_n(&trace_seen_words[e][i], q[i], __ATOMIC_RELAXED);
    }
}
