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
    void *mem = malloc(bytes);

    assert_non_null(mem);
    memset(mem, 0xee, bytes);
    trace_ring_init(r, mem, bytes);
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

    rd.buf->cons = 1;
    assert_int_equal(put(&r, seq++, 1), TRACE_PUT_LOST);
    rd.buf->cons = rd.buf->prod = r.prod;
    rd.next = seq - r.lost;
    rd.lost = 0;
    assert_int_not_equal(put(&r, seq++, 1), TRACE_PUT_LOST);
    take(&rd, ~0u);
    assert_int_equal(rd.next, seq);
    assert_int_equal(rd.records, 1);
    assert_true(rd.lost > 0);
    free(r.buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_loss_is_exact),
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_bad_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
