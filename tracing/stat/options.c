/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/revision.h"
#include "stat.h"

static const char usage[] =
    "usage: radon-stat [OPTIONS] [-- COMMAND [ARGUMENT...]]\n"
    "       radon-stat record -o FILE [OPTIONS] [-- COMMAND [ARGUMENT...]]\n"
    "       radon-stat live [OPTIONS]\n"
    "       radon-stat report FILE [OPTIONS]\n"
    "\n"
    "How often each hypercall, trap, system call and guest routine enters the hypervisor, and\n"
    "what that costs.  In domain 0 of Radon, as root; report reads a recording anywhere.\n"
    "\n"
    "Without a command and --seconds: what the hypervisor has sampled since it began.  With one\n"
    "of them: what happens meanwhile, every entry of it.\n"
    "\n"
    "record keeps what was counted for report, which also reads recordings of radon-trace.\n"
    "\n"
    "  --seconds S     measure for S seconds\n"
    "  --exact         every entry (default with a command, --seconds, live)\n"
    "  --sampled       one entry in a period; counts and totals are estimates\n"
    "  --period N      of --sampled: a prime, 2 to 65521\n"
    "  --domain D      number or name; default: all\n"
    "  --by LIST       rows apart by domain, vcpu, cpu\n"
    "  --sort KEY      total (default), count, max, name\n"
    "  --top N         rows of each table in text; default 20, 0: all\n"
    "  --interval S    of live: default 1\n"
    "  --json, --csv   all rows, for programs\n"
    "  -o FILE         write there\n"
    "  --tsc-hz N      of report: cycles a second of the machine that was recorded\n"
    "  --kallsyms FILE of report: /proc/kallsyms of domain 0 that was recorded\n"
    "  --strict        status 5 when anything is missing in the counts\n"
    "  --color WHEN    auto, always, never\n"
    "  --help, --version\n"
    "\n"
    "Examples:\n"
    "  radon-stat --json -o ls.json -- ls -lR /usr\n"
    "  radon-stat --seconds 5 --by domain,cpu --sort count\n"
    "  radon-stat live --sampled --period 499\n"
    "\n"
    "Status: 0; 1 it failed; 2 wrong use; 5 incomplete (--strict); the command's if not 0.\n";

enum {
    OPT_SECONDS = 256,
    OPT_EXACT,
    OPT_SAMPLED,
    OPT_PERIOD,
    OPT_DOMAIN,
    OPT_BY,
    OPT_SORT,
    OPT_TOP,
    OPT_INTERVAL,
    OPT_JSON,
    OPT_CSV,
    OPT_TSC,
    OPT_STRICT,
    OPT_COLOR,
    OPT_LIVE,
    OPT_HELP,
    OPT_VERSION,
    OPT_KALLSYMS
};

static const struct option long_options[] = {
    { "seconds", required_argument, NULL, OPT_SECONDS },
    { "exact", no_argument, NULL, OPT_EXACT },
    { "sampled", no_argument, NULL, OPT_SAMPLED },
    { "period", required_argument, NULL, OPT_PERIOD },
    { "domain", required_argument, NULL, OPT_DOMAIN },
    { "by", required_argument, NULL, OPT_BY },
    { "sort", required_argument, NULL, OPT_SORT },
    { "top", required_argument, NULL, OPT_TOP },
    { "interval", required_argument, NULL, OPT_INTERVAL },
    { "json", no_argument, NULL, OPT_JSON },
    { "csv", no_argument, NULL, OPT_CSV },
    { "tsc-hz", required_argument, NULL, OPT_TSC },
    { "kallsyms", required_argument, NULL, OPT_KALLSYMS },
    { "strict", no_argument, NULL, OPT_STRICT },
    { "color", required_argument, NULL, OPT_COLOR },
    { "live", no_argument, NULL, OPT_LIVE },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static int wrong_use(const char *what, const char *arg)
{
    fprintf(stderr, "radon-stat: %s%s%s (--help says more)\n", what, arg ? ": " : "",
            arg ? arg : "");
    return EXIT_USE;
}

static bool parse_u64(const char *s, uint64_t max, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(s, &end, 10);
    return *s >= '0' && *s <= '9' && !*end && !errno && *value <= max;
}

static bool parse_seconds(const char *s, double *value)
{
    char *end;

    *value = strtod(s, &end);
    return end != s && !*end && isfinite(*value) && *value > 0 && *value < 1e9;
}

static bool parse_by(char *list, struct stat_by *by)
{
    for (char *save, *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (!strcmp(word, "domain"))
            by->domain = true;
        else if (!strcmp(word, "cpu"))
            by->cpu = true;
        else if (!strcmp(word, "vcpu"))
            by->vcpu = true;
        else
            return false;
    }
    return by->domain || by->cpu || by->vcpu;
}

static bool parse_sort(const char *s, enum stat_order *order)
{
    static const char *const names[] = { "total", "count", "max", "name" };

    for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(s, names[i])) {
            *order = (enum stat_order)i;
            return true;
        }
    return false;
}

