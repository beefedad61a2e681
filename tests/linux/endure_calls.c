/* SPDX-License-Identifier: MIT */
/*
 * Calls by number, so that none is the C library's own, each with its answer: of identity, files, signals,
 * limits, clocks.  What changes the answer is done in between.  Each thread has files of its own.
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
#include <time.h>
#include <unistd.h>

#define NS 1000000000ull
#define SOMEBODY 1000
#define SELDOM 128 /* calls between two changes of what they answer */

uint64_t random_below(struct known *k, uint64_t n)
{
    k->random ^= k->random << 13;
    k->random ^= k->random >> 7;
    k->random ^= k->random << 17;
    return (k->random >> 20) % n;
}

bool known_is(struct known *k, const char *what, long got, long wanted)
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
    return known_is(k, "getpid", syscall(SYS_getpid), k->process);
}

static bool thread(struct known *k)
{
    return known_is(k, "gettid", syscall(SYS_gettid), k->thread);
}

static bool parent(struct known *k)
{
    return known_is(k, "getppid", syscall(SYS_getppid), k->parent);
}

static bool user(struct known *k)
{
    if (k->alone && random_below(k, SELDOM) == 0) {
        k->user = k->user ? 0 : SOMEBODY;
        if (setresuid((uid_t)-1, k->user, (uid_t)-1))
            return known_is(k, "setresuid", -1, 0);
    }
    return known_is(k, "geteuid", syscall(SYS_geteuid), k->user) &&
           known_is(k, "getuid", syscall(SYS_getuid), 0) &&
           known_is(k, "getgid", syscall(SYS_getgid), 0);
}

/* ------------------------------------------------------------------ files */

/* Another file takes the descriptor's place: one that has nothing to read, or one that has. */
static bool replace(struct known *k)
{
    int fd = open(k->empty ? "/dev/zero" : "/dev/null", O_RDONLY);

    if (fd < 0 || dup2(fd, k->zero) < 0 || close(fd))
        return known_is(k, "replacing a descriptor", -1, 0);
    k->empty ^= 1;
    return true;
}

static bool read_zero(struct known *k)
{
    char bytes[72];
    size_t n = random_below(k, 16) ? 1 : 1 + random_below(k, 64), got; /* each number is another path */

    if (random_below(k, 2 * SELDOM) == 0 && !replace(k))
        return false;
    got = k->empty ? 0 : n;
    memset(bytes, 0x55, sizeof(bytes));
    if (!known_is(k, "read", syscall(SYS_read, k->zero, bytes, n), (long)got))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        if (bytes[i] != (i < got ? 0 : 0x55))
            return known_is(k, "byte of read", bytes[i], i < got ? 0 : 0x55);
    return true;
}

static bool write_null(struct known *k)
{
    static const char bytes[64];
    size_t n = 1 + random_below(k, 64);

    return known_is(k, "write", syscall(SYS_write, k->null, bytes, n), (long)n);
}

static bool seek(struct known *k)
{
    if (random_below(k, 8) == 0)
        k->offset = (int)random_below(k, 4096);
    return known_is(k, "lseek SET", syscall(SYS_lseek, k->file, k->offset, SEEK_SET), k->offset) &&
           known_is(k, "lseek CUR", syscall(SYS_lseek, k->file, 0, SEEK_CUR), k->offset);
}

static bool get_fd(struct known *k)
{
    if (random_below(k, SELDOM) == 0) {
        k->cloexec ^= FD_CLOEXEC;
        fcntl(k->file, F_SETFD, k->cloexec);
    }
    return known_is(k, "fcntl", syscall(SYS_fcntl, k->file, F_GETFD), k->cloexec);
}

static bool status(struct known *k)
{
    struct stat st;

    if (random_below(k, SELDOM) == 0) {
        k->stat.st_mode ^= S_IXOTH;
        if (fchmod(k->file, k->stat.st_mode & 07777))
            return known_is(k, "fchmod", -1, 0);
    }
    memset(&st, 0x55, sizeof(st));
    return known_is(k, "fstat", syscall(SYS_fstat, k->file, &st), 0) &&
           known_is(k, "st_ino", (long)st.st_ino, (long)k->stat.st_ino) &&
           known_is(k, "st_mode", st.st_mode, k->stat.st_mode) &&
           known_is(k, "st_size", st.st_size, k->stat.st_size);
}

static bool duplicate(struct known *k)
{
    return known_is(k, "dup", syscall(SYS_dup, k->zero), k->next) &&
           known_is(k, "close", syscall(SYS_close, k->next), 0) &&
           (random_below(k, 16) || known_is(k, "close again", syscall(SYS_close, k->next), -1));
}

