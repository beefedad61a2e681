/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../reader/meta.h"
#include "record.h"

enum {
    OPT_DOMAIN = 256,
    OPT_VCPU,
    OPT_PAGES,
    OPT_SECONDS,
    OPT_RINGS,
    OPT_CLOCK,
    OPT_STRICT,
    OPT_CRASH,
    OPT_PANIC,
    OPT_HELP
};

static const struct option long_options[] = {
    { "output", required_argument, NULL, 'o' },
    { "events", required_argument, NULL, 'e' },
    { "domain", required_argument, NULL, OPT_DOMAIN },
    { "vcpu", required_argument, NULL, OPT_VCPU },
    { "pages", required_argument, NULL, OPT_PAGES },
    { "seconds", required_argument, NULL, OPT_SECONDS },
    { "rings", required_argument, NULL, OPT_RINGS },
    { "clock", required_argument, NULL, OPT_CLOCK },
    { "strict", no_argument, NULL, OPT_STRICT },
    { "stop-on-crash", no_argument, NULL, OPT_CRASH },
    { "dump-on-panic", no_argument, NULL, OPT_PANIC },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

int record_fail(const char *format, ...)
{
    va_list args;

    fputs("radon-trace: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return RECORD_FAILED;
}

int record_create(const char *file)
{
    int fd = !strcmp(file, "-") ? STDOUT_FILENO
                                : open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        record_fail("%s: %s", file, strerror(errno));
    else if (isatty(fd)) {
        record_fail("a recording is not for a terminal: -o FILE");
        fd = -1;
    }
    return fd;
}

static int wrong_use(const char *what, const char *arg)
{
    record_fail("%s%s%s (--help says more)", what, arg ? ": " : "", arg ? arg : "");
    return RECORD_USE;
}

static bool parse_number(const char *s, uint64_t max, char **end, uint64_t *n)
{
    errno = 0;
    *n = strtoull(s, end, 10);
    return *s >= '0' && *s <= '9' && !errno && *n <= max;
}

/* 0,2,3: a bit mask. */
static bool parse_vcpus(const char *s, uint64_t *mask)
{
    char *end;
    uint64_t n;

    *mask = 0;
    for (;; s = end + 1) {
        if (!parse_number(s, 63, &end, &n))
            return false;
        *mask |= UINT64_C(1) << n;
        if (!*end)
            return true;
        if (*end != ',')
            return false;
    }
}

static bool parse_seconds(const char *s, double *seconds)
{
    char *end;

    *seconds = strtod(s, &end);
    return end != s && !*end && isfinite(*seconds) && *seconds > 0 && *seconds < 1e9;
}

static bool parse_choice(const char *s, const char *first, const char *second, int *is_second)
{
    *is_second = !strcmp(s, second);
    return *is_second || !strcmp(s, first);
}

static bool take(int option, char *value, struct record_options *o)
{
    uint64_t n;
    char *end;
    int second;

    switch (option) {
    case 'o':
        o->output = value;
        return true;
    case 'e':
        o->events = value;
        return true;
    case OPT_DOMAIN:
        o->domain = value;
        return true;
    case OPT_VCPU:
        return parse_vcpus(value, &o->vcpus);
    case OPT_PAGES:
        if (!parse_number(value, 4096, &end, &n) || *end || !n)
            return false;
        o->pages = (uint32_t)n;
        return true;
    case OPT_SECONDS:
        return parse_seconds(value, &o->seconds);
    case OPT_RINGS:
        return parse_choice(value, "own", "xen", &o->xen_rings);
    case OPT_CLOCK:
        if (!parse_choice(value, "machine", "instr", &second))
            return false;
        o->clock = second ? TRACE_CLOCK_INSTRUCTIONS : TRACE_CLOCK_MACHINE;
        return true;
    case OPT_STRICT:
        o->strict = 1;
        return true;
    case OPT_CRASH:
        o->flags |= RADON_TRACE_STOP_ON_CRASH;
        return true;
    case OPT_PANIC:
        o->flags |= RADON_TRACE_DUMP_ON_PANIC;
        return true;
    }
    return false;
}

int record_options(int argc, char **argv, const char *usage, struct record_options *o)
{
    int c;

    *o = (struct record_options){ .vcpus = UINT64_MAX };
    optind = 1;
    while ((c = getopt_long(argc, argv, "+:o:e:h", long_options, NULL)) != -1) {
        if (c == OPT_HELP || c == 'h')
            return fputs(usage, stdout) < 0 || fflush(stdout) ? RECORD_FAILED : 0;
        if (c == ':')
            return wrong_use("a value is missing behind", argv[optind - 1]);
        if (c == '?')
            return wrong_use("unknown option", argv[optind - 1]);
        if (!take(c, optarg, o))
            return wrong_use("that value makes no sense", argv[optind - 1]);
    }
    if (optind < argc && strcmp(argv[optind - 1], "--"))
        return wrong_use("unknown word; a command to record stands behind --", argv[optind]);
    if (optind < argc)
        o->program = argv + optind;
    if (o->program && o->seconds > 0)
        return wrong_use("a command or --seconds, not both", NULL);
    if (o->xen_rings && (o->domain || ~o->vcpus || o->flags))
        return wrong_use("Xen's rings know no domains: not with --rings xen", NULL);
    return -1;
}
