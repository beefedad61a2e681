/* SPDX-License-Identifier: MIT */
/* Bytes from one process to another: pipe and TCP over the loopback interface. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *make_buffer(struct bench *b, size_t bytes)
{
    char *buf = malloc(bytes);

    if (!buf)
        bench_fail(b, "out of memory");
    memset(buf, 1, bytes);
    return buf;
}

/* Send as many bytes as each request asks for, until there is no more request. */
static _Noreturn void sender(struct bench *b, int requests, int data)
{
    size_t chunk = b->row->p1 * 1024;
    char *buf = make_buffer(b, chunk);
    uint64_t left;

    while (read_all(requests, &left, sizeof(left)))
        for (; left > 0; left -= left < chunk ? left : chunk)
            if (!write_all(data, buf, left < chunk ? left : chunk))
                _exit(1);
    _exit(0);
}

/* Time the receipt of the row's bytes, from the request to the last one. */
static void receiver(struct bench *b, int requests, int data)
{
    size_t chunk = b->row->p1 * 1024;
    char *buf = make_buffer(b, chunk);

    while (bench_more(b)) {
        uint64_t left = b->ops;

        bench_start(b);
        if (!write_all(requests, &left, sizeof(left)))
            bench_fail(b, "the sender is gone");
        while (left > 0) {
            ssize_t n = read(data, buf, left < chunk ? left : chunk);

            if (n <= 0)
                bench_fail(b, "read of the data: errno %d", errno);
            left -= (uint64_t)n;
        }
        bench_stop(b, b->ops);
    }
}

/* `data`: [0] is read, [1] is written. */
static void transfer(struct bench *b, int data[2])
{
    int requests[2], pid;

    if (pipe(requests) < 0)
        bench_fail(b, "pipe: errno %d", errno);
    pid = bench_fork(b);
    if (pid == 0) {
        close(requests[1]);
        close(data[0]);
        sender(b, requests[0], data[1]);
    }
    close(requests[0]);
    close(data[1]);
    receiver(b, requests[1], data[0]);
    close(requests[1]);
    waitpid(pid, NULL, 0);
}

void row_pipe_bw(struct bench *b)
{
    int data[2];

    if (pipe(data) < 0)
        bench_fail(b, "pipe: errno %d", errno);
    transfer(b, data);
}

void row_tcp_bw(struct bench *b)
{
    int data[2];

    net_tcp_pair(b, data);
    transfer(b, data);
}
