/* SPDX-License-Identifier: MIT */
/*
 * rbench: run benchmark rows and print every sample.
 *
 * Each row runs in a process of its own, twice: once timed, once with software event counters on
 * (which would cost time). The parent reports what the row left in shared memory, or why it failed.
 */
#include "bench.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARMUP = 2 };

static const char usage[] =
    "usage: rbench [options]\n"
    "Run benchmark rows; print each row's samples.\n"
    "  --rows LIST      rows to run, by id, with commas (default: all)\n"
    "  --json           one JSON object a line: first the environment, then a row each\n"
    "  --samples N      samples of each row (default: as the row says)\n"
    "  --scale F        multiply the operations of every sample\n"
    "  --no-events      do not count software events\n"
    "  --dir DIR        where files are made (default /tmp)\n"
    "  --prepare        first a fresh tmpfs on DIR, the loopback interface, a seed for the kernel's\n"
    "                   random numbers\n"
    "  --tiny PATH      program of the exec and sh rows (default: rbench-tiny beside rbench)\n"
    "  --settle MS      wait before each row (default 100)\n"
    "  --warm MS        take samples for so long first, and forget them (default: one or two)\n"
    "  --timeout S      for one row (default 120)\n"
    "  --list           the rows and what they measure\n"
    "  --list-json      the same as JSON\n"
    "  --help, --version\n"
    "Example: rbench --rows null_call,fork --json\n"
    "Exit: 0 done, 1 a row failed, 2 usage.\n";

static _Noreturn void bad_usage(const char *what, const char *arg)
{
    fprintf(stderr, "rbench: %s%s (see rbench --help)\n", what, arg);
    exit(2);
}

/* The row's process: it leaves everything in `out`. */
static _Noreturn void row_process(const struct row *row, const struct settings *set,
                                  struct result *out, bool counting)
{
    struct bench b = { .row = row, .set = set, .out = out, .warmup = WARMUP, .counting = counting };

    setpgid(0, 0);
    b.samples = counting ? 1 : set->samples ? set->samples : row->samples;
    b.ops = (uint64_t)((double)row->ops * set->scale);
    if (b.ops == 0)
        b.ops = 1;
    b.clock_cost = bench_clock_cost();
    bench_find_tick(&b);
    b.warm_until = counting ? 0 : now_ns() + set->warm_ms * 1000000ull;
    if (counting)
        counters_open();
    row->run(&b);
    _exit(0);
}

/* Wait for `pid`; its wait status, or -1 when the time is up (it is killed then). */
static int wait_limited(int pid, unsigned seconds)
{
    sigset_t child;
    struct timespec limit = { .tv_sec = seconds };
    int status = 0;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    while (waitpid(pid, &status, WNOHANG) == 0)
        if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
    return status;
}

static void run_process(const struct row *row, const struct settings *set, struct result *out,
                        bool counting)
{
    int status, pid = fork();

    if (pid < 0) {
        snprintf(out->error, sizeof(out->error), "fork: errno %d", errno);
        return;
    }
    if (pid == 0) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        row_process(row, set, out, counting);
    }
    status = wait_limited(pid, set->timeout_s);
    kill(-pid, SIGKILL); /* helpers that a failed row left behind */
    if (out->error[0])
        return;
    if (status < 0)
        snprintf(out->error, sizeof(out->error), "no result after %u s", set->timeout_s);
    else if (WIFSIGNALED(status))
        snprintf(out->error, sizeof(out->error), "killed by signal %d", WTERMSIG(status));
    else if (status != 0)
        snprintf(out->error, sizeof(out->error), "exit status %d", WEXITSTATUS(status));
}

/* Run one row and report it; false when it failed. */
static bool run_row(const struct row *row, const struct settings *set, struct result *out,
                    bool json)
{
    memset(out, 0, sizeof(*out));
    usleep(set->settle_ms * 1000);
    run_process(row, set, out, false);
    if (set->events && !out->error[0])
        run_process(row, set, out, true);
    report_row(row, out, json);
    return !out->error[0];
}

static const struct row *find_row(const char *id)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].id, id) == 0)
            return &rows[i];
    return NULL;
}