static bool parse_colour(const char *s, bool *colour)
{
    *colour = !strcmp(s, "always") ||
              (!strcmp(s, "auto") && isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
    return *colour || !strcmp(s, "auto") || !strcmp(s, "never");
}

/* One option; false when what stands behind it makes no sense. */
static bool take(int option, char *value, struct stat_options *o)
{
    uint64_t n = 0;

    switch (option) {
    case 'o':
        o->output = value;
        return true;
    case OPT_SECONDS:
        return parse_seconds(value, &o->seconds);
    case OPT_INTERVAL:
        return parse_seconds(value, &o->interval);
    case OPT_EXACT:
        return o->exact = true;
    case OPT_SAMPLED:
        return o->sampled = true;
    case OPT_PERIOD:
        if (!parse_u64(value, 65521, &n) || n < 2)
            return false;
        o->period = (uint32_t)n;
        return true;
    case OPT_DOMAIN:
        o->domain = value;
        return true;
    case OPT_BY:
        return parse_by(value, &o->by);
    case OPT_SORT:
        return parse_sort(value, &o->order);
    case OPT_TOP:
        if (!parse_u64(value, 1000000, &n))
            return false;
        o->view.top = (unsigned int)n;
        return true;
    case OPT_JSON:
        o->view.format = STAT_JSON;
        return true;
    case OPT_CSV:
        o->view.format = STAT_CSV;
        return true;
    case OPT_TSC:
        return parse_u64(value, UINT64_MAX, &o->tsc_hz) && o->tsc_hz;
    case OPT_KALLSYMS:
        o->kallsyms = value;
        return true;
    case OPT_STRICT:
        return o->strict = true;
    case OPT_COLOR:
        return parse_colour(value, &o->view.colour);
    case OPT_LIVE:
        o->command = STAT_LIVE;
        return true;
    }
    return false;
}

static int check(const struct stat_options *o)
{
    if (o->exact && o->sampled)
        return wrong_use("--exact or --sampled, not both", NULL);
    if (o->period && !o->sampled)
        return wrong_use("--period goes with --sampled", NULL);
    if (o->command == STAT_REPORT && (o->exact || o->sampled || o->seconds > 0 || o->program))
        return wrong_use("report reads a recording and measures nothing", NULL);
    if (o->command != STAT_REPORT && (o->kallsyms || o->tsc_hz))
        return wrong_use("--kallsyms and --tsc-hz go with report", NULL);
    if (o->command == STAT_REPORT && !o->file)
        return wrong_use("which recording?", NULL);
    if (o->command == STAT_LIVE && (o->program || o->view.format != STAT_TEXT || o->output))
        return wrong_use("live shows tables on a terminal, of the whole machine", NULL);
    if (o->command == STAT_RECORD && (!o->output || o->view.format != STAT_TEXT))
        return wrong_use("record takes -o FILE; its format is of its own", NULL);
    if (o->program && o->seconds > 0)
        return wrong_use("a command or --seconds, not both", NULL);
    return -1;
}

/* The words that are no options: a command of ours, a file, or the program behind --. */
static int take_words(int argc, char **argv, struct stat_options *o)
{
    bool after_dashes = optind > 0 && optind < argc && !strcmp(argv[optind - 1], "--");

    if (after_dashes) {
        o->program = argv + optind;
        return -1;
    }
    for (; optind < argc; optind++) {
        const char *word = argv[optind];

        if (!strcmp(word, "--") && optind + 1 < argc) {
            o->program = argv + optind + 1;
            return -1;
        }
        if (o->command != STAT_REPORT || o->file)
            return wrong_use("unknown word; a command to measure stands behind --", word);
        o->file = word;
    }
    return -1;
}

int stat_options(int argc, char **argv, struct stat_options *o)
{
    int c, rc;

    *o = (struct stat_options){ .interval = 1, .view.top = 20 };
    parse_colour("auto", &o->view.colour);
    if (argc > 1 && !strcmp(argv[1], "live"))
        o->command = STAT_LIVE;
    else if (argc > 1 && !strcmp(argv[1], "report"))
        o->command = STAT_REPORT;
    else if (argc > 1 && !strcmp(argv[1], "record"))
        o->command = STAT_RECORD;
    optind = argc > 1 && (o->command || !strcmp(argv[1], "run")) ? 2 : 1;
    for (;;) {
        while ((c = getopt_long(argc, argv, "+:o:h", long_options, NULL)) != -1) {
            if (c == OPT_HELP || c == 'h')
                return fputs(usage, stdout) < 0 || fflush(stdout) ? EXIT_FAILED : 0;
            if (c == OPT_VERSION)
                return puts("radon-stat " RADON_REVISION) < 0 || fflush(stdout) ? EXIT_FAILED : 0;
            if (c == ':')
                return wrong_use("a value is missing behind", argv[optind - 1]);
            if (c == '?')
                return wrong_use("unknown option", argv[optind - 1]);
            if (!take(c, optarg, o))
                return wrong_use("that value makes no sense", argv[optind - 1]);
        }
        /* `report FILE --json`: options may stand behind the file. */
        if (o->command != STAT_REPORT || o->file || optind >= argc ||
            !strcmp(argv[optind - 1], "--"))
            break;
        o->file = argv[optind++];
    }
    rc = take_words(argc, argv, o);
    return rc < 0 ? check(o) : rc;
}
