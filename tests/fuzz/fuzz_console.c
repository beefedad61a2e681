/* SPDX-License-Identifier: MIT */
/*
 * radon-trace console: logs from rubbish.  No crash; where there was a dump there is a recording, which
 * begins and ends with the header that the dump's first line asks for.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ihv/include tests/fuzz/fuzz_console.c \
 *       tracing/tool/console.c tracing/reader/{reader,writer}.c -o fuzz_console
 */
#include "../../tracing/reader/reader.h"
#include "../../tracing/tool/tool.h"
#include "scratch.h"

static void check(int fd)
{
    static struct trace_reader r;
    uint64_t offset = 0;
    struct trace_defect d;
    struct trace_record rec;
    enum trace_next next;

    if (lseek(fd, 0, SEEK_SET))
        abort();
    trace_reader_init(&r, trace_read_fd, &fd);
    while ((next = trace_reader_next(&r, &rec, &d)) != TRACE_END) {
        uint64_t at = next == TRACE_DEFECT ? d.offset : rec.offset;

        if (next == TRACE_FAILED || at < offset)
            abort();
        offset = at;
    }
    if (!r.has_meta || !r.meta.nr_cpus || !(r.meta.flags & TRACE_META_FLIGHT))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scratch log, out;
    const char *to = scratch_file(&out, data, 0);
    int status;

    be_quiet();
    status = run_console(scratch_file(&log, data, size), to);
    if (status != 0 && status != 1 && status != 5)
        abort();
    if (status == 1 && lseek(out.fd, 0, SEEK_END)) /* nothing of it is to be kept then */
        abort();
    if (status != 1)
        check(out.fd);
    return 0;
}
