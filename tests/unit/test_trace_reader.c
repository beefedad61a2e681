/* SPDX-License-Identifier: MIT */
/*
 * The reader of recordings on recordings made here: whole ones, truncated, damaged, foreign.
 *
 * A recording is made of chunks of two CPUs.  The tests damage one place and say which records are
 * still read, and which offset is named.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tracing/reader/counts.h"

/* ------------------------------------------------------------------ making recordings */

struct file {
    uint8_t bytes[1 << 16];
    size_t n, at;               /* at: how far it was read */
    size_t step;                /* bytes given a read at most, 0: all */
    size_t chunk;               /* where the open chunk's head is */
    uint64_t tsc;
};

static void put32(struct file *f, uint32_t w)
{
    memcpy(f->bytes + f->n, &w, 4);
    f->n += 4;
}

static void set32(struct file *f, size_t at, uint32_t w)
{
    memcpy(f->bytes + at, &w, 4);
}

static void open_chunk(struct file *f, uint32_t cpu)
{
    f->chunk = f->n;
    put32(f, TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT);
    put32(f, cpu);
    put32(f, 0);
}

static void close_chunk(struct file *f)
{
    set32(f, f->chunk + 8, (uint32_t)(f->n - f->chunk - 12));
}

/* One stamped record, 10 cycles after the last; where it is. */
static size_t put_event(struct file *f, uint32_t event, unsigned int words, ...)
{
    size_t at = f->n;
    va_list ap;

    f->tsc += 10;
    put32(f, event | words << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG);
    put32(f, (uint32_t)f->tsc);
    put32(f, (uint32_t)(f->tsc >> 32));
    va_start(ap, words);
    for (unsigned int i = 0; i < words; i++)
        put32(f, va_arg(ap, uint32_t));
    va_end(ap);
    return at;
}

static size_t put_call(struct file *f, uint32_t nr)
{
    return put_event(f, TRC_PV_HYPERCALL_V2, 2, nr | (uint32_t)TRC_PV_HYPERCALL_V2_ARG_32(0), 7u);
}

/* Hypercall 17 with 7 as its first argument. */
#define PAGESIZE_ROW (TRACE_ROW_HYPERCALL + TRACE_HYPERCALLS + 1 + TRACE_OP_xen_version_pagesize)

static size_t put_runstate(struct file *f, uint32_t from, uint32_t to, uint32_t domain,
                           uint32_t vcpu)
{
    return put_event(f, TRC_SCHED_RUNSTATE_CHANGE | from << 8 | to << 4, 1, domain << 16 | vcpu);
}

/* n hypercalls on a CPU. */
static void put_calls(struct file *f, uint32_t cpu, unsigned int n)
{
    open_chunk(f, cpu);
    while (n--)
        put_call(f, 17);
    close_chunk(f);
}

static ssize_t read_file(void *ctx, void *buf, size_t n)
{
    struct file *f = ctx;
    size_t left = f->n - f->at;

    if (n > left)
        n = left;
    if (f->step && n > f->step)
        n = f->step;
    memcpy(buf, f->bytes + f->at, n);
    f->at += n;
    return (ssize_t)n;
}

/* ------------------------------------------------------------------ reading them */

static struct trace_reader reader;
static struct counts *counts;
static struct trace_defect defects[16];
static unsigned int nr_defects;

static void read_it(struct file *f)
{
    struct trace_record rec;
    enum trace_next next;

    f->at = 0;
    nr_defects = 0;
    counts_free(counts);
    counts = counts_new();
    assert_non_null(counts);
    trace_reader_init(&reader, read_file, f);
    while ((next = trace_reader_next(&reader, &rec, &defects[nr_defects % 16])) != TRACE_END) {
        assert_int_not_equal(next, TRACE_FAILED);
        if (next == TRACE_RECORD)
            assert_true(counts_add(counts, &rec));
        else
            nr_defects++;
    }
    counts_sort(counts);
}

static void expect_one(enum trace_damage what, uint64_t offset, uint64_t skipped)
{
    assert_int_equal(nr_defects, 1);
    assert_int_equal(defects[0].what, what);
    assert_int_equal(defects[0].offset, offset);
    assert_int_equal(defects[0].skipped, skipped);
}

