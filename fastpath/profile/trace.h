/* SPDX-License-Identifier: MIT */
/*
 * Decisions as trace records: a recording with an event tool:decision for each line of the log, to be read
 * beside the hypervisor's, or relayed to LTTng (docs/babeltrace.md).
 */
#ifndef PROFILE_TRACE_H
#define PROFILE_TRACE_H

#include "log.h"

#include "public/radon.h"
#include "tracing/reader/writer.h"

struct prof_trace {
    struct trace_writer writer;
    struct trace_meta meta;
};

/* A file or FIFO, which waits for its reader; false with errno.  info: the hypervisor's, of now. */
bool prof_trace_open(struct prof_trace *t, const char *path, const struct radon_info *info);
/* A log_hook; ctx: struct prof_trace. */
void prof_trace_decision(void *ctx, const struct log_entry *e);
/* Write the end; false with errno when not all could be written. */
bool prof_trace_close(struct prof_trace *t);

#endif
