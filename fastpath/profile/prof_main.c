/* SPDX-License-Identifier: MIT */
/* radon-prof: the daemon that makes fast handlers (docs/radon-prof.md). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hv/revision.h"
#include "kernel.h"
#include "prof.h"
#include "trace.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };
#define ONCE_LEAST_MS 1000
#define ERRORS_MOST 20u

static const char usage[] =
    "usage: radon-prof [options]\n"
    "\n"
    "Find the entries of a domain's kernel that cost most, make fast handlers for them, watch them.\n"
    "Stays in the foreground; ends on SIGINT and SIGTERM, and its handlers stay.\n"
    "\n"
    "options:\n"
    "  --domain D        whose kernel, by name or number (default: 0)\n"
    "  --dry-run         decide and explain, install nothing\n"
    "  --once            end when everything that is hot now has a handler, or a reason why not\n"
    "  --remove          at the end, remove what it made\n"
    "  --verbose         every decision on standard error, too (also -v)\n"
    "  --config FILE     the policy (default: " POLICY_FILE ", if it is there)\n"
    "  --set NAME=VALUE  one value of the policy\n"
    "  --policy          print the policy as a file, and end\n"
    "  --trace FILE      every decision as a trace record, too; a FIFO waits for its reader\n"
    "  --folder DIR      for the log and what is kept of handlers (default: " PROF_FOLDER ")\n"
    "  --help            this text\n"
    "  --version         the revision\n"
    "\n"
    "What it decides: radon-handler log; why an entry has a handler, or none: radon-explain.\n"
    "Status: 0 done, 1 failed, 2 wrong use.\n"
    "\n"
    "examples:\n"
    "  radon-prof &\n"
    "  radon-prof --dry-run --once -v\n"
    "  radon-prof --set agreements=1000 --set exclude=syscall:read\n";

struct options {
    const char *domain, *folder, *trace;
    bool dry_run, once, remove, verbose;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

__attribute__((format(printf, 2, 3))) static int fail(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("radon-prof: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

/* ------------------------------------------------------------------ the folder */

static bool make_folders(const char *folder)
{
    static const char *const names[] = { "", "/handlers", "/evidence", "/refused" };
    char path[512];

    for (const char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof(path), "%.*s", (int)(slash - folder), folder);
        mkdir(path, 0755);
    }
    for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", folder, names[i]);
        if (mkdir(path, 0755) && errno != EEXIST)
            return !fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    return true;
}

/* One daemon a folder; the lock goes with the process. */
static bool lock_folder(const char *folder)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/lock", folder);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return !fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB))
        return !fail(EXIT_FAILED, "another radon-prof works in %s", folder);
    dprintf(fd, "%d\n", (int)getpid());
    return true;
}

/* ------------------------------------------------------------------ the loop */

static void wait_ms(unsigned int ms)
{
    poll(NULL, 0, (int)ms);
}

static uint64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int work(struct prof *p, const struct options *o)
{
    uint64_t begin = clock_ms();
    unsigned int wait, errors = 0;

    if (!prof_begin(p))
        return fail(EXIT_FAILED, "%s", p->error);
    while (!ended) {
        if (prof_tick(p, &wait))
            errors = 0;
        else if (++errors == ERRORS_MOST)
            break;
        if (o->once && clock_ms() - begin > ONCE_LEAST_MS && prof_settled(p))
            break;
        wait_ms(wait);
    }
    prof_end(p, o->remove);
    return errors == ERRORS_MOST ? fail(EXIT_FAILED, "%s", p->error) : 0;
}

/* --trace: work with a hook of the log that makes records. */
static int work_traced(struct prof *p, const struct options *o)
{
    static struct prof_trace trace;
    struct radon_info info = { 0 };
    int status;

    if (!o->trace)
        return work(p, o);
    p->backend->op(p->backend->ctx, RADON_INFO, &info, sizeof(info));
    signal(SIGPIPE, SIG_IGN);
    if (!prof_trace_open(&trace, o->trace, &info))
        return fail(EXIT_FAILED, "%s: %s", o->trace, strerror(errno));
    p->log->hook = prof_trace_decision;
    p->log->hook_ctx = &trace;
    status = work(p, o);
    p->log->hook = NULL;
    if (!prof_trace_close(&trace))
        return fail(EXIT_FAILED, "%s: %s", o->trace, strerror(errno));
    return status;
}

