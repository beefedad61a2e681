/* SPDX-License-Identifier: MIT */
/*
 * Files of the tools for fast handlers: a handler that is written is read again, and any byte of its
 * file may be another one; the policy's and the log's lines, good and bad; tables in their three forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fastpath/profile/handler_file.h"
#include "fastpath/profile/log.h"
#include "fastpath/profile/policy.h"
#include "fastpath/profile/table.h"

static char path[] = "/tmp/radon-profile-XXXXXX";
static char error[512];

static int begin(void **state)
{
    int fd;

    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    fd = mkstemp(path);
    return fd < 0 || close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const void *data, size_t bytes)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

/* ------------------------------------------------------------------ handlers */

static uint64_t program[8 + 3];
static struct radon_fast_watch watches[2] = { { 0xffffffff81000000, 5 }, { 0xffffffff82000000, 6 } };
static uint32_t tainted[1] = { 2 };

static struct handler_file sample(void)
{
    struct fast_header head = {
        .magic = FAST_MAGIC, .version = FAST_VERSION, .header_bytes = sizeof(head),
        .total_bytes = sizeof(program), .insns = 3, .attach_kind = FAST_ATTACH_EXCEPTION,
        .attach_number = 14, .attach_address = 0xffffffff81234567, .name = "copy_on_write",
    };

    memcpy(program, &head, sizeof(head));
    program[8] = 0xb7; /* mov r0, 0 */
    program[9] = 0xb7;
    program[10] = 0x95;
    return (struct handler_file){
        .program = program, .program_bytes = sizeof(program), .watches = watches, .nr_watches = 2,
        .tainted = tainted, .nr_tainted = 1, .flags = RADON_FAST_ONE_VCPU,
        .provenance = "made_by: a test\n", .explanation = "line 1\nline 2\n",
    };
}

static void test_handler_comes_back(void **state)
{
    struct handler_file f = sample(), got;

    (void)state;
    assert_true(handler_file_write(path, &f, error, sizeof(error)));
    assert_int_equal(handler_file_read(path, 0, &got, error, sizeof(error)), 1);
    assert_int_equal(got.program_bytes, sizeof(program));
    assert_memory_equal(got.program, program, sizeof(program));
    assert_int_equal(got.nr_watches, 2);
    assert_memory_equal(got.watches, watches, sizeof(watches));
    assert_int_equal(got.nr_tainted, 1);
    assert_int_equal(got.tainted[0], 2);
    assert_int_equal(got.flags, RADON_FAST_ONE_VCPU);
    assert_string_equal(got.provenance, f.provenance);
    assert_string_equal(got.explanation, f.explanation);
    handler_file_free(&got);
    assert_int_equal(handler_file_read(path, 1, &got, error, sizeof(error)), 0);
}

/* Reads inside the file only (the sanitizer watches), whatever byte is another one. */
static void test_changed_and_cut_files(void **state)
{
    struct handler_file f = sample(), got;
    uint8_t whole[4096], copy[4096];
    unsigned int read_all = 0;
    size_t bytes;
    FILE *in;

    (void)state;
    assert_true(handler_file_write(path, &f, error, sizeof(error)));
    in = fopen(path, "r");
    bytes = fread(whole, 1, sizeof(whole), in);
    fclose(in);
    assert_in_range(bytes, 200, sizeof(whole) - 1);
    for (size_t i = 0; i < 2 * bytes; i++) {
        memcpy(copy, whole, bytes);
        copy[i % bytes] ^= i < bytes ? 0xff : 0x08;
        write_file(copy, bytes);
        if (handler_file_read(path, 0, &got, error, sizeof(error)) == 1) {
            read_all++;
            assert_in_range(got.nr_watches, 0, RADON_FAST_MAX_WATCHED);
            handler_file_free(&got);
        }
    }
    assert_in_range(read_all, 1, 2 * bytes);
    for (size_t i = 0; i < bytes; i++) {
        write_file(whole, i);
        if (handler_file_read(path, 0, &got, error, sizeof(error)) == 1)
            handler_file_free(&got);
    }
}

static void test_too_large(void **state)
{
    struct handler_file got;

    (void)state;
    assert_int_equal(truncate(path, 17 << 20), 0);
    assert_int_equal(handler_file_read(path, 0, &got, error, sizeof(error)), -1);
    assert_int_equal(handler_file_read("/dev", 0, &got, error, sizeof(error)), -1);
    assert_int_equal(handler_file_read("/nowhere/x", 0, &got, error, sizeof(error)), -1);
    assert_non_null(strstr(error, "/nowhere/x"));
}

/* ------------------------------------------------------------------ policy */

static bool policy_of(struct policy *p, const char *text)
{
    write_file(text, strlen(text));
    policy_default(p);
    return policy_read(p, path, true, error, sizeof(error));
}

