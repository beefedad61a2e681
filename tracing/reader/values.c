/* SPDX-License-Identifier: MIT */
/* What a record says: its values, and a line of text. */
#include "catalogue.h"

#include <inttypes.h>
#include <string.h>

#include "names.h"

static uint64_t wide(const uint32_t *words)
{
    return words[0] | (uint64_t)words[1] << 32;
}

/* ------------------------------------------------------------------ records of varying size */

#define RUNSTATE_PARAMETERS 0x330u

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
    lost->since = wide(&rec->data[2]);
    return true;
}

static unsigned int runstate_values(const struct trace_runstate *change, struct trace_value *v)
{
    v[0] = (struct trace_value){ "vcpu", TRACE_SHOW_WHO, false,
                                 (uint32_t)change->domain << 16 | change->vcpu };
    v[1] = (struct trace_value){ "was", TRACE_SHOW_NAMES_RUNSTATE, false, change->from };
    return 2;
}

static unsigned int lost_values(const struct trace_lost *lost, struct trace_value *v)
{
    v[0] = (struct trace_value){ "count", TRACE_SHOW_DEC, false, lost->count };
    v[1] = (struct trace_value){ "vcpu", TRACE_SHOW_WHO, false,
                                 (uint32_t)lost->domain << 16 | lost->vcpu };
    v[2] = (struct trace_value){ "since", TRACE_SHOW_DEC, true, lost->since };
    return 3;
}

static const char *const unnamed_args[TRACE_ARGS_MAX] = { "a0", "a1", "a2", "a3", "a4", "a5" };

/* Bits 20-31 of the first word say which arguments follow, in one word or two (public/trace.h). */
static unsigned int call_values(const struct trace_record *rec, struct trace_value *v)
{
    uint32_t nr = rec->data[0] & ~(uint32_t)TRC_PV_HYPERCALL_V2_ARG_MASK;
    unsigned int at = 1, n = 0;

    for (unsigned int i = 0; i < TRACE_ARGS_MAX; i++) {
        unsigned int words = rec->data[0] >> (20 + 2 * i) & 3;
        const char *name = nr < TRACE_HYPERCALLS ? trace_calls[nr].args[i] : NULL;

        if (!words)
            continue;
        if (words == 3 || at + words > rec->words)
            break;
        v[n++] = (struct trace_value){ name ? name : unnamed_args[i], TRACE_SHOW_HEX, true,
                                       words == 2 ? wide(&rec->data[at]) : rec->data[at] };
        at += words;
    }
    return n;
}

/* ------------------------------------------------------------------ all */

static unsigned int field_values(const struct trace_event_info *e, const struct trace_record *rec,
                                 struct trace_value *v)
{
    unsigned int at = 0;

    for (unsigned int i = 0; i < e->nr_fields; i++) {
        const struct trace_type_info *type = &trace_types[e->fields[i].type];
        uint64_t value = type->words == 2 ? wide(&rec->data[at]) : rec->data[at];

        if (type->show == TRACE_SHOW_SIGNED && type->words == 1)
            value = (uint64_t)(int32_t)value;
        v[i] = (struct trace_value){ e->fields[i].name, type->show, type->words == 2, value };
        at += type->words;
    }
    return e->nr_fields;
}

unsigned int trace_values_of(const struct trace_record *rec,
                             struct trace_value values[TRACE_VALUES_MAX])
{
    int ev = trace_event_find(rec->event);
    struct trace_runstate change;
    struct trace_lost lost;

    if (ev < 0 || rec->words < trace_events[ev].words)
        return 0;
    if (trace_runstate_of(rec, &change))
        return runstate_values(&change, values);
    if (trace_lost_of(rec, &lost))
        return lost_values(&lost, values);
    if (ev == TRACE_EV_pv_hypercall || ev == TRACE_EV_pv_subcall)
        return rec->words ? call_values(rec, values) : 0;
    return field_values(&trace_events[ev], rec, values);
}

/* ------------------------------------------------------------------ for people */

const char *trace_value_text(const struct trace_value *v, char buf[TRACE_VALUE_MAX])
{
    const char *name;

    switch (v->show) {
    case TRACE_SHOW_DEC:
        snprintf(buf, TRACE_VALUE_MAX, "%" PRIu64, v->value);
        break;
    case TRACE_SHOW_HEX:
        snprintf(buf, TRACE_VALUE_MAX, "0x%" PRIx64, v->value);
        break;
    case TRACE_SHOW_SIGNED:
        snprintf(buf, TRACE_VALUE_MAX, "%" PRId64, (int64_t)v->value);
        break;
    case TRACE_SHOW_WHO:
        snprintf(buf, TRACE_VALUE_MAX, "d%uv%u", (unsigned int)(v->value >> 16 & 0xffff),
                 (unsigned int)(v->value & 0xffff));
        break;
    default:
        name = trace_value_name(v->show, v->value);
        if (name)
            snprintf(buf, TRACE_VALUE_MAX, "%s", name);
        else
            snprintf(buf, TRACE_VALUE_MAX, "%" PRIu64, v->value);
    }
    return buf;
}

/* Arguments that the record announces and does not have. */
static bool call_is_short(const struct trace_record *rec)
{
    unsigned int words = 1;

    for (unsigned int i = 0; i < TRACE_ARGS_MAX; i++)
        words += rec->data[0] >> (20 + 2 * i) & 3;
    return words > rec->words;
}

void trace_print_record(FILE *out, const struct trace_record *rec)
{
    unsigned int row = trace_row_of(rec), n;
    struct trace_value values[TRACE_VALUES_MAX];
    char name[TRACE_NAME_MAX], text[TRACE_VALUE_MAX];

    fputs(trace_row_name(row, name), out);
    if (row >= TRACE_ROW_UNKNOWN) {
        fprintf(out, " event=0x%07" PRIx32 " data:", rec->event);
        for (unsigned int i = 0; i < rec->words; i++)
            fprintf(out, " %08" PRIx32, rec->data[i]);
        return;
    }
    n = trace_values_of(rec, values);
    for (unsigned int i = 0; i < n; i++)
        fprintf(out, " %s=%s", values[i].name, trace_value_text(&values[i], text));
    if (row < TRACE_ROW_OPERATION && call_is_short(rec))
        fputs(" ...", out);
}
