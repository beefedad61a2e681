/* SPDX-License-Identifier: MIT */
/* radon-stat: what enters the hypervisor, how often, from where, at what cost (docs/stat.md). */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../program/program.h"
#include "../symbols/kallsyms.h"
#include "sites.h"
#include "stat.h"

/* Kernel addresses of 64-bit PV guests: above the hole. */
#define KERNEL_FROM 0xffff800000000000ull

int stat_fail(const char *format, ...)
{
    va_list args;

    fputs("radon-stat: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

void stat_read_symbols(struct symtab *symbols, const char *file)
{
    int rc = kallsyms_read(symbols, file);

    if (rc)
        stat_fail("no symbols in %s (%s): addresses stay numbers", file, strerror(-rc));
}

void stat_name_routines(struct stat_table *t, const struct symtab *symbols)
{
    struct symbol_hit hit;

    for (size_t i = 0; i < t->nr; i++)
        if (t->row[i].key.domain <= 0 && t->row[i].key.address >= KERNEL_FROM &&
            symtab_lookup(symbols, t->row[i].key.address, &hit))
            t->row[i].routine = hit.name;
}

/* ------------------------------------------------------------------ printing */

/* Write to the file or standard output that the user wants; the exit status. */
static int write_out(const struct stat_options *o, const struct stat_result *r,
                     const struct stat_table *raw)
{
    FILE *out = o->output ? fopen(o->output, "we") : stdout;
    bool failed = false;

    if (!out)
        return stat_fail("%s: %s", o->output, strerror(errno));
    if (o->command == STAT_RECORD)
        failed = !stat_save(out, r, raw);
    else
        stat_print(out, r, &o->view);
    failed = fflush(out) || ferror(out) || failed;
    if (o->output)
        failed = fclose(out) || failed;
    if (failed)
        return stat_fail("%s: %s", o->output ? o->output : "standard output", strerror(errno));
    return o->strict && !r->complete ? EXIT_INCOMPLETE : 0;
}

int stat_finish(const struct stat_options *o, const struct stat_result *r,
                const struct stat_table *raw)
{
    struct stat_result shown = *r;
    bool whole = true;
    int status;

    for (unsigned int level = 0; level < STAT_LEVELS; level++) {
        whole = whole && stat_group(&shown.level[level], raw, &o->by, level);
        stat_sort(&shown.level[level], o->order);
    }
    status = whole ? write_out(o, &shown, raw) : stat_fail("out of memory");
    for (unsigned int level = 0; level < STAT_LEVELS; level++)
        stat_free(&shown.level[level]);
    return status;
}

/* ------------------------------------------------------------------ measuring here */

struct machine {
    struct xen x;
    struct radon_info info;
    struct sites sites;
    struct symtab symbols;
    uint16_t domain;
};

static bool open_machine(struct machine *m, const struct stat_options *o)
{
    if (!xen_open(&m->x) || !radon_info(&m->x, &m->info))
        return false;
    m->domain = RADON_DOMID_ANY;
    if (o->domain && !xen_domain_find(&m->x, o->domain, &m->domain))
        return false;
    if (!sites_open(&m->sites, &m->x, m->info.nr_cpus))
        return false;
    stat_read_symbols(&m->symbols, KALLSYMS_FILE);
    return true;
}

static void close_machine(struct machine *m)
{
    sites_close(&m->sites);
    symtab_free(&m->symbols);
    xen_close(&m->x);
}

static uint64_t tsc_now(struct machine *m)
{
    struct radon_info info;

    return radon_info(&m->x, &info) ? info.tsc : 0;
}

/* Read the tables and show them. */
static int show(struct machine *m, const struct stat_options *o, uint64_t begin, bool reset)
{
    struct stat_table raw = { 0 };
    struct sites_answer answer;
    struct stat_result r = { .cpus = m->info.nr_cpus, .tsc_hz = m->info.tsc_hz };
    uint64_t end = tsc_now(m);
    int status;

    if (!sites_read(&m->sites, m->domain, reset, &raw, &answer)) {
        stat_free(&raw);
        return stat_fail("%s", m->x.error);
    }
    if (answer.mode == RADON_SITES_OFF) {
        stat_free(&raw);
        return stat_fail("hot sites are off: ask for --exact or --sampled");
    }
    r.source = answer.mode == RADON_SITES_EXACT ? STAT_EXACT : STAT_SAMPLED;
    r.period = answer.period;
    r.bad = answer.bad;
    r.complete = !answer.bad && r.source == STAT_EXACT;
    if (!begin)
        begin = answer.since;
    r.cycles = end > begin ? end - begin : 0;
    stat_name_routines(&raw, &m->symbols);
    status = stat_finish(o, &r, &raw);
    stat_free(&raw);
    return status;
}

/* Its exit status, -1 if it could not be started. */
static int run_program(char **argv)
{
    int fd;
    pid_t pid = program_start(argv, false, &fd);

    if (pid < 0) {
        stat_fail("%s: %s", argv[0], strerror(errno));
        return -1;
    }
    return program_end(pid, fd);
}

static enum radon_sites_mode wanted_mode(const struct stat_options *o)
{
    return o->sampled ? RADON_SITES_SAMPLED : RADON_SITES_EXACT;
}

static int run(struct machine *m, const struct stat_options *o)
{
    bool anew = o->exact || o->sampled || o->program || o->seconds > 0;
    uint64_t begin = 0;
    int program = 0, status;

    if (!anew)
        return show(m, o, 0, false);
    if (!o->program && !(o->seconds > 0))
        return stat_fail("how long? --seconds S, or a command behind --"), EXIT_USE;
    if (!sites_set(&m->sites, wanted_mode(o), o->period))
        return stat_fail("%s", m->x.error);
    begin = tsc_now(m);
    if (o->program)
        program = run_program(o->program);
    else
        program_wait(o->seconds, -1, -1);
    status = program < 0 ? EXIT_FAILED : show(m, o, begin, false);
    if (!status && program) {
        stat_fail("the command ended with status %d", program);
        status = program;
    }
    return status;
}

static void fit_terminal(struct stat_options *o)
{
    struct winsize size;

    if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 16)
        o->view.top = (size.ws_row - 8u) / 2;
}

static int live(struct machine *m, struct stat_options *o)
{
    uint64_t begin;
    int status = 0;

    if (!sites_set(&m->sites, wanted_mode(o), o->period))
        return stat_fail("%s", m->x.error);
    begin = tsc_now(m);
    while (!status) {
        program_wait(o->interval, -1, -1);
        if (program_interrupted())
            return 0;
        fit_terminal(o);
        if (isatty(STDOUT_FILENO))
            fputs("\033[H\033[J", stdout);
        status = show(m, o, begin, true);
        begin = tsc_now(m);
        if (o->seconds > 0 && (o->seconds -= o->interval) <= 0)
            break;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct stat_options o;
    struct machine m = { 0 };
    int status = stat_options(argc, argv, &o);

    if (status >= 0)
        return status;
    if (o.command == STAT_REPORT)
        return stat_report(&o);
    program_signals();
    if (!open_machine(&m, &o))
        status = stat_fail("%s", m.x.error);
    else
        status = o.command == STAT_LIVE ? live(&m, &o) : run(&m, &o);
    close_machine(&m);
    return status;
}
