/* SPDX-License-Identifier: MIT */
/* Processes that come and go, and are told who they are and whose child. */
#define _GNU_SOURCE
#include "endure.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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
        return known_is(k, "pipe", -1, 0);
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
        return known_is(k, "fork", -1, 0);
    close(ends[1]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    while (read(ends[0], &answer, sizeof(answer)) < 0 && errno == EINTR)
        ;
    close(ends[0]);
    return known_is(k, "child", status, 0) && known_is(k, "parent of an orphan", answer, 0);
}

/* In a process namespace of its own: the first there, whose parent is outside. */
static int first_process(void)
{
    for (unsigned int i = 0; i < 300; i++)
        if (syscall(SYS_getpid) != 1 || syscall(SYS_gettid) != 1 || syscall(SYS_getppid) != 0)
            return 5;
    return 0;
}

bool known_namespace(struct known *k)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        pid_t self = (pid_t)syscall(SYS_getpid), first = -1;

        if (!setresuid((uid_t)-1, 0, (uid_t)-1) && !unshare(CLONE_NEWPID))
            first = fork();
        if (first == 0)
            _exit(first_process());
        while (waitpid(first, &status, 0) < 0 && errno == EINTR)
            ;
        _exit(first < 0 || status || syscall(SYS_getpid) != self || syscall(SYS_getppid) != k->process);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 ? known_is(k, "process namespace", status, 0) : known_is(k, "fork", -1, 0);
}
