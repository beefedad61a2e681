/* SPDX-License-Identifier: MIT */
/* radon-prof's decisions as trace records: what is logged is read back by the reader of recordings. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fastpath/profile/trace.h"
#include "tracing/reader/catalogue.h"

static struct trace_reader reader;

static void expect(const char *line)
{
    struct trace_defect defect;
    struct trace_record rec;
    char text[256] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    assert_int_equal(trace_reader_next(&reader, &rec, &defect), TRACE_RECORD);
    assert_true(rec.has_tsc && rec.tsc >= reader.meta.tsc);
    trace_print_record(out, &rec);
    fclose(out);
    assert_string_equal(text, line);
}

static void test_decisions(void **state)
{
    char path[] = "/tmp/radon-prof-trace-XXXXXX";
    int fd = mkstemp(path);
    struct radon_info info = { .tsc_hz = 1000, .revision = "abc" };
    struct log_entry capture = { .decision = DECIDED_capture, .reason = "HOT",
                                 .point = { .kind = 1, .number = 39 } };
    struct log_entry retire = { .decision = DECIDED_retire, .reason = "text_changed", .handler = 7,
                                .point = { .kind = 2, .number = 14, .address = 0xffff1000 } };
    struct prof_trace t;
    struct trace_defect defect;
    struct trace_record rec;
    char line[200];
    struct log l;

    (void)state;
    assert_true(fd >= 0);
    assert_true(prof_trace_open(&t, path, &info));
    assert_true(log_open(&l, NULL, 0, false));
    l.hook = prof_trace_decision;
    l.hook_ctx = &t;
    log_write(&l, &capture);
    log_write(&l, &retire);
    log_close(&l);
    assert_true(prof_trace_close(&t));

    trace_reader_init(&reader, trace_read_fd, &fd);
    snprintf(line, sizeof(line), "tool:decision what=capture handler=0 reason=%d kind=syscall "
             "number=39 address=0x0", WHY_HOT);
    expect(line);
    expect("tool:decision what=retire handler=7 reason=4294967295 kind=exception number=14 "
           "address=0xffff1000");
    assert_int_equal(trace_reader_next(&reader, &rec, &defect), TRACE_END);
    assert_true(reader.has_meta);
    assert_int_equal(reader.meta.tsc_hz, 1000);
    assert_int_equal(reader.meta.flags, TRACE_META_END);
    assert_string_equal(reader.meta.revision, "abc");
    close(fd);
    unlink(path);
}

static void test_failure(void **state)
{
    struct radon_info info = { .tsc_hz = 1000 };
    struct log_entry e = { .decision = DECIDED_start };
    struct prof_trace t;

    (void)state;
    assert_false(prof_trace_open(&t, "/nonexistent/x", &info));
    assert_false(prof_trace_open(&t, "/dev/full", &info));
    prof_trace_decision(&t, &e);
    assert_false(prof_trace_close(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
