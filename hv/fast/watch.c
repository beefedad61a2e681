/* SPDX-License-Identifier: MIT */
/*
 * The pages of guest text and read-only data that a handler was made from (rules 9 and 10): the
 * page-table code says before one becomes writable or its address maps another frame, and the
 * handlers that rest on it are out of use, on every CPU, before that is done.
 */
#include "hv/guest.h"
#include "hv/mm.h"

#include "fast_int.h"

static uint64_t hash_page(const void *page)
{
    const uint8_t *at = page;
    uint64_t hash = RADON_FAST_HASH_START;

    for (size_t i = 0; i < PAGE_SIZE; i++)
        hash = (hash ^ at[i]) * RADON_FAST_HASH_PRIME;
    return hash;
}

int fast_fetch_watches(struct fast_handler *h, uint64_t watches, uint32_t nr)
{
    struct radon_fast_watch watch;

    if (!nr)
        return 0;
    h->watched = hv_alloc(nr * sizeof(*h->watched));
    if (!h->watched)
        return -XEN_ENOMEM;
    h->nr_watched = nr;
    for (uint32_t i = 0; i < nr; i++) {
        if (!copy_from_guest(&watch, watches + i * sizeof(watch), 1))
            return -XEN_EFAULT;
        if (watch.address & (PAGE_SIZE - 1))
            return -XEN_EINVAL;
        h->watched[i].address = watch.address;
        h->watched[i].hash = watch.hash;
    }
    return 0;
}

static struct vcpu *any_vcpu(struct domain *d)
{
    return current()->domain == d ? current() : d->vcpu[0];
}

int fast_watch(struct fast_handler *h)
{
    struct vcpu *v = any_vcpu(h->fd->domain);
    int rc = 0;

    for (uint32_t i = 0; i < h->nr_watched && rc == 0; i++)
        rc = mm_watch(v, h->watched[i].address, &h->watched[i].at);
    if (h->nr_watched)
        fast_sync(); /* what TLBs knew of former writable mappings */
    for (uint32_t i = 0; i < h->nr_watched && rc == 0; i++)
        if (h->watched[i].hash &&
            hash_page(mfn_to_virt(h->watched[i].at.mfn)) != h->watched[i].hash)
            rc = -XEN_EINVAL;
    return rc;
}

/* ------------------------------------------------------------------ changes */

static enum radon_fast_reason reason_of(const struct fast_watched *w, const struct page_info *pg,
                                        const uint64_t *entry, uint64_t new_entry)
{
    uint64_t mfn = page_to_mfn(pg).m;

    if (!entry && w->at.mfn.m == mfn)
        return RADON_FAST_TEXT_CHANGED;
    for (unsigned int level = 0; level < 3; level++) {
        if (entry ? w->at.entry[level] != virt_to_paddr(entry)
                  : w->at.entry[level] >> PAGE_SHIFT != mfn)
            continue;
        /* The same frame, by other rights: what makes it writable is seen at the frame. */
        if (entry && level == 0 && (new_entry & 1) && (new_entry << 12 >> 24) == w->at.mfn.m)
            continue;
        return RADON_FAST_MAP_CHANGED;
    }
    return RADON_FAST_NO_REASON;
}

static void page_changes(struct page_info *pg, const uint64_t *entry, uint64_t new_entry)
{
    struct fast_domain *fd = pg->owner ? pg->owner->fast : NULL;
    bool any = false;

    if (!fd)
        return;
    spin_lock(&fd->lock);
    for (struct fast_handler *h = fd->list; h; h = h->next) {
        for (uint32_t i = 0; i < h->nr_watched && h->state != RADON_FAST_RETIRED; i++) {
            enum radon_fast_reason why = reason_of(&h->watched[i], pg, entry, new_entry);

            if (why) {
                fast_retire(h, why);
                any = true;
            }
        }
    }
    spin_unlock(&fd->lock);
    if (any)
        fast_sync();
}

void fast_watch_init(void)
{
    mm_watched_changes = page_changes;
}
