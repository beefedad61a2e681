/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

/* ------------------------------------------------------------------ rows by key */

static bool same_key(const struct stat_row *r, const struct stat_key *k, const char *routine)
{
    const struct stat_key *o = &r->key;

    return o->domain == k->domain && o->cpu == k->cpu && o->vcpu == k->vcpu && o->kind == k->kind &&
           o->overflow == k->overflow && o->number == k->number && o->address == k->address &&
           r->routine == routine;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
}

static size_t hash_of(const struct stat_key *k, const char *routine)
{
    uint64_t h = mix((uint64_t)(uint32_t)k->domain << 32 | (uint32_t)k->cpu, k->address);

    h = mix(h, (uint64_t)(uint32_t)k->vcpu << 32 | k->number);
    return (size_t)mix(h, (uintptr_t)routine << 9 | (unsigned int)k->overflow << 8 | k->kind);
}

static void put_index(struct stat_table *t, size_t place)
{
    size_t mask = 2 * t->room - 1, at = hash_of(&t->row[place].key, t->row[place].routine) & mask;

    while (t->index[at])
        at = (at + 1) & mask;
    t->index[at] = (uint32_t)place + 1;
}

static bool grow(struct stat_table *t)
{
    size_t room = t->room ? 2 * t->room : 256;
    struct stat_row *row = realloc(t->row, room * sizeof(*row));
    uint32_t *index;

    if (!row)
        return false;
    t->row = row;
    index = calloc(2 * room, sizeof(*index));
    if (!index)
        return false;
    free(t->index);
    t->index = index;
    t->room = room;
    for (size_t i = 0; i < t->nr; i++)
        put_index(t, i);
    return true;
}

static struct stat_row *find(struct stat_table *t, const struct stat_key *key, const char *routine)
{
    size_t mask, at;

    if (t->nr == t->room && !grow(t))
        return NULL;
    mask = 2 * t->room - 1;
    for (at = hash_of(key, routine) & mask; t->index[at]; at = (at + 1) & mask)
        if (same_key(&t->row[t->index[at] - 1], key, routine))
            return &t->row[t->index[at] - 1];
    t->row[t->nr] = (struct stat_row){ .key = *key, .routine = routine };
    t->index[at] = (uint32_t)++t->nr;
    return &t->row[t->nr - 1];
}

struct stat_row *stat_row(struct stat_table *t, const struct stat_key *key)
{
    return find(t, key, NULL);
}

void stat_free(struct stat_table *t)
{
    free(t->row);
    free(t->index);
    *t = (struct stat_table){ 0 };
}

/* ------------------------------------------------------------------ adding */

static void scale(struct histogram *h, const uint32_t bin[RADON_SITE_BINS], uint64_t n,
                  uint64_t total, uint64_t max, uint32_t period)
{
    h->n = n * period;
    h->total = total * period;
    h->max = max;
    for (unsigned int i = 0; i < RADON_SITE_BINS; i++)
        h->bin[i] = (uint64_t)bin[i] * period;
}

bool stat_add_site(struct stat_table *t, int32_t cpu, const struct radon_site *site,
                   uint32_t period, uint64_t *bad)
{
    struct stat_key key = {
        .domain = site->domain,
        .cpu = cpu,
        .vcpu = site->vcpu,
        .kind = site->kind,
        .overflow = site->flags & RADON_SITE_OVERFLOW,
        .number = site->number,
        .address = site->address,
    };
    struct stat_row add = { .count = site->count * period,
                            .samples = site->count + site->looks + site->bounced_looks }, *row;

    if (!site->kind || site->kind >= RADON_SITE_KINDS) {
        ++*bad;
        return true;
    }
    if (key.overflow)
        key.number = 0, key.address = 0;
    scale(&add.cost, site->cost, site->count, site->total, site->max, period);
    scale(&add.to_iret, site->bounced_cost, site->bounced, site->bounced_total, site->bounced_max,
          period);
    /* What looks say better than entries that were timed, and perhaps there were none such. */
    add.cost.total = radon_site_cycles(site, period);
    add.to_iret.total = radon_site_bounced_cycles(site, period);
    row = stat_row(t, &key);
    if (row)
        stat_row_merge(row, &add);
    return row;
}

