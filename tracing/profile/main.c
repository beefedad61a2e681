/* SPDX-License-Identifier: MIT */
/*
 * radon-profile: where guest, guest kernel and hypervisor spend their time (docs/profile.md).
 *
 * Exit status: 0 (record: the command's); 1 failed; 2 wrong use; 5 a part of a file could not be read,
 * or under --strict records were lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flame.h"
#include "hv/revision.h"
#include "pmu.h"
#include "record.h"
#include "report.h"

enum { EXIT_FAILED = 1, EXIT_USE = 2, EXIT_INCOMPLETE = 5 };
#define DEFECTS_SHOWN 20u
#define HZ_DEFAULT    997u
#define HZ_MAX        10000u
#define PERIOD_DEFAULT 1000003u /* a prime, as those of the other ways */
#define PERIOD_MIN    10000u
#define PERIOD_MAX    0x7fffffffu
#define ROWS_DEFAULT  40u
#define VERSION       "radon-profile 0.1 (" RADON_REVISION ")"

static const char usage[] =
    "usage: radon-profile record [-o FILE] [--hz N] [--domain D] [--seconds S] [--timer]\n"
    "                            [--event NAME[:UMASK] [--period N]] [-- CMD...]\n"
    "       radon-profile report FILE [--total] [--limit N] [--idle] [--csv|--json]\n"
    "       radon-profile fold FILE [--idle] [--json]\n"
    "       radon-profile flame FILE [-o SVG] [--title TEXT] [--idle]\n"
    "       radon-profile diff BEFORE AFTER [-o SVG]\n"
    "\n"
    "Where guest programs, guest kernels, the hypervisor and its fast handlers spend their time, by\n"
    "samples of a timer or a performance counter.  Recording is for domain 0; the rest runs anywhere.\n"
    "  record    sample while CMD runs, or until Ctrl-C; FILE: radon.profile\n"
    "  report    one row a function: samples in it, and in it or below\n"
    "  fold      folded stacks, a;b;c N; --json: for speedscope\n"
    "  flame     a flame graph as SVG that opens in any browser\n"
    "  diff      how AFTER differs: folded stacks with two numbers, or a flame graph\n"
    "FILE is a recording or folded stacks; - is standard input.\n"
    "  --hz N       samples a second and CPU, 1 to 10000 (default: 997)\n"
    "  --domain D   name or number, or all (default: all)\n"
    "  --event NAME a hardware event in place of the timer, by its libpfm4 name; with :u of guests\n"
    "               alone, their kernels too, with :k of the hypervisor\n"
    "  --period N   events to a sample, 10000 to 2147483647 (default: 1000003)\n"
    "  --timer      sample by the CPUs' timers, not by NMIs\n"
    "  --idle       count samples of idle CPUs, too\n"
    "  --strict     status 5 if records were lost\n"
    "  --version, --help\n"
    "\n"
    "examples:\n"
    "  radon-profile record -- stress-ng --fork 2 -t 5\n"
    "  radon-profile report radon.profile --total\n"
    "  radon-profile flame radon.profile -o flame.svg\n"
    "\n"
    "Status: 0 (record: CMD's), 1 failed, 2 wrong use, 5 a part of FILE could not be read.\n";

struct options {
    const char *file[2];
    unsigned int nr_files;
    const char *output, *title;
    bool json, csv, total, idle, strict;
    unsigned int limit;
    const char *event;
    struct record_options record;
};

static int wrong_use(const char *what, const char *arg)
{
    fprintf(stderr, "radon-profile: %s%s%s\n(radon-profile --help says what there is)\n", what,
            arg ? ": " : "", arg ? arg : "");
    return EXIT_USE;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "radon-profile: %s: %s\n", what, why);
    return EXIT_FAILED;
}

/* ------------------------------------------------------------------ files */

static void note_defect(void *ctx, uint64_t line, uint64_t offset, const char *what)
{
    unsigned int *shown = ctx;

    if ((*shown)++ < DEFECTS_SHOWN)
        fprintf(stderr, "radon-profile: line %llu, offset %llu: %s\n", (unsigned long long)line,
                (unsigned long long)offset, what);
}

/* 0, 5, or 1 when nothing of it could be read. */
static int load(struct profile *p, const char *file, const struct options *o)
{
    FILE *f = strcmp(file, "-") ? fopen(file, "re") : stdin;
    unsigned int shown = 0;
    const char *lost;
    bool ok;

    if (!f)
        return fail(file, strerror(errno));
    ok = profile_read(p, f, note_defect, &shown);
    if (f != stdin)
        fclose(f);
    if (shown > DEFECTS_SHOWN)
        fprintf(stderr, "radon-profile: %s: %u lines in all\n", file, shown);
    if (!ok || (p->defects && !p->nr_samples))
        return fail(file, "no profile, and no folded stacks");
    lost = profile_said(p, "lost_records");
    if (o->strict && lost && strcmp(lost, "0"))
        return EXIT_INCOMPLETE;
    return p->defects ? EXIT_INCOMPLETE : 0;
}

