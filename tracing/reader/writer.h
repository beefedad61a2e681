/* SPDX-License-Identifier: MIT */
/*
 * Writing a recording: header, chunks as xentrace writes them, and records made here.
 *
 *     struct trace_writer w;
 *     trace_writer_init(&w, fd);
 *     trace_writer_meta(&w, &meta);            first
 *     trace_writer_chunk(&w, cpu, parts, n);   bytes out of a ring, whole records
 *     meta.flags |= TRACE_META_END;
 *     trace_writer_meta(&w, &meta);            last, with what was lost
 *
 * Every call writes at once, so that who reads a FIFO follows.  After a failure all calls fail, with
 * errno of the first.
 */
#ifndef TRACING_WRITER_H
#define TRACING_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "meta.h"

struct trace_writer {
    int fd;
    int error;                  /* errno of the first failure; 0: none */
    uint64_t bytes;             /* written */
};

#define TRACE_PARTS_MAX 4

void trace_writer_init(struct trace_writer *w, int fd);
bool trace_writer_meta(struct trace_writer *w, const struct trace_meta *meta);
/*
 * `n` parts (at most TRACE_PARTS_MAX) make whole records of that CPU, as they stand in its ring; less
 * than 1 GiB.  Nothing is written when there are no bytes.
 */
bool trace_writer_chunk(struct trace_writer *w, unsigned int cpu, const struct iovec *parts,
                        unsigned int n);
/* One record of an event of events.def (TRACE_EV_* of catalogue.h), its fields in their order. */
bool trace_writer_event(struct trace_writer *w, unsigned int cpu, uint64_t tsc, unsigned int ev,
                        const uint64_t *values);
/* The same as bytes at `record`, which has room for struct t_rec; how many. */
size_t trace_make_record(void *record, uint64_t tsc, unsigned int ev, const uint64_t *values);

#endif
