/* SPDX-License-Identifier: MIT */
/* Radon's trace rings: what is asked for, how they are mapped, and what is in them. */
#ifndef TEST_TRACE_OWN_RINGS_H
#define TEST_TRACE_OWN_RINGS_H

#define __XEN_TOOLS__ 1
#include <stdint.h>

#include <xen/sysctl.h>
#include <xen/trace.h>
#undef __XEN_INTERFACE_VERSION__

#include "ktest.h"
#include "public/radon.h"
#include "trace_ring.h"

#define RING_AT 0x10000200000UL
#define PAGES 4u /* of the ring, where nothing else is said */
#define MOST_PAGES 16u

enum event {
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "../../../tracing/events.def"
    NR_EVENTS
};

/* What was found in a row of records. */
extern struct seen {
    unsigned int versions, exits, bounces, irets, faults, traps, lost, lost_records, others;
    uint64_t result, bounce_rip, iret_rip, fault_address, last_tsc;
    uint32_t bounce_number;
    unsigned int records, of[NR_EVENTS];
    uint64_t words[NR_EVENTS][4]; /* data of the last of each */
} seen;

extern struct radon_trace_control wanted; /* what start() asks for */
extern struct t_buf *ring;

long radon(unsigned int cmd, void *arg);
void want(enum event event);
void want_nothing(void);
long start(uint32_t mode);
struct radon_trace_state state(void);
/* So many hypercalls that are counted. */
void versions(unsigned int n);

void map_ring(uint32_t pages);
void unmap_ring(uint32_t pages);
/* What the ring has: noted in `seen`, which starts anew. */
void drain(void);
/* What the flight recorder keeps of this CPU, read in pieces: noted in `seen`; bytes. */
uint64_t read_kept(uint64_t piece);

#endif
