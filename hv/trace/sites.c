/* SPDX-License-Identifier: MIT */
/*
 * Hot sites: timing entries, and the tables.
 *
 * A table is open-addressed: a key is looked for in WINDOW rows from its hash on.  If they are all taken,
 * the row with the fewest entries is added to the overflow row of its vCPU and kind and replaced,
 * so that totals stay exact.
 */
#include "trace/sites_int.h"

#include "hv/asm.h"
#include "hv/lib.h"
#include "hv/percpu.h"

#define WINDOW 8u
#define OVERFLOW_KEY ((uint64_t)RADON_SITE_OVERFLOW << 40)
#define KEY_OWNER (~0UL << SITE_VCPU_SHIFT) /* domain and vCPU */
#define KEY_KIND (0xffUL << 32)
#define TOP_COST ((1UL << (RADON_SITE_BINS + 4)) - 1) /* with a bin of its own */

struct site_table site_tables[NR_CPUS];
const uint64_t site_hash_k = SITE_HASH_K;

/* ------------------------------------------------------------------ rows */

static unsigned int bin_of(uint64_t cost)
{
    unsigned int log = 63 - (unsigned int)__builtin_clzl(cost | 31);

    return MIN(log - 4, RADON_SITE_BINS - 1);
}

static void new_maximum(uint64_t *limit, uint64_t *max, uint64_t cost)
{
    *max = MAX(*max, cost);
    *limit = MIN(*max, TOP_COST);
}

void sites_add(struct site_row *row, uint64_t cost)
{
    new_maximum(&row->limit, &row->max, cost);
    row->total += cost;
    row->cost[bin_of(cost)]++;
}

void sites_add_bounced(struct site_row *row, uint64_t cost)
{
    new_maximum(&row->bounced_limit, &row->bounced_max, cost);
    row->bounced_total += cost;
    row->bounced_cost[bin_of(cost)]++;
}

uint64_t sites_count(const uint32_t bins[RADON_SITE_BINS])
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < RADON_SITE_BINS; i++)
        n += bins[i];
    return n;
}

static struct site_time *time_of(const struct site_table *t, const struct site_row *row)
{
    return &t->times[row - t->rows];
}

/* What `from` has counted is `to`'s as well. */
static void add_row(struct site_row *to, const struct site_row *from)
{
    new_maximum(&to->limit, &to->max, from->max);
    new_maximum(&to->bounced_limit, &to->bounced_max, from->bounced_max);
    to->total += from->total;
    to->bounced_total += from->bounced_total;
    for (unsigned int i = 0; i < RADON_SITE_BINS; i++) {
        to->cost[i] += from->cost[i];
        to->bounced_cost[i] += from->bounced_cost[i];
    }
}

static void add_time(struct site_time *to, const struct site_time *from)
{
    for (unsigned int i = 0; i < 2; i++) {
        to->time[i] += from->time[i];
        to->looks[i] += from->looks[i];
    }
}

static struct site_row *claim(struct site_table *t, struct site_row *row, uint64_t key,
                              uint64_t address)
{
    memset(row, 0, sizeof(*row));
    memset(time_of(t, row), 0, sizeof(struct site_time));
    row->key = key;
    row->address = address;
    return row;
}

/* Overflow rows, and those that vcpu_hot.site_iret_row may point to, are never given up. */
static bool stays(uint64_t key)
{
    return (key & OVERFLOW_KEY) ||
           (key & ~KEY_OWNER) == (__HYPERVISOR_iret | (uint64_t)RADON_SITE_HYPERCALL << 32);
}

/* What would be lost by giving the row up: more than 0 unless it is free. */
static uint64_t worth(const struct site_table *t, const struct site_row *row)
{
    const struct site_time *time = time_of(t, row);

    return row->key ? sites_count(row->cost) + time->looks[0] + time->looks[1] + 1 : 0;
}

/*
 * The row of the key; NULL: there is none, then *victim is the one to give up, or a free one.  One that
 * stays is in the first window from its hash on that is not full of such rows, since they stay where
 * they are; *victim is NULL only if there is no other one in the table.  The rest is in its first window
 * or nowhere.
 */
static struct site_row *look(const struct site_table *t, uint64_t key, uint64_t address,
                             struct site_row **victim)
{
    unsigned int end = stays(key) ? SITE_ROWS : WINDOW;
    uint64_t least = ~0UL;

