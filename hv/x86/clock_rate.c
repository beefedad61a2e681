/* SPDX-License-Identifier: MIT */
#include "clock_rate.h"

#define LEAST_READINGS (CLOCK_READINGS / 4)

struct sums {
    uint64_t n, tsc2, count; /* tsc2: of before + after, from `base` on */
};

static uint64_t __init quickest(const struct clock_reading *readings)
{
    uint64_t least = ~0UL;

    for (unsigned int i = 0; i < CLOCK_READINGS; i++) {
        uint64_t took = readings[i].after - readings[i].before;

        least = took < least ? took : least;
    }
    return least;
}

static struct sums __init sum(const struct clock_reading *readings, uint64_t base, uint64_t most)
{
    struct sums s = { 0 };

    for (unsigned int i = 0; i < CLOCK_READINGS; i++) {
        const struct clock_reading *r = &readings[i];

        if (r->after - r->before > most)
            continue;
        s.n++;
        s.tsc2 += (r->before - base) + (r->after - base);
        s.count += r->count;
    }
    return s;
}

bool __init clock_rate(const struct clock_reading first[CLOCK_READINGS],
                       const struct clock_reading last[CLOCK_READINGS], uint64_t *tsc,
                       uint64_t *counted)
{
    uint64_t a = quickest(first), b = quickest(last), most = 2 * (a < b ? a : b);
    struct sums from = sum(first, first[0].before, most), to = sum(last, first[0].before, most);

    if (from.n < LEAST_READINGS || to.n < LEAST_READINGS ||
        from.count * to.n <= to.count * from.n)
        return false;
    *tsc = to.tsc2 * from.n - from.tsc2 * to.n;
    *counted = 2 * (from.count * to.n - to.count * from.n);
    return true;
}
