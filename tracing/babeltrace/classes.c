/* SPDX-License-Identifier: MIT */
/* The catalogue as field classes and event classes. */
#include "source.h"

#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
/* Names are looked for up to this value. */
#define NAMED_VALUES 64

/* ------------------------------------------------------------------ clock */

/*
 * When the header says so, the clock counts from 1970, as LTTng's does: then babeltrace2 can merge the
 * two.  Offset: the time at which the TSC was 0.
 */
static void set_origin(bt_clock_class *clock, const struct trace_meta *meta, uint64_t hz)
{
    __int128 cycles = (__int128)meta->epoch_ns * hz / NS_PER_S - meta->tsc;
    __int128 seconds = cycles / hz;

    if (cycles < 0 && seconds * hz != cycles)
        seconds--;
    bt_clock_class_set_offset(clock, (int64_t)seconds, (uint64_t)(cycles - seconds * hz));
}

static bt_clock_class *make_clock(bt_self_component *self, const struct file_index *index,
                                  uint64_t tsc_hz, uint64_t *used_hz)
{
    const char *what = "time stamp counter; its frequency is not known, and taken as 1 GHz";
    uint64_t hz = tsc_hz ? tsc_hz : index->has_meta ? index->meta.tsc_hz : 0;
    bt_clock_class *clock = bt_clock_class_create(self);
    bool dated = index->has_meta && index->meta.epoch_ns;

    if (!clock)
        return NULL;
    if (hz)
        what = index->has_meta && index->meta.clock == TRACE_CLOCK_INSTRUCTIONS
                   ? "time stamp counter; in instruction time"
                   : "time stamp counter";
    hz = hz ? hz : NS_PER_S;
    *used_hz = hz;
    bt_clock_class_set_frequency(clock, hz);
    bt_clock_class_set_origin_is_unix_epoch(clock, dated);
    if (dated)
        set_origin(clock, &index->meta, hz);
    if (bt_clock_class_set_name(clock, "tsc") || bt_clock_class_set_description(clock, what)) {
        bt_clock_class_put_ref(clock);
        return NULL;
    }
    return clock;
}

/* ------------------------------------------------------------------ field classes */

static bool append(bt_field_class *to, const char *name, bt_field_class *member)
{
    bool done = member && !bt_field_class_structure_append_member(to, name, member);

    if (member)
        bt_field_class_put_ref(member);
    return done;
}

static bool append_unsigned(bt_trace_class *tc, bt_field_class *to, const char *name,
                            unsigned int bits, bool hex)
{
    bt_field_class *fc = bt_field_class_integer_unsigned_create(tc);

    if (fc) {
        bt_field_class_integer_set_field_value_range(fc, bits);
        if (hex)
            bt_field_class_integer_set_preferred_display_base(
                fc, BT_FIELD_CLASS_INTEGER_PREFERRED_DISPLAY_BASE_HEXADECIMAL);
    }
    return append(to, name, fc);
}

static bool append_signed(bt_trace_class *tc, bt_field_class *to, const char *name,
                          unsigned int bits)
{
    bt_field_class *fc = bt_field_class_integer_signed_create(tc);

    if (fc)
        bt_field_class_integer_set_field_value_range(fc, bits);
    return append(to, name, fc);
}

static bool add_name(bt_field_class *fc, uint64_t value, const char *name)
{
    bt_integer_range_set_unsigned *range = bt_integer_range_set_unsigned_create();
    bool done;

    if (!range)
        return false;
    done = !bt_integer_range_set_unsigned_add_range(range, value, value) &&
           !bt_field_class_enumeration_unsigned_add_mapping(fc, name, range);
    bt_integer_range_set_unsigned_put_ref(range);
    return done;
}

static bool append_named(bt_trace_class *tc, bt_field_class *to, const char *name,
                         enum trace_show show)
{
    bt_field_class *fc = bt_field_class_enumeration_unsigned_create(tc);
    bool done = fc;

    if (fc)
        bt_field_class_integer_set_field_value_range(fc, 32);
    for (uint64_t i = 0; done && i < NAMED_VALUES; i++)
        if (trace_value_name(show, i))
            done = add_name(fc, i, trace_value_name(show, i));
    return append(to, name, fc) && done;
}

/* A vCPU's two members: domain and vcpu, or <name>_domain and <name>_vcpu. */
static bool append_who(bt_trace_class *tc, bt_field_class *to, const char *name)
{
    bool plain = !strcmp(name, "vcpu");
    char domain[TRACE_NAME_MAX], vcpu[TRACE_NAME_MAX];

    snprintf(domain, sizeof(domain), "%s_domain", name);
    snprintf(vcpu, sizeof(vcpu), "%s_vcpu", name);
    return append_unsigned(tc, to, plain ? "domain" : domain, 16, false) &&
           append_unsigned(tc, to, plain ? "vcpu" : vcpu, 16, false);
}

