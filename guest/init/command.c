/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "init.h"

#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CANNOT_RUN = 126,
    NOT_FOUND = 127,
    RELAY_BUFFER = 65536, /* bytes; what a pipe holds */
};

static void exec_command(char **argv, char **envp)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(argv[0], argv, envp);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

static int shell_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* Reap every child that has ended (process 1 inherits orphans); true when the command is one of
 * them, with its wait status. */
static bool reap(pid_t command, int *wait_status)
{
    bool ended = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == command) {
            *wait_status = status;
            ended = true;
        }
    }
    return ended;
}

/* Send what the pipe holds now; false at its end. */
static bool relay(int console, int pipe, enum frame_kind kind)
{
    static char buffer[RELAY_BUFFER];
    ssize_t n = read(pipe, buffer, sizeof(buffer));

    if (n > 0)
        frame_send(console, kind, buffer, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void drain(int console, int pipe, enum frame_kind kind)
{
    struct pollfd wait = { .fd = pipe, .events = POLLIN };

    while (poll(&wait, 1, 0) > 0 && relay(console, pipe, kind))
        ;
}

static int watch_children(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int run_relayed(int console, char **argv, char **envp)
{
    enum { OUT, ERR, CHILDREN, POLLED };
    int out[2], err[2], wait_status = 0;
    struct pollfd polled[POLLED] = { 0 };
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        return CANNOT_RUN;
    polled[OUT] = (struct pollfd){ .fd = out[0], .events = POLLIN };
    polled[ERR] = (struct pollfd){ .fd = err[0], .events = POLLIN };
    polled[CHILDREN] = (struct pollfd){ .fd = watch_children(), .events = POLLIN };
    pid = fork();
    if (pid < 0)
        return CANNOT_RUN;
    if (pid == 0) {
        setsid();
        dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        exec_command(argv, envp);
    }
    close(out[1]);
    close(err[1]);
    for (;;) {
        struct signalfd_siginfo info;

        poll(polled, POLLED, -1);
        if (polled[OUT].revents && !relay(console, out[0], FRAME_STDOUT))
            polled[OUT].fd = -1;
        if (polled[ERR].revents && !relay(console, err[0], FRAME_STDERR))
            polled[ERR].fd = -1;
        if (polled[CHILDREN].revents) {
            while (read(polled[CHILDREN].fd, &info, sizeof(info)) > 0)
                ;
            if (reap(pid, &wait_status))
                break;
        }
    }
    /* A process that the command left behind may hold the pipes open: take what is there now. */
    drain(console, out[0], FRAME_STDOUT);
    drain(console, err[0], FRAME_STDERR);
    return shell_status(wait_status);
}

int run_interactive(int console, char **argv, char **envp)
{
    int wait_status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return CANNOT_RUN;
    if (pid == 0) {
        setsid();
        ioctl(console, TIOCSCTTY, 1);
        dup2(console, STDIN_FILENO);
        dup2(console, STDOUT_FILENO);
        dup2(console, STDERR_FILENO);
        exec_command(argv, envp);
    }
    for (;;) {
        int status;
        pid_t ended = wait(&status);

        if (ended == pid) {
            wait_status = status;
            break;
        }
        if (ended < 0 && errno == ECHILD)
            break;
    }
    return shell_status(wait_status);
}
