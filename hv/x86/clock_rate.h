/* SPDX-License-Identifier: MIT */
/*
 * The rate of a counter against the TSC, from readings of which any may have been interrupted: by
 * system management mode, or, where the processor is a host's thread, for milliseconds.
 */
#ifndef X86_CLOCK_RATE_H
#define X86_CLOCK_RATE_H

#include "hv/types.h"

#define CLOCK_READINGS 64u

/* One reading: the count, and the TSC before and after it was taken. */
struct clock_reading {
    uint64_t before, after;
    uint32_t count; /* of a counter that counts down */
};

/*
 * Over which TSC ticks the counter went how far, as a fraction of two sums (each below 2^60 if the
 * readings lie within 2^32 ticks and counts).  Readings that took more than twice as long as the
 * quickest are left out; the others' mean is exact to a part of the quickest one, since what a
 * reading takes at the least is in both sums alike.  false: too few readings are left, or the counter
 * did not move.
 */
bool clock_rate(const struct clock_reading first[CLOCK_READINGS],
                const struct clock_reading last[CLOCK_READINGS], uint64_t *tsc, uint64_t *counted);

#endif
