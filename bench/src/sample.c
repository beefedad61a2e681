/* SPDX-License-Identifier: MIT */
/* Samples: the clock around a row's operations, and how a row fails. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

bool bench_more(const struct bench *b)
{
    return b->done < b->warmup + b->samples;
}

/* Work that the last sample left behind (memory freed after a grace period, timers) gets this long
 * to finish, so that it is not found in the next sample at random. */
enum { QUIET_US = 10000 };

void bench_start(struct bench *b)
{
    usleep(QUIET_US);
    if (b->counting && b->done >= b->warmup)
        counters_start();
    b->begin = now_ns();
}

void bench_stop(struct bench *b, uint64_t ops)
{
    int64_t ns = (int64_t)(now_ns() - b->begin) - b->clock_cost;
    unsigned i = b->done++;

    if (i < b->warmup) {
        if (i + 1 == b->warmup && now_ns() < b->warm_until)
            b->done = i;
        return;
    }
    if (b->counting) {
        counters_stop(b->out, ops);
        return;
    }
    b->out->ops = ops;
    b->out->ns[i - b->warmup] = ns;
    b->out->taken = i - b->warmup + 1;
}

void bench_overhead(struct bench *b, int64_t ns)
{
    if (b->done <= b->warmup || b->counting)
        return;
    b->out->has_overhead = true;
    b->out->overhead[b->done - 1 - b->warmup] = ns;
}

void bench_fail(struct bench *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(b->out->error, sizeof(b->out->error), fmt, args);
    va_end(args);
    _exit(1);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t bench_clock_cost(void)
{
    enum { READS = 31 };
    int64_t cost[READS];

    for (int i = 0; i < READS; i++) {
        uint64_t begin = now_ns();

        cost[i] = (int64_t)(now_ns() - begin);
    }
    qsort(cost, READS, sizeof(cost[0]), by_value);
    return cost[READS / 2];
}

int bench_fork(struct bench *b)
{
    int pid = fork();

    if (pid < 0)
        bench_fail(b, "fork: errno %d", errno);
    return pid;
}

bool read_all(int fd, void *buf, size_t len)
{
    for (char *p = buf; len > 0;) {
        ssize_t n = read(fd, p, len);

        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool write_all(int fd, const void *buf, size_t len)
{
    for (const char *p = buf; len > 0;) {
        ssize_t n = write(fd, p, len);

        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}
