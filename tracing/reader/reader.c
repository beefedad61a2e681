/* SPDX-License-Identifier: MIT */
#include "reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define RECORD_BYTES_MAX sizeof(struct t_rec)
#define CHUNK_HEAD_BYTES 12u
#define CHUNK_HEAD (TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT)
/* So many records in a row must make sense before reading goes on behind a damaged place. */
#define SURE_RECORDS 4

_Static_assert(TRACE_BUFFER >= 2 * SURE_RECORDS * RECORD_BYTES_MAX, "room to look ahead");

void trace_reader_init(struct trace_reader *r, trace_read_fn *read, void *ctx)
{
    memset(r, 0, offsetof(struct trace_reader, buf));
    r->read = read;
    r->ctx = ctx;
}

ssize_t trace_read_fd(void *ctx, void *buf, size_t n)
{
    ssize_t got;

    do
        got = read(*(int *)ctx, buf, n);
    while (got < 0 && errno == EINTR);
    return got;
}

const char *trace_damage_text(enum trace_damage what)
{
    switch (what) {
    case TRACE_NO_CHUNK:
        return "no chunk begins here";
    case TRACE_NO_RECORD:
        return "this is no record";
    case TRACE_CHUNK_SHORT:
        return "the next chunk begins before this one's bytes are over";
    case TRACE_TIME_BACK:
        return "the CPU's time stamps go back";
    case TRACE_TRUNCATED:
        return "the file ends inside a chunk";
    case TRACE_NO_META:
        return "a header that cannot be read";
    }
    return "?";
}

/* ------------------------------------------------------------------ the buffer */

static uint32_t word(const uint8_t *p)
{
    uint32_t w;

    memcpy(&w, p, sizeof(w));
    return w;
}

static size_t refill(struct trace_reader *r, size_t n)
{
    memmove(r->buf, r->buf + r->at, r->end - r->at);
    r->base += r->at;
    r->end -= r->at;
    r->at = 0;
    while (r->end < n && !r->ended) {
        ssize_t got = r->read(r->ctx, r->buf + r->end, sizeof(r->buf) - r->end);

        if (got > 0) {
            r->end += (size_t)got;
        } else {
            r->ended = true;
            r->failed = got < 0;
        }
    }
    return r->end;
}

/* How many bytes are at buf[at]: n (far fewer than the buffer has) or more, or what is left. */
static inline size_t have(struct trace_reader *r, size_t n)
{
    return r->end - r->at >= n ? r->end - r->at : refill(r, n);
}

static uint64_t where(const struct trace_reader *r)
{
    return r->base + r->at;
}

static void chunk_uses(struct trace_reader *r, size_t bytes)
{
    r->at += bytes;
    r->left -= bytes;
}

/* ------------------------------------------------------------------ what makes sense */

static bool is_meta_head(const uint8_t *p)
{
    uint32_t bytes = word(p + 8);

    return word(p) == TRACE_META_HEAD && bytes % 4 == 0 && bytes <= TRACE_META_BYTES_MAX;
}

static bool is_chunk_head(const uint8_t *p)
{
    uint32_t bytes = word(p + 8);

    return word(p) == CHUNK_HEAD && word(p + 4) < TRACE_CPUS_MAX && bytes && bytes % 4 == 0 &&
           bytes <= TRACE_CHUNK_MAX;
}

static bool is_head(const uint8_t *p)
{
    return is_chunk_head(p) || is_meta_head(p);
}

/* An event is of one class and has a subclass (public/trace.h). */
static inline bool is_event(uint32_t event)
{
    uint32_t class = event >> TRC_CLS_SHIFT;

    return class && !(class & (class - 1)) && (event & (0xfu << TRC_SUBCLS_SHIFT)) &&
           event != TRC_TRACE_CPU_CHANGE && event != TRACE_META_EVENT;
}

static inline size_t record_bytes(uint32_t head)
{
    return 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0) + (size_t)TRC_HD_EXTRA(head));
}

static uint64_t tsc_at(const uint8_t *record)
{
    return word(record + 4) | (uint64_t)word(record + 8) << 32;
}

/* Enough records in a row, stamped and in order, begin here, or fewer up to the chunk's end. */
static bool records_begin(struct trace_reader *r)
{
    size_t n = have(r, SURE_RECORDS * RECORD_BYTES_MAX), skip = 0;
    uint64_t tsc = 0;           /* the last one may be what is damaged */

    for (int i = 0; i < SURE_RECORDS; i++) {
        const uint8_t *p = r->buf + r->at + skip;
        uint32_t head;

        if (i && skip == r->left)
            return true;
        if (n < skip + 4)
            return false;
        head = word(p);
        if (!is_event(TRC_HD_TO_EVENT(head)) || skip + record_bytes(head) > r->left ||
            n < skip + record_bytes(head))
            return false;
        if (TRC_HD_TO_EVENT(head) != TRC_TRACE_WRAP_BUFFER) {
            if (!TRC_HD_INCLUDES_CYCLE_COUNT(head) || tsc_at(p) < tsc)
                return false;
            tsc = tsc_at(p);
        }
        skip += record_bytes(head);
    }
    return true;
}

/* ------------------------------------------------------------------ damaged places */

static enum trace_next defect(struct trace_defect *d, enum trace_damage what, uint64_t offset,
                              uint64_t skipped)
{
    d->what = what;
    d->offset = offset;
    d->skipped = skipped;
    return TRACE_DEFECT;
}

