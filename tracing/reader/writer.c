/* SPDX-License-Identifier: MIT */
#include "writer.h"

#include <errno.h>
#include <string.h>

#include "catalogue.h"

void trace_writer_init(struct trace_writer *w, int fd)
{
    *w = (struct trace_writer){ .fd = fd };
}

/* Write all of the parts, which are changed. */
static bool write_all(struct trace_writer *w, struct iovec *parts, int n)
{
    while (n && !w->error) {
        ssize_t done = writev(w->fd, parts, n);

        if (done < 0) {
            if (errno != EINTR)
                w->error = errno;
            continue;
        }
        w->bytes += (uint64_t)done;
        while (n && (size_t)done >= parts->iov_len) {
            done -= (ssize_t)parts->iov_len;
            parts++;
            n--;
        }
        if (n) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    errno = w->error;
    return !w->error;
}

bool trace_writer_meta(struct trace_writer *w, const struct trace_meta *meta)
{
    uint32_t head[3] = { TRACE_META_HEAD, TRACE_META_VERSION, sizeof(*meta) };
    struct iovec parts[2] = { { head, sizeof(head) }, { (void *)meta, sizeof(*meta) } };

    return write_all(w, parts, 2);
}

bool trace_writer_chunk(struct trace_writer *w, unsigned int cpu, const struct iovec *parts,
                        unsigned int n)
{
    uint32_t head[3] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, cpu, 0 };
    struct iovec all[TRACE_PARTS_MAX + 1] = { { head, sizeof(head) } };

    for (unsigned int i = 0; i < n; i++) {
        all[i + 1] = parts[i];
        head[2] += (uint32_t)parts[i].iov_len;
    }
    return head[2] ? write_all(w, all, (int)n + 1) : !w->error;
}

size_t trace_make_record(void *record, uint64_t tsc, unsigned int ev, const uint64_t *values)
{
    const struct trace_event_info *e = &trace_events[ev];
    uint32_t words[3 + TRACE_EXTRA_MAX];
    unsigned int n = 3;

    words[0] = e->id | e->words << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG;
    words[1] = (uint32_t)tsc;
    words[2] = (uint32_t)(tsc >> 32);
    for (unsigned int i = 0; i < e->nr_fields; i++) {
        words[n++] = (uint32_t)values[i];
        if (trace_types[e->fields[i].type].words == 2)
            words[n++] = (uint32_t)(values[i] >> 32);
    }
    memcpy(record, words, 4 * n);
    return 4 * n;
}

bool trace_writer_event(struct trace_writer *w, unsigned int cpu, uint64_t tsc, unsigned int ev,
                        const uint64_t *values)
{
    struct t_rec record;
    struct iovec part = { &record, trace_make_record(&record, tsc, ev, values) };

    return trace_writer_chunk(w, cpu, &part, 1);
}
