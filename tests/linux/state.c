/* SPDX-License-Identifier: MIT */
/*
 * Handlers answer for the hot calls of a process; then everything that the answers rest on changes,
 * and each answer must be the one of the new state, with the first call.  radon-prof works beside it.
 * One line a case: how many of the calls were handled as it began.
 *
 *   state LEAST   that many must be; 0: without handlers
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int zero, null, file;

static pid_t self, above;
static char bytes[64];

long raw(long number, ...)
{
    long a[6], result;
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

pid_t child(void (*body)(void *), void *arg)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork: %m");
    if (!pid) {
        body(arg);
        _exit(0);
    }
    return pid;
}

void ended(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
        die("child %d ended with %#x", pid, status);
}

long status_of(pid_t pid, const char *field, int base)
{
    char line[256], path[64];
    long value = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, field, strlen(field)))
            value = strtol(line + strlen(field), NULL, base);
    if (f)
        fclose(f);
    return value;
}

/* ------------------------------------------------------------------ the hot calls */

static bool getpid_(void) { return raw(SYS_getpid) == self; }
static bool gettid_(void) { return raw(SYS_gettid) == self; }
static bool getppid_(void) { return raw(SYS_getppid) == above; }
static bool getuid_(void) { return raw(SYS_getuid) == 0; }
static bool geteuid_(void) { return raw(SYS_geteuid) == 0; }
static bool umask_(void) { return raw(SYS_umask, 022) == 022; }
static bool write_(void) { return raw(SYS_write, null, bytes, 8) == 8; }
static bool fcntl_(void) { return raw(SYS_fcntl, file, F_GETFD) == FD_CLOEXEC; }

static bool read_(void)
{
    bytes[0] = 1;
    return raw(SYS_read, zero, bytes, 8) == 8 && !bytes[0];
}

static bool lseek_(void)
{
    static long at;

    at = (at + 1) % 8;
    return raw(SYS_lseek, file, at, SEEK_SET) == at;
}

static bool dup_(void)
{
    long fd = raw(SYS_dup, zero);

    return fd > 2 && raw(SYS_close, fd) == 0;
}

static bool sigaction_(void)
{
    static struct { uint64_t handler, flags, restorer, mask; } new = { .handler = 1 }, old;

    return raw(SYS_rt_sigaction, SIGUSR1, &new, &old, 8) == 0 && old.handler <= 1;
}

static bool sigmask_(void)
{
    static uint64_t set = 1ull << (SIGUSR2 - 1), old;

    return raw(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 8) == 0 &&
           raw(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, &old, 8) == 0 && old & set;
}

static bool clock_(void)
{
    static struct timespec last;
    struct timespec now;
    bool right = raw(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0 &&
                 (now.tv_sec > last.tv_sec ||
                  (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec));

    last = now;
    return right;
}

static const struct call hot[] = {
    { "getpid", SYS_getpid, getpid_ },
    { "gettid", SYS_gettid, gettid_ },
    { "getppid", SYS_getppid, getppid_ },
    { "getuid", SYS_getuid, getuid_ },
    { "geteuid", SYS_geteuid, geteuid_ },
    { "umask", SYS_umask, umask_ },
    { "read", SYS_read, read_ },
    { "write", SYS_write, write_ },
    { "lseek", SYS_lseek, lseek_ },
    { "fcntl", SYS_fcntl, fcntl_ },
    { "dup", SYS_dup, dup_ },
    { "close", SYS_close, dup_ },
    { "rt_sigaction", SYS_rt_sigaction, sigaction_ },
    { "rt_sigprocmask", SYS_rt_sigprocmask, sigmask_ },
    { "clock_gettime", SYS_clock_gettime, clock_ },
};
#define HOT (sizeof(hot) / sizeof(hot[0]))

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "parents", parents },
    { "namespaces", namespaces },
    { "users", users },
    { "threads", threads },
    { "traced", traced },
    { "signals", signals },
    { "descriptors", descriptors },
    { "positions", positions },
    { "notified", notified },
    { "accounted", accounted },
    { "locks", locks },
    { "masks", masks },
    { "buffers", buffers },
    { "copies", copies },
    { "shared pages", shared_pages },
    { "pressure", pressure },
};

static void open_files(void)
{
    zero = open("/dev/zero", O_RDWR);
    null = open("/dev/null", O_RDWR);
    file = open("/tmp/state", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (zero < 0 || null < 0 || file < 0 || write(file, "abcdefgh", 8) != 8)
        die("files: %m");
}

int main(int argc, char **argv)
{
    unsigned int least = argc > 1 ? (unsigned int)atoi(argv[1]) : 0;

    self = getpid();
    above = getppid();
    umask(022);
    open_files();
    if (least && !handled_open())
        die("no hypervisor");
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned int active = least ? handled_wait_many(hot, HOT, least) : 0;

        cases[i].run();
        for (unsigned int k = 0; k < HOT; k++)
            if (!hot[k].make())
                die("%s: %s is wrong behind it", cases[i].name, hot[k].name);
        printf("%s: right, %u handled\n", cases[i].name, active);
        fflush(stdout);
    }
    return 0;
}
