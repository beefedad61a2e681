/* SPDX-License-Identifier: MIT */
#include "trace/ring.h"

#include "hv/lib.h"

#define HEAD_WORDS (TRACE_HEAD_BYTES / 4)

/* Data of TRC_LOST_RECORDS. */
struct lost_data {
    uint32_t count;
    uint16_t domain, vcpu;
    uint64_t since;
} __attribute__((packed));
#define LOST_WORDS (sizeof(struct lost_data) / 4)

_Static_assert(sizeof(struct lost_data) % 4 == 0, "records are made of words");
_Static_assert(LOST_WORDS <= TRACE_EXTRA_MAX, "fits a record");
_Static_assert(sizeof(struct t_rec) == 4 * (HEAD_WORDS + TRACE_EXTRA_MAX), "the longest record");
_Static_assert(TRACE_ROOM >= sizeof(struct t_rec), "and there is room for it");

/* ------------------------------------------------------------------ offsets */

static uint32_t place(const struct trace_ring *r, uint32_t prod)
{
    return prod >= r->size ? prod - r->size : prod;
}

static uint32_t advance(const struct trace_ring *r, uint32_t prod, uint32_t bytes)
{
    prod += bytes;
    return prod >= 2 * r->size ? prod - 2 * r->size : prod;
}

/* Bytes from offset `from` up to offset `to`. */
static uint32_t distance(const struct trace_ring *r, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + 2 * r->size - from;
}

static uint32_t position(const struct trace_ring *r)
{
    return (uint32_t)(uintptr_t)r->cur - r->bias;
}

static void set_position(struct trace_ring *r, uint32_t prod)
{
    r->cur = r->data + place(r, prod);
    r->bias = (uint32_t)(uintptr_t)r->cur - prod;
}

/* Bytes that the reader has not taken; the whole ring if what it says makes no sense. */
static uint32_t unread(const struct trace_ring *r, uint32_t cons)
{
    uint32_t n;

    if (r->flight)
        return 0;
    if (cons >= 2 * r->size || cons % 4)
        return r->size;
    n = distance(r, cons, position(r));
    return n > r->size ? r->size : n;
}

/* Bytes up to the border that no record may span. */
static uint32_t before_border(const struct trace_ring *r, uint32_t prod)
{
    uint32_t at = place(r, prod), left = r->size - at;
    uint32_t page_left = TRACE_FLIGHT_PAGE - at % TRACE_FLIGHT_PAGE;

    return r->flight && page_left < left ? page_left : left;
}

/* Bytes of padding before a record of `bytes` at prod. */
static uint32_t padding(const struct trace_ring *r, uint32_t prod, uint32_t bytes)
{
    uint32_t left = before_border(r, prod);

    return left < bytes ? left : 0;
}

/* ------------------------------------------------------------------ writing */

static uint32_t *word_at(const struct trace_ring *r, uint32_t prod)
{
    return (uint32_t *)(r->data + place(r, prod));
}

/* Fill `bytes`, less than the longest record, up to the border; where prod is then. */
static uint32_t put_padding(const struct trace_ring *r, uint32_t prod, uint32_t bytes)
{
    unsigned int words = bytes / 4;
    uint32_t *p = word_at(r, prod), head = 1;

    if (!words)
        return prod;
    /* Nine words are more than the data words can say: the time stamp takes two of them. */
    if (words - 1 > TRACE_EXTRA_MAX)
        head = HEAD_WORDS;
    memset(p, 0, bytes);
    *p = TRC_TRACE_WRAP_BUFFER | (words - head) << TRACE_EXTRA_SHIFT |
         (head == HEAD_WORDS ? (uint32_t)TRC_HD_CYCLE_FLAG : 0);
    return advance(r, prod, bytes);
}

static void write_record(uint8_t *p, uint32_t event, const void *data, unsigned int words,
                         uint64_t tsc)
{
    uint32_t head[HEAD_WORDS] = { TRACE_HEAD(event, words), (uint32_t)tsc, (uint32_t)(tsc >> 32) };

    memcpy(p, head, sizeof(head));
    memcpy(p + sizeof(head), data, 4UL * words);
}

static uint32_t put_record(const struct trace_ring *r, uint32_t prod, uint32_t event,
                           const void *data, unsigned int words, uint64_t tsc)
{
    uint32_t bytes = 4 * (HEAD_WORDS + words);

    prod = put_padding(r, prod, padding(r, prod, bytes));
    write_record((uint8_t *)word_at(r, prod), event, data, words, tsc);
    return advance(r, prod, bytes);
}

