/* SPDX-License-Identifier: MIT */
/* radon-explain: of each hot entry, the handler that it has, or the reason why it has none. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "explain.h"
#include "handler_file.h"
#include "hv/revision.h"
#include "ops.h"
#include "table.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "usage: radon-explain [options] [POINT]\n"
    "\n"
    "One row an entry of a domain, costliest first: handled by a fast handler, or why not.\n"
    "With POINT (syscall:read) all that is known of that one: decisions, and how its handler was made\n"
    "or how far that came.\n"
    "\n"
    "options:\n"
    "  --top N           rows (default: 100; 0: all)\n"
    "  --domain D        by name or number (default: 0)\n"
    "  --json            one JSON document\n"
    "  --csv             comma-separated values\n"
    "  --folder DIR      of the daemon (default: " PROF_FOLDER ")\n"
    "  --help            this text\n"
    "  --version         the revision\n"
    "\n"
    "Counts are estimates: the hypervisor samples. Status: 0 done, 1 failed, 2 wrong use.\n"
    "\n"
    "examples:\n"
    "  radon-explain --top 20\n"
    "  radon-explain syscall:openat\n";

static const struct table_column columns[] = {
    { "entry", "ENTRY", true },
    { "count", "COUNT", false },
    { "share_percent", "SHARE%", false },
    { "cycles_per_entry", "CYCLES", false },
    { "verdict", "VERDICT", true },
    { "by", "BY", true },
    { "reason", "REASON", true },
    { "handler", "ID", false },
    { "hits", "HITS", false },
    { "passes", "PASSES", false },
    { "text", "WHY", true },
};

struct options {
    enum table_format format;
    unsigned long top;
    const char *domain, *folder, *point;
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("radon-explain: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_FAILED;
}

/* Whether a daemon holds the folder's lock. */
static bool daemon_runs(const char *folder)
{
    char path[512];
    bool runs;
    int fd;

    snprintf(path, sizeof(path), "%s/lock", folder);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    runs = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return runs;
}

static void put_row(struct table *t, const struct explained *row)
{
    char text[FAST_POINT_TEXT];

    table_text(t, explained_name(row, text));
    table_number(t, row->count);
    table_real(t, row->share_ppm / 1e4, 2);
    if (row->bounced || row->count)
        table_number(t, row->cycles / (row->bounced ? row->bounced : row->count));
    else
        table_unknown(t);
    table_text(t, row->verdict);
    table_text(t, row->by);
    table_text(t, row->reason);
    if (row->handler) {
        table_number(t, row->handler);
        table_number(t, row->hits);
        table_number(t, row->passes);
    } else {
        for (unsigned int i = 0; i < 3; i++)
            if (t->format == TABLE_TEXT)
                table_text(t, "-");
            else
                table_unknown(t);
    }
    table_text(t, row->text);
}

static int print_all(const struct explanation *e, const struct options *o)
{
    unsigned int n = o->top && o->top < e->nr ? (unsigned int)o->top : e->nr;
    struct table t;

    table_init(&t, o->format, "radon-explain", columns, sizeof(columns) / sizeof(columns[0]));
    for (unsigned int i = 0; i < n; i++)
        put_row(&t, &e->row[i]);
    return table_print(&t, stdout, n == e->nr, 0, "no entries") ? 0 : EXIT_FAILED;
}

/* ------------------------------------------------------------------ one point */

static void print_file(const char *path)
{
    FILE *f = fopen(path, "re");
    char buffer[4096];
    size_t n;

    while (f && (n = fread(buffer, 1, sizeof(buffer), f)) > 0)
        fwrite(buffer, 1, n, stdout);
    if (f)
        fclose(f);
}

static unsigned int print_decisions(FILE *log, const char *point)
{
    char line[8192], text[FAST_POINT_TEXT];
    struct log_entry e;
    unsigned int n = 0;

    rewind(log);
    while (fgets(line, sizeof(line), log)) {
        if (!log_parse(line, &e) || strcmp(fast_point_text(&e.point, text), point))
            continue;
        log_print(stdout, &e);
        n++;
    }
    return n;
}

