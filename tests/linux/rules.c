/* SPDX-License-Identifier: MIT */
/*
 * Who observes the guest kernel must see each system call, also while a handler answers for it:
 * tracepoints, ftrace, kprobes, bpf, static keys, breakpoints, modules (rule 17, by rules 7 to 10).
 *
 *   rules MODULE.ko [CASE]   with radon-prof beside it
 *   rules plain [CASE]       without handlers: do the observers count as this test thinks they do?
 *
 * One line a case: its name, and how the handler made room.
 */
#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ------------------------------------------------------------------ calls */

static int zero, null;
uint64_t bytes[8];
static pid_t parent, self;

static bool getppid_(void) { return syscall(SYS_getppid) == parent; }
static bool getpid_(void) { return syscall(SYS_getpid) == self; }
static bool gettid_(void) { return syscall(SYS_gettid) == self; }
static bool getuid_(void) { return syscall(SYS_getuid) == 0; }
static bool geteuid_(void) { return syscall(SYS_geteuid) == 0; }
static bool getgid_(void) { return syscall(SYS_getgid) == 0; }
static bool getegid_(void) { return syscall(SYS_getegid) == 0; }
static bool umask_(void) { return syscall(SYS_umask, 022) == 022; }
static bool write_(void) { return syscall(SYS_write, null, bytes, 8) == 8; }
static bool lseek_(void) { return syscall(SYS_lseek, zero, 0, SEEK_SET) == 0; }
static bool fcntl_(void) { return syscall(SYS_fcntl, zero, F_GETFD) == 0; }
static bool rename_(void) { return prctl(PR_SET_NAME, "rules") == 0; }

static bool read_(void)
{
    bytes[0] = ~0ull;
    return syscall(SYS_read, zero, bytes, 8) == 8 && bytes[0] == 0;
}

static bool sigmask_(void)
{
    bytes[0] = ~0ull;
    return syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bytes, 8) == 0 && bytes[0] == 0;
}

/* ------------------------------------------------------------------ cases */

enum how { RETIRES, EITHER, LEAVES };

/* A call of its own for most cases: a handler that is retired often is made anew ever later. */
static const struct rule {
    const char *name;
    struct call call;
    void (*on)(void);
    uint64_t (*seen)(void);
    void (*off)(void);
    enum how how;       /* what the handler must do; EITHER: that, or pass */
    unsigned int more;  /* calls of the same kind that asking takes */
    unsigned int calls; /* MANY: so long that a handler may be made of the observed path */
    bool again;         /* wait for the handler that is made when it is over */
} rules[] = {
#define FEW 400
#define MANY 20000
    { "perf raw_syscalls:sys_enter", { "getppid", SYS_getppid, getppid_ },
      raw_enter_on, perf_count, perf_close, EITHER, 1, MANY, true },
    { "perf syscalls:sys_enter", { "getuid", SYS_getuid, getuid_ },
      enter_on, perf_count, perf_close, EITHER, 0, MANY, false },
    { "perf syscalls:sys_exit", { "write", SYS_write, write_ },
      exit_on, perf_count, perf_close, EITHER, 0, FEW, false },
    { "tracefs syscalls:sys_enter", { "umask", SYS_umask, umask_ },
      event_on, trace_count, event_off, EITHER, 0, FEW, false },
    { "static key of a tracepoint", { "prctl", SYS_prctl, rename_ },
      renames_on, perf_count, perf_close, RETIRES, 0, MANY, true },
    { "kprobe", { "getpid", SYS_getpid, getpid_ },
      probe_entry_on, perf_count, perf_close, RETIRES, 0, MANY, true },
    { "kprobe inside", { "gettid", SYS_gettid, gettid_ },
      probe_inside_on, perf_count, perf_close, RETIRES, 0, FEW, false },
    { "kretprobe", { "geteuid", SYS_geteuid, geteuid_ },
      probe_event_on, trace_count, probe_event_off, RETIRES, 0, FEW, false },
    { "ftrace", { "lseek", SYS_lseek, lseek_ },
      ftrace_on, trace_count, ftrace_off, RETIRES, 0, FEW, true },
    { "bpf raw tracepoint", { "read", SYS_read, read_ },
      bpf_raw_on, map_count, bpf_off, EITHER, 0, MANY, false },
    { "bpf kprobe", { "getgid", SYS_getgid, getgid_ },
      bpf_probe_on, map_count, bpf_off, RETIRES, 0, FEW, false },
    { "breakpoint", { "rt_sigprocmask", SYS_rt_sigprocmask, sigmask_ },
      breakpoint_on, perf_count, perf_close, EITHER, 0, FEW, true },
    { "sched_schedstats", { "fcntl", SYS_fcntl, fcntl_ },
      schedstats_on, count_own, schedstats_off, LEAVES, 0, FEW, false },
    { "module", { "getegid", SYS_getegid, getegid_ },
      module_on, count_own, module_off, LEAVES, 0, FEW, true },
};

