/* SPDX-License-Identifier: MIT */
/*
 * A ring of trace records in Xen's format (struct t_buf and t_rec of public/trace.h): one writer, one
 * reader, which is a program of domain 0 and may write anything to the page's head.
 *
 * Data bytes follow struct t_buf.  Offsets run modulo twice their number, so that full and empty
 * differ.  A record never spans the end: what is left there is filled by a padding record.
 *
 * Plain C: the host's tests build it too.
 */
#ifndef HV_TRACE_RING_H
#define HV_TRACE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/trace.h>

struct trace_ring {
    struct t_buf *buf;      /* shared with the reader; only `cons` is read from it */
    uint32_t size;          /* bytes of data, a multiple of 4 */
    uint32_t prod;          /* as published, modulo 2 * size */
    uint32_t lost;          /* records lost since the last that was written */
    uint64_t lost_since;    /* time stamp of the first of them */
    uint64_t written, lost_total;
};

struct trace_stamp {
    uint64_t tsc;
    uint16_t domain, vcpu;  /* who runs: noted in lost-records records */
};

/* Records of up to TRACE_EXTRA_MAX words of data; smaller rings could not hold a few of them. */
#define TRACE_RING_MIN 1024

/* Take `bytes` (a multiple of 4, all of it: head and data) at buf for an empty ring. */
void trace_ring_init(struct trace_ring *r, void *buf, uint32_t bytes);

enum trace_put {
    TRACE_PUT_OK,
    TRACE_PUT_HALF,         /* written, and now the ring is half full: tell the reader */
    TRACE_PUT_LOST,         /* no room; counted, and said in the stream when there is room again */
};

/* Append a record of `words` (at most TRACE_EXTRA_MAX) words at `data`.  Interrupts are off. */
enum trace_put trace_ring_put(struct trace_ring *r, uint32_t event, const void *data,
                              unsigned int words, const struct trace_stamp *stamp);

#endif
