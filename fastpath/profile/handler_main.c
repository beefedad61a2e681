/* SPDX-License-Identifier: MIT */
/*
 * radon-handler: fast handlers, seen and managed by hand (docs/radon-prof.md).
 */
#include "handler.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hv/revision.h"
#include "log.h"

static const char usage[] =
    "usage: radon-handler COMMAND [options]\n"
    "\n"
    "commands:\n"
    "  list              handlers: where, state, hits, passes\n"
    "  show ID           everything that is known of one, with the evidence of a disagreement\n"
    "  dump ID|FILE      its instructions, and below each the machine code\n"
    "  verify FILE|ID    whether it is accepted; works anywhere, not only in domain 0\n"
    "  load FILE         install every handler of the file\n"
    "  enable ID         let it run again\n"
    "  disable ID        keep it, do not run it\n"
    "  remove ID         forget it\n"
    "  export ID -o FILE an object that `load` takes, with where it comes from\n"
    "  log               what radon-prof decided, and why\n"
    "  oracle [N]        compare one run in N of each active one with the guest kernel; 0: none\n"
    "  on                allow fast handlers\n"
    "  off               remove all of them, and allow none\n"
    "\n"
    "options:\n"
    "  --json            list, show, verify, log: one JSON document\n"
    "  --csv             list, verify, log: comma-separated values\n"
    "  --domain D        a domain by name or number; list, on, off: all is the default; load,\n"
    "                    oracle: 0\n"
    "  --agreements N    load: so many in a row before it is active (default: 32)\n"
    "  --now             load: active at once, without comparing; the only way for hypercalls\n"
    "  --budget US       load: microseconds that a run may take (default: 1000)\n"
    "  --code            dump: machine code alone\n"
    "  --program         dump: instructions alone\n"
    "  --output FILE     export: where to (also -o)\n"
    "  --follow          log: go on with what comes (also -f)\n"
    "  --log FILE        log: of another daemon (default: " PROF_FOLDER "/" LOG_NAME ")\n"
    "  --help            this text\n"
    "  --version         the revision\n"
    "\n"
    "FILE: an object of clang -target bpf, of `export`, or a program (docs/handlers.md).\n"
    "Status: 0 done, 1 failed, 2 wrong use, 4 a handler was refused.\n"
    "\n"
    "examples:\n"
    "  radon-handler list\n"
    "  radon-handler dump 3 | less\n"
    "  radon-handler verify getppid.o\n"
    "  radon-handler load getppid.o --agreements 100\n"
    "  radon-handler export 3 -o read.o\n"
    "  radon-handler log --json | jq '.rows[] | select(.what == \"refuse\")'\n";

static struct prof_backend *backend;

int handler_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("radon-handler: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_FAILED;
}

int handler_misuse(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("radon-handler: ", stderr);
    vfprintf(stderr, format, args);
    fputs("; radon-handler --help\n", stderr);
    va_end(args);
    return EXIT_USAGE;
}

struct prof_backend *handler_backend(void)
{
    char error[256];

    if (!backend) {
        backend = prof_xen_open(error, sizeof(error));
        if (!backend)
            handler_fail("%s", error);
    }
    return backend;
}

bool handler_domain(const struct handler_options *o, uint16_t otherwise, uint16_t *domain)
{
    struct prof_backend *b = handler_backend();

    *domain = otherwise;
    if (!b)
        return false;
    if (!o->domain || b->find_domain(b->ctx, o->domain, domain))
        return true;
    handler_fail("there is no domain %s", o->domain);
    return false;
}

bool handler_number(const char *word, uint32_t *id)
{
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(word, &end, 10);
    *id = (uint32_t)n;
    if (*word >= '0' && *word <= '9' && !*end && !errno && n && n <= UINT32_MAX)
        return true;
    handler_fail("%s: the number of a handler is expected (radon-handler list)", word);
    return false;
}

/* ------------------------------------------------------------------ the command line */

