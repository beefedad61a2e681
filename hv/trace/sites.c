/* SPDX-License-Identifier: MIT */
/*
 * Hot sites: timing entries, and the tables.
 *
 * A table is open-addressed: a key is looked for in WINDOW rows from its hash on.  If they are all taken,
 * the row with the fewest entries is added to the overflow row of its domain and kind and replaced,
 * so that totals stay exact.
 */
#include "trace/sites_int.h"

#include "hv/asm.h"
#include "hv/lib.h"
#include "hv/percpu.h"

#define WINDOW 8u
#define KEY_FLAGS(key) ((uint8_t)((key) >> 40))
#define KEY_KIND(key) ((uint8_t)((key) >> 32))
#define KIND_MASK (0xffUL << 32)
#define OVERFLOW_KEY ((uint64_t)RADON_SITE_OVERFLOW << 40)
#define TOP_COST ((1UL << (RADON_SITE_BINS + 4)) - 1) /* with a bin of its own */

struct site_table site_tables[NR_CPUS];

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

static struct site_row *claim(struct site_row *row, uint64_t key, uint64_t address)
{
    memset(row, 0, sizeof(*row));
    row->key = key;
    row->address = address;
    return row;
}

/* Overflow rows, and those that vcpu_hot.site_iret_row may point to, are never given up. */
static bool stays(uint64_t key)
{
    return (KEY_FLAGS(key) & RADON_SITE_OVERFLOW) ||
           (key & 0xffffffffffffUL) == (__HYPERVISOR_iret | (uint64_t)RADON_SITE_HYPERCALL << 32);
}

/* The row of the key in its window; NULL: none, then *victim is the one to give up, or a free one. */
static struct site_row *look(struct site_row *rows, uint64_t key, uint64_t address,
                             struct site_row **victim)
{
    uint64_t fewest = ~0UL;

    *victim = NULL;
    for (unsigned int i = 0; i < WINDOW; i++) {
        struct site_row *row = &rows[(SITE_HASH(key, address) + i) % SITE_ROWS];
        uint64_t n;

        if (row->key == key && row->address == address)
            return row;
        if (stays(row->key))
            continue;
        n = row->key ? sites_count(row->cost) + 1 : 0;
        if (n < fewest) {
            fewest = n;
            *victim = row;
        }
    }
    return NULL;
}

/*
 * A window full of rows that stay has none to spare (8 domains and kinds that fall together): then the
 * first one there takes it.
 */
static struct site_row *overflow_row(struct site_row *rows, uint64_t key)
{
    struct site_row *victim, *row;

    key = (key & 0xffff00ff00000000UL) | OVERFLOW_KEY;
    row = look(rows, key, 0, &victim);
    if (row)
        return row;
    if (!victim)
        return &rows[SITE_HASH(key, 0UL)];
    if (victim->key) {
        struct site_row evicted = *victim;

        claim(victim, key, 0);
        add_row(KEY_KIND(evicted.key) == KEY_KIND(key) && evicted.key >> 48 == key >> 48
                    ? victim : overflow_row(rows, evicted.key), &evicted);
        return victim;
    }
    return claim(victim, key, 0);
}

struct site_row *sites_find_in(struct site_row *rows, uint64_t key, uint64_t address)
{
    struct site_row *victim, *row = look(rows, key, address, &victim);

    if (row)
        return row;
    if (!victim)
        return overflow_row(rows, key);
    if (victim->key) {
        struct site_row *over = overflow_row(rows, victim->key);

        add_row(over, victim);
        if (over == victim) /* its own place was the one to give up */
            return sites_find_in(rows, key, address);
    }
    return claim(victim, key, address);
}

struct site_row *sites_find(uint64_t key, uint64_t address)
{
    return sites_find_in(hot()->site_rows, key, address);
}

