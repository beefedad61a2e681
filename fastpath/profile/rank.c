/* SPDX-License-Identifier: MIT */
/* From hot sites to candidates: which attach points cost most. */
#include "prof.h"

#include <stdlib.h>
#include <string.h>

#include "fastpath/core/program.h"
#include "ops.h"

#define PAGE_FAULT_VECTOR 14u
#define HYPERCALL_IRET 23u /* __HYPERVISOR_iret */
#define FADE 0.7 /* of what was before a tick counts in it */
#define MIN_ROOM 64u
#define HOT_TICKS 3u
#define MANY 1024u /* candidates, before cold ones are forgotten */

/* ------------------------------------------------------------------ candidates by point */

static uint32_t place_of(const struct prof *p, const struct fast_point *point)
{
    uint64_t hash = (point->address ^ (uint64_t)point->number << 8 ^ point->kind) *
                    0x9e3779b97f4a7c15ull;

    return (uint32_t)(hash >> 32) & (2 * p->room - 1);
}

static void enter(struct prof *p, unsigned int number)
{
    uint32_t at = place_of(p, &p->candidate[number].point);

    while (p->index[at])
        at = (at + 1) & (2 * p->room - 1);
    p->index[at] = number + 1;
}

static bool forgettable(const struct candidate *c)
{
    return c->stage == STAGE_WAITING && !c->handler && c->samples < 0.5 && !c->failures;
}

/* Those that have not come for long make room: user programs' addresses come and go. */
static void forget_cold(struct prof *p)
{
    unsigned int kept = 0;

    for (unsigned int i = 0; i < p->nr; i++) {
        if (forgettable(&p->candidate[i]))
            continue;
        if (p->capturing == &p->candidate[i])
            p->capturing = &p->candidate[kept];
        p->candidate[kept++] = p->candidate[i];
    }
    p->nr = kept;
}

/* At least as many places again as are in use; a power of two. */
static bool make_room(struct prof *p)
{
    unsigned int room = p->room ? p->room : MIN_ROOM;
    size_t capturing = p->capturing ? (size_t)(p->capturing - p->candidate) : 0;
    struct candidate *more;
    uint32_t *index;

    room *= 2 * p->nr > room ? 2 : 1;
    index = calloc(2 * room, sizeof(*index));
    more = index ? realloc(p->candidate, room * sizeof(*more)) : NULL;
    if (!more) {
        free(index);
        return false;
    }
    free(p->index);
    p->index = index;
    p->capturing = p->capturing ? more + capturing : NULL;
    p->candidate = more;
    p->room = room;
    for (unsigned int i = 0; i < p->nr; i++)
        enter(p, i);
    return true;
}

struct candidate *rank_find(struct prof *p, const struct fast_point *point)
{
    for (uint32_t at = p->room ? place_of(p, point) : 0; p->room && p->index[at];
         at = (at + 1) & (2 * p->room - 1))
        if (fast_point_same(&p->candidate[p->index[at] - 1].point, point))
            return &p->candidate[p->index[at] - 1];
    if (p->nr == p->room) {
        if (p->room >= MANY)
            forget_cold(p);
        if (!make_room(p))
            return NULL;
    }
    memset(&p->candidate[p->nr], 0, sizeof(*p->candidate));
    p->candidate[p->nr].point = *point;
    enter(p, p->nr);
    return &p->candidate[p->nr++];
}

/* ------------------------------------------------------------------ hot sites */

/* Where a handler for the entries of this row would be attached; false: nowhere. */
static bool point_of(const struct radon_site *s, struct fast_point *point)
{
    *point = (struct fast_point){ .domain = s->domain, .number = s->number };
    /* Looks do not tell whether it ever comes to its iret; entries that were timed do. */
    if (s->flags & RADON_SITE_OVERFLOW || !(s->bounced || (s->bounced_looks && !s->count)))
        return false;
    switch (s->kind) {
    case RADON_SITE_SYSCALL:
        point->kind = FAST_ATTACH_SYSCALL;
        return s->number <= FAST_MAX_SYSCALL;
    case RADON_SITE_PAGE_FAULT:
        point->number = PAGE_FAULT_VECTOR;
        /* fall through */
    case RADON_SITE_TRAP:
        point->kind = FAST_ATTACH_EXCEPTION;
        point->address = s->address;
        return s->address && point->number < 32;
    }
    return false;
}