/* Mark the rows that LIST names (all of them when NULL). */
static void select_rows(const char *list, bool *chosen)
{
    char *copy = list ? strdup(list) : NULL;

    for (size_t i = 0; i < row_count; i++)
        chosen[i] = !list;
    for (char *id = copy ? strtok(copy, ",") : NULL; id; id = strtok(NULL, ",")) {
        const struct row *row = find_row(id);

        if (!row)
            bad_usage("no such row: ", id);
        chosen[row - rows] = true;
    }
    free(copy);
}

static const char *tiny_beside_us(void)
{
    static char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("-tiny"));

    if (len <= 0)
        return "/bench/rbench-tiny";
    strcpy(path + len, "-tiny");
    return path;
}

static void use_first_cpu(void)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
}

static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || n > max)
        bad_usage("not a number in range: ", text);
    return (unsigned)n;
}

static double factor(const char *text)
{
    char *end;
    double f = strtod(text, &end);

    if (end == text || *end || !(f > 0 && f <= 1e6))
        bad_usage("not a factor: ", text);
    return f;
}

static const struct option options[] = {
    { "rows", required_argument, NULL, 'r' },
    { "json", no_argument, NULL, 'j' },
    { "samples", required_argument, NULL, 'n' },
    { "scale", required_argument, NULL, 's' },
    { "no-events", no_argument, NULL, 'e' },
    { "dir", required_argument, NULL, 'd' },
    { "prepare", no_argument, NULL, 'p' },
    { "tiny", required_argument, NULL, 't' },
    { "settle", required_argument, NULL, 'w' },
    { "warm", required_argument, NULL, 'W' },
    { "timeout", required_argument, NULL, 'o' },
    { "list", no_argument, NULL, 'l' },
    { "list-json", no_argument, NULL, 'L' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'v' },
    { NULL, 0, NULL, 0 },
};

/* What the command line asks for beside the settings. */
struct request {
    const char *rows;
    bool json, prepare;
};

/* Fill in settings and request. Options that print and end do so here. */
static void parse_options(int argc, char **argv, struct settings *set, struct request *req)
{
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        /* clang-format off */
        switch (c) {
        case 'r': req->rows = optarg; break;
        case 'j': req->json = true; break;
        case 'p': req->prepare = true; break;
        case 'n': set->samples = number(optarg, MAX_SAMPLES); break;
        case 's': set->scale = factor(optarg); break;
        case 'e': set->events = false; break;
        case 'd': set->dir = optarg; break;
        case 't': set->tiny = optarg; break;
        case 'w': set->settle_ms = number(optarg, 60000); break;
        case 'W': set->warm_ms = number(optarg, 60000); break;
        case 'o': set->timeout_s = number(optarg, 86400); break;
        case 'l': report_list(false); exit(0);
        case 'L': report_list(true); exit(0);
        case 'h': fputs(usage, stdout); exit(0);
        case 'v': puts("rbench " RADON_VERSION); exit(0);
        default: fputs("see rbench --help\n", stderr); exit(2);
        }
        /* clang-format on */
    }
    if (optind < argc)
        bad_usage("unexpected argument: ", argv[optind]);
}

/* Deaths of rows are waited for with sigtimedwait. */
static void block_child_signal(void)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
}

int main(int argc, char **argv)
{
    struct settings set = {
        .dir = "/tmp", .scale = 1, .events = true, .settle_ms = 100, .timeout_s = 120
    };
    struct request req = { 0 };
    bool chosen[MAX_ROWS], ok = true;
    struct result *out;

    set.tiny = tiny_beside_us();
    parse_options(argc, argv, &set, &req);
    select_rows(req.rows, chosen);
    out = mmap(NULL, sizeof(*out), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (out == MAP_FAILED) {
        fprintf(stderr, "rbench: out of memory\n");
        return 1;
    }
    block_child_signal();
    if (req.prepare)
        machine_prepare(&set);
    use_first_cpu();
    report_environment(&set, req.json);
    for (size_t i = 0; i < row_count; i++)
        if (chosen[i])
            ok &= run_row(&rows[i], &set, out, req.json);
    return ok ? 0 : 1;
}
