/* SPDX-License-Identifier: MIT */
/*
 * Hot sites: how often each place of a guest enters the hypervisor and what that costs (public/radon.h,
 * "hot sites").  Sampled, one entry in `period`, or exact.
 *
 * A timed entry is open from its first instructions on (vcpu_hot.site_entry, and HOT_SITES_OPEN if it is
 * a sample) until it goes back to the guest (exit_to_guest).  What it is, and of which place, is said in
 * between (sites_label()), by who knows; without that it is not counted.  If it is from user mode and
 * given to the guest kernel (sites_bounced()), it goes on as the vCPU's bounce until the guest kernel's
 * iret (sites_iret()) or until its stack is switched (sites_void_bounce()).  The lean paths do all of it
 * in assembly (hv/x86/sites_entry.h).
 *
 * Each CPU writes its own table, with interrupts off.
 */
#ifndef HV_SITES_H
#define HV_SITES_H

#include "hv/asm.h"
#include "hv/vcpu_hot.h"
#include "public/radon.h"

/* As struct radon_site, with the counts (the sums of the bins) replaced by what updating needs. */
struct site_row {
    uint64_t address;
    uint64_t key;          /* number, kind << 32, overflow << 40, vCPU << 41, domain << 48; 0 = free */
    uint64_t limit;        /* costs up to it need no new maximum and have a bin of their own */
    uint64_t total, max;
    uint64_t bounced_limit, bounced_total, bounced_max;
    uint32_t cost[RADON_SITE_BINS], bounced_cost[RADON_SITE_BINS];
};

#define SITE_ROWS 1024u /* of a CPU; a power of two */
#define SITE_HASH_BITS 10
#define SITE_HASH_K 0x9e3779b97f4a7c15ul /* 2^64 over the golden ratio */
/*
 * Which row a key is looked for first, by the product's highest bits: they depend on all of the key,
 * vCPU and domain too.  hv/x86/sites_entry.h has the same.
 */
#define SITE_HASH(key, address) \
    ((uint32_t)((((key) + (address)) * SITE_HASH_K) >> (64 - SITE_HASH_BITS)))
_Static_assert(SITE_ROWS == 1u << SITE_HASH_BITS, "all of them");
extern const uint64_t site_hash_k; /* SITE_HASH_K, for assembly */

static inline bool sites_timed(const struct vcpu_hot *h)
{
    return unlikely(h->flags & (HOT_SITES_OPEN | HOT_SITES_EXACT));
}

/* The kind in a key; the bits of domain and vCPU are the vCPU's for good. */
static inline uint8_t *site_kind(uint64_t *key)
{
    return (uint8_t *)key + 4;
}

static inline void site_set_label(struct vcpu_hot *h, enum radon_site_kind kind, uint32_t number,
                                  uint64_t address)
{
    *(uint32_t *)&h->site_key = number;
    *site_kind(&h->site_key) = (uint8_t)kind;
    h->site_address = address;
}

/* What the entry that this vCPU is in is, if it is timed; the last word counts. */
static inline void sites_label(enum radon_site_kind kind, uint32_t number, uint64_t address)
{
    struct vcpu_hot *h = hot();

    if (sites_timed(h))
        site_set_label(h, kind, number, address);
}

void sites_end_bounce(struct vcpu_hot *h, bool iret);
void sites_drop_bounce(void); /* for assembly */

/* This entry from user mode is the guest kernel's now: the way out makes it the bounce. */
static inline void sites_bounced(void)
{
    struct vcpu_hot *h = hot();

    if (sites_timed(h))
        *site_kind(&h->site_key) |= SITE_BOUNCED;
}

/* The guest kernel returns to user mode. */
static inline void sites_iret(void)
{
    struct vcpu_hot *h = hot();

    if (unlikely(h->flags & (HOT_SITES_BOUNCE | HOT_SITES_EXACT)))
        sites_end_bounce(h, true);
}

/* ------------------------------------------------------------------ parts of hypercalls */

/* When a part of the hypercall that this vCPU is in begins: TSC, or 0 if the hypercall is not timed. */
static inline uint64_t sites_part_begins(void)
{
    return sites_timed(hot()) ? rdtsc() : 0;
}

/* What a part is: its key as vcpu_hot.site_base differs from it.  number: below 2^32. */
#define SITE_PART(kind, number) ((uint64_t)((kind) ^ RADON_SITE_HYPERCALL) << 32 | (uint32_t)(number))

