/* SPDX-License-Identifier: MIT */
/* What liblzma decodes: .xz, and the .lzma format before it. */
#include <lzma.h>

#include "bytes.h"
#include "unpack_job.h"

#define LZMA_PROPERTIES 5u /* bytes of an .lzma header: what the raw decoder wants to know */
#define LZMA_HEADER 13u    /* and with the unpacked size */

/* What the xz decoder allocates beside what lzma_raw_decoder_memusage() counts. */
#define LZMA_SCRATCH_EXTRA (16u << 10)

/* liblzma's allocation callbacks. */
static void *lzma_arena_alloc(void *arena, size_t count, size_t each)
{
    return arena_alloc(arena, count, each);
}

static void free_in_arena(void *arena, void *p)
{
    arena_free(arena, p);
}

static enum unpack_status lzma_status(lzma_ret result)
{
    switch (result) {
    case LZMA_OK:
    case LZMA_STREAM_END:
        return UNPACK_OK;
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
        return UNPACK_NO_SCRATCH;
    default:
        return UNPACK_CORRUPT;
    }
}

enum unpack_status job_unpack_xz(struct job *job)
{
    lzma_allocator allocator = {lzma_arena_alloc, free_in_arena, &job->arena};
    uint64_t limit = job->arena.size;
    size_t in_pos = 0, out_pos = 0;
    lzma_ret result = lzma_stream_buffer_decode(&limit, 0, &allocator, job->in, &in_pos, job->left,
                                                job->out, &out_pos, job->cap);

    if (result == LZMA_BUF_ERROR) /* the output is full */
        return UNPACK_TOO_BIG;
    job->made = out_pos;
    job->left -= in_pos;
    return lzma_status(result);
}

/*
 * Reads an .lzma header (properties and window size in 5 bytes, unpacked size in 8, all ones when
 * it is not known) into a filter of the raw decoder, whose options come out of the arena.
 */
static lzma_ret read_lzma_header(const uint8_t *in, size_t n, const lzma_allocator *allocator,
                                 lzma_filter *filter)
{
    lzma_ret result;

    *filter = (lzma_filter){.id = LZMA_FILTER_LZMA1};
    if (n < LZMA_HEADER)
        return LZMA_DATA_ERROR;
    result = lzma_properties_decode(filter, allocator, in, LZMA_PROPERTIES);
    if (result != LZMA_OK)
        return result;
    lzma_options_lzma *options = filter->options;

    filter->id = LZMA_FILTER_LZMA1EXT; /* as LZMA1, but ends where the header's size says */
    options->ext_flags = LZMA_LZMA1EXT_ALLOW_EOPM;
    lzma_set_ext_size(*options, load_le64(in + LZMA_PROPERTIES));
    return LZMA_OK;
}

enum unpack_status job_unpack_lzma(struct job *job)
{
    lzma_allocator allocator = {lzma_arena_alloc, free_in_arena, &job->arena};
    lzma_filter filters[2] = {[1] = {.id = LZMA_VLI_UNKNOWN}};
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret result;

    if (job->left < LZMA_HEADER)
        return UNPACK_TRUNCATED;
    s.allocator = &allocator;
    result = read_lzma_header(job->in, job->left, &allocator, &filters[0]);
    if (result == LZMA_OK)
        result = lzma_raw_decoder(&s, filters);
    if (result != LZMA_OK)
        return lzma_status(result);
    s.next_in = job->in + LZMA_HEADER;
    s.avail_in = job->left - LZMA_HEADER;
    s.next_out = job->out;
    s.avail_out = job->cap;
    do {
        result = lzma_code(&s, LZMA_FINISH);
    } while (result == LZMA_OK && s.avail_in && s.avail_out);
    job->made = job->cap - s.avail_out;
    job->left = s.avail_in;
    lzma_end(&s);
    if (result == LZMA_STREAM_END)
        return UNPACK_OK;
    if (result == LZMA_OK || result == LZMA_BUF_ERROR)
        return s.avail_out == 0 ? UNPACK_TOO_BIG : UNPACK_TRUNCATED;
    return lzma_status(result);
}

/* Memory for an xz stream's first block, whose header follows the 12 bytes of the stream's. */
uint64_t job_xz_scratch_need(const uint8_t *in, size_t n)
{
    uint8_t memory[1024]; /* for the options of at most four filters */
    struct arena arena = arena_over(memory, sizeof(memory));
    lzma_allocator allocator = {lzma_arena_alloc, free_in_arena, &arena};
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block = {.filters = filters, .check = LZMA_CHECK_NONE};
    uint64_t need;

    if (n <= LZMA_STREAM_HEADER_SIZE || in[LZMA_STREAM_HEADER_SIZE] == 0)
        return 0;
    block.header_size = lzma_block_header_size_decode(in[LZMA_STREAM_HEADER_SIZE]);
    if (!range_inside(LZMA_STREAM_HEADER_SIZE, block.header_size, n) ||
        lzma_block_header_decode(&block, &allocator, in + LZMA_STREAM_HEADER_SIZE) != LZMA_OK)
        return 0;
    need = lzma_raw_decoder_memusage(filters);
    return need == UINT64_MAX ? 0 : need + LZMA_SCRATCH_EXTRA;
}

uint64_t job_lzma_scratch_need(const uint8_t *in, size_t n)
{
    uint8_t memory[1024]; /* for the options */
    struct arena arena = arena_over(memory, sizeof(memory));
    lzma_allocator allocator = {lzma_arena_alloc, free_in_arena, &arena};
    lzma_filter filters[2] = {[1] = {.id = LZMA_VLI_UNKNOWN}};
    uint64_t need;

    if (read_lzma_header(in, n, &allocator, &filters[0]) != LZMA_OK)
        return 0;
    need = lzma_raw_decoder_memusage(filters);
    return need == UINT64_MAX ? 0 : need + LZMA_SCRATCH_EXTRA;
}
