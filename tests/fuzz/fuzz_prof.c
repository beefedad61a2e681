/* SPDX-License-Identifier: MIT */
/*
 * What radon-prof and radon-handler read: a policy, and lines of the log.  No crash; a policy that was taken
 * is within its limits and reads the same from what it is printed as; a line of the log that was taken
 * says the same when it is written again.  The first byte chooses.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. -Ifastpath/core -Ibuild/fastpath/include \
 *       tests/fuzz/fuzz_prof.c fastpath/profile/{policy,log,names,table}.c fastpath/core/refusal.c -o fuzz_prof
 */
#include <string.h>

#include "fastpath/profile/log.h"
#include "fastpath/profile/policy.h"
#include "scratch.h"

static void check_limits(const struct policy *p)
{
#define POLICY(name, value, least, most, meaning)                                                  \
    if (p->name < (least) + 0ul || p->name > (most) + 0ul)                                         \
        abort();
#include "fastpath/profile/policy.def"
    if (p->nr_exclude > POLICY_EXCLUDED)
        abort();
}

static void policy(const uint8_t *data, size_t size)
{
    static struct scratch file;
    static struct policy first, second;
    char error[512] = "", *text;
    size_t bytes;
    FILE *out;

    policy_default(&first);
    if (!policy_read(&first, scratch_file(&file, data, size), true, error, sizeof(error))) {
        if (!error[0])
            abort();
        return;
    }
    check_limits(&first);
    out = open_memstream(&text, &bytes);
    if (!out)
        abort();
    policy_print(out, &first);
    fclose(out);
    policy_default(&second);
    if (!policy_read(&second, scratch_file(&file, (const uint8_t *)text, bytes), true, error, sizeof(error)) ||
        memcmp(&first, &second, sizeof(first)))
        abort();
    free(text);
}

static void line(const char *text)
{
    static FILE *null;
    struct log_entry first, second;
    struct log log = { .limit = UINT64_MAX };
    char *again;
    size_t bytes;

    if (!null)
        null = fopen("/dev/null", "w");
    if (!log_parse(text, &first))
        return;
    log_print(null, &first);
    /* Names that this program gives are written as they are. */
    if (!first.time_ns || strpbrk(first.by, "\"\\") || strpbrk(first.reason, "\"\\"))
        return;
    log.file = open_memstream(&again, &bytes);
    if (!log.file)
        abort();
    log_write(&log, &first);
    log_close(&log);
    if (!log_parse(again, &second) || first.time_ns != second.time_ns ||
        first.decision != second.decision || !fast_point_same(&first.point, &second.point) ||
        first.handler != second.handler || strcmp(first.text, second.text))
        abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (!size)
        return 0;
    if (data[0] & 1) {
        policy(data + 1, size - 1);
        return 0;
    }
    text = malloc(size);
    if (!text)
        abort();
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    line(text);
    free(text);
    return 0;
}