static bool wait_for(struct known *k)
{
    struct pollfd p = { k->pipe[0], POLLIN, 0 };
    char byte = 0;
    long ready;

    if (random_below(k, 32) == 0) {
        if (k->waiting ? read(k->pipe[0], &byte, 1) != 1 : write(k->pipe[1], &byte, 1) != 1)
            return known_is(k, "pipe", -1, 1);
        k->waiting ^= 1;
    }
    errno = 0;
    ready = syscall(SYS_poll, &p, 1, 0);
    if (ready == -1 && errno == EINTR) /* nothing ready, and a signal */
        return k->waiting ? known_is(k, "poll", -1, 1) : true;
    return known_is(k, "poll", ready, k->waiting) &&
           known_is(k, "revents", p.revents, k->waiting ? POLLIN : 0);
}

/* ------------------------------------------------------------------ signals, limits, memory */

static void on_signal(int number)
{
    (void)number;
}

static bool action(struct known *k)
{
    struct sigaction old, new = { .sa_handler = k->handler ? SIG_IGN : on_signal };

    if (!known_is(k, "rt_sigaction", sigaction(SIGUSR2, &new, &old), 0) ||
        !known_is(k, "old handler", old.sa_handler == on_signal, k->handler))
        return false;
    k->handler ^= 1;
    return true;
}

static bool mask(struct known *k)
{
    uint64_t set = 1ull << (SIGURG - 1), old = 0;
    int how = random_below(k, 2) ? SIG_BLOCK : SIG_UNBLOCK;

    if (!known_is(k, "rt_sigprocmask", syscall(SYS_rt_sigprocmask, how, &set, &old, sizeof(set)), 0) ||
        !known_is(k, "old mask", (old & set) != 0, k->blocked))
        return false;
    k->blocked = how == SIG_BLOCK;
    return true;
}

static bool creation_mask(struct known *k)
{
    int new = random_below(k, 8) ? k->umask : (int)random_below(k, 0777);

    if (!known_is(k, "umask", syscall(SYS_umask, new), k->umask))
        return false;
    k->umask = new;
    return true;
}

static bool limit(struct known *k)
{
    struct rlimit l = { 0, 0 };

    if (random_below(k, SELDOM) == 0) {
        getrlimit(RLIMIT_NOFILE, &l);
        l.rlim_cur = k->limit = (unsigned int)(100 + random_below(k, 100));
        if (setrlimit(RLIMIT_NOFILE, &l))
            return known_is(k, "setrlimit", -1, 0);
    }
    return known_is(k, "getrlimit", syscall(SYS_getrlimit, RLIMIT_NOFILE, &l), 0) &&
           known_is(k, "rlim_cur", (long)l.rlim_cur, k->limit);
}

static bool program_break(struct known *k)
{
    return known_is(k, "brk", syscall(SYS_brk, 0), (long)k->brk);
}

