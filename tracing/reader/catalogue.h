/* SPDX-License-Identifier: MIT */
/*
 * Names and arguments of records, out of tracing/events.def and hv/include/public/hypercalls.def.
 *
 * A *row* is what a report has one line of: a hypercall, an entry of a multicall, a trap, a kind of
 * emulation, a runstate, another event.
 */
#ifndef TRACING_CATALOGUE_H
#define TRACING_CATALOGUE_H

#include <stdio.h>

#include "reader.h"

enum trace_event_index {
#define EVENT1(name, id, t1, f1, text) TRACE_EV_##name,
#define EVENT2(name, id, t1, f1, t2, f2, text) TRACE_EV_##name,
#define EVENT3(name, id, t1, f1, t2, f2, t3, f3, text) TRACE_EV_##name,
#define EVENT_VAR(name, id, text) TRACE_EV_##name,
#include "../events.def"
#undef EVENT1
#undef EVENT2
#undef EVENT3
#undef EVENT_VAR
    TRACE_EVENTS
};

#define TRACE_HYPERCALLS 64     /* numbers below; the row behind them is for all others */
#define TRACE_VECTORS 32
#define TRACE_RUNSTATES 4       /* RUNSTATE_* of public/vcpu.h */

enum trace_row {
    TRACE_ROW_HYPERCALL = 0,
    TRACE_ROW_SUBCALL = TRACE_ROW_HYPERCALL + TRACE_HYPERCALLS + 1,
    TRACE_ROW_TRAP = TRACE_ROW_SUBCALL + TRACE_HYPERCALLS + 1,
    TRACE_ROW_RUNSTATE = TRACE_ROW_TRAP + TRACE_VECTORS + 1,
    TRACE_ROW_EVENT = TRACE_ROW_RUNSTATE + TRACE_RUNSTATES,
    TRACE_ROW_UNKNOWN = TRACE_ROW_EVENT + TRACE_EVENTS,
    TRACE_ROW_MALFORMED,        /* a known event without the words that it needs */
    TRACE_ROWS
};

/* Old and new state, and whose, of a change of runstate; false when rec is none. */
struct trace_runstate {
    unsigned int from, to;
    uint16_t domain, vcpu;
};
bool trace_runstate_of(const struct trace_record *rec, struct trace_runstate *change);

/* How many records were lost, and who ran when that was noted; false when rec does not say that. */
struct trace_lost {
    uint32_t count;
    uint16_t domain, vcpu;
    uint64_t since;             /* TSC */
};
bool trace_lost_of(const struct trace_record *rec, struct trace_lost *lost);

/* The row that rec belongs to; a change of runstate belongs to the new state's. */
unsigned int trace_row_of(const struct trace_record *rec);

#define TRACE_NAME_MAX 64
/* Its name, such as hypercall:mmu_update, written to buf and returned. */
const char *trace_row_name(unsigned int row, char buf[TRACE_NAME_MAX]);
/* What it is, for people; NULL for rows that stand for everything without a name. */
const char *trace_row_text(unsigned int row, char buf[128]);

/* One line without its end: name and arguments. */
void trace_print_record(FILE *out, const struct trace_record *rec);

#endif
