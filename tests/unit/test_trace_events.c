/* SPDX-License-Identifier: MIT */
/*
 * Every event of the catalogue from the hypervisor's tracepoint to the reader's values.
 *
 * The tracepoint gets a different value for each field; the reader has to give the same, under the
 * field's name and cut to its type.  No event of the catalogue may be left out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "../../tracing/reader/catalogue.h"
#include "../../tracing/reader/writer.h"
#include "trace_emitter.h"

/* ------------------------------------------------------------------ from the ring to the reader */

static uint8_t file[1 << 17];
static size_t file_bytes, file_at;
static struct trace_reader reader;

static ssize_t read_file(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    if (n > file_bytes - file_at)
        n = file_bytes - file_at;
    memcpy(buf, file + file_at, n);
    file_at += n;
    return (ssize_t)n;
}

/* Read what was emitted as a chunk of CPU 2. */
static void begin_to_read(void)
{
    size_t n;
    const void *bytes = emitter_bytes(&n);
    uint32_t head[3] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, 2, (uint32_t)n };

    memcpy(file, head, sizeof(head));
    memcpy(file + sizeof(head), bytes, n);
    file_bytes = sizeof(head) + n;
    file_at = 0;
    trace_reader_init(&reader, read_file, NULL);
}

static struct trace_record read_one(void)
{
    struct trace_defect defect;
    struct trace_record rec;

    assert_int_equal(trace_reader_next(&reader, &rec, &defect), TRACE_RECORD);
    assert_int_equal(rec.cpu, 2);
    assert_true(rec.has_tsc);
    return rec;
}

static void read_end(void)
{
    struct trace_defect defect;
    struct trace_record rec;

    assert_int_equal(trace_reader_next(&reader, &rec, &defect), TRACE_END);
}

/* ------------------------------------------------------------------ events with fields */

/* What emitter_value() is in a field of this type. */
static uint64_t expected(unsigned int ev, unsigned int i)
{
    const struct trace_type_info *type = &trace_types[trace_events[ev].fields[i].type];
    uint64_t value = emitter_value(ev, i);

    if (type->words == 1)
        value = type->show == TRACE_SHOW_SIGNED ? (uint64_t)(int32_t)value : (uint32_t)value;
    return value;
}

static void check_fields(unsigned int ev, const struct trace_record *rec)
{
    const struct trace_event_info *e = &trace_events[ev];
    struct trace_value values[TRACE_VALUES_MAX];

    assert_int_equal(rec->event, e->id);
    assert_int_equal(rec->words, e->words);
    assert_int_equal(trace_event_find(rec->event), ev);
    assert_int_equal(trace_row_event(trace_row_of(rec)),
                     ev == TRACE_EV_pv_page_fault ? TRACE_EV_pv_page_fault : ev);
    assert_int_equal(trace_values_of(rec, values), e->nr_fields);
    for (unsigned int i = 0; i < e->nr_fields; i++) {
        assert_string_equal(values[i].name, e->fields[i].name);
        assert_int_equal(values[i].show, trace_types[e->fields[i].type].show);
        if (values[i].value != expected(ev, i))
            fail_msg("%s.%s: 0x%llx, not 0x%llx", e->name, values[i].name,
                     (unsigned long long)values[i].value, (unsigned long long)expected(ev, i));
    }
}

static void test_fields(void **state)
{
    unsigned int emitted = 0, by_hand = 0;

    (void)state;
    emitter_start();
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++) {
        int done = emitter_event(ev);

        assert_int_equal(done, trace_events[ev].nr_fields != 0);
        emitted += done != 0;
        by_hand += !done;
    }
    begin_to_read();
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        if (trace_events[ev].nr_fields) {
            struct trace_record rec = read_one();

            check_fields(ev, &rec);
        }
    read_end();
    assert_true(emitted > 40);
    assert_int_equal(by_hand, 5);       /* those of the tests below, and the two of rings */
}

/* The writer of the tools makes the same bytes as the hypervisor. */
static void test_writer(void **state)
{
    (void)state;
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++) {
        uint64_t values[TRACE_FIELDS_MAX];
        uint8_t ours[sizeof(struct t_rec)];
        const uint8_t *theirs;
        uint64_t tsc;
        size_t n;

        for (unsigned int i = 0; i < TRACE_FIELDS_MAX; i++)
            values[i] = emitter_value(ev, i);
        emitter_start();
        if (!emitter_event(ev))
            continue;
        theirs = emitter_bytes(&n);
        memcpy(&tsc, theirs + 4, sizeof(tsc));
        assert_int_equal(trace_make_record(ours, tsc, ev, values), n);
        assert_memory_equal(ours, theirs, n);
    }
}

/* ------------------------------------------------------------------ events written by hand */

static void check_args(const struct trace_record *rec, unsigned int nr, const uint64_t args[6],
                       unsigned int recorded)
{
    struct trace_value values[TRACE_VALUES_MAX];

    assert_int_equal(trace_values_of(rec, values), recorded);
    for (unsigned int i = 0; i < recorded; i++) {
        assert_true(values[i].value == args[i]);
        assert_string_equal(values[i].name, trace_calls[nr].args[i]);
    }
}