static void test_policy(void **state)
{
    struct policy p;
    char *text = NULL;
    size_t bytes;
    FILE *out;

    (void)state;
    assert_true(policy_of(&p, "# nothing\n\n  agreements =  7 # few\nexclude = syscall:read\n"));
    assert_int_equal(p.agreements, 7);
    assert_int_equal(p.nr_exclude, 1);
    assert_string_equal(p.exclude[0], "syscall:read");
    out = open_memstream(&text, &bytes);
    policy_print(out, &p);
    fclose(out);
    assert_true(policy_of(&p, text)); /* what it prints, it reads */
    assert_int_equal(p.agreements, 7);
    free(text);
    assert_false(policy_of(&p, "agreements = 7\nagreement = 7\n"));
    assert_non_null(strstr(error, "line 2"));
    assert_false(policy_of(&p, "agreements = 0\n"));
    assert_false(policy_of(&p, "agreements = 1x\n"));
    assert_false(policy_of(&p, "agreements = -1\n"));
    assert_false(policy_of(&p, "agreements\n"));
    assert_false(policy_of(&p, "exclude =\n"));
    assert_false(policy_read(&p, "/nowhere", true, error, sizeof(error)));
    assert_true(policy_read(&p, "/nowhere", false, error, sizeof(error)));
}

/* ------------------------------------------------------------------ log */

static void test_log_comes_back(void **state)
{
    struct log_entry e = {
        .decision = DECIDED_refuse, .handler = 7, .by = "synthesis", .reason = "LOCKED",
        .text = "\"by\":\"x\", \\ \n\t\001\377 end",
        .point = { 3, FAST_ATTACH_EXCEPTION, 14, 0xffffffff81000001 },
    }, got;
    char line[4096];
    struct log l;
    FILE *in;

    (void)state;
    assert_true(log_open(&l, path, 1 << 20, false));
    log_write(&l, &e);
    log_close(&l);
    in = fopen(path, "r");
    assert_non_null(fgets(line, sizeof(line), in));
    fclose(in);
    assert_true(log_parse(line, &got));
    assert_int_equal(got.decision, DECIDED_refuse);
    assert_int_equal(got.handler, 7);
    assert_string_equal(got.by, e.by);
    assert_string_equal(got.reason, e.reason);
    assert_string_equal(got.text, e.text);
    assert_true(fast_point_same(&got.point, &e.point));
    assert_true(got.time_ns && got.uptime_ns);
    for (size_t i = 0; line[i]; i++) { /* cut anywhere: none, or the same */
        char cut[4096];

        snprintf(cut, sizeof(cut), "%.*s", (int)i, line);
        assert_true(!log_parse(cut, &got) || !strcmp(got.text, e.text));
    }
}

static void test_log_is_bounded(void **state)
{
    struct log_entry e = { .decision = DECIDED_keep, .text = "again" };
    char old[sizeof(path) + 2];
    struct log l;

    (void)state;
    assert_true(log_open(&l, path, 1000, false));
    for (unsigned int i = 0; i < 100; i++)
        log_write(&l, &e);
    assert_in_range(l.written, 1, 1300);
    log_close(&l);
    snprintf(old, sizeof(old), "%s.1", path);
    assert_int_equal(unlink(old), 0);
}

/* ------------------------------------------------------------------ tables */

static const char *printed(enum table_format format, bool empty)
{
    static const struct table_column columns[] = { { "name", "NAME", true },
                                                   { "n", "N", false }, { "hidden", NULL, true } };
    static char text[1024];
    struct table t;
    FILE *out = fmemopen(text, sizeof(text), "w");

    table_init(&t, format, "test", columns, 3);
    if (!empty) {
        table_text(&t, "a \"b\", c");
        table_number(&t, 5);
        table_hex(&t, 0xff);
        table_text(&t, "d");
        table_unknown(&t);
        table_text(&t, NULL);
    }
    assert_true(table_print(&t, out, true, 0, "none"));
    fclose(out);
    return text;
}

static void test_tables(void **state)
{
    (void)state;
    assert_string_equal(printed(TABLE_TEXT, false), "NAME            N\na \"b\", c        5\n"
                                                    "d         unknown\n");
    assert_string_equal(printed(TABLE_CSV, false),
                        "name,n,hidden\n\"a \"\"b\"\", c\",5,0xff\nd,unknown,unknown\n");
    assert_non_null(strstr(printed(TABLE_JSON, false),
                           "{\"name\": \"a \\\"b\\\", c\", \"n\": 5, \"hidden\": \"0xff\"},\n"
                           "    {\"name\": \"d\", \"n\": null, \"hidden\": null}\n  ]\n}\n"));
    assert_string_equal(printed(TABLE_TEXT, true), "none\n");
    assert_string_equal(printed(TABLE_CSV, true), "name,n,hidden\n");
}

static void test_names(void **state)
{
    struct fast_point p = { 0, FAST_ATTACH_SYSCALL, 39, 0 };
    char text[FAST_POINT_TEXT];

    (void)state;
    assert_string_equal(fast_point_text(&p, text), "syscall:getpid");
    p.number = 1000;
    assert_string_equal(fast_point_text(&p, text), "syscall:1000");
    for (unsigned int i = 1; i < RADON_FAST_NR_REASONS; i++)
        assert_true(*fast_reason_text(i) && strcmp(fast_reason_name(i), "unknown"));
    for (unsigned int i = 0; i < RADON_FAST_NR_PASSES; i++)
        assert_string_not_equal(fast_pass_name(i), "unknown");
    assert_string_equal(fast_reason_name(RADON_FAST_NR_REASONS), "unknown");
    assert_string_equal(fast_state_name(77), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_handler_comes_back), TEST(test_changed_and_cut_files), TEST(test_too_large),
        TEST(test_policy), TEST(test_log_comes_back), TEST(test_log_is_bounded),
        TEST(test_tables), TEST(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
