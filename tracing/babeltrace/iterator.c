/* SPDX-License-Identifier: MIT */
/*
 * One CPU's records as messages, in order of time.
 *
 * Records are in packets.  A loss ends one; the record that says so has one of its own, so that the
 * discarded events lie between two packets, as CTF wants it.
 */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More messages than a loss makes, and the end behind it. */
#define QUEUE 16

struct iterator {
    bt_self_message_iterator *self;
    const struct port *port;
    bt_packet *packet;          /* open, or NULL */
    struct segments_at at;
    const bt_message *queue[QUEUE];
    unsigned int first, nr;
    bool begun, ended, failed;
    uint64_t tsc;               /* of the last message */
    uint64_t limit;             /* later time stamps cannot be right: 100 years */
    bool has_held;
    struct trace_record held;   /* read, and no message yet: the next one tells whether it is right */
    int64_t domain, vcpu;       /* who runs, -1: not known */
    struct trace_reader reader;
};

static void put(struct iterator *it, const bt_message *m)
{
    if (!m)
        it->failed = true;
    else
        it->queue[(it->first + it->nr++) % QUEUE] = m;
}

/* ------------------------------------------------------------------ packets and streams */

static void begin_packet(struct iterator *it, uint64_t tsc)
{
    if (!it->begun)
        put(it, bt_message_stream_beginning_create(it->self, it->port->stream));
    it->begun = true;
    it->packet = bt_packet_create(it->port->stream);
    if (!it->packet) {
        it->failed = true;
        return;
    }
    bt_field_integer_unsigned_set_value(
        bt_field_structure_borrow_member_field_by_index(
            bt_packet_borrow_context_field(it->packet), 0), it->port->cpu->cpu);
    put(it, bt_message_packet_beginning_create_with_default_clock_snapshot(it->self, it->packet,
                                                                          tsc));
}

static void end_packet(struct iterator *it, uint64_t tsc)
{
    put(it, bt_message_packet_end_create_with_default_clock_snapshot(it->self, it->packet, tsc));
    bt_packet_put_ref(it->packet);
    it->packet = NULL;
}

static void put_discarded(struct iterator *it, const struct trace_lost *lost, uint64_t tsc)
{
    uint64_t since = lost->since < it->tsc ? it->tsc : lost->since > tsc ? tsc : lost->since;
    bt_message *m;

    if (!it->packet)
        begin_packet(it, it->tsc ? it->tsc : since);
    if (it->failed)
        return;
    end_packet(it, since);
    m = bt_message_discarded_events_create_with_default_clock_snapshots(it->self, it->port->stream,
                                                                        since, tsc);
    if (m)
        bt_message_discarded_events_set_count(m, lost->count);
    put(it, m);
}

/* ------------------------------------------------------------------ events */

static void put_event(struct iterator *it, const struct trace_record *rec, uint64_t tsc)
{
    unsigned int row = trace_row_of(rec);
    bt_message *m = bt_message_event_create_with_packet_and_default_clock_snapshot(
        it->self, it->port->input->classes.event[row], it->packet, tsc);
    bt_event *event;
    bt_field *who;

    if (!m) {
        it->failed = true;
        return;
    }
    event = bt_message_event_borrow_event(m);
    who = bt_event_borrow_common_context_field(event);
    bt_field_integer_signed_set_value(bt_field_structure_borrow_member_field_by_index(who, 0),
                                      it->domain);
    bt_field_integer_signed_set_value(bt_field_structure_borrow_member_field_by_index(who, 1),
                                      it->vcpu);
    if (!classes_fill(rec, row, event))
        it->failed = true;
    put(it, m);
}

/* Who runs after this record.  A change of runstate may be of a vCPU that runs elsewhere. */
static void follow(struct iterator *it, const struct trace_record *rec)
{
    struct trace_runstate change;
    struct trace_lost lost;

    if (trace_lost_of(rec, &lost)) {
        it->domain = lost.domain;
        it->vcpu = lost.vcpu;
    } else if (trace_runstate_of(rec, &change)) {
        if (change.to == 0) {
            it->domain = change.domain;
            it->vcpu = change.vcpu;
        } else if (change.from == 0 && it->domain == change.domain && it->vcpu == change.vcpu) {
            it->domain = it->vcpu = -1;
        }
    }
}

