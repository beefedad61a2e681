/* SPDX-License-Identifier: MIT */
/*
 * radon-stat report from rubbish: recordings and kept counts.  No crash, an end, names within their
 * bounds, and no cost without an entry.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ihv/include -Ibuild/tracing/stat \
 *       tests/fuzz/fuzz_stat_report.c tracing/stat/{recording,save,table,histogram,names}.c \
 *       tracing/reader/{reader,catalogue,values,names,calls}.c -o fuzz_stat_report
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tracing/stat/names.h"
#include "../../tracing/stat/stat.h"

int stat_fail(const char *format, ...)
{
    (void)format;
    return EXIT_FAILED;
}

void stat_read_symbols(struct symtab *symbols, const char *file)
{
    (void)symbols, (void)file;
}

void stat_name_routines(struct stat_table *t, const struct symtab *symbols)
{
    (void)t, (void)symbols;
}

void symtab_free(struct symtab *t)
{
    (void)t;
}

static void check_row(const struct stat_row *r, bool from_recording)
{
    char name[STAT_NAME_MAX];
    struct percentile p;

    if (!strlen(stat_name(&r->key, name)) || strlen(name) >= STAT_NAME_MAX)
        abort();
    if (r->routine && strlen(r->routine) > 1u << 20)
        abort();
    if (histogram_percentile(&r->cost, 99, &p) && (p.from > p.below || p.value < (double)p.from))
        abort();
    if (from_recording && (r->cost.n > r->count || r->to_iret.n > r->count))
        abort();
}

int stat_finish(const struct stat_options *o, const struct stat_result *r,
                const struct stat_table *raw)
{
    struct stat_by by = { .domain = true };
    struct stat_sums sums, of[STAT_LEVELS];

    (void)o;
    for (size_t i = 0; i < raw->nr; i++)
        check_row(&raw->row[i], r->source == STAT_RECORDING && r->recording);
    stat_sum(raw, &sums);
    for (unsigned int i = 0; i < STAT_LEVELS; i++) {
        struct stat_table grouped = { 0 };

        if (!stat_group(&grouped, raw, &by, i))
            abort();
        stat_sort(&grouped, STAT_BY_NAME);
        stat_sum(&grouped, &of[i]);
        stat_free(&grouped);
    }
    if (of[STAT_EVENTS].count != of[STAT_ROUTINES].count ||
        of[STAT_EVENTS].total != of[STAT_ROUTINES].total ||
        sums.count != of[STAT_EVENTS].count + of[STAT_PARTS].count)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[32];
    struct stat_options o = { .command = STAT_REPORT, .file = path };

    if (fd < 0)
        fd = memfd_create("input", 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    stat_report(&o);
    return 0;
}
