/* SPDX-License-Identifier: MIT */
/*
 * radon-trace: what xentrace recorded, for people and programs (docs/tracing-tools.md).
 *
 * Exit status: 0; 1 nothing could be read, or the output not written; 2 wrong use; 5 a part of the
 * file could not be read, the rest was.
 */
#include "tool.h"

#include "../record/record.h"
#include "../record/select.h"
#include "hv/revision.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_NOTHING = 1, EXIT_USE = 2, EXIT_DAMAGED = 5 };

static const char usage[] =
    "usage: radon-trace list\n"
    "       radon-trace report FILE [--json|--csv] [--tsc-hz N] [--strict]\n"
    "       radon-trace dump FILE [-e EVENTS]\n"
    "       radon-trace console LOG [-o FILE]\n"
    "       radon-trace export FILE [--tsc-hz N]\n"
    "       radon-trace record [OPTIONS] [-- COMMAND...]      (record --help says more)\n"
    "       radon-trace snapshot start|read|stop|status      (snapshot --help says more)\n"
    "\n"
    "Record in domain 0; read what was recorded, by xentrace too.  FILE may be - for standard input.\n"
    "  list      the events that have names\n"
    "  report    one row per hypercall, trap, emulation, runstate: of all and of each vCPU\n"
    "  dump      one line a record, in the order of the file\n"
    "  console   make a recording (default: console.bin) of what the flight recorder printed on the\n"
    "            hypervisor's console, in a log of it, when the machine ended (snapshot --dump-on-panic)\n"
    "  export    Chrome's trace format, JSON: for Perfetto, chrome://tracing, speedscope\n"
    "  --tsc-hz  cycles a second of the machine that was recorded: times in seconds\n"
    "  --strict  status 5 when records were lost or are missing, too\n"
    "  -e        these alone: as of radon-trace record\n"
    "Status: 0, 1 nothing could be read, 2 wrong use, 5 a part could not be read.\n";

static struct trace_reader reader;

struct options {
    const char *file;
    enum format format;
    uint64_t tsc_hz;
    const char *events;         /* of dump; NULL: all */
    bool strict;
};

static int wrong_use(const char *what, const char *arg)
{
    fprintf(stderr, "radon-trace: %s%s%s\n%s", what, arg ? ": " : "", arg ? arg : "", usage);
    return EXIT_USE;
}

/* ------------------------------------------------------------------ reading a file */

static void note_defect(struct defects *d, const char *file, const struct trace_defect *defect)
{
    if (d->nr < DEFECTS_KEPT) {
        d->kept[d->nr] = *defect;
        fprintf(stderr, "radon-trace: %s: offset %" PRIu64 ": %s", file, defect->offset,
                trace_damage_text(defect->what));
        if (defect->skipped)
            fprintf(stderr, " (%" PRIu64 " bytes skipped)", defect->skipped);
        fputc('\n', stderr);
    }
    d->nr++;
    d->skipped += defect->skipped;
}

typedef bool record_fn(void *ctx, const struct trace_record *rec);

/* Give every record of the file to `each` until it returns false; the exit status. */
static int read_all(const char *file, struct defects *d, record_fn *each, void *ctx)
{
    int fd = strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    struct trace_defect defect;
    struct trace_record rec;
    enum trace_next next;

    if (fd < 0) {
        fprintf(stderr, "radon-trace: %s: %s\n", file, strerror(errno));
        return EXIT_NOTHING;
    }
    trace_reader_init(&reader, trace_read_fd, &fd);
    while ((next = trace_reader_next(&reader, &rec, &defect)) < TRACE_END) {
        if (next == TRACE_DEFECT)
            note_defect(d, file, &defect);
        else if (!each(ctx, &rec))
            break;
    }
    if (next == TRACE_FAILED) {
        fprintf(stderr, "radon-trace: %s: offset %" PRIu64 ": %s\n", file, reader.base + reader.end,
                strerror(errno));
        d->nr++;
    }
    if (fd != STDIN_FILENO)
        close(fd);
    if (d->nr > DEFECTS_KEPT)
        fprintf(stderr, "radon-trace: %s: %" PRIu64 " places, %" PRIu64 " bytes skipped\n", file,
                d->nr, d->skipped);
    if (!reader.records) {
        fprintf(stderr, "radon-trace: %s: no records in it\n", file);
        return EXIT_NOTHING;
    }
    return d->nr ? EXIT_DAMAGED : 0;
}

/* status, unless standard output could not be written. */
static int flushed(int status)
{
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "radon-trace: standard output: %s\n", strerror(errno));
        return EXIT_NOTHING;
    }
    return status;
}

/* ------------------------------------------------------------------ commands */

static int run_list(void)
{
    char name[TRACE_NAME_MAX], text[192];

    for (unsigned int row = 0; row < TRACE_ROWS; row++)
        if (trace_row_text(row, text))
            printf("%-44s %s\n", trace_row_name(row, name), text);
    return flushed(0);
}

static bool count_record(void *ctx, const struct trace_record *rec)
{
    return counts_add(ctx, rec);
}

static int run_report(const struct options *o)
{
    struct source src = { o->file, o->tsc_hz, NULL };
    struct counts *c = counts_new();
    struct defects d = { 0 };
    int status;

    if (!c) {
        fprintf(stderr, "radon-trace: out of memory\n");
        return EXIT_NOTHING;
    }
    status = read_all(o->file, &d, count_record, c);
    if (reader.records) {
        counts_sort(c);
        src.meta = reader.has_meta ? &reader.meta : NULL;
        if (!src.tsc_hz && src.meta)
            src.tsc_hz = src.meta->tsc_hz;
        print_report(stdout, o->format, &src, c, &d);
        status = flushed(status);
        if (!status && o->strict && !report_is_complete(&src, c, &d))
            status = EXIT_DAMAGED;
    }
    counts_free(c);
    return status;
}

