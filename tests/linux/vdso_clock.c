/* SPDX-License-Identifier: MIT */
/*
 * The clock as programs read it: never backwards, on whatever CPU the process is moved to; with the
 * argument "strict" also without a system call (a seccomp filter kills the process that makes one).
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

enum { READS = 200000, BACKWARDS = 1, NO_FILTER = 2 };

static int64_t now(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return at.tv_sec * 1000000000ll + at.tv_nsec;
}

static bool forbid_clock_calls(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int reader(bool strict)
{
    int64_t mono = now(CLOCK_MONOTONIC), real = now(CLOCK_REALTIME);

    if (strict && !forbid_clock_calls())
        return NO_FILTER;
    for (int i = 0; i < READS; i++) {
        int64_t mono2 = now(CLOCK_MONOTONIC), real2 = now(CLOCK_REALTIME);

        if (mono2 < mono || real2 < real)
            return BACKWARDS;
        mono = mono2;
        real = real2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool strict = argc > 1 && strcmp(argv[1], "strict") == 0;
    int bad = 0;

    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            syscall(SYS_exit, reader(strict));
    for (int i = 0; i < 4; i++) {
        int status;

        wait(&status);
        if (status)
            printf("status %x\n", status);
        bad |= status;
    }
    return bad != 0;
}
