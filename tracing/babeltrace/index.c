/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cpu_index *cpu_of(struct file_index *index, unsigned int cpu)
{
    struct cpu_index *more;

    for (unsigned int i = 0; i < index->nr_cpus; i++)
        if (index->cpus[i].cpu == cpu)
            return &index->cpus[i];
    more = realloc(index->cpus, (index->nr_cpus + 1) * sizeof(*more));
    if (!more)
        return NULL;
    index->cpus = more;
    more[index->nr_cpus] = (struct cpu_index){ .cpu = cpu };
    return &more[index->nr_cpus++];
}

static bool add(struct cpu_index *c, uint64_t offset, uint64_t bytes)
{
    struct segment *last = c->nr ? &c->segments[c->nr - 1] : NULL, *more;

    if (last && last->offset + last->bytes == offset && last->bytes + bytes <= TRACE_CHUNK_MAX) {
        last->bytes += bytes;
        return true;
    }
    if (c->nr == c->room) {
        c->room = c->room ? 2 * c->room : 64;
        more = realloc(c->segments, c->room * sizeof(*more));
        if (!more)
            return false;
        c->segments = more;
    }
    c->segments[c->nr++] = (struct segment){ offset, bytes };
    return true;
}

static int add_record(struct file_index *index, const struct trace_record *rec,
                      struct cpu_index **last)
{
    struct cpu_index *c = *last && (*last)->cpu == rec->cpu ? *last : cpu_of(index, rec->cpu);

    *last = c;
    if (!c || !add(c, rec->offset, 4 * (1 + (rec->has_tsc ? 2u : 0u) + rec->words)))
        return ENOMEM;
    index->records++;
    return 0;
}

static int read_through(struct file_index *index, struct trace_reader *r, index_defect_fn *told,
                        void *ctx)
{
    struct cpu_index *last = NULL;
    struct trace_defect defect;
    struct trace_record rec;
    enum trace_next next;
    int error = 0;

    trace_reader_init(r, trace_read_fd, &index->fd);
    while (!error && (next = trace_reader_next(r, &rec, &defect)) != TRACE_END) {
        if (next == TRACE_FAILED) {
            error = errno;
        } else if (next == TRACE_DEFECT) {
            index->defects++;
            index->skipped += defect.skipped;
            told(ctx, &defect);
        } else {
            error = add_record(index, &rec, &last);
        }
    }
    index->has_meta = r->has_meta;
    index->meta = r->meta;
    return error;
}

int index_open(struct file_index *index, const char *path, index_defect_fn *told, void *ctx)
{
    struct trace_reader *r;
    struct stat st;
    int error;

    memset(index, 0, sizeof(*index));
    index->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (index->fd < 0 || fstat(index->fd, &st))
        return errno;
    if (!S_ISREG(st.st_mode))
        return ESPIPE;
    r = malloc(sizeof(*r));
    if (!r)
        return ENOMEM;
    error = read_through(index, r, told, ctx);
    free(r);
    return error;
}

void index_close(struct file_index *index)
{
    for (unsigned int i = 0; i < index->nr_cpus; i++)
        free(index->cpus[i].segments);
    free(index->cpus);
    if (index->fd >= 0)
        close(index->fd);
}

ssize_t segments_read(void *ctx, void *buf, size_t n)
{
    struct segments_at *at = ctx;
    uint32_t head[3] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, at->cpu->cpu, 0 };
    const struct segment *s;
    ssize_t got;

    if (at->segment == at->cpu->nr)
        return 0;
    s = &at->cpu->segments[at->segment];
    if (at->given < sizeof(head)) {
        head[2] = (uint32_t)s->bytes;
        if (n > sizeof(head) - at->given)
            n = sizeof(head) - at->given;
        memcpy(buf, (char *)head + at->given, n);
        at->given += n;
        return (ssize_t)n;
    }
    if (n > sizeof(head) + s->bytes - at->given)
        n = sizeof(head) + s->bytes - at->given;
    do
        got = pread(at->file->fd, buf, n, (off_t)(s->offset + at->given - sizeof(head)));
    while (got < 0 && errno == EINTR);
    if (got > 0)
        at->given += (uint64_t)got;
    if (at->given == sizeof(head) + s->bytes) {
        at->segment++;
        at->given = 0;
    }
    return got;
}
