/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

static const char *const unit_names[] = { "ns", "MB/s" };
static const char *const kind_names[] = { "latency", "bandwidth", "compute" };

/* Print a JSON string. */
static void json_string(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < ' ')
            printf("\\u%04x", (unsigned)*s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void json_pair(const char *name, const char *value)
{
    printf(",\"%s\":", name);
    json_string(value);
}

/* First line of a file, or "unknown". */
static const char *file_line(const char *path)
{
    static char line[256];
    FILE *f = fopen(path, "r");

    if (!f || !fgets(line, sizeof(line), f))
        strcpy(line, "unknown");
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = 0;
    return line;
}

static const char *file_system(const char *dir)
{
    struct statfs fs;

    if (statfs(dir, &fs) < 0)
        return "unknown";
    switch ((unsigned long)fs.f_type) {
    case 0x01021994:
        return "tmpfs";
    case 0x858458f6:
        return "ramfs";
    case 0xef53:
        return "ext4";
    case 0x794c7630:
        return "overlayfs";
    default:
        return "unknown";
    }
}

/* Hand over what was printed, so that its transmission does not disturb the next row. */
static void flush(void)
{
    fflush(stdout);
    if (isatty(STDOUT_FILENO))
        tcdrain(STDOUT_FILENO);
}

void report_environment(const struct settings *set, bool json)
{
    static const char clock[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    struct utsname u = { 0 };
    struct timespec res = { 0 };
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    uname(&u);
    clock_getres(CLOCK_MONOTONIC, &res);
    if (!json) {
        printf("# %s %s, %ld CPUs, clock %s (a read costs %" PRId64 " ns), files on %s\n",
               u.sysname, u.release, cpus, file_line(clock), bench_clock_cost(),
               file_system(set->dir));
        flush();
        return;
    }
    printf("{\"rbench\":1");
    json_pair("version", RADON_VERSION);
    json_pair("kernel_release", u.release);
    json_pair("kernel_version", u.version);
    json_pair("hypervisor", file_line("/sys/hypervisor/type"));
    json_pair("clocksource", file_line(clock));
    json_pair("file_system", file_system(set->dir));
    json_pair("random_numbers", machine_is_seeded() ? "seeded" : "not seeded");
    printf(",\"clock_resolution_ns\":%ld,\"clock_read_ns\":%" PRId64 ",\"cpus\":%ld", res.tv_nsec,
           bench_clock_cost(), cpus);
    printf(",\"scale\":%g}\n", set->scale);
    flush();
}

double sample_value(const struct row *row, const struct result *out, unsigned i)
{
    double ns = (double)(out->ns[i] - (out->has_overhead ? out->overhead[i] : 0));

    return row->unit == UNIT_MBS ? (double)out->ops * 1e3 / ns : ns / (double)out->ops;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median_value(const struct row *row, const struct result *out)
{
    double value[MAX_SAMPLES];
    unsigned n = out->taken;

    for (unsigned i = 0; i < n; i++)
        value[i] = sample_value(row, out, i);
    qsort(value, n, sizeof(value[0]), by_value);
    return n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2;
}

static void json_numbers(const char *name, const int64_t *v, unsigned n)
{
    printf(",\"%s\":[", name);
    for (unsigned i = 0; i < n; i++)
        printf("%s%" PRId64, i ? "," : "", v[i]);
    printf("]");
}

static void json_row(const struct row *row, const struct result *out)
{
    printf("{\"row\":\"%s\",\"ops\":%" PRIu64, row->id, out->ops);
    json_numbers("ns", out->ns, out->taken);
    if (out->has_overhead)
        json_numbers("overhead_ns", out->overhead, out->taken);
    printf(",\"event_ops\":%" PRIu64 ",\"events\":{", out->event_ops);
    for (int i = 0; i < MAX_EVENTS; i++) {
        printf("%s\"%s\":", i ? "," : "", event_names[i]);
        if (out->counted && out->events[i].known)
            printf("%" PRIu64, out->events[i].count);
        else
            printf("\"unknown\"");
    }
    printf("}");
    if (out->error[0])
        json_pair("error", out->error);
    printf("}\n");
}

static void text_row(const struct row *row, const struct result *out)
{
    if (out->error[0])
        printf("%-24s failed: %s\n", row->title, out->error);
    else
        printf("%-24s %12.1f %-5s (%u samples)\n", row->title, median_value(row, out),
               unit_names[row->unit], out->taken);
}

void report_row(const struct row *row, const struct result *out, bool json)
{
    if (json)
        json_row(row, out);
    else
        text_row(row, out);
    flush();
}

static void json_list_row(const struct row *r)
{
    printf("{\"id\":\"%s\"", r->id);
    json_pair("title", r->title);
    json_pair("artefact", r->artefact);
    json_pair("paper_row", r->paper_row);
    json_pair("unit", unit_names[r->unit]);
    json_pair("kind", kind_names[r->kind]);
    printf(",\"long_calls\":%u,\"p1\":%u,\"p2\":%u,\"samples\":%u,\"ops\":%u", r->calls, r->p1,
           r->p2, r->samples, r->ops);
    json_pair("help", r->help);
    printf("}");
}

void report_list(bool json)
{
    printf("%s", json ? "[" : "");
    for (size_t i = 0; i < row_count; i++) {
        if (json) {
            printf("%s", i ? ",\n" : "");
            json_list_row(&rows[i]);
        } else {
            printf("%-14s %-24s %s\n", rows[i].id, rows[i].title, rows[i].help);
        }
    }
    printf("%s", json ? "]\n" : "");
}