/* As the two, for the common case: the first row of the window, and no new maximum. */
static inline struct site_row *find_here(const struct vcpu_hot *h, uint64_t key, uint64_t address)
{
    struct site_row *row = &h->site_rows[SITE_HASH(key, address)];

    return likely(row->key == key && row->address == address)
               ? row : sites_find_in(h->site_rows, key, address);
}

static inline void add_here(struct site_row *row, uint64_t cost)
{
    if (unlikely(cost > row->limit)) {
        sites_add(row, cost);
        return;
    }
    row->total += cost;
    row->cost[31 - __builtin_clz((uint32_t)cost | 31) - 4]++;
}

/* ------------------------------------------------------------------ entries */

static uint64_t key_of(enum radon_site_kind kind, uint32_t number)
{
    return number | (uint64_t)kind << 32 | (uint64_t)current()->domain->id << 48;
}

static void flag_clear(struct vcpu_hot *h, uint32_t flag)
{
    if (h->flags & flag)
        hot_set_instrumented(h, flag, false);
}

void sites_open(enum radon_site_kind kind, uint32_t number, uint64_t address)
{
    struct vcpu_hot *h = hot();

    h->site_key = key_of(kind, number);
    h->site_address = address;
    h->site_entry = rdtsc();
    if (!(h->flags & HOT_SITES_EXACT))
        hot_set_instrumented(h, HOT_SITES_OPEN, true);
}

void sites_label(enum radon_site_kind kind, uint32_t number)
{
    struct vcpu_hot *h = hot();

    if (unlikely(h->flags & (HOT_SITES_OPEN | HOT_SITES_EXACT)) && KEY_KIND(h->site_key))
        h->site_key = key_of(kind, number);
}

/* The bounce's own cost is known when the entry closes; until then the entry is not counted. */
void sites_bounced(void)
{
    struct vcpu_hot *h = hot();

    if (likely(!(h->flags & (HOT_SITES_OPEN | HOT_SITES_EXACT))) || !KEY_KIND(h->site_key))
        return;
    sites_void_bounce();
    h->bounce_key = h->site_key;
    h->bounce_address = h->site_address;
    h->bounce_entry = h->site_entry;
    h->bounce_cost = 0;
    if (!(h->flags & HOT_SITES_EXACT))
        hot_set_instrumented(h, HOT_SITES_BOUNCE, true);
}

void sites_close(void)
{
    struct vcpu_hot *h = hot();
    uint64_t cost;

    if (likely(!(h->flags & (HOT_SITES_OPEN | HOT_SITES_EXACT))))
        return;
    flag_clear(h, HOT_SITES_OPEN);
    if (!KEY_KIND(h->site_key))
        return;
    cost = rdtsc() - h->site_entry;
    if (KEY_KIND(h->bounce_key) && h->bounce_entry == h->site_entry)
        h->bounce_cost = MIN(cost, 0xffffffffUL);
    else
        add_here(find_here(h, h->site_key, h->site_address), cost);
    h->site_key = 0; /* the kind is what counts */
}

static void end_bounce(struct vcpu_hot *h, uint64_t bounced)
{
    struct site_row *row;

    flag_clear(h, HOT_SITES_BOUNCE);
    if (!KEY_KIND(h->bounce_key))
        return;
    row = find_here(h, h->bounce_key, h->bounce_address);
    add_here(row, h->bounce_cost);
    if (bounced)
        sites_add_bounced(row, bounced);
    h->bounce_key &= ~KIND_MASK; /* the lean paths write number and kind alone */
}

void sites_iret(void)
{
    struct vcpu_hot *h = hot();

    if (unlikely(h->flags & (HOT_SITES_BOUNCE | HOT_SITES_EXACT)))
        end_bounce(h, MAX((h->iret_entry ? h->iret_entry : rdtsc()) - h->bounce_entry, 1UL));
}

void sites_void_bounce(void)
{
    struct vcpu_hot *h = hot();

    if (unlikely(h->flags & (HOT_SITES_BOUNCE | HOT_SITES_EXACT)))
        end_bounce(h, 0);
}
