/* SPDX-License-Identifier: MIT */
/*
 * A recording under way: the rings that are mapped, what is wanted, and where it goes.  Of Radon's
 * own rings, or of Xen's (XEN_SYSCTL_tbuf_op), which Xen has too.
 */
#ifndef TRACING_SESSION_H
#define TRACING_SESSION_H

#include "../reader/writer.h"
#include "../xen/rings.h"
#include "select.h"

struct session {
    struct xen x;
    struct radon_info info;
    uint64_t epoch_ns; /* wall-clock time of info.tsc */
    bool xen_rings;
    struct rings rings;
    struct xen_event event;
    struct selection selection;
    struct radon_trace_control control;
    struct trace_writer *writer;
    void *copy; /* of a ring's records that are wanted */
    uint64_t lost_full_before, lost_cpu_before;

    /* What came, counted here. */
    uint64_t records;    /* given to the writer */
    uint64_t left_out;   /* not wanted */
    uint64_t lost_noted; /* by lost-records records */
    unsigned int bad_rings;
    /* Filled by session_stop(). */
    uint64_t lost_full, lost_cpu;
};

/* Connect; false with s->x.error. */
bool session_open(struct session *s, bool xen_rings);
void session_close(struct session *s);

/*
 * Make and map rings of `pages` (0: as they are), and discard what is in them.  control has domain
 * and vcpus; s->selection what is wanted.
 */
bool session_prepare(struct session *s, const struct radon_trace_control *control);
bool session_start(struct session *s);
/* Stop recording, and write what is left. */
bool session_stop(struct session *s);

/* Write what is in the rings; *busy: one was more than half full.  False: the output failed
 * (errno). */
bool session_drain(struct session *s, bool *busy);

/* The recording's header, but for its flags. */
void session_meta(const struct session *s, struct trace_meta *meta);

#endif
