/* SPDX-License-Identifier: MIT */
/*
 * Profiles, folded stacks and kernel images from rubbish: no crash; what was read can be written, and
 * read again without a defect.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_profile.c \
 *       tracing/profile/{profile,file,tree,flame,report}.c \
 *       tracing/symbols/{symtab,kallsyms_image}.c -lm -o fuzz_profile
 */
#define _GNU_SOURCE /* fmemopen, open_memstream */
#include <stdio.h>
#include <stdlib.h>

#include "../../tracing/profile/flame.h"
#include "../../tracing/profile/report.h"
#include "../../tracing/symbols/kallsyms_image.h"

static void count(void *ctx, uint64_t line, uint64_t offset, const char *what)
{
    (void)line;
    (void)offset;
    (void)what;
    ++*(uint64_t *)ctx;
}

static void show(const struct profile *p)
{
    static FILE *null;
    struct report how = { .format = REPORT_JSON, .version = "" };
    struct flame flame = { .title = "", .subtitle = "", .sides = 1 };
    struct node *root = tree_new();

    if (!null)
        null = fopen("/dev/null", "w");
    if (!root || !null || !tree_add(root, p, 0, true) || !report_write(p, &how, null))
        abort();
    tree_fold(root, 1, null);
    flame_write(root, &flame, null);
    speedscope_write(p, "", true, null);
    tree_free(root);
}

/* What p holds, written and read again. */
static void again(const struct profile *p)
{
    struct profile q = { 0 };
    uint64_t defects = 0;
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    if (!f || !profile_write(p, f) || fclose(f))
        abort();
    f = fmemopen(text, n, "r");
    if (!f || !profile_read(&q, f, count, &defects) || defects || q.nr_samples != p->nr_samples)
        abort();
    fclose(f);
    free(text);
    profile_free(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile p = { 0 };
    struct symtab t = { 0 };
    uint64_t defects = 0;
    FILE *f = size ? fmemopen((void *)data, size, "r") : NULL;

    if (!f)
        return 0;
    profile_read(&p, f, count, &defects);
    fclose(f);
    if (defects != p.defects)
        abort();
    show(&p);
    again(&p);
    profile_free(&p);
    kallsyms_image_read(&t, data, size);
    symtab_free(&t);
    return 0;
}
