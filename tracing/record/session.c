/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/sysctl.h>

#define OWN_VIRQ VIRQ_ARCH_7

/* ------------------------------------------------------------------ Xen's rings */

static bool xen_tbuf(struct session *s, struct xen_sysctl_tbuf_op *tbuf, const char *what)
{
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_tbuf_op, .u.tbuf_op = *tbuf };
    int rc = xen_sysctl(&s->x, &op);

    *tbuf = op.u.tbuf_op;
    return rc >= 0 ? true : xen_fail(&s->x, "%s: %s", what, strerror(-rc));
}

static bool xen_command(struct session *s, uint32_t cmd, const char *what)
{
    struct xen_sysctl_tbuf_op op = { .cmd = cmd };

    return xen_tbuf(s, &op, what);
}

/* The classes of what is wanted, and all CPUs. */
static bool xen_choose(struct session *s)
{
    uint8_t *map = xen_buffer(&s->x, 512);
    struct xen_sysctl_tbuf_op op = { .cmd = XEN_SYSCTL_TBUFOP_set_cpu_mask };
    bool ok = map;

    if (map) {
        memset(map, 0xff, 512);
        op.cpu_mask.nr_bits = s->info.nr_cpus;
        set_xen_guest_handle_raw(op.cpu_mask.bitmap, map);
        ok = xen_tbuf(s, &op, "choosing the CPUs to trace");
    }
    xen_buffer_free(map, 512);
    op = (struct xen_sysctl_tbuf_op){ .cmd = XEN_SYSCTL_TBUFOP_set_evt_mask };
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        if (s->selection.events[ev / 64] >> ev % 64 & 1)
            op.evt_mask |= trace_events[ev].id & 0x0ffff000u & ~(RADON_TRC_CLASS & 0x0fff0000u);
    return ok && xen_tbuf(s, &op, "choosing events");
}

static bool xen_prepare(struct session *s, uint32_t pages, uint64_t *mfn, uint32_t *bytes)
{
    struct xen_sysctl_tbuf_op op = { .cmd = XEN_SYSCTL_TBUFOP_set_size, .size = pages };

    if (!xen_command(s, XEN_SYSCTL_TBUFOP_disable, "turning tracing off"))
        return false;
    /* Xen makes its buffers once: another size is refused. */
    if (pages && !xen_tbuf(s, &op, "making trace buffers"))
        return false;
    if (!xen_choose(s))
        return false;
    op = (struct xen_sysctl_tbuf_op){ .cmd = XEN_SYSCTL_TBUFOP_get_info };
    if (!xen_tbuf(s, &op, "finding the trace buffers"))
        return false;
    *mfn = op.buffer_mfn;
    *bytes = op.size;
    return true;
}

/* ------------------------------------------------------------------ Radon's own */

static bool own_state(struct session *s, struct radon_trace_state *state)
{
    memset(state, 0, sizeof(*state));
    return radon_call(&s->x, RADON_TRACE_STATE, state, sizeof(*state), "asking for trace buffers");
}

static bool own_control(struct session *s, uint32_t mode, uint32_t pages)
{
    struct radon_trace_control c = s->control;

    c.mode = mode;
    c.pages = pages;
    return radon_call(&s->x, RADON_TRACE_CONTROL, &c, sizeof(c),
                      mode == RADON_TRACE_OFF ? "making trace buffers" : "turning tracing on");
}

static bool own_prepare(struct session *s, uint32_t pages, uint64_t *mfn, uint32_t *bytes)
{
    struct radon_trace_state state;

    if (!own_state(s, &state))
        return false;
    if (state.control.mode == RADON_TRACE_FLIGHT)
        return xen_fail(&s->x, "the flight recorder is on (radon-trace snapshot stop ends it)");
    if (!pages && !state.info_mfn)
        pages = 256;
    if (!own_control(s, RADON_TRACE_OFF, pages) || !own_state(s, &state))
        return false;
    *mfn = state.info_mfn;
    *bytes = state.info_bytes;
    s->lost_full_before = state.lost_full;
    s->lost_cpu_before = state.lost_cpu;
    return true;
}

/* ------------------------------------------------------------------ begin and end */

/* Xen says how many CPUs there are, and how fast they are, in other words. */
static bool xen_info(struct session *s)
{
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo };
    int rc = xen_sysctl(&s->x, &op);

    if (rc < 0)
        return xen_fail(&s->x, "asking how many CPUs there are: %s", strerror(-rc));
    s->info.nr_cpus = op.u.physinfo.max_cpu_id + 1;
    s->info.tsc_hz = (uint64_t)op.u.physinfo.cpu_khz * 1000;
    return true;
}

bool session_open(struct session *s, bool xen_rings)
{
    struct timespec t;
    bool ok;

    memset(s, 0, sizeof(*s));
    s->event.fd = -1;
    s->xen_rings = xen_rings;
    if (!xen_open(&s->x))
        return false;
    ok = radon_info(&s->x, &s->info);
    clock_gettime(CLOCK_REALTIME, &t);
    s->epoch_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    return ok || (xen_rings && xen_info(s));
}

void session_close(struct session *s)
{
    rings_unmap(&s->rings);
    xen_event_close(&s->event);
    free(s->copy);
    s->copy = NULL;
    xen_close(&s->x);
}

/* What was recorded for somebody else before is not ours. */
static void discard(struct session *s)
{
    struct ring_span span;

    for (unsigned int cpu = 0; cpu < s->rings.cpus; cpu++)
        if (ring_unread(&s->rings, cpu, &span))
            ring_take(&s->rings, cpu, &span);
}