/* What came since the last tick; rows begin at 0 again when somebody resets or evicts them. */
static uint64_t grown(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

bool rank_is_hot(const struct prof *p, const struct candidate *c)
{
    return c->share_ppm >= p->policy.min_share_ppm && c->samples >= p->policy.min_samples;
}

#define FEW_TIMED 3.0 /* say little */
#define LONG_SHARE 0.9

bool rank_is_long(const struct prof *p, const struct candidate *c)
{
    double most = p->policy.max_steps * p->cycles_each;

    if (!p->short_bins)
        return false;
    /* The most entries that so few of them timed can stand for take more on average, even so. */
    if (c->timed < FEW_TIMED && c->cost > (c->timed + FEW_TIMED) * p->period * most)
        return true;
    return c->timed >= FEW_TIMED && c->timed_short < (1 - LONG_SHARE) * c->timed;
}

double rank_interval_ns(const struct prof *p, const struct candidate *c)
{
    double share = c->share_ppm / 1e6;

    return share > 0 && p->tsc_hz ? c->entry_cycles / share * 1e9 / (double)p->tsc_hz : 0;
}

/* Entries that took fewer cycles than an occurrence may have instructions; by bins. */
static uint64_t shorts_of(const struct prof *p, const struct radon_site *s)
{
    uint64_t n = 0;

    for (unsigned int bin = 0; bin < p->short_bins; bin++)
        n += s->bounced_cost[bin];
    return n;
}

/* What may be short enough, as far as is known now.  True: not what it was. */
static bool choose_shorts(struct prof *p)
{
    unsigned int bins = 0;

    while (bins < RADON_SITE_BINS && (double)(16ull << bins) < p->policy.max_steps * p->cycles_each)
        bins++;
    if (bins == p->short_bins)
        return false;
    p->short_bins = bins;
    return true;
}

/* Other bins: what was counted before tells nothing. */
static void begin_shorts(struct prof *p)
{
    for (unsigned int i = 0; i < p->nr; i++) {
        p->candidate[i].seen.shorts = p->candidate[i].tick.shorts;
        p->candidate[i].timed_short = p->candidate[i].timed;
    }
}

static void fade(struct prof *p, struct candidate *c, uint32_t period)
{
    double samples = (double)grown(c->tick.samples, c->seen.samples);
    double cost = (double)grown(c->tick.cost, c->seen.cost) * period;
    double looks = (double)grown(c->tick.looks, c->seen.looks);
    double time = (double)grown(c->tick.time, c->seen.time);

    c->timed_short = c->timed_short * FADE + (double)grown(c->tick.shorts, c->seen.shorts);
    c->timed = c->timed * FADE + samples;
    c->timed_cost = c->timed_cost * FADE + cost;
    c->samples = c->samples * FADE + (looks > samples ? looks : samples);
    c->cost = c->cost * FADE + (looks > samples ? time : cost);
    c->seen = c->tick;
    c->tick = (struct seen){ 0 };
    c->share_ppm = p->cycles > 0 ? c->cost * 1e6 / p->cycles : 0;
    c->hot_ticks = rank_is_hot(p, c) ? c->hot_ticks + 1 : 0;
    if (c->timed >= 1 && c->stage == STAGE_WAITING)
        c->entry_cycles = c->timed_cost / (c->timed * period) + p->iret_cycles;
}

/* The first time there is nothing to compare with: what the tables have is where it begins. */
static void begin(struct prof *p)
{
    for (unsigned int i = 0; i < p->nr; i++) {
        struct candidate *c = &p->candidate[i];

        c->seen = c->tick;
        c->tick = (struct seen){ 0 };
    }
}

/* Instructions that no time stamp sees: up to the bounce's first, behind the iret's last. */
#define UNSTAMPED 26

/*
 * What belongs to an entry and is not in its bounced cost, which ends where the guest kernel's iret
 * begins; cycles.  Of the irets in the table many are not back to user mode, and cost more: the middle
 * of the bin that has the cheapest quarter's end.
 */
static double iret_cost(const struct radon_site *rows, unsigned int n)
{
    uint64_t bins[RADON_SITE_BINS] = { 0 }, all = 0, below = 0;
    unsigned int bin = 0;

    for (unsigned int i = 0; i < n; i++) {
        if (rows[i].kind != RADON_SITE_HYPERCALL || rows[i].number != HYPERCALL_IRET ||
            rows[i].flags & RADON_SITE_OVERFLOW)
            continue;
        for (unsigned int b = 0; b < RADON_SITE_BINS; b++) {
            bins[b] += rows[i].cost[b];
            all += rows[i].cost[b];
        }
    }
    if (!all)
        return 0;
    while (4 * (below + bins[bin]) < all)
        below += bins[bin++];
    return 1.5 * (double)(16ull << bin) + UNSTAMPED;
}

bool rank_update(struct prof *p)
{
    struct radon_site *rows;
    struct fast_point point;
    unsigned int n;
    uint32_t period;
    uint64_t since;
    bool others = choose_shorts(p);
    int rc = hv_sites(p->backend, p->domain, p->cpus, &rows, &n, &period, &since);

    if (rc) {
        snprintf(p->error, sizeof(p->error), "reading hot sites: %s", hv_error(rc));
        return false;
    }
    for (unsigned int i = 0; i < n; i++) {
        struct candidate *c = point_of(&rows[i], &point) ? rank_find(p, &point) : NULL;

        if (c) {
            c->tick.samples += rows[i].bounced;
            c->tick.cost += rows[i].bounced_total;
            c->tick.shorts += shorts_of(p, &rows[i]);
            c->tick.looks += rows[i].bounced_looks;
            c->tick.time += rows[i].bounced_time;
        }
    }
    p->iret_cycles = iret_cost(rows, n);
    p->period = period;
    if (others)
        begin_shorts(p);
    free(rows);
    p->cycles = p->cycles * FADE + (double)(p->tsc - p->ranked_tsc);
    if (p->ranked_tsc)
        for (unsigned int i = 0; i < p->nr; i++)
            fade(p, &p->candidate[i], period);
    else
        begin(p);
    if (!p->ranked_tsc)
        p->cycles = 0;
    p->ranked_tsc = p->tsc;
    p->ranked_ns = p->now_ns;
    return true;
}

static bool excluded(const struct prof *p, const struct candidate *c)
{
    char text[FAST_POINT_TEXT];

    fast_point_text(&c->point, text);
    for (unsigned int i = 0; i < p->policy.nr_exclude; i++)
        if (!strcmp(text, p->policy.exclude[i]))
            return true;
    return false;
}

/* A living handler at this point that the daemon did not make. */
static bool taken(const struct prof *p, const struct candidate *c)
{
    for (unsigned int i = 0; i < p->nr_list; i++) {
        const struct radon_fast_info *h = &p->list[i];

        if (h->state != RADON_FAST_RETIRED && h->domain == c->point.domain &&
            h->attach_kind == c->point.kind && h->attach_number == c->point.number &&
            h->attach_address == c->point.address && h->id != c->handler)
            return true;
    }
    return false;
}

static bool may_begin(struct prof *p, struct candidate *c)
{
    if (c->stage == STAGE_RESTING && p->now_ns >= c->retry_at)
        prof_stage(p, c, STAGE_WAITING);
    if (c->stage != STAGE_WAITING || !rank_is_hot(p, c))
        return false;
    /* Addresses of programs that are over soon are not worth the wait for another run. */
    if (c->point.kind == FAST_ATTACH_EXCEPTION && c->hot_ticks < HOT_TICKS)
        return false;
    if (excluded(p, c)) {
        prof_decide(p, DECIDED_refuse, c, WHY_EXCLUDED, "%s", "");
        c->retry_at = UINT64_MAX;
        prof_stage(p, c, STAGE_RESTING);
        return false;
    }
    if (taken(p, c)) {
        prof_decide(p, DECIDED_refuse, c, WHY_BY_HAND, "%s", "");
        prof_rest(p, c, 0);
        return false;
    }
    return true;
}

struct candidate *rank_best(struct prof *p)
{
    struct candidate *best = NULL;

    for (unsigned int i = 0; i < p->nr; i++) {
        struct candidate *c = &p->candidate[i];

        if (may_begin(p, c) && (!best || c->cost > best->cost))
            best = c;
    }
    return best;
}
