/* SPDX-License-Identifier: MIT */
/*
 * Costs in bins of powers of two, as the hypervisor keeps them (public/radon.h, "hot sites"), and
 * what can be said of a percentile: the bin it lies in is certain, its place in there is
 * interpolated.
 */
#ifndef TRACING_HISTOGRAM_H
#define TRACING_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "public/radon.h"

struct histogram {
    uint64_t n, total, max; /* costs, their sum, the largest; cycles */
    uint64_t bin[RADON_SITE_BINS];
};

/* The costs of bin i are in [histogram_from(i), histogram_from(i + 1)); the last bin has no end. */
uint64_t histogram_from(unsigned int bin);
unsigned int histogram_bin(uint64_t cost);

void histogram_add(struct histogram *h, uint64_t cost);
void histogram_merge(struct histogram *to, const struct histogram *from);

struct percentile {
    double value;         /* interpolated in the bin */
    uint64_t from, below; /* it is not smaller than `from`, nor larger than `below` */
};

/* The cost that `percent` (0..100] of all do not exceed; false without costs in bins. */
bool histogram_percentile(const struct histogram *h, double percent, struct percentile *p);

#endif
