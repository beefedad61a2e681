/* SPDX-License-Identifier: MIT */
/* Samples: the clock around a row's operations, and how a row fails. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

bool bench_more(const struct bench *b)
{
    return b->done < b->warmup + b->samples;
}

/*
 * Work that the last sample left behind (memory freed after a grace period, timers) gets QUIET_NS to
 * finish, so that it is not found in the next sample at random.  A sample then begins so far behind a
 * timer tick, whose own work is over by then: without that, a row whose samples and waits together take
 * about a whole number of ticks has one in each sample or in none, as it happened to begin.
 */
enum { QUIET_NS = 10000000, BEHIND_TICK_NS = 200000 };
enum { TICKS_TO_FIND = 5, LONGEST_TICK_NS = 50000000 };

static uint64_t coarse_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return ns_of(&t);
}

/* The coarse clock stands still between ticks. */
void bench_find_tick(struct bench *b)
{
    struct timespec period;
    uint64_t before = coarse_ns(), now = now_ns(), end;

    if (clock_getres(CLOCK_MONOTONIC_COARSE, &period) < 0 || ns_of(&period) > LONGEST_TICK_NS ||
        ns_of(&period) <= 2 * BEHIND_TICK_NS)
        return;
    prctl(PR_SET_TIMERSLACK, 1);
    for (end = now + TICKS_TO_FIND * ns_of(&period); now < end; now = now_ns())
        if (coarse_ns() != before) {
            b->tick_ns = ns_of(&period);
            b->tick_at = now;
            return;
        }
}

static void quiet(const struct bench *b)
{
    uint64_t until = now_ns() + QUIET_NS;
    struct timespec t;

    if (b->tick_ns)
        until += b->tick_ns - (until - b->tick_at) % b->tick_ns + BEHIND_TICK_NS;
    t.tv_sec = (time_t)(until / 1000000000u);
    t.tv_nsec = (long)(until % 1000000000u);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}

uint64_t bench_begin(const struct bench *b)
{
    quiet(b);
    return now_ns();
}

int64_t bench_since(const struct bench *b, uint64_t begin)
{
    return (int64_t)(now_ns() - begin) - b->clock_cost;
}

void bench_start(struct bench *b)
{
    quiet(b);
    if (b->counting && b->done >= b->warmup)
        counters_start();
    b->begin = now_ns();
}

void bench_stop(struct bench *b, uint64_t ops)
{
    int64_t ns = bench_since(b, b->begin);
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
