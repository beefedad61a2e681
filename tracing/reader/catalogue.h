/* SPDX-License-Identifier: MIT */
/*
 * What records are and say, out of tracing/events.def, types.def and the catalogues of hypercalls.
 *
 * A *row* is what a report has one line of: a hypercall or an operation of one, an entry of a
 * multicall, a trap, a runstate, another event.
 */
#ifndef TRACING_CATALOGUE_H
#define TRACING_CATALOGUE_H

#include <stdio.h>

#include "calls.h"
#include "reader.h"

/* ------------------------------------------------------------------ events */

/* The places in events.def: the bits of struct radon_trace_control.events. */
enum trace_event_index {
#define EVENT(name, id, fields, text) TRACE_EV_##name,
#define EVENT_VAR(name, id, text) TRACE_EV_##name,
#include "../events.def"
    TRACE_EVENTS
};

enum trace_type {
#define TRACE_TYPE(name, representation, show) TRACE_TYPE_##name,
#include "../types.def"
#undef TRACE_TYPE
    TRACE_TYPES
};

/* How a value is written (types.def); from TRACE_SHOW_NAMES_HYPERCALL on as a name. */
enum trace_show {
    TRACE_SHOW_DEC, TRACE_SHOW_HEX, TRACE_SHOW_SIGNED, TRACE_SHOW_WHO,
    TRACE_SHOW_NAMES_HYPERCALL, TRACE_SHOW_NAMES_PAGE_USE, TRACE_SHOW_NAMES_FAULT, TRACE_SHOW_NAMES_CPU_MODE,
    TRACE_SHOW_NAMES_SHUTDOWN, TRACE_SHOW_NAMES_ATTACH, TRACE_SHOW_NAMES_FAST_STATE,
    TRACE_SHOW_NAMES_FAST_REASON, TRACE_SHOW_NAMES_FAST_PASS, TRACE_SHOW_NAMES_VERDICT,
    TRACE_SHOW_NAMES_CAPTURE, TRACE_SHOW_NAMES_DECISION, TRACE_SHOW_NAMES_RUNSTATE,
    TRACE_SHOWS
};

struct trace_type_info {
    const char *name;
    unsigned int words;
    enum trace_show show;
};
extern const struct trace_type_info trace_types[TRACE_TYPES];

#define TRACE_FIELDS_MAX 7

struct trace_field {
    const char *name;
    enum trace_type type;
};

struct trace_event_info {
    const char *name;                   /* in events.def */
    const char *text;
    uint32_t id;
    unsigned int words, nr_fields;      /* 0: EVENT_VAR */
    struct trace_field fields[TRACE_FIELDS_MAX];
};
extern const struct trace_event_info trace_events[TRACE_EVENTS];

/* The event of a record's number, or -1. */
int trace_event_find(uint32_t event);

#define TRACE_NAME_MAX 96
/* What people call an event, such as grant:map, written to buf and returned. */
const char *trace_event_label(unsigned int ev, char buf[TRACE_NAME_MAX]);
/*
 * The events that a name means: that of one event (grant:map), of a kind of them (grant, trap,
 * hypercall), of a row that is a part of one (hypercall:iret: pv_hypercall), or "all".  Their bits are
 * set in `bits`, which has TRACE_EVENTS of them; false when it means none.
 */
bool trace_events_named(const char *name, uint64_t *bits);

/* ------------------------------------------------------------------ values */

#define TRACE_VALUES_MAX 8

struct trace_value {
    const char *name;
    enum trace_show show;
    bool wide;                          /* 64 bits */
    uint64_t value;                     /* SIGNED ones are extended */
};

/*
 * The values that rec has, in its order: fields, or of hypercalls the arguments that were recorded,
 * or old state and vCPU of a change of runstate.  0 for records that are unknown or malformed.
 */
unsigned int trace_values_of(const struct trace_record *rec,
                             struct trace_value values[TRACE_VALUES_MAX]);

#define TRACE_VALUE_MAX 40
/* A value for people, written to buf and returned. */
const char *trace_value_text(const struct trace_value *v, char buf[TRACE_VALUE_MAX]);
/* The name that a value has where it is shown as one, or NULL. */
const char *trace_value_name(enum trace_show show, uint64_t value);

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

/* ------------------------------------------------------------------ rows */

#define TRACE_VECTORS 32
#define TRACE_RUNSTATES 4       /* RUNSTATE_* of public/vcpu.h */

/* Of each kind of call: by number, the one behind for all others; then by operation (trace_ops). */
#define TRACE_CALL_ROWS (TRACE_HYPERCALLS + 1 + TRACE_OPS)

enum trace_row {
    TRACE_ROW_HYPERCALL = 0,
    TRACE_ROW_SUBCALL = TRACE_ROW_HYPERCALL + TRACE_CALL_ROWS,
    TRACE_ROW_OPERATION = TRACE_ROW_SUBCALL + TRACE_CALL_ROWS,
    TRACE_ROW_TRAP = TRACE_ROW_OPERATION + TRACE_CALL_ROWS,
    TRACE_ROW_RUNSTATE = TRACE_ROW_TRAP + TRACE_VECTORS + 1,
    TRACE_ROW_EVENT = TRACE_ROW_RUNSTATE + TRACE_RUNSTATES,
    TRACE_ROW_UNKNOWN = TRACE_ROW_EVENT + TRACE_EVENTS,
    TRACE_ROW_MALFORMED,        /* a known event without the words that it needs */
    TRACE_ROWS
};

/* The row that rec belongs to; a change of runstate belongs to the new state's. */
unsigned int trace_row_of(const struct trace_record *rec);
/* The event whose records are counted in a row, or -1 (unknown, malformed). */
int trace_row_event(unsigned int row);

/* Its name, such as hypercall:mmu_update or hypercall:sched_op.block, written to buf and returned. */
const char *trace_row_name(unsigned int row, char buf[TRACE_NAME_MAX]);
/* What it is, for people; NULL for rows that stand for everything without a name. */
const char *trace_row_text(unsigned int row, char buf[192]);

/* One line without its end: name and arguments. */
void trace_print_record(FILE *out, const struct trace_record *rec);

#endif
