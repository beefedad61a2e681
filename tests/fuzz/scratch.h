/* SPDX-License-Identifier: MIT */
/* An input as a file, for targets that take the name of one.  Needs _GNU_SOURCE. */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct scratch {
    int fd;
    char path[32];
};

/* The file holds data[size] alone; made at the first call, with s all zero. */
static inline const char *scratch_file(struct scratch *s, const uint8_t *data, size_t size)
{
    if (!s->path[0]) {
        s->fd = memfd_create("input", 0);
        snprintf(s->path, sizeof(s->path), "/proc/self/fd/%d", s->fd);
    }
    if (s->fd < 0 || ftruncate(s->fd, 0) || pwrite(s->fd, data, size, 0) != (ssize_t)size)
        abort();
    return s->path;
}

/* What code under test says on standard error is not wanted; the sanitizers write to descriptor 2 itself. */
static inline void be_quiet(void)
{
    static FILE *null;

    if (!null) {
        null = fopen("/dev/null", "w");
        if (!null)
            abort();
        stderr = null;
    }
}

#endif
