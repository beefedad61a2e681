/* SPDX-License-Identifier: MIT */
#include "catalogue.h"

#include <string.h>

#include "names.h"
#include "public/radon.h"

const struct trace_type_info trace_types[TRACE_TYPES] = {
#define TRACE_TYPE(name, representation, show) { #name, sizeof(representation) / 4, TRACE_SHOW_##show },
#include "../types.def"
#undef TRACE_TYPE
};

/* What a field adds to the number of words and of fields. */
enum {
#define TRACE_TYPE(name, representation, show) WORDS_##name = sizeof(representation) / 4,
#include "../types.def"
#undef TRACE_TYPE
};

enum {
#define FIELD(type, field) +WORDS_##type
#define EVENT(name, id, fields, text) WORDS_OF_##name = 0 fields,
#define EVENT_VAR(name, id, text)
#include "../events.def"
};

enum {
#define FIELD(type, field) +1
#define EVENT(name, id, fields, text) FIELDS_OF_##name = 0 fields,
#define EVENT_VAR(name, id, text)
#include "../events.def"
};

const struct trace_event_info trace_events[TRACE_EVENTS] = {
#define FIELD(type, field) { #field, TRACE_TYPE_##type },
#define EVENT(name, id, fields, text)                                                              \
    { #name, text, id, WORDS_OF_##name, FIELDS_OF_##name, { fields } },
#define EVENT_VAR(name, id, text) { #name, text, id, 0, 0, { { 0 } } },
#include "../events.def"
};

/* ------------------------------------------------------------------ events */

/* The parameters in a runstate change's number: old state in bits 8-9, new in 4-5. */
#define RUNSTATE_PARAMETERS 0x330u

int trace_event_find(uint32_t event)
{
    if ((event & ~RUNSTATE_PARAMETERS) == TRC_SCHED_RUNSTATE_CHANGE)
        return TRACE_EV_runstate_change;
    switch (event) {
#define KNOWN(name, id)                                                                            \
    case id:                                                                                       \
        return TRACE_EV_##name;
#define EVENT(name, id, fields, text) KNOWN(name, id)
#define EVENT_VAR(name, id, text) KNOWN(name, id)
#include "../events.def"
    }
    return -1;
}

const char *trace_event_label(unsigned int ev, char buf[TRACE_NAME_MAX])
{
    const char *name = trace_event_labels[ev] ? trace_event_labels[ev] : trace_events[ev].name;
    char *underline;

    snprintf(buf, TRACE_NAME_MAX, "%s", name);
    underline = trace_event_labels[ev] ? NULL : strchr(buf, '_');
    if (underline)
        *underline = ':';
    return buf;
}

/* `name` is `whole`, or the part of it before a colon. */
static bool names_it(const char *name, const char *whole)
{
    size_t n = strlen(name);

    return !strncmp(name, whole, n) && (!whole[n] || whole[n] == ':');
}

bool trace_events_named(const char *name, uint64_t *bits)
{
    char label[TRACE_NAME_MAX];
    bool any = false;

    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        if (!strcmp(name, "all") || names_it(name, trace_event_label(ev, label))) {
            bits[ev / 64] |= UINT64_C(1) << ev % 64;
            any = true;
        }
    for (unsigned int row = 0; !any && row < TRACE_ROW_EVENT; row++)
        if (!strcmp(name, trace_row_name(row, label))) {
            int ev = trace_row_event(row);

            bits[ev / 64] |= UINT64_C(1) << ev % 64;
            any = true;
        }
    return any;
}

/* ------------------------------------------------------------------ rows */

static unsigned int call_row(unsigned int first, uint32_t nr, bool has_op, uint32_t number)
{
    int op = has_op ? trace_op_find(nr, number) : -1;

    if (op >= 0)
        return first + TRACE_HYPERCALLS + 1 + (unsigned int)op;
    return first + (nr < TRACE_HYPERCALLS ? nr : TRACE_HYPERCALLS);
}

static unsigned int hypercall_row(unsigned int first, const struct trace_record *rec)
{
    uint32_t nr, arg0;
    bool has_op;

    if (rec->words < 1)
        return TRACE_ROW_MALFORMED;
    nr = rec->data[0] & ~(uint32_t)TRC_PV_HYPERCALL_V2_ARG_MASK;
    arg0 = rec->data[0] >> 20 & 3;
    has_op = nr < TRACE_HYPERCALLS && trace_calls[nr].where == FIRST && arg0 && rec->words > arg0;
    return call_row(first, nr, has_op, has_op ? rec->data[1] & trace_calls[nr].mask : 0);
}

unsigned int trace_row_of(const struct trace_record *rec)
{
    int ev = trace_event_find(rec->event);
    uint32_t vector;

    if (ev < 0)
        return TRACE_ROW_UNKNOWN;
    if (rec->words < trace_events[ev].words)
        return TRACE_ROW_MALFORMED;
    switch (ev) {
    case TRACE_EV_pv_hypercall:
        return hypercall_row(TRACE_ROW_HYPERCALL, rec);
    case TRACE_EV_pv_subcall:
        return hypercall_row(TRACE_ROW_SUBCALL, rec);
    case TRACE_EV_operation:
        return call_row(TRACE_ROW_OPERATION, rec->data[0], true, rec->data[1]);
    case TRACE_EV_pv_trap:
        vector = rec->data[2] & 0x7fff;
        return TRACE_ROW_TRAP + (vector < TRACE_VECTORS ? vector : TRACE_VECTORS);
    case TRACE_EV_pv_page_fault:
        return TRACE_ROW_TRAP + 14;
    case TRACE_EV_runstate_change:
        return rec->words ? TRACE_ROW_RUNSTATE + (rec->event >> 4 & 3) : TRACE_ROW_MALFORMED;
    case TRACE_EV_lost_records:
        if (rec->words < 4)
            return TRACE_ROW_MALFORMED;
        break;
    }
    return TRACE_ROW_EVENT + (unsigned int)ev;
}

int trace_row_event(unsigned int row)
{
    if (row < TRACE_ROW_SUBCALL)
        return TRACE_EV_pv_hypercall;
    if (row < TRACE_ROW_OPERATION)
        return TRACE_EV_pv_subcall;
    if (row < TRACE_ROW_TRAP)
        return TRACE_EV_operation;
    if (row < TRACE_ROW_RUNSTATE)
        return row == TRACE_ROW_TRAP + 14 ? TRACE_EV_pv_page_fault : TRACE_EV_pv_trap;
    if (row < TRACE_ROW_EVENT)
        return TRACE_EV_runstate_change;
    return row < TRACE_ROW_UNKNOWN ? (int)(row - TRACE_ROW_EVENT) : -1;
}

/* ------------------------------------------------------------------ names of rows */

/* kind:name, or kind:number where there is no name, or kind:other for the row behind `count`. */
static void name_of(char *buf, const char *kind, const char *name, unsigned int nr,
                    unsigned int count)
{
    if (nr >= count)
        snprintf(buf, TRACE_NAME_MAX, "%s:other", kind);
    else if (name)
        snprintf(buf, TRACE_NAME_MAX, "%s:%s", kind, name);
    else
        snprintf(buf, TRACE_NAME_MAX, "%s:%u", kind, nr);
}

/* n: counted from the first row of calls of this kind */
static void call_name(char *buf, const char *kind, unsigned int n)
{
    if (n <= TRACE_HYPERCALLS) {
        name_of(buf, kind, n < TRACE_HYPERCALLS ? trace_calls[n].name : NULL, n, TRACE_HYPERCALLS);
    } else {
        const struct trace_op *op = &trace_ops[n - TRACE_HYPERCALLS - 1];
        const char *call = trace_calls[op->call].name;

        if (call)
            snprintf(buf, TRACE_NAME_MAX, "%s:%s.%s", kind, call, op->name);
        else
            snprintf(buf, TRACE_NAME_MAX, "%s:%u.%s", kind, op->call, op->name);
    }
}

const char *trace_row_name(unsigned int row, char buf[TRACE_NAME_MAX])
{
    unsigned int n;

    if (row < TRACE_ROW_SUBCALL) {
        call_name(buf, "hypercall", row - TRACE_ROW_HYPERCALL);
    } else if (row < TRACE_ROW_OPERATION) {
        call_name(buf, "subcall", row - TRACE_ROW_SUBCALL);
    } else if (row < TRACE_ROW_TRAP) {
        call_name(buf, "operation", row - TRACE_ROW_OPERATION);
    } else if (row < TRACE_ROW_RUNSTATE) {
        n = row - TRACE_ROW_TRAP;
        name_of(buf, "trap", n < TRACE_VECTORS ? trace_vector_names[n] : NULL, n, TRACE_VECTORS);
    } else if (row < TRACE_ROW_EVENT) {
        n = row - TRACE_ROW_RUNSTATE;
        name_of(buf, "runstate", trace_runstate_names[n], n, TRACE_RUNSTATES);
    } else if (row < TRACE_ROW_UNKNOWN) {
        trace_event_label(row - TRACE_ROW_EVENT, buf);
    } else {
        name_of(buf, "event", row == TRACE_ROW_UNKNOWN ? "unknown" : "malformed", 0, 1);
    }
    return buf;
}

/* Events whose records are counted in rows of other kinds, or are not given by the reader. */
static bool has_row(unsigned int ev)
{
    return ev != TRACE_EV_pv_hypercall && ev != TRACE_EV_pv_subcall && ev != TRACE_EV_pv_trap &&
           ev != TRACE_EV_pv_page_fault && ev != TRACE_EV_runstate_change &&
           ev != TRACE_EV_operation && ev != TRACE_EV_wrap_buffer;
}

static const char *call_text(const char *what, unsigned int n, bool in_memory, char buf[192])
{
    const struct trace_call *call;
    int len;

    if (n > TRACE_HYPERCALLS) {
        const struct trace_op *op = &trace_ops[n - TRACE_HYPERCALLS - 1];

        if (in_memory != (trace_calls[op->call].where == IN_MEMORY))
            return NULL;
        snprintf(buf, 192, "%s %u, operation %u", what, op->call, op->number);
        return buf;
    }
    if (in_memory || n == TRACE_HYPERCALLS || !trace_calls[n].name)
        return NULL;
    call = &trace_calls[n];
    len = snprintf(buf, 192, "%s %u(", what, n);
    for (unsigned int i = 0; i < call->nr_args; i++)
        len += snprintf(buf + len, 192 - (size_t)len, "%s%s", i ? ", " : "",
                        call->args[i] ? call->args[i] : "?");
    snprintf(buf + len, 192 - (size_t)len, ")");
    return buf;
}

const char *trace_row_text(unsigned int row, char buf[192])
{
    unsigned int n;

    if (row < TRACE_ROW_SUBCALL)
        return call_text("hypercall", row - TRACE_ROW_HYPERCALL, false, buf);
    if (row < TRACE_ROW_OPERATION)
        return call_text("in a multicall: hypercall", row - TRACE_ROW_SUBCALL, false, buf);
    if (row < TRACE_ROW_TRAP)
        return call_text("in memory: hypercall", row - TRACE_ROW_OPERATION, true, buf);
    if (row < TRACE_ROW_RUNSTATE) {
        n = row - TRACE_ROW_TRAP;
        if (n >= TRACE_VECTORS || !trace_vector_names[n])
            return NULL;
        snprintf(buf, 192, "vector %u, given to the guest kernel", n);
    } else if (row < TRACE_ROW_EVENT) {
        snprintf(buf, 192, "a vCPU becomes %s", trace_runstate_names[row - TRACE_ROW_RUNSTATE]);
    } else if (row < TRACE_ROW_UNKNOWN) {
        n = row - TRACE_ROW_EVENT;
        if (!has_row(n))
            return NULL;
        snprintf(buf, 192, "%s", trace_events[n].text);
    } else {
        return NULL;
    }
    return buf;
}