/* Every hypercall, its arguments in one word each, and in as many words as there is room for. */
static void test_subcalls(void **state)
{
    static const uint64_t narrow[6] = { 0, 1, 2, 0xffffffff, 4, 5 };
    static const uint64_t wide[6] = { 1ull << 32, ~0ull, 3ull << 33, 7ull << 60, 1ull << 40, 6 };

    (void)state;
    emitter_start();
    for (uint64_t nr = 0; nr < TRACE_HYPERCALLS; nr++) {
        emitter_subcall(nr, narrow);
        emitter_subcall(nr, wide);
    }
    begin_to_read();
    for (unsigned int nr = 0; nr < TRACE_HYPERCALLS; nr++) {
        unsigned int n = trace_calls[nr].nr_args;
        struct trace_record rec = read_one();

        assert_int_equal(trace_row_event(trace_row_of(&rec)), TRACE_EV_pv_subcall);
        check_args(&rec, nr, narrow, n);
        rec = read_one();
        check_args(&rec, nr, wide, n > 3 ? 3 : n);
    }
    read_end();
}

static void test_iret_and_runstates(void **state)
{
    struct trace_runstate change;
    struct trace_record rec;

    (void)state;
    emitter_start();
    emitter_iret();
    for (int from = 0; from < TRACE_RUNSTATES; from++)
        for (int to = 0; to < TRACE_RUNSTATES; to++)
            emitter_runstate(from, to);
    begin_to_read();
    rec = read_one();
    assert_int_equal(trace_row_of(&rec), TRACE_ROW_HYPERCALL + 23);
    for (unsigned int from = 0; from < TRACE_RUNSTATES; from++)
        for (unsigned int to = 0; to < TRACE_RUNSTATES; to++) {
            rec = read_one();
            assert_true(trace_runstate_of(&rec, &change));
            assert_int_equal(change.from, from);
            assert_int_equal(change.to, to);
            assert_int_equal(change.domain, 5);
            assert_int_equal(change.vcpu, 3);
            assert_int_equal(trace_row_of(&rec), TRACE_ROW_RUNSTATE + to);
        }
    read_end();
}

/* ------------------------------------------------------------------ no ring */

/* One record of each event, those written by hand included; how many. */
static unsigned int emit_all(void)
{
    static const uint64_t args[6] = { 1, 2, 3, 4, 5, 6 };
    unsigned int n = 3;

    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        n += emitter_event(ev) != 0;
    emitter_subcall(3, args);
    emitter_iret();
    emitter_runstate(0, 1);
    return n;
}

/* A CPU that has no ring: each record counts as lost, by the kind of ring, and by nothing else. */
static void test_no_ring(void **state)
{
    unsigned int n;
    size_t bytes;

    (void)state;
    emitter_start_without_ring(false);
    n = emit_all();
    assert_true(n > 40);
    assert_int_equal(emitter_lost(true), n);
    assert_int_equal(emitter_lost(false), 0);
    emit_all();
    assert_int_equal(emitter_lost(true), 2 * n);
    emitter_bytes(&bytes);
    assert_int_equal(bytes, 0);

    emitter_start_without_ring(true);
    emit_all();
    assert_int_equal(emitter_lost(true), n);
    assert_int_equal(emitter_lost(false), n);

    emitter_start_without_ring(false); /* what nobody asked for is not lost */
    emitter_leave_out(true);
    emit_all();
    assert_int_equal(emitter_lost(true), 0);
    emitter_leave_out(false);

    emitter_start(); /* with a ring again nothing is lost */
    emitter_iret();
    assert_int_equal(emitter_lost(true), 0);
    begin_to_read();
    read_one();
    read_end();
}

/* ------------------------------------------------------------------ the catalogues */

static void test_catalogues(void **state)
{
    char label[TRACE_NAME_MAX], other[TRACE_NAME_MAX];

    (void)state;
    assert_true(TRACE_EVENTS <= RADON_TRACE_EVENTS);
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++) {
        uint64_t bits[RADON_TRACE_EVENTS / 64] = { 0 };

        assert_true(trace_events[ev].words <= TRACE_EXTRA_MAX);
        trace_event_label(ev, label);
        for (unsigned int k = 0; k < ev; k++)
            assert_string_not_equal(label, trace_event_label(k, other));
        assert_true(trace_events_named(label, bits));
        assert_true(bits[ev / 64] >> ev % 64 & 1);
    }
    /* Operations are found, so their list is sorted; arguments have names. */
    for (unsigned int i = 0; i < TRACE_OPS; i++)
        assert_int_equal(trace_op_find(trace_ops[i].call, trace_ops[i].number), i);
    for (unsigned int nr = 0; nr < TRACE_HYPERCALLS; nr++)
        for (unsigned int i = 0; trace_calls[nr].name && i < TRACE_ARGS_MAX; i++)
            assert_int_equal(trace_calls[nr].args[i] != NULL, i < trace_calls[nr].nr_args);
}

static void test_event_names(void **state)
{
    uint64_t bits[RADON_TRACE_EVENTS / 64] = { 0 };

    (void)state;
    assert_true(trace_events_named("grant", bits));
    assert_true(bits[0] == (1ull << TRACE_EV_grant_map | 1ull << TRACE_EV_grant_unmap |
                            1ull << TRACE_EV_grant_copy));
    memset(bits, 0, sizeof(bits));
    assert_true(trace_events_named("trap", bits));
    assert_true(bits[0] == (1ull << TRACE_EV_pv_trap | 1ull << TRACE_EV_pv_page_fault));
    memset(bits, 0, sizeof(bits));
    assert_true(trace_events_named("hypercall:sched_op.block", bits));
    assert_true(bits[0] == 1ull << TRACE_EV_pv_hypercall);
    assert_false(trace_events_named("gran", bits));
    assert_false(trace_events_named("hypercall:", bits));
    assert_false(trace_events_named("", bits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_subcalls),
        cmocka_unit_test(test_iret_and_runstates),
        cmocka_unit_test(test_no_ring),
        cmocka_unit_test(test_catalogues),
        cmocka_unit_test(test_event_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
