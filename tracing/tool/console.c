/* SPDX-License-Identifier: MIT */
/*
 * radon-trace console: the flight recorder's newest records out of a console's log, where the
 * hypervisor printed them when the machine ended (docs/tracing.md, "On the console").
 */
#include "tool.h"

#include "../reader/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPUS_MAX 4096u
#define LINE_BYTES_MAX 192u

struct cpu_dump {
    uint8_t *data;
    uint32_t bytes, room;
    bool ended, broken; /* the end was seen; what follows a gap is left out */
};

struct dump {
    struct cpu_dump *cpu; /* [nr_cpus], or NULL before the first line */
    unsigned int nr_cpus;
    uint64_t tsc_hz;
    bool ended;
    unsigned int gaps;
};

/* Value of a digit of base 64, or -1. */
static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Bytes of `text` to out, which has room; how many, or -1 if it is no whole base 64. */
static int decode(const char *text, uint8_t out[LINE_BYTES_MAX])
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t pad = strspn(text + n, "=");
    int bytes = 0;

    if (!n || (n + pad) % 4 || pad > 2 || text[n + pad] || n / 4 * 3 + 3 > LINE_BYTES_MAX)
        return -1;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t v = 0;

        for (size_t k = 0; k < 4; k++)
            v = v << 6 | (i + k < n ? (uint32_t)digit(text[i + k]) : 0);
        for (size_t k = 0; k < 3 && i + k + 1 < n; k++)
            out[bytes++] = (uint8_t)(v >> (16 - 8 * k));
    }
    return bytes;
}

static bool append(struct cpu_dump *c, const uint8_t *data, uint32_t n)
{
    if (c->bytes + n > c->room) {
        uint32_t room = c->room ? 2 * c->room : 32768;
        uint8_t *more = realloc(c->data, room);

        if (!more)
            return false;
        c->data = more;
        c->room = room;
    }
    memcpy(c->data + c->bytes, data, n);
    c->bytes += n;
    return true;
}

static void gap(struct dump *d, unsigned int cpu, const char *what)
{
    if (!d->cpu[cpu].broken)
        fprintf(stderr, "radon-trace: CPU %u, byte %" PRIu32 ": %s; what follows is left out\n",
                cpu, d->cpu[cpu].bytes, what);
    d->cpu[cpu].broken = true;
    d->gaps++;
}

static void free_dump(struct dump *d)
{
    for (unsigned int i = 0; d->cpu && i < d->nr_cpus; i++)
        free(d->cpu[i].data);
    free(d->cpu);
    *d = (struct dump){ 0 };
}

/* Each dump in a log begins anew: the last one counts. */
static bool begin(struct dump *d, unsigned int cpus, uint64_t khz)
{
    free_dump(d);
    if (!cpus || cpus > CPUS_MAX)
        return true;
    d->cpu = calloc(cpus, sizeof(*d->cpu));
    d->nr_cpus = d->cpu ? cpus : 0;
    d->tsc_hz = khz * 1000;
    return d->cpu;
}

/* What stands behind "trace-dump "; false without memory. */
static bool take_line(struct dump *d, const char *text)
{
    uint8_t bytes[LINE_BYTES_MAX];
    char code[LINE_BYTES_MAX * 2];
    unsigned int version, cpu;
    uint32_t at;
    uint64_t khz;
    int n;

    if (sscanf(text, "begin %u cpus %u tsc_khz %" SCNu64, &version, &cpu, &khz) == 3 &&
        version == 1)
        return begin(d, cpu, khz);
    if (!d->cpu)
        return true;
    if (!strcmp(text, "end")) {
        d->ended = true;
    } else if (sscanf(text, "cpu %u end %" SCNu32, &cpu, &at) == 2 && cpu < d->nr_cpus) {
        d->cpu[cpu].ended = true;
        if (at != d->cpu[cpu].bytes)
            gap(d, cpu, "lines are missing");
    } else if (sscanf(text, "cpu %u offset %" SCNu32 " %383s", &cpu, &at, code) == 3 &&
               cpu < d->nr_cpus) {
        n = decode(code, bytes);
        if (n < 0 || at != d->cpu[cpu].bytes)
            gap(d, cpu, n < 0 ? "a line is garbled" : "lines are missing");
        if (!d->cpu[cpu].broken)
            return append(&d->cpu[cpu], bytes, (uint32_t)n);
    }
    return true;
}

static bool read_log(FILE *log, struct dump *d)
{
    static const char mark[] = "trace-dump ";
    char *line = NULL, *at;
    size_t room = 0;
    bool ok = true;

    while (ok && getline(&line, &room, log) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        at = strstr(line, mark);
        if (at)
            ok = take_line(d, at + sizeof(mark) - 1);
    }
    free(line);
    return ok;
}

/* Whole records at the beginning of what there is of a CPU. */
static uint32_t whole_records(const struct cpu_dump *c)
{
    uint32_t at = 0, head, size;

    for (; c->bytes - at >= 4; at += size) {
        memcpy(&head, c->data + at, 4);
        size = 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0) + (uint32_t)TRC_HD_EXTRA(head));
        if (size > c->bytes - at)
            break;
    }
    return at;
}

static bool write_recording(const struct dump *d, int fd)
{
    struct trace_meta meta = { .tsc_hz = d->tsc_hz,
                               .nr_cpus = d->nr_cpus,
                               .flags = TRACE_META_FLIGHT };
    struct trace_writer w;
    bool ok;

    trace_writer_init(&w, fd);
    ok = trace_writer_meta(&w, &meta);
    for (unsigned int cpu = 0; ok && cpu < d->nr_cpus; cpu++) {
        struct iovec part = { d->cpu[cpu].data, whole_records(&d->cpu[cpu]) };

        ok = trace_writer_chunk(&w, cpu, &part, 1);
    }
    meta.flags |= TRACE_META_END;
    return ok && trace_writer_meta(&w, &meta);
}

/* An end that is not there counts as a gap, too. */
static void check_ends(struct dump *d)
{
    for (unsigned int cpu = 0; cpu < d->nr_cpus; cpu++)
        if (!d->cpu[cpu].ended)
            gap(d, cpu, "the end is missing");
    if (!d->ended && !d->gaps) {
        fprintf(stderr, "radon-trace: the last line of the dump is missing\n");
        d->gaps++;
    }
}

int run_console(const char *log_name, const char *out)
{
    FILE *log = strcmp(log_name, "-") ? fopen(log_name, "re") : stdin;
    struct dump d = { 0 };
    int fd, status = 1;

    if (!log) {
        fprintf(stderr, "radon-trace: %s: %s\n", log_name, strerror(errno));
        return 1;
    }
    if (!read_log(log, &d)) {
        fprintf(stderr, "radon-trace: out of memory\n");
    } else if (!d.cpu) {
        fprintf(stderr, "radon-trace: %s: no dump of a flight recorder in it\n", log_name);
    } else {
        check_ends(&d);
        fd = strcmp(out, "-") ? open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
                              : STDOUT_FILENO;
        if (fd >= 0 && write_recording(&d, fd))
            status = d.gaps ? 5 : 0;
        else
            fprintf(stderr, "radon-trace: %s: %s\n", out, strerror(errno));
        if (fd > STDOUT_FILENO && close(fd))
            status = 1;
    }
    free_dump(&d);
    if (log != stdin)
        fclose(log);
    return status;
}
