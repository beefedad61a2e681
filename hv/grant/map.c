/* SPDX-License-Identifier: MIT */
/*
 * Mapping others' grants.
 *
 * A mapping holds one reference on the frame for its handle, and one for the page-table entry.  The
 * latter is an entry's like any other's: should the guest change the entry by other means, it is
 * dropped there, and the unmap operation then finds that the entry is not the one it made.
 */
#include "hv/trace.h"

#include "mm/mm_int.h"

#include "grant_int.h"

/* ------------------------------------------------------------------ handles */

/* gt->lock held; NO_HANDLE if there are no more. */
static uint32_t handle_alloc(struct grant_table *gt)
{
    uint32_t handle = gt->first_free;
    struct grant_map *chunk;

    if (handle == NO_HANDLE) {
        if (gt->nr_chunks == MAX_MAP_CHUNKS)
            return NO_HANDLE;
        chunk = hv_alloc(PAGE_SIZE);
        if (!chunk)
            return NO_HANDLE;
        handle = gt->nr_chunks * MAPS_PER_CHUNK;
        for (uint32_t i = 0; i < MAPS_PER_CHUNK; i++)
            chunk[i].next_free = i + 1 < MAPS_PER_CHUNK ? handle + i + 1 : NO_HANDLE;
        gt->chunk[gt->nr_chunks++] = chunk;
    }
    gt->first_free = grant_map(gt, handle)->next_free;
    return handle;
}

static void handle_free(struct grant_table *gt, uint32_t handle)
{
    struct grant_map *map = grant_map(gt, handle);

    map->flags = 0;
    map->next_free = gt->first_free;
    gt->first_free = handle;
}

static uint32_t handle_new(struct grant_table *gt, const struct grant_map *map)
{
    uint32_t handle;

    spin_lock(&gt->lock);
    handle = handle_alloc(gt);
    if (handle != NO_HANDLE)
        *grant_map(gt, handle) = *map;
    spin_unlock(&gt->lock);
    return handle;
}

/*
 * Take the host and device parts (`parts`) out of a handle, so that nobody else undoes them; *map
 * is what it was.  False if there is no such handle or it lacks one of them.
 */
static bool handle_claim(struct grant_table *gt, uint32_t handle, uint16_t parts,
                         struct grant_map *map)
{
    bool ok = false;

    spin_lock(&gt->lock);
    if (handle < gt->nr_chunks * MAPS_PER_CHUNK) {
        struct grant_map *m = grant_map(gt, handle);

        *map = *m;
        ok = parts && (m->flags & parts) == parts;
        if (ok)
            m->flags &= ~parts;
    }
    spin_unlock(&gt->lock);
    return ok;
}

static void handle_restore(struct grant_table *gt, uint32_t handle, uint16_t parts)
{
    spin_lock(&gt->lock);
    grant_map(gt, handle)->flags |= parts;
    spin_unlock(&gt->lock);
}

/* One part less; the last one ends the use of the grant. */
static void handle_done(struct domain *d, uint32_t handle, const struct grant_map *map)
{
    struct grant_table *gt = d->gt;
    bool last, write = !(map->flags & GNTMAP_readonly);
    struct domain *owner;

    spin_lock(&gt->lock);
    last = !(grant_map(gt, handle)->flags & (GNTMAP_host_map | GNTMAP_device_map));
    if (last)
        handle_free(gt, handle);
    spin_unlock(&gt->lock);
    if (!last)
        return;
    owner = domain_find(map->domid);
    if (owner)
        grant_release(owner, map->ref, write);
    put_domain_page(mfn_to_page(MFN(map->mfn)), write);
}

/* ------------------------------------------------------------------ entries */