static const struct command {
    const char *name;
    unsigned int least, most; /* words */
    int (*run)(const struct handler_options *o);
} commands[] = {
    { "list", 0, 0, handler_list },
    { "show", 1, 1, handler_show },
    { "dump", 1, 1, handler_dump_command },
    { "verify", 1, 1000, handler_verify },
    { "load", 1, 1000, handler_load },
    { "enable", 1, 1000, NULL },
    { "disable", 1, 1000, NULL },
    { "remove", 1, 1000, NULL },
    { "export", 1, 1, handler_export },
    { "log", 0, 0, handler_log },
    { "oracle", 0, 1, handler_oracle },
    { "on", 0, 0, NULL },
    { "off", 0, 0, NULL },
};

static int run(const struct command *c, const struct handler_options *o)
{
    if (o->words < c->least || o->words > c->most)
        return handler_misuse(o->words < c->least ? "%s: which one?" : "%s: too many words", c->name);
    if (c->run)
        return c->run(o);
    if (!strcmp(c->name, "on") || !strcmp(c->name, "off"))
        return handler_switch(o, !strcmp(c->name, "on"));
    return handler_set(o, !strcmp(c->name, "enable")    ? RADON_FAST_ACTIVE
                          : !strcmp(c->name, "disable") ? RADON_FAST_DISABLED
                                                        : RADON_FAST_RETIRED);
}

static int run_command(const char *name, const struct handler_options *o)
{
    for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(commands[i].name, name))
            return run(&commands[i], o);
    return handler_misuse("%s: no such command", name);
}

/* An option with a value: moves *i on; NULL: it is missing. */
static const char *value(int argc, char **argv, int *i)
{
    if (*i + 1 < argc)
        return argv[++*i];
    handler_misuse("%s takes a value", argv[*i]);
    return NULL;
}

static int option(int argc, char **argv, int *i, struct handler_options *o)
{
    const char *arg = argv[*i], *text;
    uint32_t n;

    if (!strcmp(arg, "--json"))
        o->format = TABLE_JSON;
    else if (!strcmp(arg, "--csv"))
        o->format = TABLE_CSV;
    else if (!strcmp(arg, "--now"))
        o->now = true;
    else if (!strcmp(arg, "--code"))
        o->code = true;
    else if (!strcmp(arg, "--program"))
        o->program = true;
    else if (!strcmp(arg, "--follow") || !strcmp(arg, "-f"))
        o->follow = true;
    else if (!strcmp(arg, "--domain"))
        return (o->domain = value(argc, argv, i)) ? 0 : EXIT_USAGE;
    else if (!strcmp(arg, "--output") || !strcmp(arg, "-o"))
        return (o->output = value(argc, argv, i)) ? 0 : EXIT_USAGE;
    else if (!strcmp(arg, "--log"))
        return (o->log = value(argc, argv, i)) ? 0 : EXIT_USAGE;
    else if (!strcmp(arg, "--agreements")) {
        text = value(argc, argv, i);
        if (!text || !handler_number(text, &n))
            return EXIT_USAGE;
        o->agreements = n;
    } else if (!strcmp(arg, "--budget")) {
        text = value(argc, argv, i);
        if (!text || !handler_number(text, &o->budget_us))
            return EXIT_USAGE;
    } else
        return handler_misuse("%s: no such option", arg);
    return 0;
}

int main(int argc, char **argv)
{
    struct handler_options o = { .agreements = 32 };
    int status = 0;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return fputs(usage, stdout) < 0 || fflush(stdout);
        if (!strcmp(argv[i], "--version"))
            return printf("radon-handler %s\n", RADON_REVISION) < 0 || fflush(stdout);
    }
    if (argc < 2) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    o.word = calloc((size_t)argc, sizeof(*o.word));
    for (int i = 2; o.word && i < argc && !status; i++)
        if (argv[i][0] == '-')
            status = option(argc, argv, &i, &o);
        else
            o.word[o.words++] = argv[i];
    if (!status)
        status = run_command(argv[1], &o);
    free(o.word);
    prof_xen_close(backend);
    return status;
}
