/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void program_signals(void)
{
    struct sigaction action = { .sa_handler = note_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool program_interrupted(void)
{
    return interrupted;
}

double program_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int program_wait(double seconds, int fd0, int fd1)
{
    double end = program_now() + seconds, left;

    while (!interrupted && (left = end - program_now()) > 0) {
        struct pollfd p[2] = { { .fd = fd0, .events = POLLIN }, { .fd = fd1, .events = POLLIN } };
        struct timespec t = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };

        if (ppoll(p, 2, &t, NULL) > 0)
            return p[0].revents ? 0 : 1;
    }
    return -1;
}

pid_t program_start(char **argv, bool out_to_stderr, int *fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    pid_t pid;
    int error;

    /* The program gets signals as usual. */
    sigemptyset(&all);
    sigaddset(&all, SIGINT);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGHUP);
    sigaddset(&all, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    if (out_to_stderr)
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error) {
        errno = error;
        return -1;
    }
    *fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return pid;
}

int program_end(pid_t pid, int fd)
{
    int status;

    if (fd >= 0)
        close(fd);
    for (bool told = false;;) {
        if (interrupted && !told) /* it may not have got the signal that we got */
            told = !kill(pid, SIGTERM);
        if (waitpid(pid, &status, 0) >= 0)
            break;
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