bool session_prepare(struct session *s, const struct radon_trace_control *control)
{
    uint64_t mfn = 0;
    uint32_t bytes = 0;

    s->control = *control;
    memcpy(s->control.events, s->selection.events, sizeof(s->control.events));
    /* The interrupt belongs to one program: from here on nobody else records. */
    if (!xen_event_open(&s->x, &s->event, s->xen_rings ? VIRQ_TBUF : OWN_VIRQ))
        return false;
    if (!(s->xen_rings ? xen_prepare(s, control->pages, &mfn, &bytes)
                       : own_prepare(s, control->pages, &mfn, &bytes)) ||
        !rings_map(&s->x, &s->rings, mfn, bytes, s->info.nr_cpus))
        return false;
    discard(s);
    if (s->selection.partly)
        s->copy = malloc(s->rings.size);
    return !s->selection.partly || s->copy ? true : xen_fail(&s->x, "out of memory");
}

bool session_start(struct session *s)
{
    return s->xen_rings ? xen_command(s, XEN_SYSCTL_TBUFOP_enable, "turning tracing on")
                        : own_control(s, RADON_TRACE_STREAM, 0);
}

bool session_stop(struct session *s)
{
    struct radon_trace_state state;
    bool busy;

    if (!(s->xen_rings ? xen_command(s, XEN_SYSCTL_TBUFOP_disable, "turning tracing off")
                       : own_control(s, RADON_TRACE_OFF, 0)))
        return false;
    if (!session_drain(s, &busy))
        return xen_fail(&s->x, "writing the recording: %s", strerror(errno));
    s->lost_full = s->lost_noted;
    if (s->xen_rings)
        return true;
    if (!own_state(s, &state))
        return false;
    s->lost_full = state.lost_full - s->lost_full_before;
    s->lost_cpu = state.lost_cpu - s->lost_cpu_before;
    return true;
}

/* ------------------------------------------------------------------ records */

static size_t record_bytes(uint32_t head)
{
    return 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0) + (size_t)TRC_HD_EXTRA(head));
}

static void parse_record(const uint32_t *p, uint32_t head, unsigned int cpu,
                         struct trace_record *rec)
{
    bool stamped = TRC_HD_INCLUDES_CYCLE_COUNT(head);

    *rec = (struct trace_record){
        .event = TRC_HD_TO_EVENT(head),
        .cpu = cpu,
        .words = TRC_HD_EXTRA(head),
        .has_tsc = stamped,
        .tsc = stamped ? p[1] | (uint64_t)p[2] << 32 : 0,
    };
    memcpy(rec->data, p + (stamped ? 3 : 1), 4 * rec->words);
}

/*
 * Count the records in those bytes; with s->copy, those that are wanted go to *to, which moves on.
 * False: they are no records.
 */
static bool take_records(struct session *s, unsigned int cpu, const void *data, uint32_t bytes,
                         char **to)
{
    struct trace_record rec;

    for (uint32_t at = 0; at < bytes;) {
        const uint32_t *p = (const uint32_t *)((const char *)data + at), head = p[0];
        size_t n = record_bytes(head);

        if (n > bytes - at)
            return false;
        at += (uint32_t)n;
        if (TRC_HD_TO_EVENT(head) == TRC_TRACE_WRAP_BUFFER)
            continue;
        if (TRC_HD_TO_EVENT(head) == TRC_LOST_RECORDS && TRC_HD_EXTRA(head))
            s->lost_noted += p[TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 3 : 1];
        if (s->copy) {
            parse_record(p, head, cpu, &rec);
            if (!select_wants(&s->selection, &rec)) {
                s->left_out++;
                continue;
            }
            memcpy(*to, p, n);
            *to += n;
        }
        s->records++;
    }
    return true;
}

static bool write_span(struct session *s, unsigned int cpu, const struct ring_span *span)
{
    struct iovec parts[2];
    char *to = s->copy;
    unsigned int n = 0;

    for (unsigned int i = 0; i < 2; i++) {
        if (!take_records(s, cpu, span->data[i], span->bytes[i], &to)) {
            s->rings.ring[cpu].bad = true;
            break;
        }
        if (!s->copy && span->bytes[i])
            parts[n++] = (struct iovec){ (void *)span->data[i], span->bytes[i] };
    }
    if (s->copy && to > (char *)s->copy)
        parts[n++] = (struct iovec){ s->copy, (size_t)(to - (char *)s->copy) };
    return !n || trace_writer_chunk(s->writer, cpu, parts, n);
}

bool session_drain(struct session *s, bool *busy)
{
    struct ring_span span;

    *busy = false;
    for (unsigned int cpu = 0; cpu < s->rings.cpus; cpu++) {
        bool was_bad = s->rings.ring[cpu].bad;

        if (ring_unread(&s->rings, cpu, &span)) {
            if (!write_span(s, cpu, &span))
                return false;
            ring_take(&s->rings, cpu, &span);
            *busy = *busy || span.bytes[0] + span.bytes[1] > s->rings.size / 2;
        }
        s->bad_rings += !was_bad && s->rings.ring[cpu].bad;
    }
    return true;
}

void session_meta(const struct session *s, struct trace_meta *meta)
{
    *meta = (struct trace_meta){
        .tsc_hz = s->info.tsc_hz,
        .tsc = s->info.tsc,
        .system_ns = s->info.system_ns,
        .epoch_ns = s->epoch_ns,
        .lost_full = s->lost_full,
        .lost_cpu = s->lost_cpu,
        .nr_cpus = s->info.nr_cpus,
    };
    memcpy(meta->events, s->selection.events, sizeof(meta->events));
    memcpy(meta->revision, s->info.revision, sizeof(meta->revision));
}
