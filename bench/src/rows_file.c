/* SPDX-License-Identifier: MIT */
/* Creating and deleting files. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 64 * 1024 };

static const char *file_name(const struct bench *b, uint64_t i)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/rbench.f/%u", b->set->dir, (unsigned)i);
    return path;
}

/* creat, write `size` bytes, close. */
static bool create_file(const char *path, size_t size)
{
    static const char content[MAX_FILE];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    return fd >= 0 && (size == 0 || write(fd, content, size) == (ssize_t)size) && close(fd) == 0;
}

static void create_files(struct bench *b, size_t size)
{
    for (uint64_t i = 0; i < b->ops; i++)
        if (!create_file(file_name(b, i), size))
            bench_fail(b, "cannot create %s: errno %d", file_name(b, i), errno);
}

static void delete_files(struct bench *b)
{
    for (uint64_t i = 0; i < b->ops; i++)
        if (unlink(file_name(b, i)) < 0)
            bench_fail(b, "cannot delete %s: errno %d", file_name(b, i), errno);
}

/* p1: KiB in each file, p2: 0 to time the creation, 1 the deletion. */
void row_file(struct bench *b)
{
    char dir[512];
    size_t size = b->row->p1 * 1024;

    snprintf(dir, sizeof(dir), "%s/rbench.f", b->set->dir);
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        bench_fail(b, "mkdir %s: errno %d", dir, errno);
    while (bench_more(b)) {
        if (b->row->p2)
            create_files(b, size);
        bench_start(b);
        if (b->row->p2)
            delete_files(b);
        else
            create_files(b, size);
        bench_stop(b, b->ops);
        if (!b->row->p2)
            delete_files(b);
    }
    rmdir(dir);
}