static uint64_t calls(const uint64_t *count)
{
    return counts_sum(count, TRACE_ROW_HYPERCALL, TRACE_ROW_SUBCALL);
}

/* ------------------------------------------------------------------ whole recordings */

static void test_whole(void **state)
{
    static struct file f;

    (void)state;
    put_calls(&f, 0, 10);
    f.tsc = 0;                          /* time stamps are in order within a CPU only */
    put_calls(&f, 1, 20);
    for (f.step = 0; f.step < 9; f.step++) {
        read_it(&f);
        assert_int_equal(nr_defects, 0);
        assert_int_equal(counts->records, 30);
        assert_int_equal(counts->total[PAGESIZE_ROW], 30);
        assert_int_equal(counts->first_tsc, 10);
        assert_int_equal(counts->last_tsc, 200);
    }
}

static void test_padding_is_passed_over(void **state)
{
    static struct file f;

    (void)state;
    open_chunk(&f, 0);
    put_call(&f, 1);
    put32(&f, TRC_TRACE_WRAP_BUFFER | 2u << TRACE_EXTRA_SHIFT);
    put32(&f, 0);
    put32(&f, 0);
    put32(&f, TRC_TRACE_WRAP_BUFFER | (uint32_t)TRC_HD_CYCLE_FLAG);
    put32(&f, 0);
    put32(&f, 0);
    put_call(&f, 1);
    close_chunk(&f);
    read_it(&f);
    assert_int_equal(nr_defects, 0);
    assert_int_equal(counts->records, 2);
}

/* Records belong to the vCPU that runs on their CPU; nobody's before that is known. */
static void test_vcpus(void **state)
{
    static struct file f;
    const struct vcpu_counts *a, *b;

    (void)state;
    open_chunk(&f, 3);
    put_call(&f, 1);                    /* tsc 10, nobody's */
    put_runstate(&f, 1, 0, 0, 1);       /* 20: d0v1 runs */
    put_call(&f, 1);                    /* 30 */
    put_call(&f, 2);                    /* 40 */
    close_chunk(&f);
    put_calls(&f, 2, 1);                /* 50: another CPU */
    open_chunk(&f, 3);
    put_runstate(&f, 0, 2, 0, 1);       /* 60: d0v1 blocks */
    put_call(&f, 1);                    /* 70, nobody's */
    put_runstate(&f, 1, 0, 5, 0);       /* 80: d5v0 runs */
    put_event(&f, TRC_PV_PAGE_FAULT | TRC_64_FLAG, 5, 1u, 0u, 2u, 0u, 3u);
    put_event(&f, TRC_PV_TRAP | TRC_64_FLAG, 3, 1u, 0u, 13u | 1u << 15);
    put_runstate(&f, 2, 1, 0, 1);       /* 110: d0v1 wakes */
    put_event(&f, TRC_PV_HYPERCALL_SUBCALL, 1, 26u);
    close_chunk(&f);
    read_it(&f);
    assert_int_equal(nr_defects, 0);
    assert_int_equal(counts->nr_vcpus, 2);
    a = counts->vcpus[0];
    b = counts->vcpus[1];
    assert_int_equal(calls(a->count), 2);
    assert_int_equal(a->count[TRACE_ROW_HYPERCALL + 2], 1);
    assert_int_equal(calls(counts->unknown.count), 3);
    assert_int_equal(b->domain, 5);
    assert_int_equal(b->count[TRACE_ROW_TRAP + 14], 1);
    assert_int_equal(b->count[TRACE_ROW_TRAP + 13], 1);
    assert_int_equal(b->count[TRACE_ROW_SUBCALL + 26], 1);
    assert_true(counts_cycles_known(counts, a));
    assert_int_equal(a->cycles[0], 40);
    assert_int_equal(a->cycles[1], 0);
    assert_int_equal(a->cycles[2], 50);
}

