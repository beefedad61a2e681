/* SPDX-License-Identifier: MIT */
/* Where the bytes go: buffers that are not there, not writable, shared with others, or taken away.
 */
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static char *pages(int n)
{
    char *at = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);

    RIGHT(at != MAP_FAILED);
    return at;
}

static long zeroes(void *to, long n)
{
    return raw(SYS_read, zero, to, n);
}

/* ------------------------------------------------------------------ buffers */

/* A structure that the kernel writes, at an address that it may not. */
static void refused(void *at)
{
    RIGHT(zeroes(at, 8) == -EFAULT);
    RIGHT(raw(SYS_clock_gettime, CLOCK_MONOTONIC, at) == -EFAULT);
    RIGHT(raw(SYS_rt_sigaction, SIGUSR1, 0, at, 8) == -EFAULT);
    RIGHT(raw(SYS_rt_sigprocmask, SIG_BLOCK, 0, at, 8) == -EFAULT);
}

void buffers(void)
{
    static void *const never[] = {
        (void *)8,
        (void *)0x7ffffffff000,
        (void *)0x7fffffffffff,
        (void *)0x800000000000,
        (void *)0xffff800000000000,
        (void *)0xffff830000001000,
        (void *)0xffff888000001000,
        (void *)0xffffffff81000000,
        (void *)0xfffffffffffffff8,
    };
    char *at = pages(3);

    RIGHT(zeroes(NULL, 8) == -EFAULT && raw(SYS_clock_gettime, CLOCK_MONOTONIC, NULL) == -EFAULT);
    for (unsigned int i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        refused(never[i]);
    memset(at, 'a', 3 * PAGE);
    RIGHT(zeroes(at, 0) == 0 && *at == 'a' && zeroes(at, -1) == -EFAULT);
    RIGHT(zeroes(at + PAGE - 4, 8) == 8 && !at[PAGE - 4] && !at[PAGE + 3] && at[PAGE + 4] == 'a');
    RIGHT(mprotect(at + PAGE, PAGE, PROT_READ) == 0);
    refused(at + PAGE);
    RIGHT(at[PAGE + 4] == 'a' && zeroes(at, PAGE) == PAGE);
    at[PAGE - 1] = 'a';
    RIGHT(zeroes(at + PAGE - 8, 16) == 8 && !at[PAGE - 1] && !at[PAGE]); /* as far as it goes */
    RIGHT(mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0 && zeroes(at + PAGE, 8) == 8);
    RIGHT(mprotect(at + PAGE, PAGE, PROT_NONE) == 0);
    refused(at + PAGE);
    RIGHT(munmap(at + PAGE, PAGE) == 0);
    refused(at + PAGE);
    RIGHT(raw(SYS_write, null, at + PAGE, 8) == 8);                /* /dev/null does not look */
    RIGHT(raw(SYS_write, null, 0xffffffff81000000, 8) == -EFAULT); /* but access_ok() does */
    RIGHT(raw(SYS_write, file, at + PAGE, 8) == -EFAULT);
    munmap(at, PAGE);
    munmap(at + 2 * PAGE, PAGE);
}

/* ------------------------------------------------------------------ copies */

static void reads_into(void *arg)
{
    char *at = arg;

    RIGHT(at[0] == 'p' && zeroes(at, 8) == 8 && !at[0]);
    RIGHT(raw(SYS_clock_gettime, CLOCK_MONOTONIC, at + 64) == 0);
    RIGHT(raw(SYS_rt_sigprocmask, SIG_BLOCK, 0, at + 128, 8) == 0);
}

/* A page that is shared until somebody writes: the kernel's writes are his as well. */
void copies(void)
{
    char *at = pages(2), *same = pages(1);

    for (int i = 0; i < 20; i++) {
        memset(at, 'p', PAGE);
        memset(same, 'p', PAGE);
        ended(child(reads_into, at));
        RIGHT(!memcmp(at, same, PAGE)); /* the parent's is untouched */
        RIGHT(zeroes(at, 8) == 8 && !at[7] && at[8] == 'p');
        RIGHT(madvise(at, PAGE, MADV_DONTNEED) == 0 && at[8] == 0); /* the zero page, read-only */
        RIGHT(zeroes(at, 8) == 8 && madvise(at, PAGE, MADV_DONTNEED) == 0);
        RIGHT(zeroes(at, 8) == 8); /* nothing is there */
        RIGHT(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE) == at + PAGE);
        RIGHT(zeroes(at, 8) == -EFAULT && zeroes(at + PAGE, 8) == 8);
        RIGHT(mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0) == at);
    }
    munmap(at, 2 * PAGE);
    munmap(same, PAGE);
}

