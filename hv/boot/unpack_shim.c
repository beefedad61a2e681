/* SPDX-License-Identifier: MIT */
/*
 * What the static libraries reference beside memcpy, memmove, memset and memcmp. Linked into the
 * same relocatable object and made local to it, so that none of these names reaches the hypervisor.
 */
#include <stddef.h>
#include <stdint.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *p);
_Noreturn void __stack_chk_fail(void);
uint64_t lzma_crc64(const uint8_t *buf, size_t size, uint64_t crc);
unsigned long long ZSTD_trace_decompress_begin(const void *context);
void ZSTD_trace_decompress_end(unsigned long long context, const void *trace);

/*
 * The default allocators of the libraries call these; unpack.c gives every library call an
 * allocator of its own. "No memory" is a safe answer should a path be found that does not use it.
 */
void *malloc(size_t size)
{
    (void)size;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    (void)count;
    (void)size;
    return NULL;
}

void free(void *p)
{
    (void)p;
}

/* The stack is overwritten: there is nothing to return to. */
_Noreturn void __stack_chk_fail(void)
{
    __builtin_trap();
}

/*
 * In place of liblzma's own, which chooses an implementation in a constructor that nobody would
 * run. The CRC of .xz files made by `xz` itself (ECMA-182, reflected); kernels are packed with
 * CRC32, so a nibble at a time is fast enough.
 */
uint64_t lzma_crc64(const uint8_t *buf, size_t size, uint64_t crc)
{
    const uint64_t polynomial = 0xc96c5795d7870f42u;
    uint64_t table[16];

    for (unsigned int i = 0; i < 16; i++) {
        uint64_t v = i;

        for (int bit = 0; bit < 4; bit++)
            v = v & 1 ? v >> 1 ^ polynomial : v >> 1;
        table[i] = v;
    }
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= buf[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* Weak hooks of zstd: a begin that answers 0 switches tracing off. */
unsigned long long ZSTD_trace_decompress_begin(const void *context)
{
    (void)context;
    return 0;
}

void ZSTD_trace_decompress_end(unsigned long long context, const void *trace)
{
    (void)context;
    (void)trace;
}