static void test_lost(void **state)
{
    static struct file f;

    (void)state;
    open_chunk(&f, 0);
    put_runstate(&f, 1, 0, 0, 0);
    put_event(&f, TRC_LOST_RECORDS, 4, 1000u, 3u << 16 | 2u, 15u, 0u);
    put_call(&f, 1);
    close_chunk(&f);
    read_it(&f);
    assert_int_equal(counts->lost, 1000);
    assert_int_equal(counts->nr_vcpus, 2);
    assert_int_equal(counts->vcpus[1]->domain, 2);
    assert_int_equal(counts->vcpus[1]->vcpu, 3);
    assert_int_equal(calls(counts->vcpus[1]->count), 1);
    assert_false(counts_cycles_known(counts, counts->vcpus[0]));
}

/* ------------------------------------------------------------------ damaged ones */

/* Cut anywhere: all records before the cut, and its place. */
static void test_truncated(void **state)
{
    static struct file f, whole;

    (void)state;
    put_calls(&whole, 0, 5);            /* records of 20 bytes, from 12 on */
    for (size_t n = 1; n < whole.n; n++) {
        size_t in_chunk = n > 12 ? n - 12 : 0;

        f = whole;
        f.n = n;
        read_it(&f);
        assert_int_equal(counts->records, in_chunk / 20);
        assert_int_equal(nr_defects, 1);
        assert_int_equal(defects[0].what, TRACE_TRUNCATED);
        assert_int_equal(defects[0].offset, n < 12 ? 0 : 12 + in_chunk / 20 * 20);
        assert_int_equal(defects[0].skipped, n < 12 ? n : in_chunk % 20);
    }
}

static void test_damaged_record(void **state)
{
    static struct file f;

    (void)state;
    put_calls(&f, 0, 20);
    set32(&f, 12 + 3 * 20, 0xffffffff);
    read_it(&f);
    expect_one(TRACE_NO_RECORD, 12 + 3 * 20, 20);
    assert_int_equal(counts->records, 19);
}

/* A head that says more words than there are takes the next record's head with it. */
static void test_longer_record(void **state)
{
    static struct file f;

    (void)state;
    put_calls(&f, 0, 20);
    set32(&f, 12 + 3 * 20,
          TRC_PV_HYPERCALL_V2 | 3u << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG);
    read_it(&f);
    expect_one(TRACE_NO_RECORD, 12 + 4 * 20 + 4, 16);
    assert_int_equal(counts->records, 19);
}

static void test_bytes_missing(void **state)
{
    static struct file f;

    (void)state;
    put_calls(&f, 0, 20);
    put_calls(&f, 1, 20);
    memmove(f.bytes + 100, f.bytes + 103, f.n - 103);
    f.n -= 3;
    read_it(&f);
    /* The record around the hole has a wrong time stamp and is one of those read. */
    assert_int_equal(nr_defects, 3);
    assert_int_equal(defects[0].what, TRACE_NO_RECORD);
    assert_int_equal(defects[0].offset, 112);
    assert_int_equal(defects[0].skipped, 17);
    assert_int_equal(defects[1].what, TRACE_TIME_BACK);
    assert_int_equal(defects[2].what, TRACE_CHUNK_SHORT);
    assert_int_equal(counts->records, 39);
}

static void test_chunk_says_too_much(void **state)
{
    static struct file f;
    size_t second;

    (void)state;
    put_calls(&f, 0, 8);
    second = f.n;
    put_calls(&f, 1, 8);
    set32(&f, 8, 4096);
    read_it(&f);
    expect_one(TRACE_CHUNK_SHORT, second, 0);
    assert_int_equal(counts->records, 16);
}

static void test_chunk_says_too_little(void **state)
{
    static struct file f;

    (void)state;
    put_calls(&f, 0, 8);
    put_calls(&f, 1, 8);
    set32(&f, 8, 20);
    read_it(&f);
    expect_one(TRACE_NO_CHUNK, 32, 7 * 20);
    assert_int_equal(counts->records, 9);
}

/* A CPU's number that no CPU has: as much as no chunk at all. */
static void test_chunk_of_no_cpu(void **state)
{
    static struct file f;

    (void)state;
    put_calls(&f, TRACE_CPUS_MAX, 4);
    put_calls(&f, TRACE_CPUS_MAX - 1, 4);
    read_it(&f);
    expect_one(TRACE_NO_CHUNK, 0, 12 + 4 * 20);
    assert_int_equal(counts->records, 4);
}

