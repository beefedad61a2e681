/* SPDX-License-Identifier: MIT */
/*
 * The trace ring (hv/trace/ring.c): what one side puts in, the other gets out in order, with each
 * loss counted exactly; and a reader that writes nonsense to the shared page does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace/ring.h"

#define EVENT_A (TRC_PV_TRAP | TRC_64_FLAG)

/* What the reader has seen. */
struct reader {
    struct t_buf *buf;
    uint32_t size;
    uint64_t records;       /* but padding and lost-records */
    uint64_t lost, padding;
    uint32_t next;          /* sequence number expected */
    uint64_t last_tsc;
};

/* A record of `words` words: the first is a sequence number, the others follow from it. */
static enum trace_put put(struct trace_ring *r, uint32_t seq, unsigned int words)
{
    struct trace_stamp stamp = { 1000 + seq, 7, 3 };
    uint32_t data[TRACE_EXTRA_MAX];

    for (unsigned int i = 0; i < words; i++)
        data[i] = seq + i * 0x01000000;
    return trace_ring_put(r, EVENT_A, data, words, &stamp);
}

static void check_record(struct reader *rd, const uint32_t *p, unsigned int words)
{
    uint64_t tsc = p[1] | (uint64_t)p[2] << 32;

    assert_true(p[0] & TRC_HD_CYCLE_FLAG);
    if (TRC_HD_TO_EVENT(p[0]) == TRC_LOST_RECORDS) {
        assert_int_equal(words, 4);
        assert_int_equal(p[4], 7 | 3 << 16);            /* domain, vCPU */
        assert_int_equal(p[5], 1000 + rd->next);        /* since the first one that is missing */
        rd->lost += p[3];
        rd->next += p[3];
        return;
    }
    assert_int_equal(TRC_HD_TO_EVENT(p[0]), EVENT_A);
    assert_true(tsc > rd->last_tsc);
    rd->last_tsc = tsc;
    assert_int_equal(tsc, 1000 + rd->next);
    for (unsigned int i = 0; i < words; i++)
        assert_int_equal(p[3 + i], rd->next + i * 0x01000000);
    rd->next++;
    rd->records++;
}

/* Take at most `max` records, as a program of domain 0 would. */
static void take(struct reader *rd, unsigned int max)
{
    while (max-- && rd->buf->cons != rd->buf->prod) {
        uint32_t at = rd->buf->cons % rd->size, bytes;
        const uint32_t *p = (uint32_t *)((char *)(rd->buf + 1) + at);
        unsigned int words = TRC_HD_EXTRA(*p);

        bytes = 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(*p) ? 2 : 0) + words);
        assert_true(at + bytes <= rd->size);
        if (TRC_HD_TO_EVENT(*p) == TRC_TRACE_WRAP_BUFFER) {
            assert_int_equal(at + bytes, rd->size);
            rd->padding++;
        } else {
            check_record(rd, p, words);
        }
        rd->buf->cons = (rd->buf->cons + bytes) % (2 * rd->size);
    }
}

/* A ring in memory of its own, so that a byte too far is seen. */
static struct reader make(struct trace_ring *r, uint32_t bytes)
{
    char *mem = malloc(bytes);

    assert_non_null(mem);
    memset(mem, 0xee, bytes);
    trace_ring_init(r, mem, bytes, false);
    return (struct reader){ .buf = r->buf, .size = bytes - sizeof(struct t_buf) };
}

static void test_order(void **state)
{
    struct trace_ring r;
    struct reader rd = make(&r, 4096);

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_not_equal(put(&r, i, 1 + i % 7), TRACE_PUT_LOST);
        take(&rd, 2);
    }
    assert_int_equal(rd.records, 100000);
    assert_int_equal(rd.lost, 0);
    assert_true(rd.padding > 100);
    assert_int_equal(r.written, 100000);
    free(r.buf);
}

/* Sizes of every remainder, readers of every speed. */
static void test_loss_is_exact(void **state)
{
    (void)state;
    srand(1);
    for (uint32_t bytes = TRACE_RING_MIN; bytes < TRACE_RING_MIN + 80; bytes += 4) {
        struct trace_ring r;
        struct reader rd = make(&r, bytes);
        uint32_t seq = 0, refused = 0;

        for (int round = 0; round < 2000; round++) {
            unsigned int burst = (unsigned int)rand() % 40;

            for (unsigned int i = 0; i < burst; i++)
                refused += put(&r, seq++, 1 + (unsigned int)rand() % 7) == TRACE_PUT_LOST;
            take(&rd, (unsigned int)rand() % 40);
        }
        take(&rd, ~0u);
        /* Losses at the very end are said with the next record. */
        put(&r, seq++, 1);
        take(&rd, ~0u);
        assert_true(refused > 0);
        assert_int_equal(rd.lost, refused);
        assert_int_equal(rd.records + rd.lost, seq);
        assert_int_equal(rd.next, seq);
        assert_int_equal(r.lost_total, refused);
        free(r.buf);
    }
}

