/* SPDX-License-Identifier: MIT */
/*
 * Trace rings of the hypervisor, as a reader in domain 0 maps them: Xen's (XEN_SYSCTL_tbuf_op) and
 * Radon's own (RADON_TRACE_*), which have the same layout (public/trace.h, public/radon.h).
 *
 * What the hypervisor shares is bounds-checked: a ring whose offsets make no sense is read no more
 * and said to be bad, and no number in shared memory is read twice.
 */
#ifndef TRACING_RINGS_H
#define TRACING_RINGS_H

#include "xen.h"

#include <xen/trace.h>

#define RINGS_CPUS_MAX 4096u
#define RINGS_PAGES_MAX 4096u /* of one ring */

struct ring {
    struct t_buf *buf;
    uint32_t cons; /* what we have taken, modulo twice the size */
    bool bad;
};

struct rings {
    unsigned int cpus;
    unsigned int pages; /* of each ring */
    uint32_t size;      /* bytes of data of each */
    struct ring *ring;  /* [cpus] */
};

/*
 * Find the rings of `cpus` CPUs in a copy of the hypervisor's struct t_info, `bytes` long: pages of
 * each, and for each CPU its frames to frames[cpu * pages].  NULL frames: only *pages.
 */
bool rings_parse_info(const uint32_t *info, size_t bytes, unsigned int cpus, unsigned int *pages,
                      uint64_t *frames);

/* Map the rings that struct t_info in `info_bytes` at frame info_mfn lists. */
bool rings_map(struct xen *x, struct rings *r, uint64_t info_mfn, uint32_t info_bytes,
               unsigned int cpus);
void rings_unmap(struct rings *r);

/* Bytes not taken yet, in the order of time; they stay until ring_take(). */
struct ring_span {
    const void *data[2];
    uint32_t bytes[2];
};

/* What is there on that CPU; false when there is nothing, or the ring is bad. */
bool ring_unread(struct rings *r, unsigned int cpu, struct ring_span *span);
/* Give those bytes back to the writer. */
void ring_take(struct rings *r, unsigned int cpu, const struct ring_span *span);

#endif
