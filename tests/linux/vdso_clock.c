/* SPDX-License-Identifier: MIT */
/*
 * The clock as programs read it: without a system call (in seccomp's strict mode one would kill this
 * process), never backwards, on whatever CPU the thread is moved to.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/seccomp.h>

enum { READS = 200000, WRONG = 1, NOT_STRICT = 2 };

static int64_t now(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return at.tv_sec * 1000000000ll + at.tv_nsec;
}

static int reader(void)
{
    int64_t mono = now(CLOCK_MONOTONIC), real = now(CLOCK_REALTIME);

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
        return NOT_STRICT;
    for (int i = 0; i < READS; i++) {
        int64_t mono2 = now(CLOCK_MONOTONIC), real2 = now(CLOCK_REALTIME);

        if (mono2 < mono || real2 < real)
            return WRONG;
        mono = mono2;
        real = real2;
    }
    return 0;
}

int main(void)
{
    int bad = 0;

    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            syscall(SYS_exit, reader());
    for (int i = 0; i < 4; i++) {
        int status;

        wait(&status);
        bad |= status;
    }
    return bad != 0;
}