static void make(const struct rule *r, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++, own_calls++)
        if (!r->call.make())
            die("%s: the answer is wrong", r->name);
}

static void observe(const struct rule *r)
{
    uint64_t from = r->seen(), to;

    make(r, r->calls);
    to = r->seen();
    if (to - from != r->calls + r->more)
        die("%s: %lu of %u calls were seen", r->name, (unsigned long)(to - from), r->calls);
}

/* Its handler is in use, and answers. */
static struct handled active(const struct rule *r)
{
    struct handled h = handled_wait(&r->call), now;

    make(r, FEW);
    now = handled_of(h.id);
    if (handled_runs(&h, &now) < FEW || now.hits - h.hits < FEW - 2) /* two may be compared */
        die("%s: %lu of %u calls were handled", r->name, (unsigned long)(now.hits - h.hits), FEW);
    return now;
}

/* Whether the handler made room when the observer came; ends the program if not as it should. */
static bool is_retired(const struct rule *r, const struct handled *h)
{
    bool retired = !h->id || h->state == RADON_FAST_RETIRED;

    if (r->how == RETIRES && !retired)
        die("%s: handler %u was not retired", r->name, h->id);
    return retired;
}

static void try(const struct rule *r)
{
    struct handled before = active(r), on, after;
    bool retired;

    r->on();
    on = handled_of(before.id);
    retired = is_retired(r, &on);
    observe(r);
    after = handled_of(before.id);
    if (r->how != LEAVES && !retired &&
        (after.hits != on.hits || after.passes - on.passes < r->calls))
        die("%s: %lu hits, %lu passes", r->name, (unsigned long)(after.hits - on.hits),
            (unsigned long)(after.passes - on.passes));
    after = handled_by(r->call.number);
    r->off();
    printf("%s: %u calls seen, handler %u %s", r->name, r->calls, before.id,
           retired ? "retired" : r->how == LEAVES ? "stayed" : "passed");
    if (after.id != before.id && after.hits)
        printf(", handler %u had %lu of them", after.id, (unsigned long)after.hits);
    printf("\n");
    fflush(stdout);
    if (r->again)
        active(r);
}

static void plain(const struct rule *r)
{
    if (r->how == LEAVES)
        return;
    r->on();
    observe(r);
    r->off();
    printf("%s: %u calls seen\n", r->name, r->calls);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bool handlers = argc > 1 && strcmp(argv[1], "plain") != 0;

    if (argc < 2 || (mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) && errno != EBUSY))
        die("usage: rules MODULE.ko | plain; or tracefs: %m");
    module_path = argv[1];
    parent = getppid();
    self = getpid();
    umask(022);
    zero = open("/dev/zero", O_RDONLY);
    null = open("/dev/null", O_WRONLY);
    if (handlers && !handled_open())
        die("no hypervisor");
    for (unsigned int i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (argc > 2 && strcmp(argv[2], rules[i].name) != 0)
            continue;
        if (handlers)
            try(&rules[i]);
        else
            plain(&rules[i]);
    }
    return 0;
}