/* The L1 entry that an operation names, by its own machine address or by what it maps. */
static uint64_t *find_entry(struct vcpu *v, uint64_t host_addr, bool is_pte)
{
    struct page_info *pg;

    if (!is_pte)
        return walk_to_l1e(v->kernel_l4, host_addr);
    if ((host_addr & 7) || host_addr >> PAGE_SHIFT >= max_mfn)
        return NULL;
    pg = mfn_to_page(MFN(host_addr >> PAGE_SHIFT));
    if (pg->owner != v->domain ||
        (READ_ONCE(pg->state) & (PGS_TYPE_MASK | PGS_VALID)) != (PGT_L1 | PGS_VALID))
        return NULL;
    return paddr_to_virt(host_addr);
}

/* Replace an entry, the new one's reference being held by the caller; the old one's is dropped. */
static void replace_entry(uint64_t *e, uint64_t new_entry)
{
    uint64_t old;

    if (unlikely(READ_ONCE(virt_to_page(e)->state) & PGS_WATCHED))
        watched_changes(virt_to_page(e), e, new_entry);
    old = __atomic_exchange_n(e, new_entry, __ATOMIC_SEQ_CST);

    if (old & PTE_P)
        l1e_put(old);
}

static uint64_t entry_of(uint32_t mfn, uint32_t flags)
{
    /* GNTMAP_guest_avail*: the three bits that entries have for software's use, from bit 9. */
    uint64_t avail = ((uint64_t)flags >> _GNTMAP_guest_avail0 & 7) << 9;

    return mfn_to_paddr(MFN(mfn)) | PTE_P | PTE_USER | PTE_A | avail |
           (flags & GNTMAP_readonly ? 0 : PTE_RW | PTE_D);
}

static int map_entry(struct vcpu *v, uint64_t host_addr, uint32_t flags, struct page_info *pg)
{
    struct domain *d = v->domain;
    uint64_t *e;

    spin_lock(&d->mm.lock);
    e = find_entry(v, host_addr, flags & GNTMAP_contains_pte);
    /* The handle's reference makes a second one certain, but for full counts. */
    if (!e || !((flags & GNTMAP_readonly) ? ref_general(pg) : ref_writable(pg))) {
        spin_unlock(&d->mm.lock);
        return GNTST_bad_virt_addr;
    }
    if (pg->owner != d)
        __atomic_or_fetch(&pg->state, PGS_FOREIGN, __ATOMIC_SEQ_CST);
    replace_entry(e, entry_of((uint32_t)page_to_mfn(pg).m, flags));
    spin_unlock(&d->mm.lock);
    return GNTST_okay;
}

/*
 * Undo map_entry(); whether host_addr is an entry's own address was said then.  With `replacement`
 * (a guest address) the entry there moves here.
 */
static int unmap_entry(struct vcpu *v, uint64_t host_addr, const struct grant_map *map,
                       uint64_t replacement)
{
    struct domain *d = v->domain;
    uint64_t *e, *from = NULL, new_entry = 0;
    int rc = GNTST_general_error;

    spin_lock(&d->mm.lock);
    e = find_entry(v, host_addr, map->flags & GNTMAP_contains_pte);
    if (replacement)
        from = walk_to_l1e(v->kernel_l4, replacement);
    if (e && (*e & PTE_P) && pte_frame(*e) == map->mfn && (!replacement || (from && from != e))) {
        if (from)
            new_entry = __atomic_exchange_n(from, 0, __ATOMIC_SEQ_CST);
        replace_entry(e, new_entry);
        rc = GNTST_okay;
    }
    spin_unlock(&d->mm.lock);
    return rc;
}

/* ------------------------------------------------------------------ operations */