static void test_time_goes_back(void **state)
{
    static struct file f;
    size_t at;

    (void)state;
    open_chunk(&f, 0);
    put_call(&f, 1);
    put_call(&f, 1);
    f.tsc = 2;
    at = put_call(&f, 1);
    put_call(&f, 1);
    close_chunk(&f);
    read_it(&f);
    expect_one(TRACE_TIME_BACK, at, 0);
    assert_int_equal(counts->records, 4);
}

static void test_foreign(void **state)
{
    static struct file f;

    (void)state;
    read_it(&f);
    assert_int_equal(nr_defects, 0);
    assert_int_equal(counts->records, 0);
    for (f.n = 1; f.n < 5000; f.n += 499) {
        memset(f.bytes, 'x', f.n);
        read_it(&f);
        assert_int_equal(nr_defects, 1);
        assert_int_equal(defects[0].offset, 0);
        assert_int_equal(defects[0].skipped, f.n);
        assert_int_equal(counts->records, 0);
    }
}

/* Something before the first chunk is skipped. */
static void test_late_begin(void **state)
{
    static struct file f;

    (void)state;
    memset(f.bytes, 0x11, 77);
    f.n = 77;
    put_calls(&f, 0, 3);
    read_it(&f);
    expect_one(TRACE_NO_CHUNK, 0, 77);
    assert_int_equal(counts->records, 3);
}

static void test_many_vcpus(void **state)
{
    static struct file f;

    (void)state;
    open_chunk(&f, 0);
    for (uint32_t i = 0; i < 1500; i++)
        put_runstate(&f, 1, 0, i, i);
    close_chunk(&f);
    read_it(&f);
    assert_int_equal(counts->nr_vcpus, COUNTS_VCPUS_MAX);
    assert_int_equal(counts->others.count[TRACE_ROW_RUNSTATE], 1500 - COUNTS_VCPUS_MAX);
}

/* ------------------------------------------------------------------ headers */

static size_t put_meta(struct file *f, uint32_t version, uint32_t bytes, uint64_t lost)
{
    struct trace_meta meta = { .tsc_hz = 1000, .lost_full = lost, .revision = "abc" };
    size_t at = f->n;

    put32(f, TRACE_META_HEAD);
    put32(f, version);
    put32(f, bytes);
    memset(f->bytes + f->n, 0, bytes);
    memcpy(f->bytes + f->n, &meta, bytes < sizeof(meta) ? bytes : sizeof(meta));
    f->n += bytes;
    return at;
}

/* The last one counts; a longer one is of a later version that we can read. */
static void test_headers(void **state)
{
    static struct file f;

    (void)state;
    put_meta(&f, TRACE_META_VERSION, sizeof(struct trace_meta), 0);
    put_calls(&f, 0, 3);
    put_calls(&f, 1, 3);
    for (f.step = 0; f.step < 9; f.step++) {
        read_it(&f);
        assert_int_equal(nr_defects, 0);
        assert_int_equal(counts->records, 6);
        assert_true(reader.has_meta);
        assert_int_equal(reader.meta.tsc_hz, 1000);
        assert_int_equal(reader.meta.lost_full, 0);
        assert_string_equal(reader.meta.revision, "abc");
    }
    put_meta(&f, TRACE_META_VERSION, sizeof(struct trace_meta) + 24, 7);
    read_it(&f);
    assert_int_equal(nr_defects, 0);
    assert_int_equal(reader.meta.lost_full, 7);
    assert_int_equal(counts->records, 6);
}

