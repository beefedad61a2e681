/* SPDX-License-Identifier: MIT */
/*
 * Records of several CPUs in order of time, out of a stream that has a piece of one CPU's after a piece of
 * another's: each is held until the stream has gone `window` cycles on.
 */
#ifndef TRACING_SORTER_H
#define TRACING_SORTER_H

#include "reader.h"

struct held {
    uint64_t order;             /* of the stream: ties keep it */
    struct trace_record rec;
};

struct sorter {
    struct held *heap;          /* the earliest first */
    size_t nr, room, limit;
    uint64_t window, newest, order;
};

/* At most `limit` records are held; beyond, the earliest go out before their time. */
void sorter_init(struct sorter *s, uint64_t window, size_t limit);
void sorter_free(struct sorter *s);
/* false: out of memory */
bool sorter_add(struct sorter *s, const struct trace_record *rec);
/* The next record whose time has come, or with `all` any; false: none. */
bool sorter_take(struct sorter *s, bool all, struct trace_record *rec);

#endif
