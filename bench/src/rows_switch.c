/* SPDX-License-Identifier: MIT */
/* Two processes that answer each other, and rings of processes that pass a token. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_pipe(struct bench *b, int fd[2])
{
    if (pipe(fd) < 0)
        bench_fail(b, "pipe: errno %d", errno);
}

/* Round trips of a byte: out through `to`, answer from `from`. */
static void round_trips(struct bench *b, int to, int from)
{
    char byte = 0;

    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            ok &= write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1;
        bench_stop(b, b->ops);
        if (!ok)
            bench_fail(b, "the other process is gone");
    }
}

/* Send back what comes, until end of file. */
static _Noreturn void echo(int from, int to)
{
    char byte;

    while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
        continue;
    _exit(0);
}

void row_pipe_latency(struct bench *b)
{
    int there[2], back[2], pid;

    make_pipe(b, there);
    make_pipe(b, back);
    pid = bench_fork(b);
    if (pid == 0) {
        close(there[1]);
        echo(there[0], back[1]);
    }
    round_trips(b, there[1], back[0]);
    close(there[1]);
    waitpid(pid, NULL, 0);
}

void row_unix_latency(struct bench *b)
{
    int pair[2], pid;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        bench_fail(b, "socketpair: errno %d", errno);
    pid = bench_fork(b);
    if (pid == 0) {
        close(pair[0]);
        echo(pair[1], pair[1]);
    }
    close(pair[1]);
    round_trips(b, pair[0], pair[0]);
    close(pair[0]);
    waitpid(pid, NULL, 0);
}

enum { MAX_RING = 32 };

typedef unsigned long word_t; /* of the token and of the working sets */

struct ring {
    unsigned size;
    size_t words;          /* working set of each process */
    int pipe[MAX_RING][2]; /* process i reads pipe[i], writes pipe[i + 1] */
};

/* Read every word of a working set. Not inlined: the same code in the ring and alone. */
static __attribute__((noinline)) word_t sum_words(const volatile word_t *set, size_t words)
{
    word_t sum = 0;

    for (size_t i = 0; i < words; i++)
        sum += set[i];
    return sum;
}

static word_t *make_set(struct bench *b, size_t words)
{
    size_t bytes = (words ? words : 1) * sizeof(word_t);
    word_t *set = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (set == MAP_FAILED)
        bench_fail(b, "mmap: errno %d", errno);
    memset(set, 1, bytes);
    return set;
}

/* Take the token from pipe i, do the work, hand it to pipe `next`. */
static bool pass_token(const struct ring *r, const word_t *set, unsigned i, unsigned next)
{
    word_t token;

    if (read(r->pipe[i][0], &token, sizeof(token)) != sizeof(token))
        return false;
    token += sum_words(set, r->words);
    return write(r->pipe[next][1], &token, sizeof(token)) == sizeof(token);
}

/* One process alone sends the token through every pipe of a ring `rounds` times. */
static int64_t time_alone(struct bench *b, const struct ring *r, const word_t *set, uint64_t rounds)
{
    word_t token = 0;
    uint64_t begin;
    int64_t ns;
    bool ok = write(r->pipe[0][1], &token, sizeof(token)) == sizeof(token);

    begin = bench_begin(b);
    for (uint64_t round = 0; round < rounds; round++)
        for (unsigned i = 0; i < r->size && ok; i++)
            ok = pass_token(r, set, i, (i + 1) % r->size);
    ns = bench_since(b, begin);
    if (!ok || read(r->pipe[0][0], &token, sizeof(token)) != sizeof(token))
        bench_fail(b, "the ring of one process broke");
    return ns;
}

/* Process 0 of the ring: `rounds` times send the token off and take it back. */
static void time_ring(struct bench *b, const struct ring *r, const word_t *set, uint64_t rounds)
{
    word_t token = 0;
    bool ok = write(r->pipe[0][1], &token, sizeof(token)) == sizeof(token);

    bench_start(b);
    for (uint64_t round = 0; round < rounds && ok; round++)
        ok = pass_token(r, set, 0, 1);
    ok = ok && read(r->pipe[0][0], &token, sizeof(token)) == sizeof(token);
    bench_stop(b, rounds * r->size);
    if (!ok)
        bench_fail(b, "the ring broke");
}

/* Processes 1 and up of the ring: hand the token on until killed. */
static _Noreturn void ring_member(struct bench *b, const struct ring *r, unsigned i)
{
    word_t *set = make_set(b, r->words);

    while (pass_token(r, set, i, (i + 1) % r->size))
        continue;
    _exit(0);
}

static void make_ring(struct bench *b, struct ring *r)
{
    for (unsigned i = 0; i < r->size; i++)
        make_pipe(b, r->pipe[i]);
}

/*
 * One wake-up and one switch a pass: without this policy the scheduler lets a woken process preempt
 * the one that wrote to it or not, as their run times happen to stand: the figure has two values.
 */
static void no_wakeup_preemption(struct bench *b)
{
    struct sched_param param = { 0 };

    if (sched_setscheduler(0, SCHED_BATCH, &param) < 0)
        bench_fail(b, "sched_setscheduler: errno %d", errno);
}

/* p1: processes, p2: KiB of working set. */
void row_ctx(struct bench *b)
{
    struct ring r = { .size = b->row->p1, .words = b->row->p2 * 1024 / sizeof(word_t) };
    struct ring alone = r;
    word_t *set = make_set(b, r.words);
    uint64_t rounds = b->ops > r.size ? b->ops / r.size : 1;
    int pid[MAX_RING];

    no_wakeup_preemption(b);
    make_ring(b, &r);
    make_ring(b, &alone);
    for (unsigned i = 1; i < r.size; i++) {
        pid[i] = bench_fork(b);
        if (pid[i] == 0)
            ring_member(b, &r, i);
    }
    while (bench_more(b)) {
        int64_t overhead = time_alone(b, &alone, set, rounds);

        time_ring(b, &r, set, rounds);
        bench_overhead(b, overhead);
    }
    for (unsigned i = 1; i < r.size; i++)
        kill(pid[i], SIGKILL);
    while (wait(NULL) > 0)
        continue;
}