    *victim = NULL;
    for (unsigned int i = 0; i < end && (i % WINDOW || !*victim); i++) {
        struct site_row *row = &t->rows[(SITE_HASH(key, address) + i) % SITE_ROWS];
        uint64_t n;

        if (row->key == key && row->address == address)
            return row;
        if (stays(row->key))
            continue;
        n = worth(t, row);
        if (n < least) {
            least = n;
            *victim = row;
        }
    }
    return NULL;
}

static struct site_row *first_row(const struct site_table *t, uint64_t key, uint64_t address)
{
    return &t->rows[SITE_HASH(key, address)];
}

static uint64_t overflow_key(uint64_t key)
{
    return (key & (KEY_OWNER | KEY_KIND)) | OVERFLOW_KEY;
}

/*
 * The row is free: what it counted goes to the overflow row of its vCPU and kind.  To be made, that one may
 * take another row's place, and so on: at most once for each vCPU and kind.
 */
static void give_up(struct site_table *t, struct site_row *row)
{
    struct site_row *to, *victim, evicted = *row, next = { 0 };
    struct site_time time = *time_of(t, row), next_time = { 0 };

    row->key = 0;
    do {
        uint64_t key = overflow_key(evicted.key);

        to = look(t, key, 0, &victim);
        next.key = 0;
        if (!to && victim) {
            next = *victim;
            next_time = *time_of(t, victim);
            to = claim(t, victim, key, 0);
        } else if (!to) {
            to = first_row(t, key, 0); /* a table of nothing but rows that stay */
        }
        add_row(to, &evicted);
        add_time(time_of(t, to), &time);
        evicted = next;
        time = next_time;
    } while (evicted.key);
}

struct site_row *sites_find_in(struct site_table *t, uint64_t key, uint64_t address)
{
    struct site_row *victim, *row;

    while (!(row = look(t, key, address, &victim)) && victim && victim->key)
        give_up(t, victim); /* its place may go to an overflow row */
    if (row)
        return row;
    if (victim)
        return claim(t, victim, key, address);
    return stays(key) ? first_row(t, key, address) : sites_find_in(t, overflow_key(key), 0);
}

void sites_find_for_entry(uint64_t key, uint64_t address)
{
    struct vcpu_hot *h = hot();

    h->site_found = sites_find_in(&site_tables[h->cpu->id], key, address);
}

/* The row's own place first; the rest is out of line. */
static inline struct site_row *find_here(const struct vcpu_hot *h, uint64_t key, uint64_t address)
{
    struct site_row *row = &h->site_rows[SITE_HASH(key, address)];

    return likely(row->key == key && row->address == address)
               ? row : sites_find_in(&site_tables[h->cpu->id], key, address);
}

/* ------------------------------------------------------------------ entries, parts of hypercalls */

static inline void add_here(struct site_row *row, uint64_t cost)
{
    if (unlikely(cost > row->limit)) {
        sites_add(row, cost);
        return;
    }
    row->total += cost;
    row->cost[site_low_bin(cost)]++;
}

static inline void add_bounced_here(struct site_row *row, uint64_t cost)
{
    if (unlikely(cost > row->bounced_limit)) {
        sites_add_bounced(row, cost);
        return;
    }
    row->bounced_total += cost;
    row->bounced_cost[site_low_bin(cost)]++;
}

void sites_add_part_slowly(uint64_t cost, uint64_t key)
{
    add_here(sites_find_in(&site_tables[hot()->cpu->id], key, 0), cost);
}

void sites_add_part(uint64_t begun, uint64_t part)
{
    uint64_t cost = rdtsc() - begun;

    sites_add_part_here(hot(), cost, part);
}

void sites_end_bounce(struct vcpu_hot *h, bool iret)
{
    struct site_row *row;

    if (h->flags & HOT_SITES_BOUNCE)
        hot_set_instrumented(h, HOT_SITES_BOUNCE, false);
    if (!*site_kind(&h->bounce_key))
        return;
    row = find_here(h, h->bounce_key, h->bounce_address);
    add_here(row, (uint32_t)h->bounce_cost);
    if (iret) /* where that begins: the entry that this is in */
        add_bounced_here(row, MAX(h->site_entry - h->bounce_entry, 1UL));
    *site_kind(&h->bounce_key) = 0;
}

void sites_drop_bounce(void)
{
    sites_end_bounce(hot(), false);
}