/* ctx: the events that are wanted, or NULL. */
static bool dump_record(void *ctx, const struct trace_record *rec)
{
    if (ctx && !select_shows(ctx, rec))
        return true;
    if (rec->has_tsc)
        printf("%16" PRIu64 " cpu%-3u ", rec->tsc, rec->cpu);
    else
        printf("%16s cpu%-3u ", "-", rec->cpu);
    trace_print_record(stdout, rec);
    putchar('\n');
    return !ferror(stdout);
}

/* console LOG [-o FILE] */
static int console_command(int argc, char **argv)
{
    const char *log = NULL, *out = "console.bin";

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "-o") && i + 1 < argc)
            out = argv[++i];
        else if (argv[i][0] == '-' && argv[i][1])
            return wrong_use("unknown option", argv[i]);
        else if (log)
            return wrong_use("one log only", argv[i]);
        else
            log = argv[i];
    }
    return log ? run_console(log, out) : wrong_use("which log?", NULL);
}

static int run_dump(const struct options *o)
{
    static struct selection selection;
    char bad[TRACE_NAME_MAX];
    struct defects d = { 0 };

    if (o->events && !select_parse(&selection, o->events, bad))
        return wrong_use("no event is called so (radon-trace list)", bad);
    return flushed(read_all(o->file, &d, dump_record, o->events ? &selection : NULL));
}

struct export_start {
    struct exporting e;
    uint64_t tsc_hz;            /* as the user says; 0: as the recording does */
    bool begun, failed;
};

/* The frequency is known from the first record on. */
static bool export_first(void *ctx, const struct trace_record *rec)
{
    struct export_start *s = ctx;

    if (!s->begun) {
        s->tsc_hz = s->tsc_hz ? s->tsc_hz : reader.has_meta ? reader.meta.tsc_hz : 0;
        if (!s->tsc_hz) {
            fprintf(stderr, "radon-trace: the recording does not say the TSC's frequency: "
                            "--tsc-hz\n");
            s->failed = true;
            return false;
        }
        exporting_init(&s->e, stdout, s->tsc_hz);
        s->begun = true;
    }
    return export_record(&s->e, rec) || (s->failed = true, false);
}

static int run_export(const struct options *o)
{
    static struct export_start s;
    struct defects d = { 0 };
    int status;

    s.tsc_hz = o->tsc_hz;
    status = read_all(o->file, &d, export_first, &s);
    if (s.begun && !exporting_end(&s.e))
        s.failed = true;
    status = flushed(status);
    return s.failed ? EXIT_NOTHING : status;
}

/* ------------------------------------------------------------------ the command line */

static bool parse_hz(const char *s, uint64_t *hz)
{
    char *end;

    errno = 0;
    *hz = strtoull(s, &end, 10);
    return *s >= '0' && *s <= '9' && !*end && !errno && *hz;
}

/* The words behind the command; 0 or the exit status. */
static int parse(int argc, char **argv, bool is_report, bool is_export, struct options *o)
{
    for (int i = 2; i < argc; i++) {
        const char *arg = argv[i];

        if (is_report && !strcmp(arg, "--strict")) {
            o->strict = true;
        } else if (!is_report && !strcmp(arg, "-e")) {
            if (++i == argc)
                return wrong_use("-e takes names of events", NULL);
            o->events = argv[i];
        } else if (is_report && !strcmp(arg, "--json")) {
            o->format = FORMAT_JSON;
        } else if (is_report && !strcmp(arg, "--csv")) {
            o->format = FORMAT_CSV;
        } else if ((is_report || is_export) && !strcmp(arg, "--tsc-hz")) {
            if (++i == argc || !parse_hz(argv[i], &o->tsc_hz))
                return wrong_use("--tsc-hz takes a number", NULL);
        } else if (arg[0] == '-' && arg[1]) {
            return wrong_use("unknown option", arg);
        } else if (o->file) {
            return wrong_use("one file only", arg);
        } else {
            o->file = arg;
        }
    }
    return o->file ? 0 : wrong_use("which file?", NULL);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    struct options o = { 0 };
    bool is_report = !strcmp(command, "report"), is_export = !strcmp(command, "export");
    int status;

    if (!strcmp(command, "--help") || !strcmp(command, "-h")) {
        fputs(usage, stdout);
        return flushed(0);
    }
    if (!strcmp(command, "--version")) {
        puts("radon-trace " RADON_REVISION);
        return flushed(0);
    }
    if (!strcmp(command, "record"))
        return run_record(argc - 1, argv + 1);
    if (!strcmp(command, "snapshot"))
        return run_snapshot(argc - 1, argv + 1);
    if (!strcmp(command, "console"))
        return console_command(argc, argv);
    if (!strcmp(command, "list"))
        return argc == 2 ? run_list() : wrong_use("list takes no words", NULL);
    if (!is_report && !is_export && strcmp(command, "dump"))
        return wrong_use(*command ? "unknown command" : "a command is needed",
                         *command ? command : NULL);
    status = parse(argc, argv, is_report, is_export, &o);
    if (status)
        return status;
    return is_report ? run_report(&o) : is_export ? run_export(&o) : run_dump(&o);
}