static bool usage(struct known *k)
{
    struct rusage u;
    uint64_t now;

    if (!known_is(k, "getrusage", syscall(SYS_getrusage, RUSAGE_SELF, &u), 0))
        return false;
    now = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
          (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    if (now < k->spent)
        return known_is(k, "time spent", (long)now, (long)k->spent);
    k->spent = now;
    return true;
}

/* ------------------------------------------------------------------ the machine */

static bool name(struct known *k)
{
    struct utsname n;

    return known_is(k, "uname", syscall(SYS_uname, &n), 0) &&
           known_is(k, "release", strcmp(n.release, k->release), 0);
}

static bool system_state(struct known *k)
{
    struct sysinfo s;

    return known_is(k, "sysinfo", syscall(SYS_sysinfo, &s), 0) &&
           known_is(k, "totalram", (long)s.totalram, (long)k->memory);
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

/*
 * The kernel renews the copy, by which time() goes, before its own seconds: where another CPU is between the
 * two, its call is a second behind.  It never goes back.
 */
static bool seconds(struct known *k)
{
    time_t from = time(NULL);
    long got = syscall(SYS_time, NULL), last = k->second;

    k->second = got;
    return got >= last && got >= from - 1 && got <= time(NULL) + 1 ? known_is(k, "time", 0, 0)
                                                                  : known_is(k, "time", got, from);
}

/* ------------------------------------------------------------------ */

#define CALL(name) { SYS_##name, #name }
const struct known_call known_call[] = {
    { process, EACH, 1, { CALL(getpid) } },
    { thread, EACH, 1, { CALL(gettid) } },
    { parent, EACH, 1, { CALL(getppid) } },
    { user, EACH, 3, { CALL(geteuid), CALL(getuid), CALL(getgid) } },
    { read_zero, RARELY_EACH, 1, { CALL(read) } },
    { write_null, RARELY_EACH, 1, { CALL(write) } },
    { seek, RARELY_EACH, 1, { CALL(lseek) } },
    { get_fd, RARELY_EACH, 1, { CALL(fcntl) } },
    { status, RARELY_EACH, 1, { CALL(fstat) } },
    { duplicate, ONE_OF_PROCESS, 2, { CALL(dup), CALL(close) } },
    { wait_for, RARELY_EACH, 1, { CALL(poll) } },
    { action, ONE_OF_PROCESS, 1, { CALL(rt_sigaction) } },
    { mask, EACH, 1, { CALL(rt_sigprocmask) } },
    { creation_mask, ONE_OF_PROCESS, 1, { CALL(umask) } },
    { limit, ONE_OF_PROCESS, 1, { CALL(getrlimit) } },
    { program_break, EACH, 1, { CALL(brk) } },
    { usage, ONE_OF_PROCESS, 1, { CALL(getrusage) } },
    { name, EACH, 1, { CALL(uname) } },
    { system_state, EACH, 1, { CALL(sysinfo) } },
    { clocks, EACH, 2, { CALL(clock_gettime), CALL(gettimeofday) } },
    { seconds, EACH, 1, { CALL(time) } },
};
_Static_assert(sizeof(known_call) / sizeof(known_call[0]) == KNOWN_CALLS, "KNOWN_CALLS");

static unsigned int any(struct known *k)
{
    unsigned int which;

    do
        which = (unsigned int)random_below(k, KNOWN_CALLS);
    while (known_call[which].of == ONE_OF_PROCESS && !k->alone);
    return which;
}

static unsigned int one_of(struct known *k, const struct call_set *set)
{
    unsigned int n = set->nr, which = n ? set->call[random_below(k, n)] : any(k);

    return k->alone || known_call[which].of == EACH ? which : any(k);
}

/* Half of them of those that are behind; each of all comes again, and soon while handlers are made. */
static unsigned int choose(struct known *k, const struct wanted *wanted)
{
    if (random_below(k, wanted->settled ? 32 : 8) == 0)
        return any(k);
    return one_of(k, random_below(k, 2) ? &wanted->handled : &wanted->behind);
}

bool known_calls(struct known *k, const struct wanted *wanted, unsigned int most)
{
    unsigned int which = choose(k, wanted), n = 1 + (unsigned int)random_below(k, most);

    while (n-- > 0)
        if (!known_call[which].call(k))
            return false;
    return true;
}

static void who(struct known *k)
{
    k->process = (pid_t)syscall(SYS_getpid);
    k->thread = (pid_t)syscall(SYS_gettid);
    k->parent = (pid_t)syscall(SYS_getppid);
}

static bool open_files(struct known *k, const char *folder)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%d", folder, k->thread);
    k->zero = open("/dev/zero", O_RDONLY);
    k->null = open("/dev/null", O_WRONLY);
    k->file = open(path, O_RDWR | O_CREAT, 0644);
    if (k->zero >= 0 && k->null >= 0 && k->file >= 0 && !pipe(k->pipe) &&
        !fchown(k->file, SOMEBODY, 0) && !ftruncate(k->file, (off_t)random_below(k, 100000)) &&
        !fstat(k->file, &k->stat))
        return true;
    snprintf(k->wrong, sizeof(k->wrong), "cannot begin: %s", strerror(errno));
    return false;
}

bool known_begin(struct known *k, const char *folder, bool alone, uint64_t seed)
{
    struct utsname n;
    struct sysinfo s;
    struct rlimit l;

    *k = (struct known){ .alone = alone, .random = seed * 0x9e3779b97f4a7c15ull | 1, .umask = 022 };
    who(k);
    umask(022);
    signal(SIGUSR2, SIG_IGN);
    if (!open_files(k, folder))
        return false;
    k->next = dup(k->zero);
    if (close(k->next) || uname(&n) || sysinfo(&s) || getrlimit(RLIMIT_NOFILE, &l))
        return known_is(k, "beginning", -1, 0);
    k->limit = (unsigned int)l.rlim_cur;
    k->memory = s.totalram;
    memcpy(k->release, n.release, sizeof(k->release));
    k->brk = (uint64_t)syscall(SYS_brk, 0);
    return true;
}

bool known_thread(struct known *k, const struct known *process, const char *folder, uint64_t seed)
{
    *k = *process;
    k->random = seed * 0x9e3779b97f4a7c15ull | 1;
    k->alone = false;
    k->answers = 0;
    k->thread = (pid_t)syscall(SYS_gettid);
    return open_files(k, folder);
}
