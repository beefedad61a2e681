/* SPDX-License-Identifier: MIT */
/*
 * Hot sites: how often each place of a guest enters the hypervisor and what that costs (public/radon.h,
 * "hot sites").  Sampled, one entry in `period`, or exact.
 *
 * An entry is open from sites_open() to sites_close(), on the way back to the guest.  If it is from user
 * mode and given to the guest kernel (sites_bounced()), it goes on as the vCPU's bounce until the
 * guest kernel's iret (sites_iret()) or until its stack is switched (sites_void_bounce()).  The lean
 * paths do the same in assembly (hv/x86/sites.inc).
 *
 * Each CPU writes its own table, with interrupts off.
 */
#ifndef HV_SITES_H
#define HV_SITES_H

#include "hv/vcpu_hot.h"
#include "public/radon.h"

/* As struct radon_site, with the counts (the sums of the bins) replaced by what updating needs. */
struct site_row {
    uint64_t address;
    uint64_t key;          /* number, kind << 32, flags << 40, domain << 48; 0 = free */
    uint64_t limit;        /* costs up to it need no new maximum and have a bin of their own */
    uint64_t total, max;
    uint64_t bounced_limit, bounced_total, bounced_max;
    uint32_t cost[RADON_SITE_BINS], bounced_cost[RADON_SITE_BINS];
};

#define SITE_ROWS 1024u /* of a CPU; a power of two */
#define SITE_HASH_K 0x61c88647 /* 2^32 over the golden ratio */
/* Which row a key is looked for first: hv/x86/sites.inc has the same. */
#define SITE_HASH(key, address) \
    ((uint32_t)((((key) + (address)) * SITE_HASH_K) >> 32) & (SITE_ROWS - 1))

/* Whether the entry that begins here is to be timed; counts it. */
static inline bool sites_due(struct vcpu_hot *h)
{
    if (h->flags & HOT_SITES_EXACT)
        return true;
    if (--h->site_countdown)
        return false;
    h->site_countdown = h->site_period;
    return true;
}

void sites_open(enum radon_site_kind kind, uint32_t number, uint64_t address);
/* The open entry, if there is one, turns out to be something else. */
void sites_label(enum radon_site_kind kind, uint32_t number);
void sites_bounced(void);
void sites_close(void);
/* The guest kernel returns to user mode. */
void sites_iret(void);
void sites_void_bounce(void);

static inline void sites_enter(enum radon_site_kind kind, uint32_t number, uint64_t address)
{
    if (unlikely(sites_due(hot())))
        sites_open(kind, number, address);
}

/* A vCPU is made; v runs on this CPU from now on. */
void sites_init_vcpu(struct vcpu *v);
void sites_vcpu_runs(struct vcpu *v);
/* Before anything is scheduled there. */
void sites_init_cpu(unsigned int cpu);

/* For assembly: the row of (key, address), made if need be; never NULL. */
struct site_row *sites_find(uint64_t key, uint64_t address);
void sites_add(struct site_row *row, uint64_t cost);
void sites_add_bounced(struct site_row *row, uint64_t cost);

#endif
