/* SPDX-License-Identifier: MIT */
/*
 * System calls for the test of synthesis, each with arguments that make sense.
 *
 *   synth_calls record FOLDER    captures of every call, one file each: FOLDER/NAME.cap
 *   synth_calls make COUNT       makes every call so often
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tracing/xen/xen.h"

#define BUFFER (6u << 20)
#define OCCURRENCES 8

static struct xen x;
static uint8_t *buffer;
static int zero, null, file, pipes[2];
static char bytes[512];

static void on_signal(int number)
{
    (void)number;
}

static void plain(long number, int i)
{
    (void)i;
    syscall(number);
}

static void umask_(long number, int i)
{
    syscall(number, i & 0777);
}

static void read_(long number, int i)
{
    (void)i;
    syscall(number, zero, bytes, 1);
}

static void write_(long number, int i)
{
    (void)i;
    syscall(number, null, bytes, 1);
}

static void seek_(long number, int i)
{
    syscall(number, file, i % 3, SEEK_SET);
}

static void fcntl_(long number, int i)
{
    (void)i;
    syscall(number, file, F_GETFD);
}

static void stat_(long number, int i)
{
    struct stat st;

    (void)i;
    syscall(number, file, &st);
}

static void action_(long number, int i)
{
    struct sigaction new = { .sa_handler = i & 1 ? SIG_IGN : on_signal }, old;

    (void)number;
    sigaction(SIGUSR1, &new, &old);
}

static void mask_(long number, int i)
{
    sigset_t set;

    (void)number;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(i & 1 ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void clock_(long number, int i)
{
    struct timespec ts;

    syscall(number, i & 1 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &ts);
}

static void day_(long number, int i)
{
    struct timeval tv;

    (void)i;
    syscall(number, &tv, NULL);
}

static void limit_(long number, int i)
{
    struct rlimit limit;

    (void)i;
    syscall(number, RLIMIT_NOFILE, &limit);
}

static void uname_(long number, int i)
{
    struct utsname name;

    (void)i;
    syscall(number, &name);
}

static void sysinfo_(long number, int i)
{
    struct sysinfo info;

    (void)i;
    syscall(number, &info);
}

static void poll_(long number, int i)
{
    struct pollfd p = { pipes[0], POLLIN, 0 };

    (void)i;
    syscall(number, &p, 1, 0);
}

static void usage_(long number, int i)
{
    struct rusage usage;

    (void)i;
    syscall(number, RUSAGE_SELF, &usage);
}

static void dup_(long number, int i)
{
    (void)number;
    (void)i;
    close(dup(zero));
}

static const struct {
    const char *name;
    long number;
    void (*make)(long number, int i);
} calls[] = {
    { "getpid", SYS_getpid, plain },
    { "getppid", SYS_getppid, plain },
    { "getuid", SYS_getuid, plain },
    { "gettid", SYS_gettid, plain },
    { "time", SYS_time, plain },
    { "brk", SYS_brk, plain },
    { "umask", SYS_umask, umask_ },
    { "read", SYS_read, read_ },
    { "write", SYS_write, write_ },
    { "lseek", SYS_lseek, seek_ },
    { "fcntl", SYS_fcntl, fcntl_ },
    { "fstat", SYS_fstat, stat_ },
    { "rt_sigaction", SYS_rt_sigaction, action_ },
    { "rt_sigprocmask", SYS_rt_sigprocmask, mask_ },
    { "clock_gettime", SYS_clock_gettime, clock_ },
    { "gettimeofday", SYS_gettimeofday, day_ },
    { "getrlimit", SYS_getrlimit, limit_ },
    { "uname", SYS_uname, uname_ },
    { "sysinfo", SYS_sysinfo, sysinfo_ },
    { "poll", SYS_poll, poll_ },
    { "dup", SYS_dup, dup_ },
    { "close", SYS_close, dup_ },
    { "getrusage", SYS_getrusage, usage_ },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static void fail(const char *what)
{
    fprintf(stderr, "synth_calls: %s: %s\n", what, x.error);
    exit(1);
}

static void record(const char *folder, unsigned int c)
{
    struct radon_capture_start start = { .domain = RADON_DOMID_SELF, .kind = 1,
                                         .number = (uint32_t)calls[c].number,
                                         .occurrences = OCCURRENCES, .max_steps = 4096 };
    struct radon_capture_read read = { 0 };
    char path[256];
    FILE *out;

    for (int i = 0; i < 20; i++) /* caches of the kernel, pages of the program */
        calls[c].make(calls[c].number, i);
    if (!radon_call(&x, RADON_CAPTURE_START, &start, sizeof(start), "capture"))
        fail("start");
    for (int i = 0; i < 1000 && !read.state; i++) {
        calls[c].make(calls[c].number, i);
        read = (struct radon_capture_read){ .id = start.id, .buffer = (uint64_t)buffer,
                                            .bytes = BUFFER };
        if (!radon_call(&x, RADON_CAPTURE_READ, &read, sizeof(read), "capture"))
            fail("read");
    }
    snprintf(path, sizeof(path), "%s/%s.cap", folder, calls[c].name);
    out = fopen(path, "wb");
    if (!out || fwrite(buffer, 1, read.bytes, out) != read.bytes || fclose(out))
        fail(path);
    printf("%s\n", calls[c].name);
}

int main(int argc, char **argv)
{
    zero = open("/dev/zero", O_RDONLY);
    null = open("/dev/null", O_WRONLY);
    file = open("/tmp/synth_calls", O_RDWR | O_CREAT, 0600);
    if (zero < 0 || null < 0 || file < 0 || pipe(pipes) || argc != 3)
        fail("files, or usage");
    if (strcmp(argv[1], "record") == 0) {
        if (!xen_open(&x) || !(buffer = xen_buffer(&x, BUFFER)))
            fail("no hypervisor");
        for (unsigned int c = 0; c < CALLS; c++)
            record(argv[2], c);
    } else {
        for (unsigned int c = 0; c < CALLS; c++)
            for (int i = 0; i < atoi(argv[2]); i++)
                calls[c].make(calls[c].number, i);
    }
    return 0;
}