static int do_map(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
    struct domain *d = v->domain, *owner = domain_find(op->dom);
    bool write = !(op->flags & GNTMAP_readonly);
    struct grant_map map;
    struct page_info *pg;
    int rc;

    op->handle = NO_HANDLE;
    if (!owner)
        return GNTST_bad_domain;
    if (!(op->flags & (GNTMAP_device_map | GNTMAP_host_map)))
        return GNTST_bad_gntref;
    rc = grant_acquire(owner, op->ref, d->id, write, &pg);
    if (rc != GNTST_okay)
        return rc;

    map = (struct grant_map){
        .ref = op->ref,
        .mfn = (uint32_t)page_to_mfn(pg).m,
        .domid = owner->id,
        .flags = op->flags & (GNTMAP_device_map | GNTMAP_host_map | GNTMAP_readonly |
                              GNTMAP_contains_pte),
    };
    if (op->flags & GNTMAP_host_map)
        rc = map_entry(v, op->host_addr, op->flags, pg);
    if (rc == GNTST_okay) {
        op->handle = handle_new(d->gt, &map);
        if (op->handle == NO_HANDLE) {
            rc = GNTST_no_space;
            if (op->flags & GNTMAP_host_map)
                unmap_entry(v, op->host_addr, &map, 0);
        }
    }
    if (rc != GNTST_okay) {
        grant_release(owner, op->ref, write);
        put_domain_page(pg, write);
        return rc;
    }
    trace_grant_map(owner->id, op->ref, map.mfn, op->flags);
    op->dev_bus_addr = op->flags & GNTMAP_device_map ? mfn_to_paddr(MFN(map.mfn)) : 0;
    return GNTST_okay;
}

static int do_unmap(struct vcpu *v, uint32_t handle, uint64_t host_addr, uint64_t dev_bus_addr,
                    uint64_t replacement)
{
    uint16_t parts = (host_addr ? GNTMAP_host_map : 0) | (dev_bus_addr ? GNTMAP_device_map : 0);
    struct domain *d = v->domain;
    struct grant_map map;
    int rc = GNTST_okay;

    if (!handle_claim(d->gt, handle, parts, &map))
        return GNTST_bad_handle;
    if (dev_bus_addr && dev_bus_addr >> PAGE_SHIFT != map.mfn)
        rc = GNTST_bad_dev_addr;
    else if (host_addr)
        rc = unmap_entry(v, host_addr, &map, replacement);
    if (rc != GNTST_okay) {
        handle_restore(d->gt, handle, parts);
        return rc;
    }
    trace_grant_unmap(map.domid, map.ref, map.mfn);
    handle_done(d, handle, &map);
    return GNTST_okay;
}

bool grant_op_map(struct vcpu *v, uint64_t va)
{
    struct gnttab_map_grant_ref op;

    if (!copy_from_guest(&op, va, 1))
        return false;
    op.status = (int16_t)do_map(v, &op);
    return copy_to_guest(va, &op, 1);
}

bool grant_op_unmap(struct vcpu *v, uint64_t va)
{
    struct gnttab_unmap_grant_ref op;

    if (!copy_from_guest(&op, va, 1))
        return false;
    op.status = (int16_t)do_unmap(v, op.handle, op.host_addr, op.dev_bus_addr, 0);
    return copy_to_guest(va, &op, 1);
}

bool grant_op_unmap_and_replace(struct vcpu *v, uint64_t va)
{
    struct gnttab_unmap_and_replace op;

    if (!copy_from_guest(&op, va, 1))
        return false;
    if (!op.host_addr || !op.new_addr)
        op.status = GNTST_bad_virt_addr;
    else
        op.status = (int16_t)do_unmap(v, op.handle, op.host_addr, 0, op.new_addr);
    return copy_to_guest(va, &op, 1);
}

/* d's tables are gone or going: only handles are left to end. */
uint64_t grant_table_release_maps(struct domain *d, uint64_t max_steps)
{
    struct grant_table *gt = d->gt;
    uint64_t left = 0;

    if (!gt)
        return 0;
    for (uint32_t h = 0; h < gt->nr_chunks * MAPS_PER_CHUNK; h++) {
        const uint16_t parts = GNTMAP_host_map | GNTMAP_device_map;
        struct grant_map map;
        uint16_t flags = grant_map(gt, h)->flags & parts;

        if (!flags)
            continue;
        if (max_steps == 0) {
            left++;
            continue;
        }
        max_steps--;
        if (handle_claim(gt, h, flags, &map))
            handle_done(d, h, &map);
    }
    return left;
}
