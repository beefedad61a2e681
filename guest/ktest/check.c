/* SPDX-License-Identifier: MIT */
/* Checks, cases and verdicts. */
#include <stdarg.h>

#include "ktest.h"

static char case_name[160];
static unsigned int case_failures, failures, checks, cases;

static void case_end(void)
{
    if (case_name[0])
        printk("ktest: %s %s\n", case_failures ? "FAIL" : "ok  ", case_name);
    case_name[0] = '\0';
    case_failures = 0;
}

void test_case(const char *format, ...)
{
    va_list args;

    case_end();
    va_start(args, format);
    kvsnprintf(case_name, sizeof(case_name), format, &args);
    va_end(args);
    cases++;
}

static const char *base_name(const char *path)
{
    const char *base = path;

    for (; *path; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

static void failed(void)
{
    failures++;
    case_failures++;
}

void check_true(bool ok, const char *text, const char *file, int line)
{
    checks++;
    if (ok)
        return;
    failed();
    printk("ktest: check failed in '%s': %s (%s:%d)\n", case_name, text, base_name(file), line);
}

void check_equal(uint64_t got, uint64_t want, const char *text, const char *file, int line)
{
    checks++;
    if (got == want)
        return;
    failed();
    printk("ktest: check failed in '%s': %s is 0x%lx (%ld), wanted 0x%lx (%ld) (%s:%d)\n",
           case_name, text, got, (int64_t)got, want, (int64_t)want, base_name(file), line);
}

void expect_result(const char *what, long got, long want)
{
    test_case("%s", what);
    checks++;
    if (got == want)
        return;
    failed();
    printk("ktest: check failed in '%s': result %ld, wanted %ld\n", case_name, got, want);
}

void ktest_finish(enum ktest_verdict verdict, const char *why)
{
    static const char *const names[] = { "SUCCESS", "SKIP", "ERROR", "FAILURE" };
    struct sched_shutdown off = { .reason = SHUTDOWN_poweroff };

    case_end();
    if (verdict == KTEST_SUCCESS && failures)
        verdict = KTEST_FAILURE;
    if (verdict == KTEST_SUCCESS && !checks)
        verdict = KTEST_ERROR;
    printk("ktest: verdict %s %s: %u cases, %u checks, %u failed%s%s\n", names[verdict],
           ktest_name, cases, checks, failures, why ? "; " : "", why ? why : "");
    for (;;)
        hyp_sched_op(SCHEDOP_shutdown, &off);
}