static void test_half(void **state)
{
    struct trace_ring r;
    struct reader rd = make(&r, 4096);
    unsigned int half = 0, n = 0;
    enum trace_put rc;

    (void)state;
    while ((rc = put(&r, n, 5)) != TRACE_PUT_LOST) {
        n++;
        half += rc == TRACE_PUT_HALF;
        if (rc == TRACE_PUT_HALF)
            assert_in_range(n * 32, rd.size / 2, rd.size / 2 + 32);
    }
    assert_int_equal(half, 1);
    assert_int_equal(n, rd.size / 32);
    free(r.buf);
}

/* Whatever the reader says, the writer stays within the ring, and works again afterwards. */
static void test_bad_reader(void **state)
{
    static const uint32_t odd[] = { 1, 3, 4095, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff };
    struct trace_ring r;
    struct reader rd = make(&r, 2048);
    uint32_t seq = 0;

    (void)state;
    srand(2);
    for (int i = 0; i < 200000; i++) {
        unsigned int how = (unsigned int)rand() % 3;

        rd.buf->cons = how == 0 ? odd[(unsigned int)rand() % 7]
                       : how == 1 ? (uint32_t)rand() : (uint32_t)rand() % (2 * rd.size) & ~3u;
        rd.buf->prod = (uint32_t)rand();
        put(&r, seq++, 1 + (unsigned int)rand() % 7);
    }
    assert_int_equal(r.written + r.lost_total, seq);
    assert_true(r.written > 0);

    /* What was free when it was last looked at may still be written to. */
    rd.buf->cons = 1;
    for (uint32_t left = rd.size / 16; put(&r, seq++, 1) != TRACE_PUT_LOST; left--)
        assert_true(left > 0);
    rd.buf->cons = rd.buf->prod = (uint32_t)(uintptr_t)r.cur - r.bias;
    rd.next = seq - r.lost;
    rd.lost = 0;
    assert_int_not_equal(put(&r, seq++, 1), TRACE_PUT_LOST);
    take(&rd, ~0u);
    assert_int_equal(rd.next, seq);
    assert_int_equal(rd.records, 1);
    assert_true(rd.lost > 0);
    free(r.buf);
}

/* ------------------------------------------------------------------ fast writers */

/* As assembly and trace_emit() write, when there is room below the limit; else as anybody. */
static enum trace_put put_fast(struct trace_ring *r, uint32_t seq, unsigned int words)
{
    uint32_t head[3] = { TRACE_HEAD(EVENT_A, words), 1000 + seq, 0 };

    if (r->cur >= r->limit)
        return put(r, seq, words);
    memset(r->cur, 0xff, TRACE_ROOM); /* all of it may be written to */
    memcpy(r->cur, head, sizeof(head));
    for (unsigned int i = 0; i < words; i++)
        ((uint32_t *)r->cur)[3 + i] = seq + i * 0x01000000;
    trace_ring_publish(r, 4 * (3 + words));
    return TRACE_PUT_OK;
}

/* Nothing that was not read is written over, whatever the reader's speed; nearly all go the fast way. */
static void test_fast_writer(void **state)
{
    (void)state;
    srand(3);
    for (uint32_t bytes = TRACE_RING_MIN; bytes < 64 * 1024; bytes += 2004) {
        struct trace_ring r;
        struct reader rd = make(&r, bytes);
        uint32_t seq = 0, refused = 0, told = 0;
        unsigned int most = bytes / 24;

        for (int round = 0; round < 1000; round++) {
            unsigned int burst = (unsigned int)rand() % most;

            for (unsigned int i = 0; i < burst; i++) {
                enum trace_put rc = put_fast(&r, seq++, (unsigned int)rand() % 8);

                refused += rc == TRACE_PUT_LOST;
                told += rc == TRACE_PUT_HALF;
            }
            take(&rd, (unsigned int)rand() % most);
        }
        take(&rd, ~0u);
        put_fast(&r, seq++, 1);
        take(&rd, ~0u);
        assert_true(refused > 0 && told > 0);
        assert_int_equal(rd.lost, refused);
        assert_int_equal(rd.records + rd.lost, seq);
        assert_int_equal(r.lost_total, refused);
        free(r.buf);
    }
}