static FILE *open_output(const struct options *o)
{
    return o->output && strcmp(o->output, "-") ? fopen(o->output, "we") : stdout;
}

/* status, unless the output could not be written. */
static int close_output(const struct options *o, FILE *f, int status)
{
    bool ok = !fflush(f) && !ferror(f);

    if (f != stdout && fclose(f))
        ok = false;
    return ok ? status : fail(o->output ? o->output : "standard output", strerror(errno));
}

/* ------------------------------------------------------------------ commands */

static int run_report(struct options *o)
{
    struct report how = { .format = o->json ? REPORT_JSON : o->csv ? REPORT_CSV : REPORT_TEXT,
                          .by_total = o->total, .idle = o->idle, .limit = o->limit,
                          .version = VERSION };
    struct profile p = { 0 };
    int status = load(&p, o->file[0], o);
    FILE *f;

    if (status == EXIT_FAILED)
        return status;
    f = open_output(o);
    if (!f)
        return fail(o->output, strerror(errno));
    if (!report_write(&p, &how, f))
        status = fail("report", "out of memory");
    status = close_output(o, f, status);
    profile_free(&p);
    return status;
}

static int run_fold(struct options *o)
{
    struct profile p = { 0 };
    int status = load(&p, o->file[0], o);
    struct node *root = tree_new();
    FILE *f;

    if (status == EXIT_FAILED)
        return status;
    f = open_output(o);
    if (!f)
        return fail(o->output, strerror(errno));
    if (!root || !tree_add(root, &p, 0, o->idle))
        status = fail("fold", "out of memory");
    else if (o->json)
        speedscope_write(&p, o->file[0], o->idle, f);
    else
        tree_fold(root, 1, f);
    status = close_output(o, f, status);
    tree_free(root);
    profile_free(&p);
    return status;
}

static void describe(const struct profile *p, const struct options *o, char *text, size_t bytes)
{
    const char *how = profile_said(p, "sampled by"), *lost = profile_said(p, "lost_records");
    const char *revision = profile_said(p, "hypervisor");

    snprintf(text, bytes, "%llu samples%s%s%s, %s records lost%s%s",
             (unsigned long long)profile_samples(p, o->idle),
             o->idle ? "" : " that are not idle", how ? ", " : "", how ? how : "",
             lost ? lost : "an unknown number of", revision ? ", " : "", revision ? revision : "");
}

static int run_flame(struct options *o)
{
    struct flame how = { .sides = 1 };
    struct profile p = { 0 };
    int status = load(&p, o->file[0], o);
    struct node *root = tree_new();
    const char *command = profile_said(&p, "command");
    char subtitle[400];
    FILE *f;

    if (status == EXIT_FAILED)
        return status;
    if (!root || !tree_add(root, &p, 0, o->idle))
        return fail("flame", "out of memory");
    f = open_output(o);
    if (!f)
        return fail(o->output, strerror(errno));
    describe(&p, o, subtitle, sizeof(subtitle));
    how.title = o->title ? o->title : command && *command ? command : "Radon profile";
    how.subtitle = subtitle;
    flame_write(root, &how, f);
    status = close_output(o, f, status);
    tree_free(root);
    profile_free(&p);
    return status;
}

static int run_diff(struct options *o)
{
    struct flame how = { .sides = 2 };
    struct profile p[2] = { { 0 }, { 0 } };
    int status = 0;
    struct node *root = tree_new();
    char title[400], subtitle[400];
    FILE *f;

    for (unsigned int i = 0; i < 2; i++) {
        int rc = load(&p[i], o->file[i], o);

        if (rc == EXIT_FAILED)
            return rc;
        status = rc ? rc : status;
        if (!root || !tree_add(root, &p[i], i, o->idle))
            return fail("diff", "out of memory");
    }
    f = open_output(o);
    if (!f)
        return fail(o->output, strerror(errno));
    if (o->output) {
        snprintf(title, sizeof(title), "%s, compared with %s", o->file[1], o->file[0]);
        snprintf(subtitle, sizeof(subtitle), "%llu samples; the %llu before are scaled to as many",
                 (unsigned long long)root->total[1], (unsigned long long)root->total[0]);
        how.title = o->title ? o->title : title;
        how.subtitle = subtitle;
        flame_write(root, &how, f);
    } else {
        tree_fold(root, 2, f);
    }
    status = close_output(o, f, status);
    tree_free(root);
    profile_free(&p[0]);
    profile_free(&p[1]);
    return status;
}

