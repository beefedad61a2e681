/* SPDX-License-Identifier: MIT */
/* Who a task is: parents, namespaces, credentials, threads, tracers, signals. */
#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534 /* the user that a namespace shows for those it does not know */

static volatile int *flag; /* in a page that children share */

static void *shared_page(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        die("mmap: %m");
    return page;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die("%s: %m", path);
    close(fd);
}

/* ------------------------------------------------------------------ parents */

struct family {
    pid_t above, pid; /* who takes orphans; the orphan */
};

/* Asks again and again while its parent ends. */
static void orphan(void *arg)
{
    const struct family *f = arg;
    pid_t middle = (pid_t)raw(SYS_getppid);

    RIGHT(middle != f->above);
    *flag = 1;
    while (raw(SYS_getppid) == middle)
        ;
    RIGHT(raw(SYS_getppid) == f->above);
    RIGHT(status_of((pid_t)raw(SYS_getpid), "PPid:", 10) == f->above);
}

static void leaves_orphan(void *arg)
{
    struct family *f = arg;

    f->pid = child(orphan, f);
    while (!*flag)
        sched_yield();
}

static void asks_parent(void *arg)
{
    RIGHT(raw(SYS_getppid) == *(pid_t *)arg);
    RIGHT(raw(SYS_getpid) == raw(SYS_gettid) && raw(SYS_getpid) != *(pid_t *)arg);
    RIGHT(raw(SYS_getpid) == status_of((pid_t)raw(SYS_getpid), "Tgid:", 10));
}