/* A reader that takes all there is when it is told, and at no other time, loses nothing. */
static void test_told_in_time(void **state)
{
    (void)state;
    srand(4);
    for (uint32_t bytes = 2 * TRACE_RING_MIN; bytes < 64 * 1024; bytes += 1028) {
        struct trace_ring r;
        struct reader rd = make(&r, bytes);
        unsigned int delay = 0;

        for (uint32_t i = 0; i < 100000; i++) {
            enum trace_put rc = put_fast(&r, i, (unsigned int)rand() % 8);

            assert_int_not_equal(rc, TRACE_PUT_LOST);
            if (rc == TRACE_PUT_HALF)
                delay = 1 + (unsigned int)rand() % (bytes / 100);
            else if (delay && !--delay)
                take(&rd, ~0u);
        }
        free(r.buf);
    }
}

/* One that took only what was there when it was told, while the ring ran full, is told again. */
static void test_told_again(void **state)
{
    struct trace_ring r;
    struct reader rd = make(&r, 4096);
    uint32_t seq = 0, there;

    (void)state;
    assert_int_equal(rd.size / 2 % 28, 0); /* told at one half to the byte, full to the byte */
    while (put_fast(&r, seq++, 4) != TRACE_PUT_HALF)
        ;
    there = rd.buf->prod;
    while (put_fast(&r, seq++, 4) != TRACE_PUT_LOST)
        ;
    rd.buf->cons = there;
    assert_int_equal(put_fast(&r, seq++, 4), TRACE_PUT_HALF);
    assert_int_equal(put_fast(&r, seq++, 4), TRACE_PUT_OK); /* but once */
    free(r.buf);
}

/* ------------------------------------------------------------------ flight recorder */

/* What is kept, page by page of data, has each record from some number on to the last. */
static uint32_t check_kept(const struct trace_ring *r, uint32_t last)
{
    struct trace_pieces kept = trace_ring_kept(r);
    uint32_t next = 0, records = 0;

    for (int piece = 0; piece < 2; piece++) {
        uint32_t first = (uint32_t)(kept.at[piece] - r->data), end = first + kept.bytes[piece];

        assert_int_equal(first % TRACE_FLIGHT_PAGE, 0);
        assert_true(end <= r->size);
        for (uint32_t at = first; at < end;) {
            const uint32_t *p = (const uint32_t *)(r->data + at);
            uint32_t bytes = 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(*p) ? 2 : 0) + TRC_HD_EXTRA(*p));

            assert_true(at % TRACE_FLIGHT_PAGE + bytes <= TRACE_FLIGHT_PAGE);
            at += bytes;
            assert_true(at <= end);
            if (TRC_HD_TO_EVENT(*p) == TRC_TRACE_WRAP_BUFFER)
                continue;
            assert_int_equal(TRC_HD_TO_EVENT(*p), EVENT_A);
            if (records++)
                assert_int_equal(p[1], 1000 + next);
            next = p[1] - 1000 + 1;
        }
    }
    if (records)
        assert_int_equal(next, last + 1);
    return records;
}

static void test_flight(void **state)
{
    (void)state;
    srand(5);
    for (uint32_t pages = 1; pages < 6; pages++) {
        uint32_t bytes = pages * TRACE_FLIGHT_PAGE, most = 0;
        char *mem = malloc(bytes);
        struct trace_ring r;

        assert_non_null(mem);
        trace_ring_init(&r, mem, bytes, true);
        assert_int_equal(check_kept(&r, 0), 0);
        for (uint32_t i = 0; i < 20000; i++) {
            uint32_t records;

            r.buf->cons = (uint32_t)rand(); /* nobody reads; nobody is asked */
            assert_int_equal(put_fast(&r, i, (unsigned int)rand() % 8), TRACE_PUT_OK);
            records = check_kept(&r, i);
            most = records > most ? records : most;
            /* All but the page that is written over. */
            if (i > 400 * pages && pages > 2)
                assert_true(records > (pages - 2) * TRACE_FLIGHT_PAGE / 40);
        }
        assert_true(most > 80);
        assert_int_equal(r.written, 20000);
        assert_int_equal(r.lost_total, 0);
        free(mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_loss_is_exact),
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_bad_reader),
        cmocka_unit_test(test_fast_writer),
        cmocka_unit_test(test_told_in_time),
        cmocka_unit_test(test_told_again),
        cmocka_unit_test(test_flight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