static int run_record(struct options *o)
{
    static struct pmu_event event;

    if (o->event && (o->record.hz || o->record.timer))
        return wrong_use("--event is in place of --hz and --timer", NULL);
    if (!o->event && o->record.period)
        return wrong_use("--period is for --event", NULL);
    if (o->event) {
        enum pmu_answer answer = pmu_ask(o->event, &event);

        if (answer != PMU_FOUND) {
            fprintf(stderr, "radon-profile: %s\n", event.text);
            return answer == PMU_UNKNOWN ? EXIT_USE : EXIT_FAILED;
        }
        o->record.event = &event;
        if (!o->record.period)
            o->record.period = PERIOD_DEFAULT;
    } else if (!o->record.hz) {
        o->record.hz = HZ_DEFAULT;
    }
    o->record.output = o->output ? o->output : "radon.profile";
    o->record.version = VERSION;
    return record(&o->record);
}

/* ------------------------------------------------------------------ the command line */

static const struct command {
    const char *name, *options; /* options that it takes, in spaces */
    unsigned int files;
    int (*run)(struct options *o);
} commands[] = {
    { "record", " -o --hz --domain --seconds --event --period --timer ", 0, run_record },
    { "report", " -o --total --limit --idle --csv --json --strict ", 1, run_report },
    { "fold", " -o --idle --json --strict ", 1, run_fold },
    { "flame", " -o --title --idle --strict ", 1, run_flame },
    { "diff", " -o --title --idle --strict ", 2, run_diff },
};

static bool number(const char *s, double low, double high, double *value)
{
    char *end;

    *value = strtod(s, &end);
    return *s >= '0' && *s <= '9' && !*end && *value >= low && *value <= high;
}

/* An option with a value; 0 or the status. */
static int take_value(struct options *o, const char *name, const char *value)
{
    double n = 0;

    if (!value)
        return wrong_use("a value is missing behind", name);
    if (!strcmp(name, "-o"))
        o->output = value;
    else if (!strcmp(name, "--title"))
        o->title = value;
    else if (!strcmp(name, "--domain"))
        o->record.domain = value;
    else if (!strcmp(name, "--event"))
        o->event = value;
    else if (!strcmp(name, "--hz") && number(value, 1, HZ_MAX, &n) && n == (unsigned int)n)
        o->record.hz = (unsigned int)n;
    else if (!strcmp(name, "--period") && number(value, PERIOD_MIN, PERIOD_MAX, &n) &&
             n == (unsigned int)n)
        o->record.period = (unsigned int)n;
    else if (!strcmp(name, "--seconds") && number(value, 0.001, 1e9, &n))
        o->record.seconds = n;
    else if (!strcmp(name, "--limit") && number(value, 0, 1e9, &n))
        o->limit = (unsigned int)n;
    else
        return wrong_use(name, value);
    return 0;
}

static bool takes(const struct command *c, const char *option)
{
    char word[32];

    snprintf(word, sizeof(word), " %.28s ", option);
    return strstr(c->options, word);
}

/* The words behind the command; 0 or the status. */
static int parse(int argc, char **argv, const struct command *c, struct options *o)
{
    static const struct { const char *name; size_t at; } flags[] = {
        { "--json", offsetof(struct options, json) }, { "--csv", offsetof(struct options, csv) },
        { "--total", offsetof(struct options, total) }, { "--idle", offsetof(struct options, idle) },
        { "--strict", offsetof(struct options, strict) },
        { "--timer", offsetof(struct options, record) + offsetof(struct record_options, timer) },
    };

    for (int i = 2; i < argc; i++) {
        bool is_flag = false;
        int rc;

        if (!strcmp(argv[i], "--") && !c->files) {
            o->record.command = i + 1 < argc ? argv + i + 1 : NULL;
            return o->record.command ? 0 : wrong_use("a command is missing behind --", NULL);
        }
        if (argv[i][0] != '-' || !argv[i][1]) {
            if (o->nr_files == c->files)
                return wrong_use(c->files ? "too many files" : "the command comes after --", argv[i]);
            o->file[o->nr_files++] = argv[i];
            continue;
        }
        if (!takes(c, argv[i]))
            return wrong_use("unknown option", argv[i]);
        for (unsigned int k = 0; k < sizeof(flags) / sizeof(*flags); k++)
            if (!strcmp(argv[i], flags[k].name))
                is_flag = *(bool *)((char *)o + flags[k].at) = true;
        if (is_flag)
            continue;
        rc = take_value(o, argv[i], argv[i + 1]);
        if (rc)
            return rc;
        i++;
    }
    return o->nr_files == c->files ? 0 : wrong_use("which file?", NULL);
}

int main(int argc, char **argv)
{
    struct options o = { .limit = ROWS_DEFAULT, .record = { .domain = "all" } };
    const char *name = argc > 1 ? argv[1] : "";

    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return fputs(usage, stdout) < 0 || fflush(stdout) ? EXIT_FAILED : 0;
    if (!strcmp(name, "--version"))
        return puts(VERSION) < 0 || fflush(stdout) ? EXIT_FAILED : 0;
    for (unsigned int i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (!strcmp(name, commands[i].name)) {
            int rc = parse(argc, argv, &commands[i], &o);

            return rc ? rc : commands[i].run(&o);
        }
    return wrong_use(*name ? "unknown command" : "a command is needed", *name ? name : NULL);
}