static void test_damaged_headers(void **state)
{
    static struct file f;
    size_t second;

    (void)state;
    put_meta(&f, TRACE_META_VERSION, sizeof(struct trace_meta) - 4, 1);
    put_calls(&f, 0, 3);
    read_it(&f);
    expect_one(TRACE_NO_META, 0, 12 + sizeof(struct trace_meta) - 4);
    assert_false(reader.has_meta);
    assert_int_equal(counts->records, 3);

    f.n = 0;
    put_calls(&f, 0, 3);
    second = put_meta(&f, TRACE_META_VERSION + 1, sizeof(struct trace_meta), 1);
    put_calls(&f, 0, 3);
    read_it(&f);
    expect_one(TRACE_NO_META, second, 12 + sizeof(struct trace_meta));
    assert_int_equal(counts->records, 6);

    f.n = second + 40;
    read_it(&f);
    expect_one(TRACE_TRUNCATED, second, 40);

    /* A chunk that says too much ends where a header begins. */
    f.n = 0;
    put_calls(&f, 0, 3);
    second = put_meta(&f, TRACE_META_VERSION, sizeof(struct trace_meta), 1);
    set32(&f, 8, 4096);
    put_calls(&f, 0, 3);
    read_it(&f);
    expect_one(TRACE_CHUNK_SHORT, second, 0);
    assert_true(reader.has_meta);
    assert_int_equal(counts->records, 6);
}

/* ------------------------------------------------------------------ names and lines */

static void expect_line(struct trace_record rec, const char *expected)
{
    char line[256] = "";
    FILE *out = fmemopen(line, sizeof(line), "w");

    assert_non_null(out);
    trace_print_record(out, &rec);
    fclose(out);
    assert_string_equal(line, expected);
}

static void test_lines(void **state)
{
    (void)state;
    expect_line((struct trace_record){ .event = TRC_PV_HYPERCALL_V2, .words = 4,
                                       .data = { 1 | TRC_PV_HYPERCALL_V2_ARG_64(0) |
                                                 TRC_PV_HYPERCALL_V2_ARG_32(2), 5, 6, 9 } },
                "hypercall:mmu_update req=0x600000005 done=0x9");
    expect_line((struct trace_record){ .event = TRC_PV_HYPERCALL_V2, .words = 1,
                                       .data = { 1 | TRC_PV_HYPERCALL_V2_ARG_64(0) } },
                "hypercall:mmu_update ...");
    expect_line((struct trace_record){ .event = TRC_PV_PAGE_FAULT | TRC_64_FLAG, .words = 5,
                                       .data = { 1, 0, 2, 0xff, 3 } },
                "trap:page_fault rip=0x1 address=0xff00000002 error_code=0x3");
    expect_line((struct trace_record){ .event = TRC_PV_PAGE_FAULT | TRC_64_FLAG, .words = 4 },
                "event:malformed event=0x0201104 data: 00000000 00000000 00000000 00000000");
    expect_line((struct trace_record){ .event = TRC_HVM_VMENTRY, .words = 1, .data = { 0xab } },
                "event:unknown event=0x0081001 data: 000000ab");
    expect_line((struct trace_record){ .event = TRC_SCHED_RUNSTATE_CHANGE | 2 << 8 | 1 << 4,
                                       .words = 1, .data = { 7 << 16 | 4 } },
                "runstate:runnable vcpu=d7v4 was=blocked");
}

/* Rows of events that are counted in rows of another kind. */
static bool is_used(unsigned int row)
{
    char text[192];

    return row < TRACE_ROW_EVENT || row >= TRACE_ROW_UNKNOWN || trace_row_text(row, text);
}

/* No two rows have one name. */
static void test_names(void **state)
{
    static char names[TRACE_ROWS][TRACE_NAME_MAX];

    (void)state;
    for (unsigned int i = 0; i < TRACE_ROWS; i++) {
        trace_row_name(i, names[i]);
        for (unsigned int k = 0; k < i && is_used(i); k++)
            if (is_used(k))
                assert_string_not_equal(names[i], names[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_padding_is_passed_over),
        cmocka_unit_test(test_vcpus),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged_record),
        cmocka_unit_test(test_longer_record),
        cmocka_unit_test(test_bytes_missing),
        cmocka_unit_test(test_chunk_says_too_much),
        cmocka_unit_test(test_chunk_says_too_little),
        cmocka_unit_test(test_chunk_of_no_cpu),
        cmocka_unit_test(test_time_goes_back),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_late_begin),
        cmocka_unit_test(test_many_vcpus),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_damaged_headers),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_names),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    counts_free(counts);
    return failed;
}
