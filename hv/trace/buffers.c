/* SPDX-License-Identifier: MIT */
/*
 * The memory of the rings, which domain 0 maps.
 *
 * struct t_info says where the rings are: after its head, for each CPU, the list of the frames of
 * its ring, 32 bits each, at t_info + 4 * mfn_offset[cpu].  It may be read alone; the rings may be
 * written.  Pages that domain 0 has still mapped when the rings go live until it unmaps them.
 */
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "trace/rings.h"

#define MAX_RING_PAGES 4096u /* 16 MiB a CPU */

struct trace_rings trace_rings[NR_TRACE_RINGS];

/* Contiguous pages that privileged domains may map, for writing too if so; NULL without memory. */
static void *shared_alloc(unsigned int pages, bool writable)
{
    unsigned int order = 0;
    struct page_info *pg;

    while (1u << order < pages)
        order++;
    pg = alloc_pages(order, 0);
    if (!pg)
        return NULL;
    for (unsigned int i = pages; i < 1u << order; i++)
        free_pages(pg + i, 0);
    for (unsigned int i = 0; i < pages; i++)
        mm_share_page(pg + i, &dom_xen, writable);
    return page_to_virt(pg);
}

/* A page stays until the last reader has unmapped it. */
static void shared_free(void *va, unsigned int pages)
{
    for (unsigned int i = 0; va && i < pages; i++)
        mm_unshare_page(virt_to_page(va) + i);
}

static void free_rings(unsigned int which)
{
    struct trace_rings *set = &trace_rings[which];

    for (unsigned int i = 0; i < nr_cpus; i++) {
        struct trace_ring *r = &cpus[i]->trace[which];
        void *buf = r->buf;

        memset(r, 0, sizeof(*r));
        shared_free(buf, set->pages);
    }
    shared_free(set->info, set->info_pages);
    memset(set, 0, sizeof(*set));
}

static void describe_rings(unsigned int which)
{
    struct trace_rings *set = &trace_rings[which];
    uint32_t at = DIV_ROUND_UP(sizeof(*set->info) + nr_cpus * sizeof(set->info->mfn_offset[0]), 4);

    set->info->tbuf_size = (uint16_t)set->pages;
    for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
        uint32_t first = (uint32_t)virt_to_mfn(cpus[cpu]->trace[which].buf).m;

        set->info->mfn_offset[cpu] = (uint16_t)at;
        for (uint32_t i = 0; i < set->pages; i++)
            ((uint32_t *)set->info)[at++] = first + i;
    }
}

int trace_rings_make(unsigned int which, uint32_t pages, bool flight)
{
    struct trace_rings *set = &trace_rings[which];
    uint32_t info_words = DIV_ROUND_UP(sizeof(struct t_info) + nr_cpus * sizeof(uint16_t), 4) +
                          nr_cpus * pages;

    if (!pages || pages > MAX_RING_PAGES || info_words > 0xffff) /* what mfn_offset can say */
        return -XEN_EINVAL;
    free_rings(which);
    trace_no_ring[which] = 0;
    set->pages = pages;
    set->info_pages = DIV_ROUND_UP(info_words * 4, PAGE_SIZE);
    set->info = shared_alloc(set->info_pages, false);
    for (unsigned int i = 0; set->info && i < nr_cpus; i++) {
        void *buf = shared_alloc(pages, true);

        if (!buf)
            break;
        trace_ring_init(&cpus[i]->trace[which], buf, pages * PAGE_SIZE, flight);
        if (i == nr_cpus - 1) {
            describe_rings(which);
            return 0;
        }
    }
    free_rings(which);
    return -XEN_ENOMEM;
}

void trace_rings_reset(unsigned int which, bool flight)
{
    trace_no_ring[which] = 0;
    for (unsigned int i = 0; i < nr_cpus; i++) {
        struct trace_ring *r = &cpus[i]->trace[which];

        trace_ring_init(r, r->buf, trace_rings[which].pages * PAGE_SIZE, flight);
    }
}
