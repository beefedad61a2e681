/* SPDX-License-Identifier: MIT */
/* Work without system calls: what a hypervisor should not be seen in. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORDS = 16 * 1024, /* 64 KiB to fill, sort and hash */
    SIEVE = 64 * 1024,
    SIDE = 48, /* of the matrices */
    BUCKETS = 4096
};

struct work {
    uint32_t word[WORDS];
    uint8_t composite[SIEVE];
    uint32_t bucket[BUCKETS];
    uint32_t a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
};

static void fill(struct work *w, uint32_t seed)
{
    uint32_t x = seed;

    for (int i = 0; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        w->word[i] = x;
    }
}

/* Shell sort, gaps of Ciura. */
static void sort(uint32_t *v, int n)
{
    static const int gaps[] = { 8858, 3937, 1750, 701, 301, 132, 57, 23, 10, 4, 1 };

    for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
        for (int i = gaps[g]; i < n; i++) {
            uint32_t x = v[i];
            int j = i;

            for (; j >= gaps[g] && v[j - gaps[g]] > x; j -= gaps[g])
                v[j] = v[j - gaps[g]];
            v[j] = x;
        }
}

static uint32_t sieve(uint8_t *composite)
{
    uint32_t primes = 0;

    memset(composite, 0, SIEVE);
    for (uint32_t i = 2; i < SIEVE; i++) {
        if (composite[i])
            continue;
        primes++;
        for (uint32_t j = 2 * i; j < SIEVE; j += i)
            composite[j] = 1;
    }
    return primes;
}

static uint32_t hash(struct work *w)
{
    uint32_t sum = 0;

    memset(w->bucket, 0, sizeof(w->bucket));
    for (int i = 0; i < WORDS; i++)
        w->bucket[(w->word[i] * 2654435761u) % BUCKETS] += w->word[i] ^ (uint32_t)i;
    for (int i = 0; i < BUCKETS; i++)
        sum = sum * 31 + w->bucket[i];
    return sum;
}

static uint32_t multiply(struct work *w)
{
    uint32_t trace = 0;

    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            w->a[i][j] = w->word[i * SIDE + j];
            w->b[i][j] = w->word[j * SIDE + i];
        }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            uint32_t sum = 0;

            for (int k = 0; k < SIDE; k++)
                sum += w->a[i][k] * w->b[k][j];
            w->c[i][j] = sum;
        }
    for (int i = 0; i < SIDE; i++)
        trace += w->c[i][SIDE - 1 - i];
    return trace;
}

/* p1 rounds; returns a checksum of all results. */
static uint32_t compute(struct work *w, unsigned rounds)
{
    uint32_t sum = 0;

    for (unsigned i = 1; i <= rounds; i++) {
        fill(w, i * 2003);
        sort(w->word, WORDS);
        sum = sum * 31 + sieve(w->composite);
        sum = sum * 31 + hash(w);
        sum = sum * 31 + multiply(w);
    }
    return sum;
}

/* p1: rounds, p2: the checksum that they give. */
void row_compute(struct bench *b)
{
    struct work *w = calloc(1, sizeof(*w));

    if (!w)
        bench_fail(b, "out of memory");
    while (bench_more(b)) {
        uint32_t sum = 0;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            sum = compute(w, b->row->p1);
        bench_stop(b, b->ops);
        if (sum != b->row->p2)
            bench_fail(b, "wrong result: checksum %u instead of %u", sum, b->row->p2);
    }
    free(w);
}