static bool append_value(bt_trace_class *tc, bt_field_class *to, const char *name,
                         enum trace_show show, bool wide)
{
    switch (show) {
    case TRACE_SHOW_DEC:
    case TRACE_SHOW_HEX:
        return append_unsigned(tc, to, name, wide ? 64 : 32, show == TRACE_SHOW_HEX);
    case TRACE_SHOW_SIGNED:
        return append_signed(tc, to, name, wide ? 64 : 32);
    case TRACE_SHOW_WHO:
        return append_who(tc, to, name);
    default:
        return append_named(tc, to, name, show);
    }
}

/* ------------------------------------------------------------------ payloads */

/* A hypercall's arguments, by name; `recorded`: bit mask of those that the record had room for. */
static bool append_call(bt_trace_class *tc, bt_field_class *to, unsigned int n)
{
    const struct trace_call *call;
    unsigned int nr = n;

    if (n > TRACE_HYPERCALLS)
        nr = trace_ops[n - TRACE_HYPERCALLS - 1].call;
    if (nr >= TRACE_HYPERCALLS || !trace_calls[nr].name)
        return append_unsigned(tc, to, "number", 32, false);
    call = &trace_calls[nr];
    for (unsigned int i = 0; i < call->nr_args; i++)
        if (!append_unsigned(tc, to, call->args[i], 64, true))
            return false;
    return !call->nr_args || append_unsigned(tc, to, "recorded", 8, true);
}

static bool append_raw(bt_trace_class *tc, bt_field_class *to)
{
    bt_field_class *word = bt_field_class_integer_unsigned_create(tc), *words = NULL;

    if (word) {
        bt_field_class_integer_set_field_value_range(word, 32);
        bt_field_class_integer_set_preferred_display_base(
            word, BT_FIELD_CLASS_INTEGER_PREFERRED_DISPLAY_BASE_HEXADECIMAL);
        words = bt_field_class_array_dynamic_create(tc, word, NULL);
        bt_field_class_put_ref(word);
    }
    return append_unsigned(tc, to, "number", 32, true) && append(to, "words", words);
}

static bool append_payload(bt_trace_class *tc, bt_field_class *to, unsigned int row)
{
    int ev = trace_row_event(row);
    const struct trace_event_info *e;

    if (ev < 0)
        return append_raw(tc, to);
    if (row < TRACE_ROW_OPERATION)
        return append_call(tc, to, row % TRACE_CALL_ROWS);
    if (ev == TRACE_EV_runstate_change)
        return append_who(tc, to, "vcpu") &&
               append_named(tc, to, "was", TRACE_SHOW_NAMES_RUNSTATE);
    if (ev == TRACE_EV_lost_records)
        return append_unsigned(tc, to, "count", 32, false) && append_who(tc, to, "vcpu") &&
               append_unsigned(tc, to, "since", 64, false);
    e = &trace_events[ev];
    for (unsigned int i = 0; i < e->nr_fields; i++) {
        const struct trace_type_info *type = &trace_types[e->fields[i].type];

        if (!append_value(tc, to, e->fields[i].name, type->show, type->words == 2))
            return false;
    }
    return true;
}

_Static_assert(TRACE_ROW_HYPERCALL % TRACE_CALL_ROWS == 0 &&
               TRACE_ROW_SUBCALL % TRACE_CALL_ROWS == 0, "a row's place among its kind");

/* ------------------------------------------------------------------ classes */

static bool make_event(bt_trace_class *tc, struct classes *c, unsigned int row)
{
    bt_event_class *ec = bt_event_class_create_with_id(c->stream, row);
    bt_field_class *payload = bt_field_class_structure_create(tc);
    char name[TRACE_NAME_MAX];
    bool done = ec && payload && append_payload(tc, payload, row) &&
                !bt_event_class_set_name(ec, trace_row_name(row, name)) &&
                !bt_event_class_set_payload_field_class(ec, payload);

    if (payload)
        bt_field_class_put_ref(payload);
    if (ec)
        bt_event_class_put_ref(ec);     /* the stream class has it */
    c->event[row] = ec;
    return done;
}

/* What every event has: who ran on the CPU by the records before, -1 where that is not known. */
static bool set_common(bt_trace_class *tc, struct classes *c)
{
    bt_field_class *who = bt_field_class_structure_create(tc);
    bt_field_class *packet = bt_field_class_structure_create(tc);
    bool done = who && packet && append_signed(tc, who, "on_domain", 32) &&
                append_signed(tc, who, "on_vcpu", 32) &&
                append_unsigned(tc, packet, "cpu_id", 32, false) &&
                !bt_stream_class_set_event_common_context_field_class(c->stream, who) &&
                !bt_stream_class_set_packet_context_field_class(c->stream, packet);

    if (who)
        bt_field_class_put_ref(who);
    if (packet)
        bt_field_class_put_ref(packet);
    return done;
}

