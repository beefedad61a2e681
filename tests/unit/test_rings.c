/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor shows of its trace rings, as a reader takes it: lists of frames and offsets
 * of any contents lead to no byte outside of what was mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracing/xen/rings.h"

/* What is mapped is not on trial here. */
void *xen_map(struct xen *x, uint16_t domain, const uint64_t *frames, unsigned int n, bool write)
{
    (void)x, (void)domain, (void)frames, (void)n, (void)write;
    return NULL;
}

void xen_unmap(void *at, unsigned int n)
{
    (void)at, (void)n;
}

bool xen_fail(struct xen *x, const char *format, ...)
{
    (void)x, (void)format;
    return false;
}

/* ------------------------------------------------------------------ struct t_info */

static void info_of_two_cpus(void **state)
{
    /* 3 pages, lists at words 2 and 5. */
    uint32_t info[8] = { 3 | 2 << 16, 5, 10, 11, 12, 20, 21, 22 };
    uint64_t frames[6] = { 0 };
    unsigned int pages = 0;

    (void)state;
    assert_true(rings_parse_info(info, sizeof(info), 2, &pages, frames));
    assert_int_equal(pages, 3);
    assert_int_equal(frames[0], 10);
    assert_int_equal(frames[5], 22);
    assert_false(rings_parse_info(info, sizeof(info) - 4, 2, &pages, NULL));
    info[1] = 6;
    assert_false(rings_parse_info(info, sizeof(info), 2, &pages, NULL));
    info[1] = 1; /* in the list of offsets itself */
    assert_false(rings_parse_info(info, sizeof(info), 2, &pages, NULL));
    info[0] = 2 << 16;
    assert_false(rings_parse_info(info, sizeof(info), 2, &pages, NULL));
}

/* The sanitizers watch. */
static void info_of_rubbish(void **state)
{
    (void)state;
    srand(5);
    for (int round = 0; round < 20000; round++) {
        size_t words = 1 + (size_t)rand() % 64;
        unsigned int cpus = (unsigned int)rand() % 70, pages;
        uint32_t *info = malloc(words * 4);

        for (size_t i = 0; i < words; i++)
            info[i] = (uint32_t)(rand() % 16) | (uint32_t)(rand() % 16) << 16;
        if (rings_parse_info(info, words * 4, cpus, &pages, NULL)) {
            uint64_t *frames = calloc((size_t)cpus * pages, sizeof(*frames));

            assert_true(rings_parse_info(info, words * 4, cpus, &pages, frames));
            free(frames);
        }
        free(info);
    }
}

/* ------------------------------------------------------------------ one ring */

#define SIZE 64u

struct world {
    struct t_buf *buf; /* on the heap, so that the sanitizer sees its end */
    struct ring ring;
    struct rings rings;
};

static void world_make(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->buf = calloc(1, sizeof(*w->buf) + SIZE);
    for (uint32_t i = 0; i < SIZE; i++)
        ((uint8_t *)(w->buf + 1))[i] = (uint8_t)i;
    w->ring.buf = w->buf;
    w->rings = (struct rings){ .cpus = 1, .size = SIZE, .ring = &w->ring };
}

static void taken_in_order(void **state)
{
    struct ring_span span;
    struct world w;

    (void)state;
    world_make(&w);
    assert_false(ring_unread(&w.rings, 0, &span));
    w.buf->prod = 40;
    assert_true(ring_unread(&w.rings, 0, &span));
    assert_int_equal(span.bytes[0], 40);
    assert_int_equal(span.bytes[1], 0);
    ring_take(&w.rings, 0, &span);
    assert_int_equal(w.buf->cons, 40);
    w.buf->prod = 84; /* round the end: 24 there, 20 at the beginning */
    assert_true(ring_unread(&w.rings, 0, &span));
    assert_int_equal(span.bytes[0], 24);
    assert_int_equal(*(const uint8_t *)span.data[0], 40);
    assert_int_equal(span.bytes[1], 20);
    assert_int_equal(*(const uint8_t *)span.data[1], 0);
    ring_take(&w.rings, 0, &span);
    assert_int_equal(w.buf->cons, 84);
    w.buf->prod = 20; /* past twice the size: full but for nothing */
    assert_true(ring_unread(&w.rings, 0, &span));
    assert_int_equal(span.bytes[0], 44);
    assert_int_equal(span.bytes[1], 20);
    ring_take(&w.rings, 0, &span);
    assert_int_equal(w.buf->cons, 20);
    assert_false(ring_unread(&w.rings, 0, &span));
    free(w.buf);
}

static void bad_offsets_end_it(void **state)
{
    static const uint32_t bad[] = { 2 * SIZE, 2, 64, UINT32_MAX };
    struct ring_span span;
    struct world w;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        world_make(&w);
        w.ring.cons = w.buf->cons = 2 * SIZE - 4;
        w.buf->prod = bad[i];
        assert_false(ring_unread(&w.rings, 0, &span));
        assert_true(w.ring.bad);
        w.buf->prod = 8;
        assert_false(ring_unread(&w.rings, 0, &span));
        free(w.buf);
    }
}

static volatile uint8_t seen;

/* Whatever prod is from time to time, what is given lies inside. */
static void random_offsets(void **state)
{
    struct ring_span span;
    struct world w;

    (void)state;
    srand(9);
    world_make(&w);
    for (int round = 0; round < 100000; round++) {
        w.ring.bad = false;
        w.buf->prod = rand() % 3 ? (uint32_t)rand() % (SIZE / 2) * 4 : (uint32_t)rand();
        if (!ring_unread(&w.rings, 0, &span))
            continue;
        for (int part = 0; part < 2; part++)
            for (uint32_t i = 0; i < span.bytes[part]; i++)
                seen = ((const uint8_t *)span.data[part])[i];
        ring_take(&w.rings, 0, &span);
        assert_int_equal(w.buf->cons, w.buf->prod);
    }
    free(w.buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_of_two_cpus), cmocka_unit_test(info_of_rubbish),
        cmocka_unit_test(taken_in_order),   cmocka_unit_test(bad_offsets_end_it),
        cmocka_unit_test(random_offsets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
