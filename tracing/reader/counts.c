/* SPDX-License-Identifier: MIT */
#include "counts.h"

#include <stdlib.h>

#define RUNNING 0u      /* RUNSTATE_running of public/vcpu.h */

struct counts *counts_new(void)
{
    return calloc(1, sizeof(struct counts));
}

void counts_free(struct counts *c)
{
    if (!c)
        return;
    for (unsigned int i = 0; i < c->nr_vcpus; i++)
        free(c->vcpus[i]);
    free(c);
}

/* NULL when memory is out. */
static struct vcpu_counts *vcpu_of(struct counts *c, uint16_t domain, uint16_t vcpu)
{
    const unsigned int slots = 2 * COUNTS_VCPUS_MAX;
    unsigned int slot = ((uint32_t)domain * 2654435761u + vcpu) % slots;
    struct vcpu_counts *v;

    for (; c->index[slot]; slot = (slot + 1) % slots) {
        v = c->vcpus[c->index[slot] - 1];
        if (v->domain == domain && v->vcpu == vcpu)
            return v;
    }
    if (c->nr_vcpus == COUNTS_VCPUS_MAX)
        return &c->others;
    v = calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    v->domain = domain;
    v->vcpu = vcpu;
    c->vcpus[c->nr_vcpus++] = v;
    c->index[slot] = (uint16_t)c->nr_vcpus;
    return v;
}

/*
 * The time in a state is the sum of when it was left less the sum of when it was entered, so
 * records may come in any order (chunks of several CPUs are not in order of time).  Modulo 2^64.
 */
static void add_change(struct vcpu_counts *v, const struct trace_runstate *change, uint64_t tsc)
{
    v->left[change->from]++;
    v->entered[change->to]++;
    v->cycles[change->from] += tsc;
    v->cycles[change->to] -= tsc;
    if (!v->any_change || tsc < v->first.tsc)
        v->first = (struct runstate_edge){ tsc, change->from };
    if (!v->any_change || tsc >= v->last.tsc)
        v->last = (struct runstate_edge){ tsc, change->to };
    v->any_change = true;
}

/* Take the ends out: what was left without having been entered, and entered without being left. */
static void close_ends(struct vcpu_counts *v)
{
    if (!v->any_change)
        return;
    v->cycles[v->first.state] -= v->first.tsc;
    v->cycles[v->last.state] += v->last.tsc;
    v->entered[v->first.state]++;
    v->left[v->last.state]++;
}

bool counts_cycles_known(const struct counts *c, const struct vcpu_counts *v)
{
    if (c->lost || !v->any_change || v == &c->others)
        return false;
    for (unsigned int s = 0; s < TRACE_RUNSTATES; s++)
        if (v->entered[s] != v->left[s] || v->cycles[s] > v->last.tsc - v->first.tsc)
            return false;
    return true;
}

bool counts_add(struct counts *c, const struct trace_record *rec)
{
    struct vcpu_counts *v = c->current[rec->cpu], **current = &c->current[rec->cpu];
    unsigned int row = trace_row_of(rec);
    struct trace_runstate change;
    struct trace_lost lost;

    c->records++;
    if (rec->has_tsc) {
        if (!c->any_tsc || rec->tsc < c->first_tsc)
            c->first_tsc = rec->tsc;
        if (!c->any_tsc || rec->tsc > c->last_tsc)
            c->last_tsc = rec->tsc;
        c->any_tsc = true;
    }
    if (trace_runstate_of(rec, &change)) {
        v = vcpu_of(c, change.domain, change.vcpu);
        if (!v)
            return false;
        add_change(v, &change, rec->tsc);
        if (change.to == RUNNING)
            *current = v;
        else if (change.from == RUNNING && *current == v)
            *current = NULL;
    } else if (trace_lost_of(rec, &lost)) {
        v = vcpu_of(c, lost.domain, lost.vcpu);
        if (!v)
            return false;
        *current = v;
        c->lost += lost.count;
    }
    c->total[row]++;
    (v ? v : &c->unknown)->count[row]++;
    return true;
}

static int by_number(const void *a, const void *b)
{
    const struct vcpu_counts *const *l = a, *const *r = b;
    uint32_t x = (uint32_t)(*l)->domain << 16 | (*l)->vcpu;
    uint32_t y = (uint32_t)(*r)->domain << 16 | (*r)->vcpu;

    return x < y ? -1 : x > y;
}

void counts_sort(struct counts *c)
{
    for (unsigned int i = 0; i < c->nr_vcpus; i++)
        close_ends(c->vcpus[i]);
    qsort(c->vcpus, c->nr_vcpus, sizeof(c->vcpus[0]), by_number);
}

uint64_t counts_sum(const uint64_t *count, unsigned int first, unsigned int end)
{
    uint64_t sum = 0;

    for (unsigned int row = first; row < end; row++)
        sum += count[row];
    return sum;
}

void counts_kind(unsigned int row, unsigned int *first, unsigned int *end)
{
    static const unsigned int starts[] = {
        TRACE_ROW_HYPERCALL, TRACE_ROW_SUBCALL, TRACE_ROW_OPERATION, TRACE_ROW_TRAP,
        TRACE_ROW_RUNSTATE, TRACE_ROW_EVENT, TRACE_ROWS,
    };

    for (unsigned int k = 0; starts[k] <= row; k++) {
        *first = starts[k];
        *end = starts[k + 1];
    }
}
