/* SPDX-License-Identifier: MIT */
#include "unpack.h"

#include "bytes.h"
#include "unpack_job.h"

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_initStaticDCtx: the only way without malloc */
#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#define SIZE_TRAILER 4u /* bytes that Linux's build appends: the unpacked length */

#define LZ4_LEGACY_BLOCK (8u << 20) /* a block of a legacy frame unpacks to at most this */

/* inflate's state and its 32 KiB window are 40 KiB; the rest is for alignment. */
#define GZIP_SCRATCH (64u << 10)

static const struct magic {
    enum unpack_format format;
    uint8_t length;
    uint8_t bytes[6];
} magics[] = {
    {UNPACK_FORMAT_STORED, 4, {0x7f, 'E', 'L', 'F'}},
    {UNPACK_FORMAT_GZIP, 3, {0x1f, 0x8b, 8}},
    {UNPACK_FORMAT_XZ, 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    {UNPACK_FORMAT_LZMA, 3, {0x5d, 0, 0}},
    {UNPACK_FORMAT_LZ4, 4, {0x02, 0x21, 0x4c, 0x18}},
    {UNPACK_FORMAT_ZSTD, 4, {0x28, 0xb5, 0x2f, 0xfd}},
    {UNPACK_FORMAT_BZIP2, 3, {'B', 'Z', 'h'}},
    {UNPACK_FORMAT_LZO, 4, {0x89, 'L', 'Z', 'O'}},
};

enum unpack_format unpack_detect(const void *in, size_t n)
{
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
        const struct magic *m = &magics[i];

        if (n >= m->length && memcmp(in, m->bytes, m->length) == 0)
            return m->format;
    }
    return UNPACK_FORMAT_UNKNOWN;
}

uint32_t unpack_size_hint(const void *in, size_t n)
{
    return n < SIZE_TRAILER ? 0 : load_le32((const uint8_t *)in + n - SIZE_TRAILER);
}

/* zlib's allocation callbacks. */
static void *zlib_arena_alloc(void *arena, unsigned int count, unsigned int each)
{
    return arena_alloc(arena, count, each);
}

static void free_in_arena(void *arena, void *p)
{
    arena_free(arena, p);
}

static enum unpack_status unpack_stored(struct job *job)
{
    if (job->left > job->cap)
        return UNPACK_TOO_BIG;
    memcpy(job->out, job->in, job->left);
    job->made = job->left;
    job->left = 0;
    return UNPACK_OK;
}

static enum unpack_status unpack_gzip(struct job *job)
{
    z_stream z = {.zalloc = zlib_arena_alloc, .zfree = free_in_arena, .opaque = &job->arena};
    uInt out_room = job->cap < UINT32_MAX ? (uInt)job->cap : UINT32_MAX;

    if (job->left > UINT32_MAX)
        return UNPACK_CORRUPT;
    if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK) /* + 16: a gzip header, not zlib's */
        return UNPACK_NO_SCRATCH;
    z.next_in = (Bytef *)job->in;
    z.avail_in = (uInt)job->left;
    z.next_out = job->out;
    z.avail_out = out_room;
    int result = inflate(&z, Z_FINISH);

    job->made = out_room - z.avail_out;
    job->left = z.avail_in;
    inflateEnd(&z);
    if (result == Z_STREAM_END)
        return UNPACK_OK;
    if (result == Z_MEM_ERROR)
        return UNPACK_NO_SCRATCH;
    if (result == Z_BUF_ERROR || result == Z_OK)
        return z.avail_out == 0 ? UNPACK_TOO_BIG : UNPACK_TRUNCATED;
    return UNPACK_CORRUPT;
}

/*
 * A legacy frame: the magic, then blocks of a 32-bit length and that many bytes, to the end of the
 * file. The only mark of the end is that no more than the size trailer is left.
 */
static enum unpack_status unpack_lz4(struct job *job)
{
    const uint8_t *p = job->in + 4;
    size_t left = job->left - 4;

