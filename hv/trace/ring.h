/* SPDX-License-Identifier: MIT */
/*
 * A ring of trace records in Xen's format (struct t_buf and t_rec of public/trace.h): one writer,
 * one reader, which is a program of domain 0 and may write anything to the page's head.
 *
 * Data bytes follow struct t_buf.  Offsets run modulo twice their number, so that full and empty
 * differ.  A record never spans the end: what is left there is filled by a padding record.
 *
 * A flight recorder's ring overwrites the oldest records; nobody follows.  Its records span no
 * border between pages of TRACE_FLIGHT_PAGE bytes of data either, so that each page begins with a
 * record.
 *
 * Plain C: the host's tests build it too.
 */
#ifndef HV_TRACE_RING_OPS_H
#define HV_TRACE_RING_OPS_H

#include "hv/trace_ring.h"

struct trace_stamp {
    uint64_t tsc;
    uint16_t domain, vcpu; /* who runs: noted in lost-records records */
};

/* Records of up to TRACE_EXTRA_MAX words of data; smaller rings could not hold a few of them. */
#define TRACE_RING_MIN 1024u
#define TRACE_FLIGHT_PAGE 4096u

/* Take `bytes` (a multiple of 4, all of it: head and data) at buf for an empty ring. */
void trace_ring_init(struct trace_ring *r, void *buf, uint32_t bytes, bool flight);

enum trace_put {
    TRACE_PUT_OK,
    TRACE_PUT_HALF, /* written, and now the ring is half full: tell the reader */
    TRACE_PUT_LOST, /* no room; counted, and said in the stream when there is room again */
};

/* Append a record of `words` (at most TRACE_EXTRA_MAX) words at `data`.  Interrupts are off. */
enum trace_put trace_ring_put(struct trace_ring *r, uint32_t event, const void *data,
                              unsigned int words, const struct trace_stamp *stamp);

/*
 * What a flight recorder's ring holds, oldest first, is two pieces of its data: the second follows
 * the first.  Either may be empty.  Nobody writes meanwhile.
 */
struct trace_pieces {
    const uint8_t *at[2];
    uint32_t bytes[2];
};
struct trace_pieces trace_ring_kept(const struct trace_ring *r);

#endif
