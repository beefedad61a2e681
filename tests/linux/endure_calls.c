/* SPDX-License-Identifier: MIT */
/*
 * Calls by number, so that none is the C library's own, each with its answer: of identity, files, signals,
 * limits, clocks.  What changes the answer is done in between.
 */
#define _GNU_SOURCE
#include "endure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000ull
#define SOMEBODY 1000

uint64_t random_below(struct known *k, uint64_t n)
{
    k->random ^= k->random << 13;
    k->random ^= k->random >> 7;
    k->random ^= k->random << 17;
    return (k->random >> 20) % n;
}

static bool is(struct known *k, const char *what, long got, long wanted)
{
    if (got == wanted) {
        k->answers++;
        return true;
    }
    snprintf(k->wrong, sizeof(k->wrong), "%s of task %d is %ld (errno %d), wanted %ld", what, k->thread,
             got, got == -1 ? errno : 0, wanted);
    return false;
}

/* ------------------------------------------------------------------ who am I */

static bool process(struct known *k)
{
    return is(k, "getpid", syscall(SYS_getpid), k->process);
}

static bool thread(struct known *k)
{
    return is(k, "gettid", syscall(SYS_gettid), k->thread);
}

static bool parent(struct known *k)
{
    return is(k, "getppid", syscall(SYS_getppid), k->parent);
}

static bool user(struct known *k)
{
    if (k->alone && random_below(k, 64) == 0) {
        k->user = k->user ? 0 : SOMEBODY;
        if (setresuid((uid_t)-1, k->user, (uid_t)-1))
            return is(k, "setresuid", -1, 0);
    }
    return is(k, "geteuid", syscall(SYS_geteuid), k->user) && is(k, "getuid", syscall(SYS_getuid), 0) &&
           is(k, "getgid", syscall(SYS_getgid), 0);
}

/* ------------------------------------------------------------------ files */

static bool read_zero(struct known *k)
{
    char bytes[72];
    size_t n = 1 + random_below(k, 64);

    memset(bytes, 0x55, sizeof(bytes));
    if (!is(k, "read", syscall(SYS_read, k->zero, bytes, n), (long)n))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        if (bytes[i] != (i < n ? 0 : 0x55))
            return is(k, "byte of read", bytes[i], i < n ? 0 : 0x55);
    return true;
}

static bool write_null(struct known *k)
{
    static const char bytes[64];
    size_t n = 1 + random_below(k, 64);

    return is(k, "write", syscall(SYS_write, k->null, bytes, n), (long)n);
}

static bool seek(struct known *k)
{
    if (random_below(k, 8) == 0)
        k->offset = (int)random_below(k, 4096);
    return is(k, "lseek SET", syscall(SYS_lseek, k->file, k->offset, SEEK_SET), k->offset) &&
           is(k, "lseek CUR", syscall(SYS_lseek, k->file, 0, SEEK_CUR), k->offset);
}

static bool get_fd(struct known *k)
{
    if (random_below(k, 64) == 0) {
        k->cloexec ^= FD_CLOEXEC;
        fcntl(k->file, F_SETFD, k->cloexec);
    }
    return is(k, "fcntl", syscall(SYS_fcntl, k->file, F_GETFD), k->cloexec);
}

static bool status(struct known *k)
{
    struct stat st;

    if (random_below(k, 64) == 0) {
        k->stat.st_mode ^= S_IXOTH;
        if (fchmod(k->file, k->stat.st_mode & 07777))
            return is(k, "fchmod", -1, 0);
    }
    memset(&st, 0x55, sizeof(st));
    return is(k, "fstat", syscall(SYS_fstat, k->file, &st), 0) &&
           is(k, "st_ino", (long)st.st_ino, (long)k->stat.st_ino) &&
           is(k, "st_mode", st.st_mode, k->stat.st_mode) &&
           is(k, "st_size", st.st_size, k->stat.st_size);
}

static bool duplicate(struct known *k)
{
    return is(k, "dup", syscall(SYS_dup, k->zero), k->next) &&
           is(k, "close", syscall(SYS_close, k->next), 0) &&
           (random_below(k, 16) || is(k, "close again", syscall(SYS_close, k->next), -1));
}

static bool wait_for(struct known *k)
{
    struct pollfd p = { k->pipe[0], POLLIN, 0 };
    char byte = 0;
    long ready;

    if (random_below(k, 32) == 0) {
        if (k->waiting ? read(k->pipe[0], &byte, 1) != 1 : write(k->pipe[1], &byte, 1) != 1)
            return is(k, "pipe", -1, 1);
        k->waiting ^= 1;
    }
    errno = 0;
    ready = syscall(SYS_poll, &p, 1, 0);
    if (ready == -1 && errno == EINTR) /* nothing ready, and a signal */
        return k->waiting ? is(k, "poll", -1, 1) : true;
    return is(k, "poll", ready, k->waiting) && is(k, "revents", p.revents, k->waiting ? POLLIN : 0);
}

