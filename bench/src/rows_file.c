/* SPDX-License-Identifier: MIT */
/* Creating and deleting files. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 64 * 1024, NAME_LEN = 16 };

/* The names are made beforehand: printing a number costs as much as a short system call. */
static char (*make_names(struct bench *b))[NAME_LEN]
{
    char(*names)[NAME_LEN] = calloc(b->ops, NAME_LEN);

    if (!names)
        bench_fail(b, "out of memory");
    for (uint64_t i = 0; i < b->ops; i++)
        snprintf(names[i], NAME_LEN, "%u", (unsigned)i);
    return names;
}

/* creat, write `size` bytes, close. */
static bool create_file(const char *path, size_t size)
{
    static const char content[MAX_FILE];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    return fd >= 0 && (size == 0 || write(fd, content, size) == (ssize_t)size) && close(fd) == 0;
}

static void create_files(struct bench *b, char (*names)[NAME_LEN], size_t size)
{
    for (uint64_t i = 0; i < b->ops; i++)
        if (!create_file(names[i], size))
            bench_fail(b, "cannot create %s: errno %d", names[i], errno);
}

static void delete_files(struct bench *b, char (*names)[NAME_LEN])
{
    for (uint64_t i = 0; i < b->ops; i++)
        if (unlink(names[i]) < 0)
            bench_fail(b, "cannot delete %s: errno %d", names[i], errno);
}

/* p1: KiB in each file, p2: 0 to time the creation, 1 the deletion. */
void row_file(struct bench *b)
{
    char dir[512], (*names)[NAME_LEN] = make_names(b);
    size_t size = b->row->p1 * 1024;

    snprintf(dir, sizeof(dir), "%s/rbench.f", b->set->dir);
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        bench_fail(b, "mkdir %s: errno %d", dir, errno);
    if (chdir(dir) < 0)
        bench_fail(b, "chdir %s: errno %d", dir, errno);
    while (bench_more(b)) {
        if (b->row->p2)
            create_files(b, names, size);
        bench_start(b);
        if (b->row->p2)
            delete_files(b, names);
        else
            create_files(b, names, size);
        bench_stop(b, b->ops);
        if (!b->row->p2)
            delete_files(b, names);
    }
    rmdir(dir);
    free(names);
}
