/* SPDX-License-Identifier: MIT */
/*
 * What getppid, getuid and umask answer while the state that they speak of changes.  One line a
 * case; the same lines must come with handlers as without.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long getppid_now(void)
{
    return syscall(SYS_getppid);
}

/* A field of /proc/self/status as the kernel prints it, with a base. */
static long status_of(const char *field, int base)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    long value = -1;

    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, field, strlen(field)))
            value = strtol(line + strlen(field), NULL, base);
    if (f)
        fclose(f);
    return value;
}

static void say(const char *what, int right)
{
    printf("%s: %s\n", what, right ? "right" : "wrong");
    fflush(stdout);
}

static int status_of_child(pid_t pid)
{
    int status;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

/* ------------------------------------------------------------------ getppid */

/* A child asks again and again; its parent, our child, ends meanwhile. */
static void parent_dies(void)
{
    int pipes[2], ok = 0;
    pid_t middle;

    if (pipe(pipes))
        return;
    middle = fork();
    if (!middle) {
        pid_t own = getpid();

        if (fork())
            _exit(0);
        while (getppid_now() == own)
            ;
        ok = getppid_now() == status_of("PPid:", 10);
        if (write(pipes[1], &ok, sizeof(ok)) < 0)
            _exit(1);
        _exit(0);
    }
    status_of_child(middle);
    say("parent died", read(pipes[0], &ok, sizeof(ok)) == sizeof(ok) && ok);
    close(pipes[0]);
    close(pipes[1]);
}

static void pid_namespace(void)
{
    pid_t pid = fork();

    if (!pid) {
        if (unshare(CLONE_NEWPID))
            _exit(2);
        pid = fork();
        if (!pid) { /* number 1, whose parent is outside; its child sees it */
            if (getppid_now() != 0)
                _exit(3);
            pid = fork();
            _exit(!pid ? getppid_now() != 1 : status_of_child(pid));
        }
        _exit(status_of_child(pid));
    }
    say("process namespace", status_of_child(pid) == 0);
}

static void traced(void)
{
    pid_t pid = fork();
    int status, stops = 0;

    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        for (int i = 0; i < 5; i++)
            getppid_now();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    while (!ptrace(PTRACE_SYSCALL, pid, 0, 0) && waitpid(pid, &status, 0) == pid &&
           WIFSTOPPED(status))
        stops++;
    say("every call is seen by ptrace", stops >= 11); /* in and out of five, and of exit */
}

/* ------------------------------------------------------------------ getuid */

static void users(void)
{
    pid_t pid = fork();

    if (!pid) {
        if (syscall(SYS_getuid) != 0 || syscall(SYS_setuid, 1000) || syscall(SYS_getuid) != 1000)
            _exit(1);
        _exit(0);
    }
    say("setuid", status_of_child(pid) == 0);
    pid = fork();
    if (!pid)
        _exit(unshare(CLONE_NEWUSER) || syscall(SYS_getuid) != 65534);
    say("user namespace", status_of_child(pid) == 0);
}

/* ------------------------------------------------------------------ umask */

static void *set_mask(void *arg)
{
    return (void *)(long)(syscall(SYS_umask, 027) != *(int *)arg);
}

static void masks(void)
{
    int before = 022;
    pthread_t thread;
    void *wrong = NULL;

    syscall(SYS_umask, 0177022);
    say("umask", status_of("Umask:", 8) == 022 && syscall(SYS_umask, 022) == 022);
    pthread_create(&thread, NULL, set_mask, &before);
    pthread_join(thread, &wrong);
    say("umask of threads", !wrong && status_of("Umask:", 8) == 027);
}

/* ------------------------------------------------------------------ time */

static double each_ns(long number, long argument, long count)
{
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (long i = 0; i < count; i++)
        syscall(number, argument);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)count;
}

int main(void)
{
    say("getppid", getppid_now() == status_of("PPid:", 10));
    parent_dies();
    pid_namespace();
    traced();
    users();
    masks();
    fprintf(stderr, "getppid %.1f getuid %.1f umask %.1f ns\n", each_ns(SYS_getppid, 0, 20000),
            each_ns(SYS_getuid, 0, 20000), each_ns(SYS_umask, 022, 20000));
    return 0;
}