/* ------------------------------------------------------------------ signals, limits, memory */

static void on_signal(int number)
{
    (void)number;
}

static bool action(struct known *k)
{
    struct sigaction old, new = { .sa_handler = k->handler ? SIG_IGN : on_signal };

    if (!is(k, "rt_sigaction", sigaction(SIGUSR2, &new, &old), 0) ||
        !is(k, "old handler", old.sa_handler == on_signal, k->handler))
        return false;
    k->handler ^= 1;
    return true;
}

static bool mask(struct known *k)
{
    uint64_t set = 1ull << (SIGURG - 1), old = 0;
    int how = random_below(k, 2) ? SIG_BLOCK : SIG_UNBLOCK;

    if (!is(k, "rt_sigprocmask", syscall(SYS_rt_sigprocmask, how, &set, &old, sizeof(set)), 0) ||
        !is(k, "old mask", (old & set) != 0, k->blocked))
        return false;
    k->blocked = how == SIG_BLOCK;
    return true;
}

static bool creation_mask(struct known *k)
{
    int new = random_below(k, 8) ? k->umask : (int)random_below(k, 0777);

    if (!is(k, "umask", syscall(SYS_umask, new), k->umask))
        return false;
    k->umask = new;
    return true;
}

static bool limit(struct known *k)
{
    struct rlimit l = { 0, 0 };

    if (random_below(k, 64) == 0) {
        getrlimit(RLIMIT_NOFILE, &l);
        l.rlim_cur = k->limit = (unsigned int)(100 + random_below(k, 100));
        if (setrlimit(RLIMIT_NOFILE, &l))
            return is(k, "setrlimit", -1, 0);
    }
    return is(k, "getrlimit", syscall(SYS_getrlimit, RLIMIT_NOFILE, &l), 0) &&
           is(k, "rlim_cur", (long)l.rlim_cur, k->limit);
}

static bool program_break(struct known *k)
{
    return is(k, "brk", syscall(SYS_brk, 0), (long)k->brk);
}

