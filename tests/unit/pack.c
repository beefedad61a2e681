/* SPDX-License-Identifier: MIT */
#include "pack.h"

#include <stdlib.h>
#include <string.h>

#include <lz4hc.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#define LZ4_BLOCK (8u << 20)
#define XZ_WINDOW (1u << 20)

static void need(int condition)
{
    if (!condition)
        abort();
}

static size_t pack_gzip(const uint8_t *in, size_t n, uint8_t *out, size_t cap)
{
    z_stream z = {0};

    need(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    need(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static size_t pack_xz(const uint8_t *in, size_t n, uint8_t *out, size_t cap, lzma_check check)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {
        {LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    size_t used = 0;

    need(!lzma_lzma_preset(&options, 6));
    options.dict_size = XZ_WINDOW;
    need(lzma_stream_buffer_encode(filters, check, NULL, in, n, out, &used, cap) == LZMA_OK);
    return used;
}

/* The library's encoder does not know the length, and so writes an end marker. */
static size_t pack_lzma(const uint8_t *in, size_t n, uint8_t *out, size_t cap)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    need(!lzma_lzma_preset(&options, 6));
    options.dict_size = XZ_WINDOW;
    need(lzma_alone_encoder(&s, &options) == LZMA_OK);
    s.next_in = in;
    s.avail_in = n;
    s.next_out = out;
    s.avail_out = cap;
    need(lzma_code(&s, LZMA_FINISH) == LZMA_STREAM_END);
    cap = s.total_out;
    lzma_end(&s);
    return cap;
}

/* As LZMA utils of old wrote it: the length in the header, no marker. */
static size_t pack_lzma_sized(const uint8_t *in, size_t n, uint8_t *out, size_t cap)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA1EXT, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    lzma_filter header = {LZMA_FILTER_LZMA1, &options};
    uint64_t length = n;
    size_t used = 13;

    need(!lzma_lzma_preset(&options, 6));
    options.dict_size = XZ_WINDOW;
    options.ext_flags = 0;
    lzma_set_ext_size(options, n);
    need(lzma_properties_encode(&header, out) == LZMA_OK);
    memcpy(out + 5, &length, sizeof(length));
    need(lzma_raw_buffer_encode(filters, NULL, in, n, out, &used, cap) == LZMA_OK);
    return used;
}

static size_t pack_lz4(const uint8_t *in, size_t n, uint8_t *out, size_t cap)
{
    static const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};
    size_t at = sizeof(magic);

    memcpy(out, magic, sizeof(magic));
    for (size_t done = 0; done < n;) {
        size_t block = n - done < LZ4_BLOCK ? n - done : LZ4_BLOCK;
        int got = LZ4_compress_HC((const char *)in + done, (char *)out + at + 4, (int)block,
                                  (int)(cap - at - 4), 9);
        uint32_t length = (uint32_t)got;

        need(got > 0);
        memcpy(out + at, &length, sizeof(length));
        at += 4 + length;
        done += block;
    }
    return at;
}

/* As from a pipe: the frame does not state the length. */
static size_t pack_zstd(const uint8_t *in, size_t n, uint8_t *out, size_t cap)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t got;

    need(c != NULL);
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 9);
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    got = ZSTD_compress2(c, out, cap, in, n);
    need(!ZSTD_isError(got));
    ZSTD_freeCCtx(c);
    return got;
}

uint8_t *pack(enum pack_format format, const uint8_t *in, size_t n, size_t *out_len)
{
    size_t cap = n + n / 8 + 65536;
    uint8_t *out = malloc(cap);

    need(out != NULL);
    switch (format) {
    case PACK_GZIP:
        *out_len = pack_gzip(in, n, out, cap);
        break;
    case PACK_XZ_CRC32:
        *out_len = pack_xz(in, n, out, cap, LZMA_CHECK_CRC32);
        break;
    case PACK_XZ_CRC64:
        *out_len = pack_xz(in, n, out, cap, LZMA_CHECK_CRC64);
        break;
    case PACK_LZMA:
        *out_len = pack_lzma(in, n, out, cap);
        break;
    case PACK_LZMA_SIZED:
        *out_len = pack_lzma_sized(in, n, out, cap);
        break;
    case PACK_LZ4:
        *out_len = pack_lz4(in, n, out, cap);
        break;
    case PACK_ZSTD:
        *out_len = pack_zstd(in, n, out, cap);
        break;
    case PACK_COUNT:
        abort();
    }
    return out;
}