/* Bytes taken by records of these sizes at prod, padding included; sizes of 0 are left out. */
static uint32_t room_for(const struct trace_ring *r, uint32_t prod, uint32_t first, uint32_t second)
{
    uint32_t n = 0;

    if (first)
        n = padding(r, prod, first) + first;
    return n + padding(r, advance(r, prod, n), second) + second;
}

/* ------------------------------------------------------------------ the limit */

/* `used` bytes are unread, as the reader says now. */
static void set_limit(struct trace_ring *r, uint32_t used)
{
    uint32_t border = before_border(r, position(r)), half = r->size / 2, room;

    r->limit = NULL;
    if (border <= TRACE_ROOM)
        return;
    /* Not up to the border itself, where the offset would have to wrap. */
    room = border - TRACE_ROOM;
    if (!r->flight) {
        uint32_t left = r->size - used;

        if (left < TRACE_ROOM)
            return;
        if (left - TRACE_ROOM + 4 < room)
            room = left - TRACE_ROOM + 4;
        if (r->armed && used + TRACE_ROOM >= half)
            return;
        if (r->armed && half - used - TRACE_ROOM < room)
            room = half - used - TRACE_ROOM;
    }
    r->limit = r->cur + room;
}

/*
 * Whether the reader is to be told, `used` bytes being unread now and `before` before the last
 * record. Once on each way up; it is on a new one when less than half was unread, or when it has
 * taken half a ring since it was told, even if that was not seen from here.
 */
static bool to_tell(struct trace_ring *r, uint32_t before, uint32_t used, uint32_t cons)
{
    uint32_t half = r->size / 2;

    if (r->flight)
        return false;
    if (before < half || distance(r, r->told_cons, cons) >= half)
        r->armed = true;
    if (!r->armed || used < half)
        return false;
    r->armed = false;
    r->told_cons = cons;
    return true;
}

/* ------------------------------------------------------------------ interface */

void trace_ring_init(struct trace_ring *r, void *buf, uint32_t bytes, bool flight)
{
    memset(r, 0, sizeof(*r));
    r->buf = buf;
    r->buf->cons = r->buf->prod = 0;
    r->data = (uint8_t *)(r->buf + 1);
    r->size = bytes - (uint32_t)sizeof(struct t_buf);
    r->flight = flight;
    r->armed = true;
    set_position(r, 0);
}

/* The limit is reached: look where the border and the reader are, and write what fits. */
static __attribute__((noinline)) enum trace_put put_looking(struct trace_ring *r, uint32_t event,
                                                            const void *data, unsigned int words,
                                                            const struct trace_stamp *stamp)
{
    uint32_t cons = __atomic_load_n(&r->buf->cons, __ATOMIC_ACQUIRE), used = unread(r, cons);
    uint32_t prod = position(r), lost_bytes = r->lost ? 4 * (HEAD_WORDS + LOST_WORDS) : 0;
    uint32_t need = room_for(r, prod, lost_bytes, 4 * (HEAD_WORDS + words));
    bool tell;

    if (need > r->size - used) {
        if (!r->lost++)
            r->lost_since = stamp->tsc;
        r->lost_total++;
        r->limit = NULL;
        return TRACE_PUT_LOST;
    }
    if (r->lost) {
        struct lost_data lost = { r->lost, stamp->domain, stamp->vcpu, r->lost_since };

        prod = put_record(r, prod, TRC_LOST_RECORDS, &lost, LOST_WORDS, stamp->tsc);
        r->lost = 0;
    }
    prod = put_record(r, prod, event, data, words, stamp->tsc);
    if (place(r, prod) < (uint32_t)(r->cur - r->data))
        r->wrapped = true;
    set_position(r, prod);
    trace_ring_publish(r, 0);
    tell = to_tell(r, used, used + need, cons);
    set_limit(r, r->flight ? 0 : used + need);
    return tell ? TRACE_PUT_HALF : TRACE_PUT_OK;
}

enum trace_put trace_ring_put(struct trace_ring *r, uint32_t event, const void *data,
                              unsigned int words, const struct trace_stamp *stamp)
{
    if (r->cur >= r->limit)
        return put_looking(r, event, data, words, stamp);
    write_record(r->cur, event, data, words, stamp->tsc);
    trace_ring_publish(r, 4 * (HEAD_WORDS + words));
    return TRACE_PUT_OK;
}

struct trace_pieces trace_ring_kept(const struct trace_ring *r)
{
    uint32_t at = place(r, position(r)), next = (at / TRACE_FLIGHT_PAGE + 1) * TRACE_FLIGHT_PAGE;
    struct trace_pieces p = { { r->data, r->data }, { 0, at } };

    if (r->wrapped && next < r->size) {
        p.at[0] += next;
        p.bytes[0] = r->size - next;
    }
    return p;
}
