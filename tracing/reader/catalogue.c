/* SPDX-License-Identifier: MIT */
#include "catalogue.h"

#include <inttypes.h>
#include <string.h>

/* Words that a field takes. */
#define WORDS_u32 1
#define WORDS_u64 2

struct field {
    const char *name;
    unsigned int words;
};

static const struct event {
    const char *name, *text;
    struct field fields[3];             /* none: written by hand */
} events[TRACE_EVENTS] = {
#define FIELD(type, field) { #field, WORDS_##type }
#define EVENT1(name, id, t1, f1, text) { #name, text, { FIELD(t1, f1) } },
#define EVENT2(name, id, t1, f1, t2, f2, text) { #name, text, { FIELD(t1, f1), FIELD(t2, f2) } },
#define EVENT3(name, id, t1, f1, t2, f2, t3, f3, text)                                             \
    { #name, text, { FIELD(t1, f1), FIELD(t2, f2), FIELD(t3, f3) } },
#define EVENT_VAR(name, id, text) { #name, text, { { 0 } } },
#include "../events.def"
#undef EVENT1
#undef EVENT2
#undef EVENT3
#undef EVENT_VAR
};

static const struct {
    const char *name;
    unsigned int args;
} hypercalls[TRACE_HYPERCALLS] = {
#define HYPERCALL(nr, name, handler, nargs, doc) [nr] = { #name, nargs },
#include "public/hypercalls.def"
#undef HYPERCALL
};

/* AMD APM volume 2, table 8-1; vectors without a name there are reserved. */
static const char *const vectors[TRACE_VECTORS] = {
    [0] = "divide_error", [1] = "debug", [2] = "nmi", [3] = "breakpoint", [4] = "overflow",
    [5] = "bound_range", [6] = "invalid_opcode", [7] = "device_not_available",
    [8] = "double_fault", [9] = "coprocessor_overrun", [10] = "invalid_tss",
    [11] = "segment_not_present", [12] = "stack", [13] = "general_protection",
    [14] = "page_fault", [16] = "x87_error", [17] = "alignment_check", [18] = "machine_check",
    [19] = "simd_error", [21] = "control_protection",
};

static const char *const runstates[TRACE_RUNSTATES] = { "running", "runnable", "blocked",
                                                        "offline" };

/* Events that a report calls by another name than the catalogue. */
static const char *const event_names[TRACE_EVENTS] = {
    [TRACE_EV_pv_forced_invalid_op] = "emulation:forced_invalid_op",
    [TRACE_EV_pv_emulate_privop] = "emulation:privop",
    [TRACE_EV_pv_ptwr_emulation] = "emulation:ptwr",
    [TRACE_EV_lost_records] = "trace:lost_records",
};

/* ------------------------------------------------------------------ what a record is */

/* The parameters in a runstate change's number: old state in bits 8-9, new in 4-5. */
#define RUNSTATE_PARAMETERS 0x330u

static int event_index(uint32_t event)
{
    if ((event & ~RUNSTATE_PARAMETERS) == TRC_SCHED_RUNSTATE_CHANGE)
        return TRACE_EV_runstate_change;
    switch (event) {
#define KNOWN(name, id)                                                                            \
    case id:                                                                                       \
        return TRACE_EV_##name;
#define EVENT1(name, id, t1, f1, text) KNOWN(name, id)
#define EVENT2(name, id, t1, f1, t2, f2, text) KNOWN(name, id)
#define EVENT3(name, id, t1, f1, t2, f2, t3, f3, text) KNOWN(name, id)
#define EVENT_VAR(name, id, text) KNOWN(name, id)
#include "../events.def"
#undef EVENT1
#undef EVENT2
#undef EVENT3
#undef EVENT_VAR
    }
    return -1;
}

bool trace_runstate_of(const struct trace_record *rec, struct trace_runstate *change)
{
    if ((rec->event & ~RUNSTATE_PARAMETERS) != TRC_SCHED_RUNSTATE_CHANGE || rec->words < 1)
        return false;
    change->from = rec->event >> 8 & 3;
    change->to = rec->event >> 4 & 3;
    change->vcpu = (uint16_t)rec->data[0];
    change->domain = (uint16_t)(rec->data[0] >> 16);
    return true;
}

bool trace_lost_of(const struct trace_record *rec, struct trace_lost *lost)
{
    if (rec->event != TRC_LOST_RECORDS || rec->words < 4)
        return false;
    lost->count = rec->data[0];
    lost->domain = (uint16_t)rec->data[1];
    lost->vcpu = (uint16_t)(rec->data[1] >> 16);
    lost->since = rec->data[2] | (uint64_t)rec->data[3] << 32;
    return true;
}

static unsigned int call_row(unsigned int first, const struct trace_record *rec)
{
    uint32_t nr;

    if (rec->words < 1)
        return TRACE_ROW_MALFORMED;
    nr = rec->data[0] & ~(uint32_t)TRC_PV_HYPERCALL_V2_ARG_MASK;
    return first + (nr < TRACE_HYPERCALLS ? nr : TRACE_HYPERCALLS);
}

static unsigned int trap_row(const struct trace_record *rec)
{
    uint32_t vector;

    if (rec->words < 3)
        return TRACE_ROW_MALFORMED;
    vector = rec->data[2] & 0x7fff;
    return TRACE_ROW_TRAP + (vector < TRACE_VECTORS ? vector : TRACE_VECTORS);
}

static unsigned int words_needed(const struct event *e)
{
    return e->fields[0].words + e->fields[1].words + e->fields[2].words;
}

unsigned int trace_row_of(const struct trace_record *rec)
{
    int ev = event_index(rec->event);

    if (ev < 0)
        return TRACE_ROW_UNKNOWN;
    if (rec->words < words_needed(&events[ev]))
        return TRACE_ROW_MALFORMED;
    switch (ev) {
    case TRACE_EV_pv_hypercall:
        return call_row(TRACE_ROW_HYPERCALL, rec);
    case TRACE_EV_pv_subcall:
        return call_row(TRACE_ROW_SUBCALL, rec);
    case TRACE_EV_pv_trap:
        return trap_row(rec);
    case TRACE_EV_pv_page_fault:
        return TRACE_ROW_TRAP + 14;
    case TRACE_EV_runstate_change:
        return rec->words ? TRACE_ROW_RUNSTATE + (rec->event >> 4 & 3) : TRACE_ROW_MALFORMED;
    case TRACE_EV_lost_records:
        if (rec->words < 4)
            return TRACE_ROW_MALFORMED;
        return TRACE_ROW_EVENT + (unsigned int)ev;
    default:
        return TRACE_ROW_EVENT + (unsigned int)ev;
    }
}

/* ------------------------------------------------------------------ names */

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

static const char *hypercall_name(unsigned int nr)
{
    return nr < TRACE_HYPERCALLS ? hypercalls[nr].name : NULL;
}

const char *trace_row_name(unsigned int row, char buf[TRACE_NAME_MAX])
{
    unsigned int n;

    if (row < TRACE_ROW_SUBCALL) {
        n = row - TRACE_ROW_HYPERCALL;
        name_of(buf, "hypercall", hypercall_name(n), n, TRACE_HYPERCALLS);
    } else if (row < TRACE_ROW_TRAP) {
        n = row - TRACE_ROW_SUBCALL;
        name_of(buf, "subcall", hypercall_name(n), n, TRACE_HYPERCALLS);
    } else if (row < TRACE_ROW_RUNSTATE) {
        n = row - TRACE_ROW_TRAP;
        name_of(buf, "trap", n < TRACE_VECTORS ? vectors[n] : NULL, n, TRACE_VECTORS);
    } else if (row < TRACE_ROW_EVENT) {
        n = row - TRACE_ROW_RUNSTATE;
        name_of(buf, "runstate", runstates[n], n, TRACE_RUNSTATES);
    } else if (row < TRACE_ROW_UNKNOWN) {
        n = row - TRACE_ROW_EVENT;
        if (event_names[n])
            snprintf(buf, TRACE_NAME_MAX, "%s", event_names[n]);
        else
            name_of(buf, "event", events[n].name, n, TRACE_EVENTS);
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
           ev != TRACE_EV_wrap_buffer;
}

const char *trace_row_text(unsigned int row, char buf[128])
{
    unsigned int n;

    if (row < TRACE_ROW_TRAP) {
        bool sub = row >= TRACE_ROW_SUBCALL;

        n = row - (unsigned int)(sub ? TRACE_ROW_SUBCALL : TRACE_ROW_HYPERCALL);
        if (!hypercall_name(n))
            return NULL;
        snprintf(buf, 128, "%s %u, arguments: %u", sub ? "in a multicall: number" : "number", n,
                 hypercalls[n].args);
    } else if (row < TRACE_ROW_RUNSTATE) {
        n = row - TRACE_ROW_TRAP;
        if (n >= TRACE_VECTORS || !vectors[n])
            return NULL;
        snprintf(buf, 128, "vector %u, given to the guest kernel", n);
    } else if (row < TRACE_ROW_EVENT) {
        snprintf(buf, 128, "a vCPU becomes %s", runstates[row - TRACE_ROW_RUNSTATE]);
    } else if (row < TRACE_ROW_UNKNOWN) {
        n = row - TRACE_ROW_EVENT;
        if (!has_row(n))
            return NULL;
        snprintf(buf, 128, "%s", events[n].text);
    } else {
        return NULL;
    }
    return buf;
}

/* ------------------------------------------------------------------ one record, for people */

static void print_words(FILE *out, const struct trace_record *rec)
{
    for (unsigned int i = 0; i < rec->words; i++)
        fprintf(out, " %08" PRIx32, rec->data[i]);
}

static void print_fields(FILE *out, const struct event *e, const struct trace_record *rec)
{
    unsigned int at = 0;

    for (const struct field *f = e->fields; f < e->fields + 3 && f->name; f++) {
        uint64_t value = rec->data[at];

        if (f->words == 2)
            value |= (uint64_t)rec->data[at + 1] << 32;
        fprintf(out, " %s=0x%" PRIx64, f->name, value);
        at += f->words;
    }
}

/* Bits 20-31 of the first word say which arguments follow, in one word or two (public/trace.h). */
static void print_call(FILE *out, const struct trace_record *rec)
{
    unsigned int at = 1;

    for (unsigned int i = 0; i < 6; i++) {
        unsigned int words = rec->data[0] >> (20 + 2 * i) & 3;
        uint64_t value;

        if (!words)
            continue;
        if (words == 3 || at + words > rec->words) {
            fprintf(out, " a%u=?", i);
            return;
        }
        value = rec->data[at];
        if (words == 2)
            value |= (uint64_t)rec->data[at + 1] << 32;
        fprintf(out, " a%u=0x%" PRIx64, i, value);
        at += words;
    }
}

void trace_print_record(FILE *out, const struct trace_record *rec)
{
    unsigned int row = trace_row_of(rec);
    struct trace_runstate change;
    struct trace_lost lost;
    char name[TRACE_NAME_MAX];

    trace_row_name(row, name);
    if (row >= TRACE_ROW_UNKNOWN) {
        fprintf(out, "%s event=0x%07" PRIx32 " data:", name, rec->event);
        print_words(out, rec);
    } else if (trace_runstate_of(rec, &change)) {
        fprintf(out, "%s d%uv%u was=%s", name, change.domain, change.vcpu, runstates[change.from]);
    } else if (trace_lost_of(rec, &lost)) {
        fprintf(out, "%s count=%" PRIu32 " d%uv%u since=%" PRIu64, name, lost.count, lost.domain,
                lost.vcpu, lost.since);
    } else if (row < TRACE_ROW_TRAP) {
        fputs(name, out);
        print_call(out, rec);
    } else {
        fputs(name, out);
        print_fields(out, &events[event_index(rec->event)], rec);
    }
}
