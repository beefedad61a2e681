/* SPDX-License-Identifier: MIT */
/* Mappings and page faults. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* A file of `bytes` bytes, all of them written and so in the page cache; its name is gone. */
static int make_file(struct bench *b, size_t bytes)
{
    static char page[PAGE];
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/rbench.map", b->set->dir);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        bench_fail(b, "open %s: errno %d", path, errno);
    unlink(path);
    for (size_t done = 0; done < bytes; done += PAGE)
        if (!write_all(fd, page, PAGE))
            bench_fail(b, "write to %s: errno %d", path, errno);
    return fd;
}

static char *map(struct bench *b, size_t bytes, int prot, int flags, int fd)
{
    char *p = mmap(NULL, bytes, prot, flags, fd, 0);

    if (p == MAP_FAILED)
        bench_fail(b, "mmap: errno %d", errno);
    return p;
}

/* p1: KiB mapped, p2: a byte of every p2-th page is read. */
void row_mmap(struct bench *b)
{
    size_t bytes = b->row->p1 * 1024;
    int fd = make_file(b, bytes);

    while (bench_more(b)) {
        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++) {
            volatile char *p = map(b, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);

            for (size_t at = 0; at < bytes; at += b->row->p2 * (size_t)PAGE)
                (void)p[at];
            munmap((void *)p, bytes);
        }
        bench_stop(b, b->ops);
    }
}

/* A fixed permutation of 0 .. n-1 (Fisher and Yates, a linear congruential generator). */
static unsigned *random_order(struct bench *b, unsigned n)
{
    unsigned *order = malloc(n * sizeof(*order));
    uint64_t state = 2003;

    if (!order)
        bench_fail(b, "out of memory");
    for (unsigned i = 0; i < n; i++)
        order[i] = i;
    for (unsigned i = n - 1; i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        unsigned j = (unsigned)((state >> 33) % (i + 1)), t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    return order;
}

/* The time of unmapping a mapping whose pages were never touched. */
static int64_t time_untouched(struct bench *b, size_t bytes, int fd)
{
    char *p = map(b, bytes, PROT_READ, MAP_SHARED, fd);
    uint64_t begin = bench_begin(b);

    munmap(p, bytes);
    return bench_since(b, begin);
}

/* p1: KiB mapped. What a touched page costs: its fault and its removal. */
void row_page_fault(struct bench *b)
{
    size_t bytes = b->row->p1 * 1024;
    unsigned pages = (unsigned)(bytes / PAGE), *order = random_order(b, pages);
    int fd = make_file(b, bytes);

    while (bench_more(b)) {
        int64_t untouched = time_untouched(b, bytes, fd);
        volatile char *p = map(b, bytes, PROT_READ, MAP_SHARED, fd);

        bench_start(b);
        for (unsigned i = 0; i < pages; i++)
            (void)p[(size_t)order[i] * PAGE];
        munmap((void *)p, bytes);
        bench_stop(b, pages);
        bench_overhead(b, untouched);
    }
    free(order);
}

/* p1: KiB mapped. Only the touches are timed. */
void row_anon_fault(struct bench *b)
{
    size_t bytes = b->row->p1 * 1024, pages = bytes / PAGE;

    while (bench_more(b)) {
        volatile char *p = map(b, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

        madvise((void *)p, bytes, MADV_NOHUGEPAGE);
        bench_start(b);
        for (size_t i = 0; i < pages; i++)
            p[i * PAGE] = 1;
        bench_stop(b, pages);
        munmap((void *)p, bytes);
    }
}

/* p1: pages changed by each call. Each is stored to in between, so that it is mapped writable. */
void row_mprotect(struct bench *b)
{
    size_t bytes = b->row->p1 * (size_t)PAGE;
    volatile char *p = map(b, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    madvise((void *)p, bytes, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < bytes; at += PAGE)
        p[at] = 1;
    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++) {
            ok &= mprotect((void *)p, bytes, PROT_READ) == 0;
            ok &= mprotect((void *)p, bytes, PROT_READ | PROT_WRITE) == 0;
        }
        bench_stop(b, 2 * b->ops);
        if (!ok)
            bench_fail(b, "mprotect: errno %d", errno);
    }
}