static int run(struct prof *p, const struct options *o)
{
    struct sigaction act = { .sa_handler = on_signal };
    static struct log log;
    char error[256], path[512];
    struct prof_backend *b;
    struct prof_kernel *kernel = NULL;
    int status = EXIT_FAILED;

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    b = prof_xen_open(error, sizeof(error));
    if (!b)
        return fail(EXIT_FAILED, "%s", error);
    p->backend = b;
    snprintf(path, sizeof(path), "%s/%s", o->folder, LOG_NAME);
    if (o->domain && (!b->find_domain(b->ctx, o->domain, &p->domain) ||
                      p->domain == RADON_DOMID_ANY))
        fail(EXIT_FAILED, "there is no domain %s", o->domain);
    else if (!make_folders(o->folder) || !lock_folder(o->folder))
        ;
    else if (!log_open(&log, path, (uint64_t)p->policy.log_kib << 10, o->verbose))
        fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    else {
        kernel = p->domain ? NULL : kernel_open(error, sizeof(error));
        if (!kernel && !p->domain)
            fail(EXIT_FAILED, "%s: constants of the kernel are not folded", error);
        p->kernel = kernel;
        p->log = &log;
        p->folder = o->folder;
        status = work_traced(p, o);
        log_close(&log);
        kernel_close(kernel);
    }
    prof_xen_close(b);
    return status;
}

/* ------------------------------------------------------------------ the command line */

static int set(struct prof *p, char *text)
{
    char *equal = strchr(text, '='), error[256];

    if (!equal)
        return fail(EXIT_USAGE, "--set %s: NAME=VALUE is expected", text);
    *equal = 0;
    if (policy_set(&p->policy, text, equal + 1, error, sizeof(error)))
        return 0;
    return fail(EXIT_USAGE, "--set: %s", error);
}

static int option(struct prof *p, struct options *o, const char *arg, char *value, bool *used)
{
    char error[640];

    *used = false;
    if (!strcmp(arg, "--dry-run"))
        o->dry_run = true;
    else if (!strcmp(arg, "--once"))
        o->once = true;
    else if (!strcmp(arg, "--remove"))
        o->remove = true;
    else if (!strcmp(arg, "--verbose") || !strcmp(arg, "-v"))
        o->verbose = true;
    else if (strcmp(arg, "--domain") && strcmp(arg, "--folder") && strcmp(arg, "--set") &&
             strcmp(arg, "--config") && strcmp(arg, "--trace"))
        return fail(EXIT_USAGE, "%s: no such option; radon-prof --help", arg);
    else if (!value)
        return fail(EXIT_USAGE, "%s takes a value", arg);
    else
        *used = true;
    if (!*used)
        return 0;
    if (!strcmp(arg, "--domain"))
        o->domain = value;
    else if (!strcmp(arg, "--folder"))
        o->folder = value;
    else if (!strcmp(arg, "--trace"))
        o->trace = value;
    else if (!strcmp(arg, "--set"))
        return set(p, value);
    else if (!policy_read(&p->policy, value, true, error, sizeof(error)))
        return fail(EXIT_USAGE, "%s", error);
    return 0;
}

static int end_text(int rc)
{
    return rc < 0 || fflush(stdout) ? EXIT_FAILED : 0;
}

int main(int argc, char **argv)
{
    struct prof p = { .synth = synth, .synth_free = synth_free };
    struct options o = { .folder = PROF_FOLDER };
    bool print = false, used;
    char error[640];
    int status;

    policy_default(&p.policy);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return end_text(fputs(usage, stdout));
        if (!strcmp(argv[i], "--version"))
            return end_text(printf("radon-prof %s\n", RADON_REVISION));
    }
    if (!policy_read(&p.policy, POLICY_FILE, false, error, sizeof(error)))
        return fail(EXIT_FAILED, "%s", error);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--policy")) {
            print = true;
            continue;
        }
        status = option(&p, &o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used);
        if (status)
            return status;
        i += used;
    }
    if (print) {
        policy_print(stdout, &p.policy);
        return end_text(0);
    }
    p.dry_run = o.dry_run;
    return run(&p, &o);
}