/*
 * Time never goes back in a stream.  A record with a time stamp before the last one's, or none, has the
 * last one's; so has one, of a damaged place, that is later than the next, which is not.
 */
static uint64_t time_of(const struct iterator *it, const struct trace_record *rec,
                        const struct trace_record *next)
{
    if (!rec->has_tsc || rec->tsc < it->tsc || rec->tsc > it->limit)
        return it->tsc;
    if (next && next->has_tsc && next->tsc < rec->tsc && next->tsc >= it->tsc)
        return it->tsc;
    return rec->tsc;
}

/* next: the record behind it, or NULL */
static void put_record(struct iterator *it, const struct trace_record *rec,
                       const struct trace_record *next)
{
    uint64_t tsc = time_of(it, rec, next);
    struct trace_lost lost;
    bool is_loss = trace_lost_of(rec, &lost);

    if (is_loss)
        put_discarded(it, &lost, tsc);
    if (!it->packet && !it->failed)
        begin_packet(it, tsc);
    if (!it->failed)
        put_event(it, rec, tsc);
    if (is_loss && !it->failed)
        end_packet(it, tsc);
    it->tsc = tsc;
    follow(it, rec);
}

static void put_end(struct iterator *it)
{
    it->ended = true;
    if (it->has_held)
        put_record(it, &it->held, NULL);
    if (it->failed)
        return;
    if (it->packet)
        end_packet(it, it->tsc);
    if (it->begun)
        put(it, bt_message_stream_end_create(it->self, it->port->stream));
}

/* Read until there is a message.  Defects were named when the file was indexed. */
static void fill(struct iterator *it)
{
    struct trace_defect defect;
    struct trace_record rec;

    while (!it->nr && !it->ended && !it->failed) {
        switch (trace_reader_next(&it->reader, &rec, &defect)) {
        case TRACE_RECORD:
            if (it->has_held)
                put_record(it, &it->held, &rec);
            it->held = rec;
            it->has_held = true;
            break;
        case TRACE_END:
            put_end(it);
            break;
        case TRACE_FAILED:
            BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_MESSAGE_ITERATOR(it->self, "%s",
                                                                       strerror(errno));
            it->failed = true;
            break;
        case TRACE_DEFECT:
            break;
        }
    }
}

/* ------------------------------------------------------------------ methods */

bt_message_iterator_class_next_method_status
iterator_next(bt_self_message_iterator *self, bt_message_array_const messages, uint64_t capacity,
              uint64_t *count)
{
    struct iterator *it = bt_self_message_iterator_get_data(self);

    for (*count = 0; *count < capacity; (*count)++) {
        if (!it->nr)
            fill(it);
        if (!it->nr)
            break;
        messages[*count] = it->queue[it->first];
        it->first = (it->first + 1) % QUEUE;
        it->nr--;
    }
    if (*count)
        return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK;
    return it->failed ? BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_ERROR
                      : BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
}

bt_message_iterator_class_initialize_method_status
iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *config,
              bt_self_component_port_output *port)
{
    struct iterator *it = calloc(1, sizeof(*it));

    (void)config;
    if (!it)
        return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
    it->self = self;
    it->port = bt_self_component_port_get_data(
        bt_self_component_port_output_as_self_component_port(port));
    it->domain = it->vcpu = -1;
    it->limit = it->port->input->classes.tsc_hz * (100ull * 365 * 86400);
    it->at = (struct segments_at){ .file = &it->port->input->index, .cpu = it->port->cpu };
    trace_reader_init(&it->reader, segments_read, &it->at);
    bt_self_message_iterator_set_data(self, it);
    return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void iterator_finalize(bt_self_message_iterator *self)
{
    struct iterator *it = bt_self_message_iterator_get_data(self);

    for (; it->nr; it->nr--, it->first = (it->first + 1) % QUEUE)
        bt_message_put_ref(it->queue[it->first]);
    if (it->packet)
        bt_packet_put_ref(it->packet);
    free(it);
}
