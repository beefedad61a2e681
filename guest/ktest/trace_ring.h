/* SPDX-License-Identifier: MIT */
/* A trace ring of CPU 0, as public/trace.h has it, in a test kernel: mapped from DOMID_XEN. */
#ifndef KTEST_TRACE_RING_H
#define KTEST_TRACE_RING_H

#include <stdint.h>

struct t_buf;

/*
 * Maps struct t_info, whose frame is info_mfn, at info_at (read-only: writable it must be refused), and the
 * ring of so many pages that it lists for CPU 0 at ring_at.  Checks that it says so, too.
 */
struct t_buf *trace_ring_map(uint64_t info_at, uint64_t info_mfn, uint64_t ring_at, uint32_t pages);

/* A field of 64 bits in a record: its words may lie at any multiple of four. */
static inline uint64_t word64(const uint32_t *p)
{
    return p[0] | (uint64_t)p[1] << 32;
}

#endif
