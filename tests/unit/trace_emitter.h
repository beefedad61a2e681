/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's tracepoints, recording in a ring of the test.  Apart from the test itself, because
 * hypervisor and reader give the catalogue's events the same names.
 */
#ifndef TRACE_EMITTER_H
#define TRACE_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the tracepoint of event `ev` is given for its field `i`, before it is cut to the type. */
static inline uint64_t emitter_value(unsigned int ev, unsigned int i)
{
    return (ev + 1) * UINT64_C(0x9e3779b97f4a7c15) + (i + 1) * UINT64_C(0xd1b54a32d192ed03);
}

/* Begin with an empty ring. */
void emitter_start(void);
/* Begin with no ring at all, the events on for Radon's rings or for both kinds. */
void emitter_start_without_ring(bool to_both);
/* The vCPU that runs is one of those that Radon's rings leave out, or it is not. */
void emitter_leave_out(bool leave_out);
/* Records lost since emitter_start_without_ring() for want of a ring of Radon's, or of Xen's. */
uint64_t emitter_lost(bool own);
/* Record event `ev`; 0 for those with an emitter written by hand. */
int emitter_event(unsigned int ev);
/* An entry of a multicall; an iret hypercall; a change of runstate of d5v3 between these. */
void emitter_subcall(uint64_t op, const uint64_t args[6]);
void emitter_iret(void);
void emitter_runstate(int from, int to);
/* The bytes of the ring, whole records. */
const void *emitter_bytes(size_t *n);

#endif
