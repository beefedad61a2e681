/* SPDX-License-Identifier: MIT */
#include "trace/ring.h"

#include "hv/lib.h"

#define HEAD_WORDS 3 /* event and time stamp */

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

void trace_ring_init(struct trace_ring *r, void *buf, uint32_t bytes)
{
    memset(r, 0, sizeof(*r));
    r->buf = buf;
    r->buf->cons = r->buf->prod = 0;
    r->size = bytes - (uint32_t)sizeof(struct t_buf);
}

/* Bytes that the reader has not taken; the whole ring if what it says makes no sense. */
static uint32_t unread(const struct trace_ring *r)
{
    uint32_t cons = __atomic_load_n(&r->buf->cons, __ATOMIC_ACQUIRE), n;

    if (cons >= 2 * r->size || cons % 4)
        return r->size;
    n = r->prod >= cons ? r->prod - cons : r->prod + 2 * r->size - cons;
    return n > r->size ? r->size : n;
}

static uint32_t place(const struct trace_ring *r, uint32_t prod)
{
    return prod >= r->size ? prod - r->size : prod;
}

static uint32_t advance(const struct trace_ring *r, uint32_t prod, uint32_t bytes)
{
    prod += bytes;
    return prod >= 2 * r->size ? prod - 2 * r->size : prod;
}

/* Bytes of padding before a record of `bytes` at prod. */
static uint32_t padding(const struct trace_ring *r, uint32_t prod, uint32_t bytes)
{
    uint32_t left = r->size - place(r, prod);

    return left < bytes ? left : 0;
}

static uint32_t *word_at(const struct trace_ring *r, uint32_t prod)
{
    return (uint32_t *)((char *)(r->buf + 1) + place(r, prod));
}

/* Fill `bytes`, less than the longest record, up to the end; where prod is then. */
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

static inline void write_record(uint32_t *p, uint32_t event, const char *data,
                                unsigned int words, uint64_t tsc)
{
    p[0] = event | words << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG;
    p[1] = (uint32_t)tsc;
    p[2] = (uint32_t)(tsc >> 32);
    p += HEAD_WORDS;
    for (unsigned int i = 0; i < words; i++)
        __builtin_memcpy(p + i, data + 4 * i, 4);
}

static uint32_t put_record(const struct trace_ring *r, uint32_t prod, uint32_t event,
                           const void *data, unsigned int words, uint64_t tsc)
{
    uint32_t bytes = 4 * (HEAD_WORDS + words);

    prod = put_padding(r, prod, padding(r, prod, bytes));
    write_record(word_at(r, prod), event, data, words, tsc);
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

/* What lies before `prod` is to be read from now on: `used` bytes were, `need` were written. */
static inline enum trace_put publish(struct trace_ring *r, uint32_t prod, uint32_t used,
                                     uint32_t need)
{
    uint32_t half = r->size / 2;

    r->written++;
    r->prod = prod;
    /* The records before the offset that says they are there. */
    __atomic_store_n(&r->buf->prod, prod, __ATOMIC_RELEASE);
    return used < half && used + need >= half ? TRACE_PUT_HALF : TRACE_PUT_OK;
}

/* The end is near, or records were lost. */
static __attribute__((noinline)) enum trace_put put_general(struct trace_ring *r, uint32_t used,
                                                            uint32_t event, const void *data,
                                                            unsigned int words,
                                                            const struct trace_stamp *stamp)
{
    uint32_t prod = r->prod, lost_bytes = r->lost ? 4 * (HEAD_WORDS + LOST_WORDS) : 0;
    uint32_t need = room_for(r, prod, lost_bytes, 4 * (HEAD_WORDS + words));

    if (need > r->size - used) {
        if (!r->lost++)
            r->lost_since = stamp->tsc;
        r->lost_total++;
        return TRACE_PUT_LOST;
    }
    if (r->lost) {
        struct lost_data lost = { r->lost, stamp->domain, stamp->vcpu, r->lost_since };

        prod = put_record(r, prod, TRC_LOST_RECORDS, &lost, LOST_WORDS, stamp->tsc);
        r->lost = 0;
    }
    prod = put_record(r, prod, event, data, words, stamp->tsc);
    return publish(r, prod, used, need);
}

enum trace_put trace_ring_put(struct trace_ring *r, uint32_t event, const void *data,
                              unsigned int words, const struct trace_stamp *stamp)
{
    uint32_t used = unread(r), bytes = 4 * (HEAD_WORDS + words), at = place(r, r->prod);

    if (r->lost || bytes > r->size - used || bytes >= r->size - at)
        return put_general(r, used, event, data, words, stamp);
    write_record(word_at(r, at), event, data, words, stamp->tsc);
    return publish(r, r->prod + bytes, used, bytes);
}