    while (left > SIZE_TRAILER) {
        uint32_t packed = load_le32(p);
        size_t room = job->cap - job->made;
        int got;

        p += 4;
        left -= 4;
        if (packed == 0 || packed > (uint32_t)LZ4_COMPRESSBOUND(LZ4_LEGACY_BLOCK))
            return UNPACK_CORRUPT;
        if (packed > left)
            return UNPACK_TRUNCATED;
        got = LZ4_decompress_safe((const char *)p, (char *)job->out + job->made, (int)packed,
                                  room < LZ4_LEGACY_BLOCK ? (int)room : (int)LZ4_LEGACY_BLOCK);
        if (got < 0) /* the library does not say which: a full buffer or bad data */
            return room < LZ4_LEGACY_BLOCK ? UNPACK_TOO_BIG : UNPACK_CORRUPT;
        job->made += (size_t)got;
        p += packed;
        left -= packed;
    }
    job->left = left;
    return job->made ? UNPACK_OK : UNPACK_TRUNCATED;
}

static enum unpack_status unpack_zstd(struct job *job)
{
    size_t packed = ZSTD_findFrameCompressedSize(job->in, job->left);
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(job->arena.base, job->arena.size);
    size_t got;

    if (ZSTD_isError(packed))
        return UNPACK_TRUNCATED;
    if (!context)
        return UNPACK_NO_SCRATCH;
    /* Exactly one frame: what follows could be one of the old formats, which we do not offer. */
    got = ZSTD_decompressDCtx(context, job->out, job->cap, job->in, packed);
    if (ZSTD_isError(got)) {
        unsigned long long size = ZSTD_getFrameContentSize(job->in, job->left);
        /* Without a stated size it cannot be told from bad data: the frame's bound says. */
        if (size == ZSTD_CONTENTSIZE_UNKNOWN)
            size = ZSTD_decompressBound(job->in, packed);
        return size != ZSTD_CONTENTSIZE_ERROR && size > job->cap ? UNPACK_TOO_BIG : UNPACK_CORRUPT;
    }
    job->made = got;
    job->left -= packed;
    return UNPACK_OK;
}

uint64_t unpack_scratch_need(const void *in, size_t n)
{
    switch (unpack_detect(in, n)) {
    case UNPACK_FORMAT_GZIP:
        return GZIP_SCRATCH;
    case UNPACK_FORMAT_XZ:
        return job_xz_scratch_need(in, n);
    case UNPACK_FORMAT_LZMA:
        return job_lzma_scratch_need(in, n);
    case UNPACK_FORMAT_ZSTD:
        return ZSTD_estimateDCtxSize() + ARENA_ALIGN;
    default:
        return 0;
    }
}

static enum unpack_status run(struct job *job, enum unpack_format format)
{
    switch (format) {
    case UNPACK_FORMAT_STORED:
        return unpack_stored(job);
    case UNPACK_FORMAT_GZIP:
        return unpack_gzip(job);
    case UNPACK_FORMAT_XZ:
        return job_unpack_xz(job);
    case UNPACK_FORMAT_LZMA:
        return job_unpack_lzma(job);
    case UNPACK_FORMAT_LZ4:
        return unpack_lz4(job);
    case UNPACK_FORMAT_ZSTD:
        return unpack_zstd(job);
    case UNPACK_FORMAT_BZIP2:
    case UNPACK_FORMAT_LZO:
        return UNPACK_UNSUPPORTED;
    case UNPACK_FORMAT_UNKNOWN:
        break;
    }
    return UNPACK_UNKNOWN;
}

enum unpack_status unpack_payload(const void *in, size_t n, void *out, size_t cap, size_t *out_len,
                                  void *scratch, size_t scratch_len)
{
    struct job job = {.in = in, .left = n, .out = out, .cap = cap};
    enum unpack_status status;

    *out_len = 0;
    job.arena = arena_over(scratch, scratch_len);
    status = run(&job, unpack_detect(in, n));
    if (status != UNPACK_OK)
        return status;
    if (job.left != 0 && job.left != SIZE_TRAILER)
        return UNPACK_TRAILING;
    if (job.left == SIZE_TRAILER && unpack_size_hint(in, n) != (uint32_t)job.made)
        return UNPACK_WRONG_SIZE;
    *out_len = job.made;
    return UNPACK_OK;
}
