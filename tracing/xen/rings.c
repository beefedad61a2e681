/* SPDX-License-Identifier: MIT */
#include "rings.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ struct t_info */

/* 16 bits at an index of struct t_info: [0] is tbuf_size, [1 + cpu] mfn_offset[cpu]. */
static uint16_t half(const uint32_t *info, unsigned int index)
{
    return (uint16_t)(info[index / 2] >> (index % 2 ? 16 : 0));
}

bool rings_parse_info(const uint32_t *info, size_t bytes, unsigned int cpus, unsigned int *pages,
                      uint64_t *frames)
{
    size_t words = bytes / 4;

    if (!cpus || cpus > RINGS_CPUS_MAX || (1 + (size_t)cpus + 1) / 2 > words)
        return false;
    *pages = half(info, 0);
    if (!*pages || *pages > RINGS_PAGES_MAX)
        return false;
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        size_t at = half(info, 1 + cpu);

        if (at < (1 + (size_t)cpus + 1) / 2 || at + *pages > words)
            return false;
        for (unsigned int i = 0; frames && i < *pages; i++)
            frames[(size_t)cpu * *pages + i] = info[at + i];
    }
    return true;
}

/* A copy, so that what was checked is what is used; NULL with x->error. */
static uint32_t *copy_info(struct xen *x, uint64_t mfn, uint32_t bytes)
{
    unsigned int pages = (bytes + XEN_PAGE - 1) / XEN_PAGE;
    uint64_t frames[64];
    uint32_t *copy;
    void *at;

    if (!mfn || !bytes || pages > sizeof(frames) / sizeof(frames[0])) {
        xen_fail(x, "the hypervisor says that it has no trace buffers");
        return NULL;
    }
    for (unsigned int i = 0; i < pages; i++)
        frames[i] = mfn + i;
    at = xen_map(x, DOMID_XEN, frames, pages, false);
    if (!at)
        return NULL;
    copy = malloc((size_t)pages * XEN_PAGE);
    if (copy)
        memcpy(copy, at, (size_t)pages * XEN_PAGE);
    else
        xen_fail(x, "out of memory");
    xen_unmap(at, pages);
    return copy;
}

/* ------------------------------------------------------------------ mapping */

static bool map_all(struct xen *x, struct rings *r, const uint64_t *frames)
{
    r->ring = calloc(r->cpus, sizeof(*r->ring));
    if (!r->ring)
        return xen_fail(x, "out of memory");
    for (unsigned int cpu = 0; cpu < r->cpus; cpu++) {
        struct ring *ring = &r->ring[cpu];

        ring->buf = xen_map(x, DOMID_XEN, frames + (size_t)cpu * r->pages, r->pages, true);
        if (!ring->buf)
            return false;
        ring->cons = __atomic_load_n(&ring->buf->cons, __ATOMIC_RELAXED);
        ring->bad = ring->cons >= 2 * r->size || ring->cons % 4;
    }
    return true;
}

bool rings_map(struct xen *x, struct rings *r, uint64_t info_mfn, uint32_t info_bytes,
               unsigned int cpus)
{
    uint32_t *info = copy_info(x, info_mfn, info_bytes);
    uint64_t *frames = NULL;
    bool ok = false;

    *r = (struct rings){ .cpus = cpus };
    if (!info)
        return false;
    if (!rings_parse_info(info, info_bytes, cpus, &r->pages, NULL)) {
        xen_fail(x, "the hypervisor's list of trace buffers makes no sense");
    } else {
        frames = calloc((size_t)cpus * r->pages, sizeof(*frames));
        r->size = r->pages * XEN_PAGE - (uint32_t)sizeof(struct t_buf);
        if (!frames)
            xen_fail(x, "out of memory");
        else
            ok = rings_parse_info(info, info_bytes, cpus, &r->pages, frames) &&
                 map_all(x, r, frames);
    }
    free(info);
    free(frames);
    if (!ok)
        rings_unmap(r);
    return ok;
}

void rings_unmap(struct rings *r)
{
    for (unsigned int cpu = 0; r->ring && cpu < r->cpus; cpu++)
        xen_unmap(r->ring[cpu].buf, r->pages);
    free(r->ring);
    *r = (struct rings){ 0 };
}

/* ------------------------------------------------------------------ reading */

bool ring_unread(struct rings *r, unsigned int cpu, struct ring_span *span)
{
    struct ring *ring = &r->ring[cpu];
    const char *data = (const char *)(ring->buf + 1);
    /* The records before prod were written before it. */
    uint32_t prod = __atomic_load_n(&ring->buf->prod, __ATOMIC_ACQUIRE), n, at;

    if (ring->bad)
        return false;
    n = prod >= ring->cons ? prod - ring->cons : prod + 2 * r->size - ring->cons;
    if (prod >= 2 * r->size || prod % 4 || n > r->size) {
        ring->bad = true;
        return false;
    }
    at = ring->cons >= r->size ? ring->cons - r->size : ring->cons;
    span->data[0] = data + at;
    span->bytes[0] = n < r->size - at ? n : r->size - at;
    span->data[1] = data;
    span->bytes[1] = n - span->bytes[0];
    return n > 0;
}

void ring_take(struct rings *r, unsigned int cpu, const struct ring_span *span)
{
    struct ring *ring = &r->ring[cpu];
    uint32_t cons = ring->cons + span->bytes[0] + span->bytes[1];

    ring->cons = cons >= 2 * r->size ? cons - 2 * r->size : cons;
    /* What was there has been read before the writer may overwrite it. */
    __atomic_store_n(&ring->buf->cons, ring->cons, __ATOMIC_RELEASE);
}
