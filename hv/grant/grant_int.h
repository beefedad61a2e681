/* SPDX-License-Identifier: MIT */
/*
 * A domain's grant table: what it grants (the shared entries and who uses them), and what it has
 * mapped of others' grants (map tracking, by handle).
 *
 * gt->lock guards both; it is never held together with another domain's, and mm.lock is not taken
 * inside it.
 */
#ifndef HV_GRANT_INT_H
#define HV_GRANT_INT_H

#include "hv/domain.h"
#include "hv/grant.h"
#include "hv/guest.h"
#include "hv/lib.h"

#define ENTRIES_PER_FRAME (PAGE_SIZE / sizeof(grant_entry_v1_t))

/* Uses of a grant now: each mapping, each copy while it goes on. */
struct grant_use {
    uint32_t readers, writers;
    uint32_t mfn;   /* valid while used */
    uint16_t domid; /* the user; likewise */
};

/* A mapping that the domain has made. */
struct grant_map {
    uint32_t ref;
    uint32_t mfn;
    uint16_t domid;      /* who grants */
    uint16_t flags;      /* GNTMAP_device_map, _host_map: still there; _readonly; 0 = free entry */
    uint32_t next_free;
};

#define MAPS_PER_CHUNK (PAGE_SIZE / sizeof(struct grant_map))
#define MAX_MAP_CHUNKS 256
#define NO_HANDLE      0xffffffffu

struct grant_table {
    spinlock_t lock;
    uint32_t nr_frames;
    grant_entry_v1_t *shared[GRANT_MAX_FRAMES];
    struct grant_use *use[GRANT_MAX_FRAMES];

    uint32_t nr_chunks, first_free;
    struct grant_map *chunk[MAX_MAP_CHUNKS];
};

static inline grant_entry_v1_t *grant_entry(struct grant_table *gt, uint32_t ref)
{
    return &gt->shared[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

static inline struct grant_use *grant_use(struct grant_table *gt, uint32_t ref)
{
    return &gt->use[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

static inline struct grant_map *grant_map(struct grant_table *gt, uint32_t handle)
{
    return &gt->chunk[handle / MAPS_PER_CHUNK][handle % MAPS_PER_CHUNK];
}

/* access.c: begin and end `user`'s use of a grant of `owner`; a GNTST_* status. */
int grant_acquire(struct domain *owner, uint32_t ref, uint16_t user, bool write,
                  struct page_info **pg);
void grant_release(struct domain *owner, uint32_t ref, bool write);

/* map.c, copy.c: one operation at a guest address each; false if it cannot be read or written. */
bool grant_op_map(struct vcpu *v, uint64_t va);
bool grant_op_unmap(struct vcpu *v, uint64_t va);
bool grant_op_unmap_and_replace(struct vcpu *v, uint64_t va);
bool grant_op_copy(struct vcpu *v, uint64_t va);

#endif