/* The number in the key of a call, also of one in a multicall: with the operation, if a register has it. */
static inline uint32_t sites_call_number(const struct vcpu_hot *h, uint64_t call, uint64_t first_argument)
{
    uint8_t mask = h->site_sub_masks[call % sizeof(h->site_sub_masks)]; /* no matter which, without such a call */

    return (uint32_t)call | (uint32_t)(first_argument & mask) << 8;
}

static inline unsigned long site_low_bin(uint64_t cost) /* of one that is within a row's limit */
{
    return 63 - (unsigned long)__builtin_clzl(cost | 31) - 4;
}

void sites_add_part_slowly(uint64_t cost, uint64_t key);

/* It is over, after so many cycles. */
static inline void sites_add_part_here(const struct vcpu_hot *h, uint64_t cost, uint64_t part)
{
    uint64_t key = h->site_base ^ part;
    struct site_row *row = &h->site_rows[SITE_HASH(key, 0)];

    /* Rows of these kinds have no address. */
    if (unlikely(row->key != key || cost > row->limit)) {
        sites_add_part_slowly(cost, key);
        return;
    }
    row->total += cost;
    row->cost[site_low_bin(cost)]++;
}

/* The same, not inline; begun: not 0. */
void sites_add_part(uint64_t begun, uint64_t part);

struct site_operation {
    uint64_t begun;
    uint32_t call, operation; /* apart: only what is timed puts them together */
};

static inline void sites_end_operation(const struct site_operation *o)
{
    if (unlikely(o->begun))
        sites_add_part(o->begun, SITE_PART(RADON_SITE_OPERATION, o->call) | (uint32_t)(o->operation << 8));
}

/* An operation that has its number in memory, from here to the end of the scope. */
#define SITES_OPERATION(call_, op)                                                                 \
    __attribute__((cleanup(sites_end_operation), unused)) const struct site_operation operation_ = { \
        sites_part_begins(), (call_), (op)                                                         \
    }

/* ------------------------------------------------------------------ bounces and entries */

/* Its stack is another one: what it goes on with is not what it was given. */
static inline void sites_void_bounce(void)
{
    struct vcpu_hot *h = hot();

    if (unlikely(h->flags & (HOT_SITES_BOUNCE | HOT_SITES_EXACT)))
        sites_end_bounce(h, false);
    h->site_given = SITE_GIVEN_NOTHING;
}

/* Whether the entry that begins here is timed; counts it. */
static inline bool sites_due(struct vcpu_hot *h)
{
    if (likely(!(h->flags & HOT_SITES_EXACT))) {
        if (likely(--h->site_countdown))
            return false;
        h->site_countdown = h->site_period;
        hot_set_instrumented(h, HOT_SITES_OPEN, true);
    }
    return true;
}

/* An entry that assembly has not opened. */
static inline void sites_enter(enum radon_site_kind kind, uint32_t number, uint64_t address)
{
    struct vcpu_hot *h = hot();
    uint32_t *stamp = (uint32_t *)&h->site_entry;

    if (likely(!sites_due(h)))
        return;
    __asm__ volatile("rdtsc" : "=a"(stamp[0]), "=d"(stamp[1]));
    site_set_label(h, kind, number, address);
}

/* One that began on a lean path: if it is due, that has stamped it. */
static inline void sites_enter_stamped(enum radon_site_kind kind, uint32_t number, uint64_t address)
{
    struct vcpu_hot *h = hot();

    if (unlikely(sites_due(h)))
        site_set_label(h, kind, number, address);
}

/* A vCPU is made; v runs on this CPU from now on. */
void sites_init_vcpu(struct vcpu *v);
void sites_vcpu_runs(struct vcpu *v);
/* Before anything is scheduled there. */
void sites_init_cpu(unsigned int cpu);
/* This CPU has begun to run a vCPU, or the mode may have changed.  cpu->lock is not held. */
void sites_look(const struct cpu *cpu);

/* For assembly: the row of (key, address), made if need be, to vcpu_hot.site_found. */
void sites_find_for_entry(uint64_t key, uint64_t address);
void sites_add(struct site_row *row, uint64_t cost);
void sites_add_bounced(struct site_row *row, uint64_t cost);

#endif