static void print_handler(const struct options *o, uint32_t id)
{
    char path[512], error[1024];
    struct handler_file f;

    snprintf(path, sizeof(path), "%s/handlers/%u.o", o->folder, id);
    if (handler_file_read(path, 0, &f, error, sizeof(error)) != 1)
        return;
    printf("\n%s\n%s", f.provenance ? f.provenance : "", f.explanation ? f.explanation : "");
    handler_file_free(&f);
}

static int print_point(const struct explanation *e, const struct options *o, FILE *log)
{
    char text[FAST_POINT_TEXT], path[768];
    unsigned int known = log ? print_decisions(log, o->point) : 0;
    uint32_t handler = 0;

    for (unsigned int i = 0; i < e->nr; i++) {
        const struct explained *row = &e->row[i];

        if (strcmp(explained_name(row, text), o->point))
            continue;
        known++;
        handler = row->handler;
        printf("%s: %s: %s: %s\n", o->point, row->verdict, row->reason, row->text);
    }
    if (!known)
        return fail("%s: nothing is known of such an entry (radon-explain --top 0)", o->point);
    if (handler) {
        print_handler(o, handler);
    } else if (!strchr(o->point, '/')) {
        snprintf(path, sizeof(path), "%s/refused/%s.txt", o->folder, o->point);
        print_file(path);
    }
    return fflush(stdout) ? EXIT_FAILED : 0;
}

/* ------------------------------------------------------------------ the command line */

static int run(const struct options *o)
{
    struct explanation e;
    struct prof_backend *b;
    char error[256], path[512];
    uint16_t domain = 0;
    int rc, status;
    FILE *log;

    b = prof_xen_open(error, sizeof(error));
    if (!b)
        return fail("%s", error);
    snprintf(path, sizeof(path), "%s/%s", o->folder, LOG_NAME);
    if (o->domain && !b->find_domain(b->ctx, o->domain, &domain)) {
        prof_xen_close(b);
        return fail("there is no domain %s", o->domain);
    }
    log = fopen(path, "re");
    rc = explain(b, domain, log, daemon_runs(o->folder), &e);
    if (rc)
        status = fail("reading the hypervisor's tables: %s", hv_error(rc));
    else if (o->point)
        status = print_point(&e, o, log);
    else
        status = print_all(&e, o);
    if (log)
        fclose(log);
    explain_free(&e);
    prof_xen_close(b);
    return status;
}

static int misuse(const char *what, const char *which)
{
    fail("%s: %s; radon-explain --help", which, what);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options o = { .top = 100, .folder = PROF_FOLDER };
    char *end;

    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (!strcmp(arg, "--help") || !strcmp(arg, "-h"))
            return fputs(usage, stdout) < 0 || fflush(stdout);
        if (!strcmp(arg, "--version"))
            return printf("radon-explain %s\n", RADON_REVISION) < 0 || fflush(stdout);
        if (!strcmp(arg, "--json")) {
            o.format = TABLE_JSON;
        } else if (!strcmp(arg, "--csv")) {
            o.format = TABLE_CSV;
        } else if (arg[0] != '-' && !o.point) {
            o.point = arg;
        } else if (strcmp(arg, "--top") && strcmp(arg, "--domain") && strcmp(arg, "--folder")) {
            return misuse("not understood", arg);
        } else if (++i == argc) {
            return misuse("a value is missing", arg);
        } else if (!strcmp(arg, "--domain")) {
            o.domain = argv[i];
        } else if (!strcmp(arg, "--folder")) {
            o.folder = argv[i];
        } else {
            o.top = strtoul(argv[i], &end, 10);
            if (argv[i][0] < '0' || argv[i][0] > '9' || *end)
                return misuse("a number is expected", argv[i]);
        }
    }
    return run(&o);
}
