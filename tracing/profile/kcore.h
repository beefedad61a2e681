/* SPDX-License-Identifier: MIT */
/*
 * Memory of the kernel that this program runs on: /proc/kcore, an ELF core file of it.
 */
#ifndef TRACING_KCORE_H
#define TRACING_KCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kcore_segment {
    uint64_t address, bytes, offset;
};

struct kcore {
    int fd;
    struct kcore_segment *segment;
    size_t nr;
};

/* 0 or a negative errno. */
int kcore_open(struct kcore *k, const char *file);
void kcore_close(struct kcore *k);
/* All n bytes at that kernel address, or false. */
bool kcore_read(const struct kcore *k, uint64_t address, void *to, size_t n);

#endif
