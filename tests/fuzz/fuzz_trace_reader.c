/* SPDX-License-Identifier: MIT */
/*
 * Recordings from rubbish: no crash, an end, every byte accounted for, every record counted once; and what is
 * made of them, line by line and in Chrome's format.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ihv/include \
 *       tests/fuzz/fuzz_trace_reader.c tracing/reader/{reader,catalogue,values,names,calls,counts,sorter}.c \
 *       tracing/tool/export.c -o fuzz_trace_reader
 */
#include <stdlib.h>
#include <string.h>

#include "../../tracing/reader/counts.h"
#include "../../tracing/tool/tool.h"

struct input {
    const uint8_t *data;
    size_t left, step;
};

static ssize_t read_input(void *ctx, void *buf, size_t n)
{
    struct input *in = ctx;

    if (n > in->left)
        n = in->left;
    if (n > in->step)
        n = in->step;
    memcpy(buf, in->data, n);
    in->data += n;
    in->left -= n;
    return (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trace_reader r;
    static struct exporting e;
    static FILE *null;
    /* The last byte says how much each read gives. */
    struct input in = { data, size, size ? 1 + (size_t)data[size - 1] * 16 : 1 };
    struct counts *c = counts_new();
    uint64_t offset = 0, given = 0;
    struct trace_defect d;
    struct trace_record rec;
    enum trace_next next;

    if (!null)
        null = fopen("/dev/null", "w");
    if (!c || !null)
        abort();
    trace_reader_init(&r, read_input, &in);
    exporting_init(&e, null, 2000);
    while ((next = trace_reader_next(&r, &rec, &d)) != TRACE_END) {
        if (next == TRACE_DEFECT) {
            if (d.offset < offset || d.offset + d.skipped > size)
                abort();
            offset = d.offset + d.skipped;
            continue;
        }
        if (next != TRACE_RECORD || rec.offset < offset || rec.words > TRACE_EXTRA_MAX)
            abort();
        offset = rec.offset + 4 + 4 * rec.words;
        given++;
        trace_print_record(null, &rec);
        if (!counts_add(c, &rec) || !export_record(&e, &rec))
            abort();
    }
    if (!exporting_end(&e))
        abort();
    counts_sort(c);
    if (r.base + r.at != size || c->records != given ||
        counts_sum(c->total, 0, TRACE_ROWS) != given)
        abort();
    counts_free(c);
    return 0;
}
