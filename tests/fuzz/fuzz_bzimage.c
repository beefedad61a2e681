/* SPDX-License-Identifier: MIT */
/*
 * Kernel files from rubbish, through to the unpackers.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ihv tests/fuzz/fuzz_bzimage.c \
 *       hv/boot/bzimage.c hv/boot/unpack.c hv/boot/unpack_lzma.c hv/boot/unpack_text.c -llzma -lz -lzstd -llz4 \
 *       -o fuzz_bzimage
 */
#include <stdint.h>
#include <stdlib.h>

#include "boot/bzimage.h"
#include "boot/unpack.h"

#define OUT_MAX (256u << 10)
#define SCRATCH_MAX (2u << 20)

static void unpack(const uint8_t *in, size_t n)
{
    uint64_t need = unpack_scratch_need(in, n);
    size_t scratch_len = need < SCRATCH_MAX ? need : SCRATCH_MAX, out_len = 1;
    uint8_t *out = malloc(OUT_MAX), *scratch = malloc(scratch_len ? scratch_len : 1);

    if (!out || !scratch)
        abort();
    if (unpack_payload(in, n, out, OUT_MAX, &out_len, scratch, scratch_len) != UNPACK_OK && out_len)
        abort();
    if (out_len > OUT_MAX)
        abort();
    free(out);
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kernel_file k;

    if (kernel_recognise(data, size, &k) == KERNEL_OK) {
        if (k.payload < data || k.payload_length > size ||
            (size_t)(k.payload - data) > size - k.payload_length)
            abort();
        unpack(k.payload, k.payload_length);
    }
    unpack(data, size);
    return 0;
}