void stat_row_merge(struct stat_row *to, const struct stat_row *from)
{
    to->count += from->count;
    to->samples += from->samples;
    histogram_merge(&to->cost, &from->cost);
    histogram_merge(&to->to_iret, &from->to_iret);
}

bool stat_group(struct stat_table *to, const struct stat_table *from, const struct stat_by *by,
                enum stat_level level)
{
    for (size_t i = 0; i < from->nr; i++) {
        const struct stat_row *r = &from->row[i];
        struct stat_key key = r->key;
        struct stat_row *sum;

        if (radon_site_is_part(r->key.kind) != (level == STAT_PARTS))
            continue;
        if (!by->domain)
            key.domain = STAT_ANY;
        if (!by->cpu)
            key.cpu = STAT_ANY;
        if (!by->vcpu)
            key.vcpu = STAT_ANY;
        if (level == STAT_ROUTINES)
            key.number = 0;
        if (level != STAT_ROUTINES || r->routine)
            key.address = 0;
        sum = find(to, &key, level == STAT_ROUTINES ? r->routine : NULL);
        if (!sum)
            return false;
        stat_row_merge(sum, r);
    }
    return true;
}

/* ------------------------------------------------------------------ order and sums */

/* Groups stand together, in the order of their numbers. */
static int by_group(const struct stat_key *a, const struct stat_key *b)
{
    if (a->domain != b->domain)
        return a->domain < b->domain ? -1 : 1;
    if (a->vcpu != b->vcpu)
        return a->vcpu < b->vcpu ? -1 : 1;
    if (a->cpu != b->cpu)
        return a->cpu < b->cpu ? -1 : 1;
    return 0;
}

/* So that the same rows always come in the same order. */
static int by_what(const struct stat_row *a, const struct stat_row *b)
{
    if (a->key.kind != b->key.kind)
        return a->key.kind < b->key.kind ? -1 : 1;
    if (a->key.overflow != b->key.overflow)
        return a->key.overflow ? 1 : -1;
    if (a->key.number != b->key.number)
        return a->key.number < b->key.number ? -1 : 1;
    return a->key.address < b->key.address ? -1 : a->key.address > b->key.address;
}

static int by_name(const struct stat_row *a, const struct stat_row *b)
{
    char first[STAT_NAME_MAX], second[STAT_NAME_MAX];

    return strcmp(stat_name(&a->key, first), stat_name(&b->key, second));
}

/* Larger ones first. */
static int falling(uint64_t a, uint64_t b)
{
    return a > b ? -1 : a < b;
}

static int compare(const struct stat_row *a, const struct stat_row *b, enum stat_order order)
{
    int c = by_group(&a->key, &b->key);

    if (!c && order == STAT_BY_TOTAL)
        c = falling(a->cost.total, b->cost.total);
    if (!c && order == STAT_BY_MAX)
        c = falling(a->cost.max, b->cost.max);
    if (!c && order == STAT_BY_NAME)
        c = by_name(a, b);
    if (!c && order != STAT_BY_NAME)
        c = falling(a->count, b->count);
    return c ? c : by_what(a, b);
}

static int compare_rows(const void *a, const void *b, void *order)
{
    return compare(a, b, *(enum stat_order *)order);
}

void stat_sort(struct stat_table *t, enum stat_order order)
{
    if (t->nr)
        qsort_r(t->row, t->nr, sizeof(*t->row), compare_rows, &order);
}

void stat_sum(const struct stat_table *t, struct stat_sums *s)
{
    *s = (struct stat_sums){ 0 };
    for (size_t i = 0; i < t->nr; i++) {
        const struct stat_row *r = &t->row[i];

        s->count += r->count;
        s->total += r->cost.total;
        s->kind_count[r->key.kind] += r->count;
        s->kind_total[r->key.kind] += r->cost.total;
        if (r->key.overflow)
            s->overflow += r->count;
    }
}