/* ------------------------------------------------------------------ shared pages */

static void sees(void *arg)
{
    volatile char *at = arg;

    for (int i = 0; i < 100; i++) {
        while (at[0] != 'g')
            sched_yield();
        RIGHT(at[8] == 0 && at[16] == 's');
        at[0] = 'd';
    }
}

/* What one process reads into a shared mapping is there for the other, and in the file. */
void shared_pages(void)
{
    volatile char *turn;
    char *at, got[32];
    pid_t pid;

    RIGHT(ftruncate(file, PAGE) == 0);
    at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    RIGHT(at != MAP_FAILED);
    turn = at;
    *turn = 0;
    pid = child(sees, at);
    for (int i = 0; i < 100; i++) {
        memset(at + 8, 's', 16);
        RIGHT(zeroes(at + 8, 8) == 8);
        *turn = 'g';
        while (*turn != 'd')
            sched_yield();
        RIGHT(msync(at, PAGE, MS_SYNC) == 0);
    }
    ended(pid);
    RIGHT(pread(file, got, sizeof(got), 0) == sizeof(got) && got[0] == 'd' && !got[8] &&
          got[16] == 's');
    RIGHT(ftruncate(file, 0) == 0);
    refused(at); /* behind the end of the file */
    munmap(at, PAGE);
    RIGHT(pwrite(file, "abcdefgh", 8, 0) == 8);
}

/* ------------------------------------------------------------------ pressure */

static volatile bool stop;

/* Kernel and user pages come and go under the calls. */
static void *churns(void *arg)
{
    while (!stop) {
        char *at = pages(64);

        for (int i = 0; i < 64; i++)
            at[i * PAGE] = 'c';
        munmap(at, 64 * PAGE);
    }
    return arg;
}

static void eats(void *arg)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY); /* it and nobody else is to go */

    (void)arg;
    RIGHT(fd >= 0 && write(fd, "1000", 4) == 4);
    for (;;) {
        char *at = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                        0);

        for (int i = 0; at != MAP_FAILED && i < 64; i++) {
            at[i * PAGE] = 'e';
            if (i % 16 == 0)
                RIGHT(zeroes(at + i * PAGE, 8) == 8 && !at[i * PAGE] && raw(SYS_getuid) == 0);
        }
    }
}

static void with_churn(void *arg)
{
    char *at = pages(4);
    pthread_t thread;

    (void)arg;
    RIGHT(pthread_create(&thread, NULL, churns, NULL) == 0);
    for (int i = 0; i < 3000; i++) {
        char *to = at + (i % 4) * PAGE + i % 512 * 8;

        *to = 'b';
        RIGHT(zeroes(to, 8) == 8 && *to == 0 && raw(SYS_getpid) == getpid());
        if (i % 100 == 0) {
            RIGHT(madvise(at, 4 * PAGE, MADV_DONTNEED) == 0);
            sched_yield();
        }
    }
    stop = true;
    pthread_join(thread, NULL);
}

void pressure(void)
{
    pid_t pid;
    int status;

    ended(child(with_churn, NULL));
    pid = child(eats, NULL); /* until there is no memory, and it is killed for that */
    while (waitpid(pid, &status, WNOHANG) == 0)
        RIGHT(zeroes(&status, 4) == 4 && status == 0);
    RIGHT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
