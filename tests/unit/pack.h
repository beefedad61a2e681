/* SPDX-License-Identifier: MIT */
/* Packs data as Linux's build packs a kernel, with the host's libraries: input for test_unpack. */
#ifndef TESTS_UNIT_PACK_H
#define TESTS_UNIT_PACK_H

#include <stddef.h>
#include <stdint.h>

enum pack_format {
    PACK_GZIP,
    PACK_XZ_CRC32, /* with the x86 filter, as kernels are */
    PACK_XZ_CRC64,
    PACK_LZMA,
    PACK_LZMA_SIZED, /* the header states the length; PACK_LZMA has an end marker */
    PACK_LZ4,
    PACK_ZSTD,
    PACK_COUNT,
};

/* Returns the packed bytes (free() them) and their number; aborts on failure. */
uint8_t *pack(enum pack_format format, const uint8_t *in, size_t n, size_t *out_len);

#endif
