/* SPDX-License-Identifier: MIT */
/*
 * A bump allocator over the caller's scratch memory. Freeing the newest block gives it back; any
 * other free waits until the arena is dropped. The libraries free in reverse order, so that is
 * enough.
 */
#ifndef HV_BOOT_UNPACK_ARENA_H
#define HV_BOOT_UNPACK_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define ARENA_ALIGN 64u

struct arena {
    uint8_t *base;
    size_t size;
    size_t used;
    size_t newest; /* offset of the newest block, == used when it has been freed */
};

static inline struct arena arena_over(void *memory, size_t size)
{
    size_t skip = -(uintptr_t)memory & (ARENA_ALIGN - 1);

    if (skip > size)
        return (struct arena){.base = memory};
    return (struct arena){.base = (uint8_t *)memory + skip, .size = size - skip};
}

static inline void *arena_alloc(struct arena *a, size_t count, size_t each)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, each, &bytes) || bytes > a->size - a->used)
        return NULL;
    a->newest = a->used;
    a->used += bytes;
    a->used += -a->used & (ARENA_ALIGN - 1);
    if (a->used > a->size)
        a->used = a->size;
    return a->base + a->newest;
}

static inline void arena_free(struct arena *a, const void *p)
{
    if (p && (const uint8_t *)p == a->base + a->newest)
        a->used = a->newest;
}

#endif
