/* SPDX-License-Identifier: MIT */
/*
 * One ring of trace records: the state of its writer (hv/trace/ring.c, docs/tracing.md).
 *
 * Most records are written without a look at the reader or at the end of the ring: between `cur`
 * and `limit` a record of any length fits, crosses no border, and makes the ring no half full.
 * Whoever finds cur at the limit or past it calls trace_ring_put(), which looks, and sets the limit
 * anew.
 *
 * Plain C: the host's tests build it too.  Assembly knows the first fields (hv/x86/trace_entry.h).
 */
#ifndef HV_TRACE_RING_H
#define HV_TRACE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/trace.h>

struct trace_ring {
    uint8_t *cur;      /* where the next record goes */
    uint8_t *limit;    /* below it there is room; NULL: trace_ring_put() is to look */
    struct t_buf *buf; /* shared with the reader; only `cons` is read from it */
    uint64_t written;  /* records */
    uint32_t bias;     /* low half of the address at which offset 0 would lie: prod = cur - bias */
    uint32_t size;     /* bytes of data, a multiple of 4 */

    uint8_t *data;
    bool flight;         /* overwrites, and no record spans 4 KiB */
    bool wrapped;        /* flight: each page was written to */
    bool armed;          /* the reader is to be told when the ring gets half full */
    uint32_t told_cons;  /* what the reader had taken when it was told last */
    uint32_t lost;       /* records lost since the last that was written */
    uint64_t lost_since; /* time stamp of the first of them */
    uint64_t lost_total;
};

/* Rings of a CPU, by number, and as bits: Xen's own (XEN_SYSCTL_tbuf_op), Radon's (radon_op). */
enum { TRACE_RING_XEN, TRACE_RING_OWN, NR_TRACE_RINGS };
#define TRACE_TO_XEN 1u
#define TRACE_TO_OWN 2u

#define TRACE_HEAD_BYTES 12u /* of a record: event and time stamp */

/* First word of a record of `words` words of data. */
#define TRACE_HEAD(event, words)                                                                   \
    ((uint32_t)(event) | (uint32_t)(words) << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG)

/*
 * Bytes that may be written at a `cur` below the limit: eight words of data, one more than a record
 * has, so that it may be stored as four quads whatever its length.
 */
#define TRACE_ROOM (TRACE_HEAD_BYTES + 4u * (TRACE_EXTRA_MAX + 1u))

/* The record at cur, of `bytes` in all, is complete.  cur was below the limit. */
static inline void trace_ring_publish(struct trace_ring *r, uint32_t bytes)
{
    r->cur += bytes;
    r->written++;
    /* The record before the offset that says it is there. */
    __atomic_store_n(&r->buf->prod, (uint32_t)(uintptr_t)r->cur - r->bias, __ATOMIC_RELEASE);
}

#endif
