/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tracing/reader/catalogue.h"

bool prof_trace_open(struct prof_trace *t, const char *path, const struct radon_info *info)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    struct timespec now;

    if (fd < 0)
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    t->meta = (struct trace_meta){
        .tsc_hz = info->tsc_hz,
        .tsc = __rdtsc(),
        .epoch_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
        .nr_cpus = 1,
    };
    if (info->tsc_hz)
        t->meta.system_ns = info->system_ns + (uint64_t)((double)(t->meta.tsc - info->tsc) * 1e9 /
                                                         (double)info->tsc_hz);
    memcpy(t->meta.revision, info->revision, sizeof(t->meta.revision));
    trace_writer_init(&t->writer, fd);
    return trace_writer_meta(&t->writer, &t->meta);
}

void prof_trace_decision(void *ctx, const struct log_entry *e)
{
    struct prof_trace *t = ctx;
    enum why why = why_find(e->reason);
    const uint64_t values[TRACE_FIELDS_MAX] = {
        e->decision, e->handler, why == NR_WHYS ? UINT32_MAX : (uint64_t)why,
        e->point.kind, e->point.number, e->point.address,
    };

    trace_writer_event(&t->writer, 0, __rdtsc(), TRACE_EV_tool_decision, values);
}

bool prof_trace_close(struct prof_trace *t)
{
    t->meta.flags |= TRACE_META_END;
    trace_writer_meta(&t->writer, &t->meta);
    if (close(t->writer.fd) && !t->writer.error)
        t->writer.error = errno;
    errno = t->writer.error;
    return !t->writer.error;
}
