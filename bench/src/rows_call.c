/* SPDX-License-Identifier: MIT */
/* Rows that are a system call or two: null call, null I/O, stat, open/close, select. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void row_null_call(struct bench *b)
{
    while (bench_more(b)) {
        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            syscall(SYS_getppid);
        bench_stop(b, b->ops);
    }
}

static int open_device(struct bench *b, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0)
        bench_fail(b, "%s: errno %d", path, errno);
    return fd;
}

void row_null_read(struct bench *b)
{
    int fd = open_device(b, "/dev/zero", O_RDONLY);
    char byte;

    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            ok &= read(fd, &byte, 1) == 1;
        bench_stop(b, b->ops);
        if (!ok)
            bench_fail(b, "short read from /dev/zero");
    }
}

void row_null_write(struct bench *b)
{
    int fd = open_device(b, "/dev/null", O_WRONLY);
    char byte = 0;

    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            ok &= write(fd, &byte, 1) == 1;
        bench_stop(b, b->ops);
        if (!ok)
            bench_fail(b, "short write to /dev/null");
    }
}

/* Make DIR/rbench.d1/d2/file, so that the path has some components to walk. */
static void make_deep_file(struct bench *b, char *path, size_t size)
{
    static const char *const parts[] = { "/rbench.d1", "/d2" };
    int len = snprintf(path, size, "%s", b->set->dir);

    for (int i = 0; i < 2; i++) {
        len += snprintf(path + len, size - (size_t)len, "%s", parts[i]);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            bench_fail(b, "mkdir %s: errno %d", path, errno);
    }
    snprintf(path + len, size - (size_t)len, "/file");
    close(open_device(b, path, O_WRONLY | O_CREAT | O_TRUNC));
}

void row_stat(struct bench *b)
{
    char path[512];
    struct stat st;

    make_deep_file(b, path, sizeof(path));
    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            ok &= stat(path, &st) == 0;
        bench_stop(b, b->ops);
        if (!ok)
            bench_fail(b, "stat %s failed", path);
    }
}

void row_open_close(struct bench *b)
{
    char path[512];

    make_deep_file(b, path, sizeof(path));
    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            ok &= close(open(path, O_RDONLY)) == 0;
        bench_stop(b, b->ops);
        if (!ok)
            bench_fail(b, "open of %s failed", path);
    }
}

void row_select_tcp(struct bench *b)
{
    int pair[2], last = -1;
    fd_set watch;

    net_tcp_pair(b, pair);
    FD_ZERO(&watch);
    for (unsigned i = 0; i < b->row->p1; i++) {
        last = dup(pair[0]);
        if (last < 0 || last >= FD_SETSIZE)
            bench_fail(b, "dup: errno %d", errno);
        FD_SET(last, &watch);
    }
    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++) {
            fd_set ready = watch;
            struct timeval zero = { 0, 0 };

            ok &= select(last + 1, &ready, NULL, NULL, &zero) == 0;
        }
        bench_stop(b, b->ops);
        if (!ok)
            bench_fail(b, "select found a descriptor ready, or failed");
    }
}
