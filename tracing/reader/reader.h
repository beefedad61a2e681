/* SPDX-License-Identifier: MIT */
/*
 * Reading what xentrace or radon-trace recorded, as a stream, in memory of a fixed size.
 *
 * A recording is a row of chunks.  A chunk is a record TRC_TRACE_CPU_CHANGE without time stamp,
 * whose two data words are a CPU's number and a number of bytes, and so many bytes out of that
 * CPU's ring: whole records (struct t_rec of public/trace.h).  Between chunks may stand a header
 * (meta.h).
 *
 * Nothing in the file is trusted.  What is no record is skipped and named: see enum trace_damage.
 */
#ifndef TRACING_READER_H
#define TRACING_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xen/trace.h>

#include "meta.h"

#define TRACE_CPUS_MAX 4096
#define TRACE_CHUNK_MAX (1u << 30)      /* bytes: more than any ring has */
#define TRACE_BUFFER (256u << 10)

struct trace_record {
    uint64_t offset;                    /* in the file, bytes */
    uint64_t tsc;                       /* 0 without has_tsc */
    uint32_t event;                     /* 28 bits, flags and parameters included */
    unsigned int cpu;
    unsigned int words;
    bool has_tsc;
    uint32_t data[TRACE_EXTRA_MAX];     /* the first `words` mean something */
};

enum trace_damage {
    TRACE_NO_CHUNK,         /* where a chunk should begin there is something else */
    TRACE_NO_RECORD,        /* inside a chunk there is something that is no record */
    TRACE_CHUNK_SHORT,      /* the next chunk begins before this one's bytes are over */
    TRACE_TIME_BACK,        /* a CPU's time stamps go back here; the record itself comes next */
    TRACE_TRUNCATED,        /* the file ends inside a chunk */
    TRACE_NO_META,          /* a header of a version that is not known, or too short */
};

struct trace_defect {
    enum trace_damage what;
    uint64_t offset, skipped;           /* bytes; skipped: from offset on, not read as records */
};

enum trace_next {
    TRACE_RECORD,           /* one record */
    TRACE_DEFECT,           /* a place that could not be read; go on */
    TRACE_END,
    TRACE_FAILED,           /* the read function failed; errno is its */
};

/* Up to n bytes to buf: how many, 0 at the end, negative on an error. */
typedef ssize_t trace_read_fn(void *ctx, void *buf, size_t n);

struct trace_reader {
    trace_read_fn *read;
    void *ctx;
    bool ended, failed;
    uint64_t base;                      /* offset of buf[0] in the file */
    size_t at, end;                     /* what is not used yet: buf[at..end) */
    unsigned int cpu;                   /* of the chunk */
    uint64_t left;                      /* bytes of the chunk that are still to come */
    uint64_t records;                   /* given so far */
    bool has_meta;
    struct trace_meta meta;             /* the last header before this place */
    uint64_t last_tsc[TRACE_CPUS_MAX];
    uint8_t buf[TRACE_BUFFER];
};

/* Begin to read; ctx is passed to `read`. */
void trace_reader_init(struct trace_reader *r, trace_read_fn *read, void *ctx);

/*
 * The next thing: a record to *rec or a defect to *defect.  Padding at a ring's end is passed over;
 * lost-records records are given as records.
 */
enum trace_next trace_reader_next(struct trace_reader *r, struct trace_record *rec,
                                  struct trace_defect *defect);

/* What a defect is, in words. */
const char *trace_damage_text(enum trace_damage what);

/* A read function for a file descriptor, ctx being an int *. */
trace_read_fn trace_read_fd;

#endif