void parents(void)
{
    struct family *f = shared_page();
    pid_t own = getpid();

    f->above = own;
    flag = shared_page();
    ended(child(asks_parent, &own));
    RIGHT(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    ended(child(leaves_orphan, f));
    ended(f->pid);
    RIGHT(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
    munmap((void *)flag, 4096);
    munmap(f, 4096);
}

/* ------------------------------------------------------------------ namespaces */

static void second(void *arg)
{
    (void)arg;
    RIGHT(raw(SYS_getpid) == 2 && raw(SYS_gettid) == 2 && raw(SYS_getppid) == 1);
}

static void first(void *arg)
{
    pid_t pid;

    (void)arg;
    RIGHT(raw(SYS_getpid) == 1 && raw(SYS_gettid) == 1 && raw(SYS_getppid) == 0);
    pid = child(second, NULL);
    RIGHT(pid == 2);
    ended(pid);
    *flag = 1;
    pause();
}

static void third(void *arg)
{
    (void)arg;
    RIGHT(raw(SYS_getpid) == 3 && raw(SYS_gettid) == 3 && raw(SYS_getppid) == 0);
}

static void enters(void *arg)
{
    pid_t own = getpid();

    RIGHT(setns(*(int *)arg, CLONE_NEWPID) == 0);
    RIGHT(raw(SYS_getpid) == own); /* only those to come are in it */
    ended(child(third, NULL));
}

static void in_other_time(void *arg)
{
    const struct timespec *outside = arg;
    struct timespec inside;

    RIGHT(raw(SYS_clock_gettime, CLOCK_MONOTONIC, &inside) == 0);
    RIGHT(inside.tv_sec >= outside->tv_sec + 1000 && inside.tv_sec < outside->tv_sec + 1100);
}

static void changes_time(void *arg)
{
    struct timespec now;

    (void)arg;
    RIGHT(unshare(CLONE_NEWTIME) == 0);
    put("/proc/self/timens_offsets", "monotonic 1000 0\n");
    RIGHT(raw(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
    ended(child(in_other_time, &now));
}

/* Its children are in a namespace of their own; itself it is not. */
static void pids_inside(void *arg)
{
    pid_t *pid = arg;

    RIGHT(unshare(CLONE_NEWPID) == 0);
    *pid = child(first, NULL);
    while (*flag != 2)
        sched_yield();
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
}

void namespaces(void)
{
    pid_t *inner = shared_page(), outer;
    char path[64];
    int fd;

    flag = shared_page();
    outer = child(pids_inside, inner);
    while (!*flag)
        sched_yield();
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", *inner);
    fd = open(path, O_RDONLY);
    RIGHT(fd >= 0);
    ended(child(enters, &fd));
    *flag = 2;
    ended(outer);
    close(fd);
    ended(child(changes_time, NULL));
    munmap((void *)flag, 4096);
    munmap(inner, 4096);
}

/* ------------------------------------------------------------------ users */

static void mapped_by_other(void *arg)
{
    (void)arg;
    RIGHT(unshare(CLONE_NEWUSER) == 0);
    RIGHT(raw(SYS_getuid) == NOBODY && raw(SYS_geteuid) == NOBODY);
    *flag = 1;
    while (raw(SYS_getuid) == NOBODY)
        ;
    RIGHT(raw(SYS_getuid) == 7 && raw(SYS_geteuid) == 7);
}

static void changes_user(void *arg)
{
    (void)arg;
    RIGHT(raw(SYS_setresuid, 1000, 1001, 0) == 0);
    RIGHT(raw(SYS_getuid) == 1000 && raw(SYS_geteuid) == 1001);
    RIGHT(status_of(getpid(), "Uid:", 10) == 1000);
    RIGHT(raw(SYS_setresuid, -1, 0, -1) == 0);
    RIGHT(raw(SYS_getuid) == 1000 && raw(SYS_geteuid) == 0);
    RIGHT(raw(SYS_setuid, 5) == 0 && raw(SYS_getuid) == 5 && raw(SYS_geteuid) == 5);
    RIGHT(raw(SYS_setuid, 0) == -EPERM && raw(SYS_getuid) == 5);
}

void users(void)
{
    char path[64];
    pid_t pid;

    flag = shared_page();
    ended(child(changes_user, NULL));
    pid = child(mapped_by_other, NULL);
    while (!*flag)
        sched_yield();
    snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
    put(path, "7 0 1\n");
    ended(pid);
    munmap((void *)flag, 4096);
}

/* ------------------------------------------------------------------ threads */

static void *other_user(void *arg)
{
    long tid = raw(SYS_gettid);

    RIGHT(raw(SYS_getpid) == *(pid_t *)arg && tid != *(pid_t *)arg);
    RIGHT(status_of((pid_t)tid, "Tgid:", 10) == *(pid_t *)arg);
    RIGHT(raw(SYS_setresuid, 42, 43, 0) == 0); /* of this thread alone: libc is not asked */
    RIGHT(raw(SYS_getuid) == 42 && raw(SYS_geteuid) == 43);
    return NULL;
}

static void *execs(void *arg)
{
    char *argv[] = { "/bin/true", NULL };

    (void)arg;
    execv("/bin/true", argv); /* takes the number of the group's first */
    return NULL;
}

static void with_threads(void *arg)
{
    pid_t own = getpid();
    pthread_t thread;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        RIGHT(pthread_create(&thread, NULL, other_user, &own) == 0);
        RIGHT(raw(SYS_gettid) == own && raw(SYS_getuid) == 0);
        pthread_join(thread, NULL);
        RIGHT(raw(SYS_gettid) == own && raw(SYS_getuid) == 0 && raw(SYS_geteuid) == 0);
    }
    pthread_create(&thread, NULL, execs, NULL);
    for (;;)
        RIGHT(raw(SYS_getpid) == own && raw(SYS_gettid) == own);
}

void threads(void)
{
    ended(child(with_threads, NULL));
}

/* ------------------------------------------------------------------ a tracer that lies */

static void asks(void *arg)
{
    pid_t own = getpid();

    (void)arg;
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    RIGHT(raw(SYS_getppid) == 123456); /* the tracer's answer */
    RIGHT(raw(SYS_getppid) == own);    /* to another call, which it put in its place */
    RIGHT(raw(SYS_getpid) == own);
}

void traced(void)
{
    struct user_regs_struct regs;
    pid_t pid = child(asks, NULL);
    int status, asked = 0;
    bool inside = false;

    waitpid(pid, &status, 0);
    while (ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid &&
           WIFSTOPPED(status)) {
        ptrace(PTRACE_GETREGS, pid, 0, &regs);
        inside = !inside;
        asked += inside && regs.orig_rax == SYS_getppid;
        if (inside && asked == 2 && regs.orig_rax == SYS_getppid)
            regs.orig_rax = SYS_getpid;
        if (!inside && asked == 1 && regs.orig_rax == SYS_getppid)
            regs.rax = 123456;
        ptrace(PTRACE_SETREGS, pid, 0, &regs);
    }
    RIGHT(WIFEXITED(status) && WEXITSTATUS(status) == 0 && asked == 2);
}

/* ------------------------------------------------------------------ signals */

static volatile sig_atomic_t alarms, users1;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void on_user1(int number)
{
    (void)number;
    users1++;
}

/* The timer's signals come while only hot calls are made. */
static void timer(void)
{
    struct itimerval each = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };
    struct timespec a, b;
    long calls = 0;

    alarms = 0;
    signal(SIGALRM, on_alarm);
    clock_gettime(CLOCK_MONOTONIC, &a);
    setitimer(ITIMER_REAL, &each, NULL);
    while (alarms < 10 && calls < 10000000)
        calls += raw(SYS_getuid) == 0;
    clock_gettime(CLOCK_MONOTONIC, &b);
    setitimer(ITIMER_REAL, &off, NULL);
    RIGHT(alarms >= 10 && b.tv_sec - a.tv_sec < 2);
    signal(SIGALRM, SIG_DFL);
}

struct action { /* as the kernel has it */
    uint64_t handler, flags, restorer, mask;
};

static void pending(void)
{
    struct action action = { .handler = 1 }, old; /* SIG_IGN drops what is pending */
    uint64_t set = 1ull << (SIGUSR2 - 1), was;

    users1 = 0;
    signal(SIGUSR2, on_user1);
    RIGHT(raw(SYS_rt_sigprocmask, SIG_BLOCK, &set, &was, 8) == 0);
    kill(getpid(), SIGUSR2);
    RIGHT(users1 == 0);
    RIGHT(raw(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, &was, 8) == 0 && was & set);
    RIGHT(users1 == 1); /* with this very return */
    RIGHT(raw(SYS_rt_sigprocmask, SIG_BLOCK, &set, &was, 8) == 0);
    kill(getpid(), SIGUSR2);
    RIGHT(raw(SYS_rt_sigaction, SIGUSR2, &action, &old, 8) == 0 &&
          old.handler == (uint64_t)(uintptr_t)on_user1);
    action.handler = 0;
    RIGHT(raw(SYS_rt_sigaction, SIGUSR2, &action, &old, 8) == 0 && old.handler == 1);
    RIGHT(raw(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, &was, 8) == 0 && users1 == 1);
    RIGHT(raw(SYS_rt_sigaction, SIGKILL, &action, &old, 8) == -EINVAL);
    RIGHT(raw(SYS_rt_sigaction, SIGUSR1, 16, &old, 8) == -EFAULT);
    RIGHT(raw(SYS_rt_sigaction, SIGUSR1, &action, &old, 4) == -EINVAL);
}

static void spins(void *arg)
{
    for (;;)
        *(volatile int *)arg = raw(SYS_getpid) > 0;
}

/* Who makes hot calls alone can be killed, stopped and continued. */
static void killed(void)
{
    volatile int *spun = shared_page();
    pid_t pid = child(spins, (void *)spun);
    int status;

    while (!*spun)
        sched_yield();
    kill(pid, SIGSTOP);
    RIGHT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    *spun = 0;
    kill(pid, SIGCONT);
    while (!*spun)
        sched_yield();
    kill(pid, SIGTERM);
    RIGHT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    munmap((void *)spun, 4096);
}

void signals(void)
{
    timer();
    pending();
    killed();
}
