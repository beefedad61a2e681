/* SPDX-License-Identifier: MIT */
/*
 * Little-endian loads from untrusted, unaligned bytes, and the range test that goes before each
 * one. Everything under hv/boot that reads a file or a loader's structure reads through these.
 */
#ifndef HV_BOOT_BYTES_H
#define HV_BOOT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_le16(const void *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t load_le32(const void *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load_le64(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* True when [offset, offset + length) lies inside a buffer of size bytes. Never overflows. */
static inline bool range_inside(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

/*
 * Copies at most cap - 1 bytes of src (len bytes, ends early at a NUL) and terminates dst.
 * Returns false when something had to be cut off. cap must not be 0.
 */
static inline bool copy_bounded(char *dst, size_t cap, const char *src, size_t len)
{
    size_t n = 0;

    while (n < len && src[n] != '\0')
        n++;
    size_t kept = n < cap - 1 ? n : cap - 1;

    memcpy(dst, src, kept);
    dst[kept] = '\0';
    return kept == n;
}

#endif