static bool usage(struct known *k)
{
    struct rusage u;
    uint64_t now;

    if (!is(k, "getrusage", syscall(SYS_getrusage, RUSAGE_SELF, &u), 0))
        return false;
    now = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
          (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    if (now < k->spent)
        return is(k, "time spent", (long)now, (long)k->spent);
    k->spent = now;
    return true;
}

/* ------------------------------------------------------------------ the machine */

static bool name(struct known *k)
{
    struct utsname n;

    return is(k, "uname", syscall(SYS_uname, &n), 0) &&
           is(k, "release", strcmp(n.release, k->release), 0);
}

static bool system_state(struct known *k)
{
    struct sysinfo s;

    return is(k, "sysinfo", syscall(SYS_sysinfo, &s), 0) &&
           is(k, "totalram", (long)s.totalram, (long)k->memory);
}

/*
 * Between two looks at the clock that do not enter the kernel; they have a copy of what the kernel's own
 * clock is made of, which another CPU may be about to renew.
 */
#define RENEWED_NS 1000u
static bool clock_is(struct known *k, const char *what, clockid_t clock, uint64_t unit)
{
    struct timespec a, b, t = { 0, 0 };
    struct timeval v = { 0, 0 };
    uint64_t from, to, got;
    long rc;

    clock_gettime(clock, &a);
    rc = unit == 1 ? syscall(SYS_clock_gettime, clock, &t) : syscall(SYS_gettimeofday, &v, NULL);
    clock_gettime(clock, &b);
    from = ((uint64_t)a.tv_sec * NS + (uint64_t)a.tv_nsec) / unit;
    to = ((uint64_t)b.tv_sec * NS + (uint64_t)b.tv_nsec) / unit;
    got = unit == 1 ? (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec
                    : (uint64_t)v.tv_sec * 1000000 + (uint64_t)v.tv_usec;
    if (rc || got + RENEWED_NS / unit < from || got > to + RENEWED_NS / unit) {
        snprintf(k->wrong, sizeof(k->wrong), "%s is %llu, not between %llu and %llu (%ld)", what,
                 (unsigned long long)got, (unsigned long long)from, (unsigned long long)to, rc);
        return false;
    }
    k->answers++;
    return true;
}

static bool clocks(struct known *k)
{
    return clock_is(k, "clock_gettime MONOTONIC", CLOCK_MONOTONIC, 1) &&
           clock_is(k, "clock_gettime REALTIME", CLOCK_REALTIME, 1) &&
           clock_is(k, "gettimeofday", CLOCK_REALTIME, 1000);
}

static bool seconds(struct known *k)
{
    time_t from = time(NULL);
    long got = syscall(SYS_time, NULL);

    return got >= from && got <= time(NULL) + 1 ? is(k, "time", 0, 0) : is(k, "time", got, from);
}

/* ------------------------------------------------------------------ */

static const struct {
    bool (*call)(struct known *k);
    bool shared; /* the answer is other threads', too */
} calls[] = {
    { process, false },     { thread, false },        { parent, false },  { user, false },
    { read_zero, false },   { write_null, false },    { seek, true },     { get_fd, true },
    { status, true },       { duplicate, true },      { wait_for, true }, { action, true },
    { mask, false },        { creation_mask, true },  { limit, true },    { program_break, false },
    { usage, true },        { name, false },          { system_state, false }, { clocks, false },
    { seconds, false },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))
#define CHEAP 4u /* the first ones, of which there are many */

bool known_calls(struct known *k, unsigned int most)
{
    bool cheap = random_below(k, 2);
    size_t which = random_below(k, cheap ? CHEAP : CALLS);
    unsigned int n = 1 + (unsigned int)random_below(k, cheap ? 8 * most : most);

    if (calls[which].shared && !k->alone)
        return true;
    while (n-- > 0)
        if (!calls[which].call(k))
            return false;
    return true;
}

static void who(struct known *k)
{
    k->process = (pid_t)syscall(SYS_getpid);
    k->thread = (pid_t)syscall(SYS_gettid);
    k->parent = (pid_t)syscall(SYS_getppid);
}

bool known_begin(struct known *k, const char *folder, bool alone, uint64_t seed)
{
    struct utsname n;
    struct sysinfo s;
    struct rlimit l;
    char path[64];

    *k = (struct known){ .alone = alone, .random = seed * 0x9e3779b97f4a7c15ull | 1, .umask = 022 };
    who(k);
    umask(022);
    signal(SIGUSR2, SIG_IGN);
    snprintf(path, sizeof(path), "%s/%d", folder, k->process);
    k->zero = open("/dev/zero", O_RDONLY);
    k->null = open("/dev/null", O_WRONLY);
    k->file = open(path, O_RDWR | O_CREAT, 0644);
    if (k->zero < 0 || k->null < 0 || k->file < 0 || pipe(k->pipe) || fchown(k->file, SOMEBODY, 0) ||
        ftruncate(k->file, (off_t)random_below(k, 100000)) || fstat(k->file, &k->stat) || uname(&n) ||
        sysinfo(&s) || getrlimit(RLIMIT_NOFILE, &l)) {
        snprintf(k->wrong, sizeof(k->wrong), "cannot begin: %s", strerror(errno));
        return false;
    }
    k->next = dup(k->zero);
    close(k->next);
    k->limit = (unsigned int)l.rlim_cur;
    k->memory = s.totalram;
    memcpy(k->release, n.release, sizeof(k->release));
    k->brk = (uint64_t)syscall(SYS_brk, 0);
    return true;
}

void known_thread(struct known *k, const struct known *process, uint64_t seed)
{
    *k = *process;
    k->random = seed * 0x9e3779b97f4a7c15ull | 1;
    k->alone = false;
    k->answers = 0;
    k->thread = (pid_t)syscall(SYS_gettid);
}

/* In the child's child: 0 if its parent was the child, then 1, and nobody else. */
static int watch_parent(pid_t child)
{
    for (uint64_t i = 0; i < 100000000; i++) {
        pid_t now = (pid_t)syscall(SYS_getppid);

        if (now == 1)
            break;
        if (now != child)
            return 1;
    }
    for (int i = 0; i < 1000; i++)
        if (syscall(SYS_getppid) != 1)
            return 2;
    return 0;
}

bool known_orphan(struct known *k)
{
    int ends[2], answer = -1;
    pid_t child;

    if (pipe(ends))
        return is(k, "pipe", -1, 0);
    child = fork();
    if (child == 0) {
        pid_t self = (pid_t)syscall(SYS_getpid);

        if (syscall(SYS_getppid) != k->process || fork() < 0)
            _exit(3);
        if (syscall(SYS_getpid) != self) { /* the child's child */
            answer = watch_parent(self);
            _exit(write(ends[1], &answer, sizeof(answer)) != sizeof(answer));
        }
        for (unsigned int i = 0; i < 2000; i++)
            if (syscall(SYS_getpid) != self)
                _exit(4);
        _exit(0);
    }
    if (child < 0)
        return is(k, "fork", -1, 0);
    close(ends[1]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    while (read(ends[0], &answer, sizeof(answer)) < 0 && errno == EINTR)
        ;
    close(ends[0]);
    return is(k, "child", status, 0) && is(k, "parent of an orphan", answer, 0);
}
