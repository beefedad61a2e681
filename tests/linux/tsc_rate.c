/* SPDX-License-Identifier: MIT */
/* The host's TSC in kHz: over a second, between readings of both clocks that were not interrupted. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES 10000

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The quickest of many readings. */
static void read_both(uint64_t *tsc, uint64_t *ns)
{
    uint64_t least = ~0UL;

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = __rdtsc(), at = now_ns(), after = __rdtsc();

        if (after - before < least) {
            least = after - before;
            *tsc = before + least / 2;
            *ns = at;
        }
    }
}

int main(void)
{
    uint64_t tsc[2], ns[2];

    read_both(&tsc[0], &ns[0]);
    nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
    read_both(&tsc[1], &ns[1]);
    printf("%lu\n", (tsc[1] - tsc[0]) * 1000000 / (ns[1] - ns[0]));
    return 0;
}
