/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#define FIRST_BIN_LOG2 4u

uint64_t histogram_from(unsigned int bin)
{
    return bin ? 1ull << (bin + FIRST_BIN_LOG2) : 0;
}

unsigned int histogram_bin(uint64_t cost)
{
    unsigned int log2 = cost ? 63u - (unsigned int)__builtin_clzll(cost) : 0;

    if (log2 <= FIRST_BIN_LOG2)
        return 0;
    return log2 - FIRST_BIN_LOG2 < RADON_SITE_BINS ? log2 - FIRST_BIN_LOG2 : RADON_SITE_BINS - 1;
}

void histogram_add(struct histogram *h, uint64_t cost)
{
    h->n++;
    h->total += cost;
    if (cost > h->max)
        h->max = cost;
    h->bin[histogram_bin(cost)]++;
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    to->n += from->n;
    to->total += from->total;
    if (from->max > to->max)
        to->max = from->max;
    for (unsigned int i = 0; i < RADON_SITE_BINS; i++)
        to->bin[i] += from->bin[i];
}

/* Where the bin ends for these costs: the largest one is known. */
static uint64_t bin_end(const struct histogram *h, unsigned int bin)
{
    uint64_t end = bin + 1 < RADON_SITE_BINS ? histogram_from(bin + 1) : UINT64_MAX;

    return h->max < end ? h->max : end;
}

bool histogram_percentile(const struct histogram *h, double percent, struct percentile *p)
{
    uint64_t n = 0, before = 0;
    double rank;
    unsigned int bin = 0;

    for (unsigned int i = 0; i < RADON_SITE_BINS; i++)
        n += h->bin[i];
    if (!n)
        return false;
    if (h->n == n && h->total / n == h->max && h->total % n == 0) { /* they are all the same */
        *p = (struct percentile){ (double)h->max, h->max, h->max };
        return true;
    }
    /* The rank-th smallest of n, counted from 1. */
    rank = percent / 100.0 * (double)n;
    if (rank < 1)
        rank = 1;
    while (bin < RADON_SITE_BINS - 1 && (double)(before + h->bin[bin]) < rank)
        before += h->bin[bin++];
    while (!h->bin[bin]) /* rounding may lead behind the last one */
        before -= h->bin[--bin];
    p->from = histogram_from(bin);
    p->below = bin_end(h, bin);
    if (p->below < p->from)
        p->below = p->from;
    p->value = (double)p->from +
               (double)(p->below - p->from) * ((rank - (double)before) / (double)h->bin[bin]);
    if (p->value > (double)p->below)
        p->value = (double)p->below;
    return true;
}