/* Rows that a record can have. */
static bool has_records(unsigned int row)
{
    int ev = trace_row_event(row);

    if (row < TRACE_ROW_EVENT || row >= TRACE_ROW_UNKNOWN)
        return true;
    return ev != TRACE_EV_pv_hypercall && ev != TRACE_EV_pv_subcall && ev != TRACE_EV_operation &&
           ev != TRACE_EV_pv_trap && ev != TRACE_EV_pv_page_fault &&
           ev != TRACE_EV_runstate_change && ev != TRACE_EV_wrap_buffer;
}

bool classes_make(bt_self_component *self, const struct file_index *index, uint64_t tsc_hz,
                  struct classes *c, bt_trace_class **trace)
{
    bt_clock_class *clock = make_clock(self, index, tsc_hz, &c->tsc_hz);
    bool done;

    *trace = bt_trace_class_create(self);
    c->stream = *trace ? bt_stream_class_create(*trace) : NULL;
    done = clock && c->stream && !bt_stream_class_set_default_clock_class(c->stream, clock);
    if (clock)
        bt_clock_class_put_ref(clock);
    if (!done)
        return false;
    bt_stream_class_set_supports_packets(c->stream, BT_TRUE, BT_TRUE, BT_TRUE);
    bt_stream_class_set_supports_discarded_events(c->stream, BT_TRUE, BT_TRUE);
    bt_stream_class_set_assigns_automatic_event_class_id(c->stream, BT_FALSE);
    bt_stream_class_set_assigns_automatic_stream_id(c->stream, BT_FALSE);
    if (!set_common(*trace, c))
        return false;
    for (unsigned int row = 0; row < TRACE_ROWS; row++)
        if (has_records(row) && !make_event(*trace, c, row))
            return false;
    return true;
}

/* ------------------------------------------------------------------ fields */

struct filling {
    bt_field *fields;
    uint64_t next;
};

static void set_unsigned(struct filling *f, uint64_t value)
{
    bt_field_integer_unsigned_set_value(
        bt_field_structure_borrow_member_field_by_index(f->fields, f->next++), value);
}

static void set_value(struct filling *f, const struct trace_value *v)
{
    switch (v->show) {
    case TRACE_SHOW_SIGNED:
        bt_field_integer_signed_set_value(
            bt_field_structure_borrow_member_field_by_index(f->fields, f->next++),
            (int64_t)v->value);
        break;
    case TRACE_SHOW_WHO:
        set_unsigned(f, v->value >> 16 & 0xffff);
        set_unsigned(f, v->value & 0xffff);
        break;
    default:
        set_unsigned(f, v->value);
    }
}

/* Arguments that the record has not are 0, and their bit in `recorded` is 0. */
static void fill_call(const struct trace_record *rec, struct filling *f)
{
    uint32_t nr = rec->data[0] & ~(uint32_t)TRC_PV_HYPERCALL_V2_ARG_MASK;
    unsigned int at = 1, recorded = 0;

    if (nr >= TRACE_HYPERCALLS || !trace_calls[nr].name) {
        set_unsigned(f, nr);
        return;
    }
    for (unsigned int i = 0; i < trace_calls[nr].nr_args; i++) {
        unsigned int words = rec->data[0] >> (20 + 2 * i) & 3;
        uint64_t value = 0;

        if (words && words < 3 && at + words <= rec->words) {
            value = rec->data[at] | (words == 2 ? (uint64_t)rec->data[at + 1] << 32 : 0);
            recorded |= 1u << i;
        }
        at += words;
        set_unsigned(f, value);
    }
    if (trace_calls[nr].nr_args)
        set_unsigned(f, recorded);
}

static bool fill_raw(const struct trace_record *rec, struct filling *f)
{
    bt_field *words;

    set_unsigned(f, rec->event);
    words = bt_field_structure_borrow_member_field_by_index(f->fields, f->next);
    if (bt_field_array_dynamic_set_length(words, rec->words))
        return false;
    for (unsigned int i = 0; i < rec->words; i++)
        bt_field_integer_unsigned_set_value(
            bt_field_array_borrow_element_field_by_index(words, i), rec->data[i]);
    return true;
}

bool classes_fill(const struct trace_record *rec, unsigned int row, bt_event *event)
{
    struct filling f = { bt_event_borrow_payload_field(event), 0 };
    struct trace_value values[TRACE_VALUES_MAX];
    unsigned int n;

    if (row >= TRACE_ROW_UNKNOWN)
        return fill_raw(rec, &f);
    if (row < TRACE_ROW_OPERATION) {
        fill_call(rec, &f);
        return true;
    }
    n = trace_values_of(rec, values);
    for (unsigned int i = 0; i < n; i++)
        set_value(&f, &values[i]);
    return true;
}