static enum trace_next ends_here(struct trace_reader *r, struct trace_defect *d)
{
    uint64_t offset = where(r), rest = r->end - r->at;

    r->at = r->end;
    r->left = 0;
    return r->failed ? TRACE_FAILED : defect(d, TRACE_TRUNCATED, offset, rest);
}

/* Outside chunks: on to where one begins. */
static enum trace_next find_chunk(struct trace_reader *r, struct trace_defect *d)
{
    uint64_t offset = where(r);

    if (have(r, CHUNK_HEAD_BYTES) < CHUNK_HEAD_BYTES)
        return ends_here(r, d);
    do
        r->at++;
    while (have(r, CHUNK_HEAD_BYTES) >= CHUNK_HEAD_BYTES && !is_head(r->buf + r->at));
    if (r->end - r->at < CHUNK_HEAD_BYTES)
        r->at = r->end;
    return defect(d, TRACE_NO_CHUNK, offset, where(r) - offset);
}

/* Inside a chunk: on to where records go on, another chunk begins, or this one ends. */
static enum trace_next find_record(struct trace_reader *r, struct trace_defect *d)
{
    uint64_t offset = where(r);

    do {
        chunk_uses(r, 1);
        if (have(r, CHUNK_HEAD_BYTES) >= CHUNK_HEAD_BYTES && is_head(r->buf + r->at))
            r->left = 0;
    } while (r->left && r->end != r->at && !records_begin(r));
    if (r->failed)
        return TRACE_FAILED;
    return defect(d, TRACE_NO_RECORD, offset, where(r) - offset);
}

/* ------------------------------------------------------------------ reading */

/* A header, whose head is at buf[at]; TRACE_RECORD where it could be read. */
static enum trace_next read_meta(struct trace_reader *r, struct trace_defect *d)
{
    uint32_t version = word(r->buf + r->at + 4), bytes = word(r->buf + r->at + 8);
    uint64_t offset = where(r);

    if (have(r, CHUNK_HEAD_BYTES + bytes) < CHUNK_HEAD_BYTES + bytes)
        return ends_here(r, d);
    r->at += CHUNK_HEAD_BYTES + bytes;
    if (version != TRACE_META_VERSION || bytes < sizeof(r->meta))
        return defect(d, TRACE_NO_META, offset, CHUNK_HEAD_BYTES + bytes);
    memcpy(&r->meta, r->buf + r->at - bytes, sizeof(r->meta));
    r->meta.revision[sizeof(r->meta.revision) - 1] = 0;
    r->has_meta = true;
    return TRACE_RECORD;
}

/* The head of the next chunk; TRACE_RECORD where it could be read. */
static enum trace_next read_chunk_head(struct trace_reader *r, struct trace_defect *d)
{
    size_t n = have(r, CHUNK_HEAD_BYTES);

    if (!n)
        return r->failed ? TRACE_FAILED : TRACE_END;
    if (n < CHUNK_HEAD_BYTES || !is_head(r->buf + r->at))
        return find_chunk(r, d);
    if (is_meta_head(r->buf + r->at))
        return read_meta(r, d);
    r->cpu = word(r->buf + r->at + 4);
    r->left = word(r->buf + r->at + 8);
    r->at += CHUNK_HEAD_BYTES;
    return TRACE_RECORD;
}

/* What is not read as a record at this place. */
static enum trace_next no_record(struct trace_reader *r, struct trace_defect *d)
{
    if (have(r, CHUNK_HEAD_BYTES) >= CHUNK_HEAD_BYTES && is_head(r->buf + r->at)) {
        r->left = 0;
        return defect(d, TRACE_CHUNK_SHORT, where(r), 0);
    }
    return find_record(r, d);
}

enum trace_next trace_reader_next(struct trace_reader *r, struct trace_record *rec,
                                  struct trace_defect *d)
{
    const uint8_t *p;
    uint32_t head, event;
    size_t n, bytes;

    do {
        while (!r->left) {
            enum trace_next got = read_chunk_head(r, d);

            if (got != TRACE_RECORD)
                return got;
        }
        /* No more than the chunk has: who follows a live stream gets its last record at once. */
        n = have(r, r->left < RECORD_BYTES_MAX ? (size_t)r->left : RECORD_BYTES_MAX);
        if (n < 4)
            return ends_here(r, d);
        p = r->buf + r->at;
        head = word(p);
        event = TRC_HD_TO_EVENT(head);
        bytes = record_bytes(head);
        if (!is_event(event) || bytes > r->left)
            return no_record(r, d);
        if (n < bytes)
            return ends_here(r, d);
        if (event == TRC_TRACE_WRAP_BUFFER)
            chunk_uses(r, bytes);
    } while (event == TRC_TRACE_WRAP_BUFFER);

    rec->has_tsc = TRC_HD_INCLUDES_CYCLE_COUNT(head);
    rec->tsc = rec->has_tsc ? tsc_at(p) : 0;
    if (rec->has_tsc) {
        bool back = rec->tsc < r->last_tsc[r->cpu];

        r->last_tsc[r->cpu] = rec->tsc;
        if (back)
            return defect(d, TRACE_TIME_BACK, where(r), 0);
    }
    rec->offset = where(r);
    rec->event = event;
    rec->cpu = r->cpu;
    rec->words = TRC_HD_EXTRA(head);
    memcpy(rec->data, p + bytes - 4 * rec->words, 4 * rec->words);
    chunk_uses(r, bytes);
    r->records++;
    return TRACE_RECORD;
}
