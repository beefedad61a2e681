/* SPDX-License-Identifier: MIT */
/* One row of a result as named fields: what JSON and CSV have of it. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "../xen/xen.h"
#include "names.h"
#include "result.h"

struct writer {
    struct stat_field *field;
    unsigned int nr;
};

static struct stat_field *next(struct writer *w, const char *name, bool is_text)
{
    struct stat_field *f = &w->field[w->nr++];

    f->name = name;
    f->is_text = is_text;
    f->value[0] = 0;
    return f;
}

static void text(struct writer *w, const char *name, const char *value)
{
    snprintf(next(w, name, true)->value, sizeof(w->field->value), "%s", value ? value : "");
}

static void number(struct writer *w, const char *name, bool known, uint64_t value)
{
    struct stat_field *f = next(w, name, false);

    if (known)
        snprintf(f->value, sizeof(f->value), "%" PRIu64, value);
}

static void place(struct writer *w, const char *name, int32_t value)
{
    number(w, name, value != STAT_ANY, (uint64_t)value);
}

static void fraction(struct writer *w, const char *name, uint64_t part, uint64_t whole)
{
    struct stat_field *f = next(w, name, false);

    if (whole)
        snprintf(f->value, sizeof(f->value), "%.6f", (double)part / (double)whole);
}

static void time_ns(struct writer *w, const char *name, bool known, double cycles, uint64_t hz)
{
    struct stat_field *f = next(w, name, false);

    if (known && hz)
        snprintf(f->value, sizeof(f->value), "%.1f", cycles * 1e9 / (double)hz);
}

struct names {
    const char *p50_from, *p50, *p50_below, *p99_from, *p99, *p99_below;
};

static void percentiles(struct writer *w, const struct histogram *h, const struct names *n,
                        uint64_t hz)
{
    struct percentile p = { 0 };
    bool known = histogram_percentile(h, 50, &p);

    time_ns(w, n->p50_from, known, (double)p.from, hz);
    time_ns(w, n->p50, known, p.value, hz);
    time_ns(w, n->p50_below, known, (double)p.below, hz);
    known = histogram_percentile(h, 99, &p);
    time_ns(w, n->p99_from, known, (double)p.from, hz);
    time_ns(w, n->p99, known, p.value, hz);
    time_ns(w, n->p99_below, known, (double)p.below, hz);
}

static void costs(struct writer *w, const struct stat_row *r, uint64_t hz)
{
    static const struct names cost = { "p50_from_ns", "p50_ns", "p50_below_ns",
                                       "p99_from_ns", "p99_ns", "p99_below_ns" };
    static const struct names iret = { "to_iret_p50_from_ns",  "to_iret_p50_ns",
                                       "to_iret_p50_below_ns", "to_iret_p99_from_ns",
                                       "to_iret_p99_ns",       "to_iret_p99_below_ns" };
    const struct histogram *c = &r->cost, *i = &r->to_iret;

    number(w, "timed", true, c->n);
    number(w, "total_cycles", c->n, c->total);
    time_ns(w, "total_ns", c->n, (double)c->total, hz);
    percentiles(w, c, &cost, hz);
    number(w, "max_cycles", c->n, c->max);
    time_ns(w, "max_ns", c->n, (double)c->max, hz);
    number(w, "to_iret_count", true, i->n);
    number(w, "to_iret_total_cycles", i->total, i->total);
    time_ns(w, "to_iret_total_ns", i->total, (double)i->total, hz);
    percentiles(w, i, &iret, hz);
    time_ns(w, "to_iret_max_ns", i->n, (double)i->max, hz);
}

unsigned int stat_fields(const struct stat_result *result, const struct stat_row *r,
                         enum stat_level level, const struct stat_sums *sums,
                         struct stat_field fields[STAT_FIELDS_MAX])
{
    struct writer w = { fields, 0 };
    char name[STAT_NAME_MAX > XEN_DOMAIN_NAME ? STAT_NAME_MAX : XEN_DOMAIN_NAME];
    static const char *const levels[STAT_LEVELS] = { "event", "routine", "part" };
    const struct stat_key *k = &r->key;
    bool one_number = level != STAT_ROUTINES && !k->overflow;

    text(&w, "level", levels[level]);
    place(&w, "domain", k->domain);
    text(&w, "domain_name", k->domain >= 0 ? xen_domain_name((uint16_t)k->domain, name) : NULL);
    place(&w, "vcpu", k->vcpu);
    place(&w, "cpu", k->cpu);
    text(&w, "kind", stat_kind_name(k->kind));
    text(&w, "event", one_number || k->overflow ? stat_name(k, name) : NULL);
    number(&w, "number", one_number, k->number);
    text(&w, "routine", r->routine);
    snprintf(name, sizeof(name), "0x%016" PRIx64, k->address);
    text(&w, "address", k->address ? name : NULL);
    number(&w, "count", true, r->count);
    number(&w, "samples", true, r->samples);
    fraction(&w, "count_share", r->count, level == STAT_PARTS ? 0 : sums->count);
    fraction(&w, "time_share", r->cost.total, sums->total);
    costs(&w, r, result->tsc_hz);
    return w.nr;
}
