/* SPDX-License-Identifier: MIT */
#include "capture_form.h"

#include <stdlib.h>
#include <string.h>

#include "hv/include/public/radon.h"

#define END 63u
#define MOST_RECORDS 2000u
#define WORDS(type) (sizeof(type) / 8)
_Static_assert(WORDS(struct radon_capture_head) < END && WORDS(struct radon_capture_step) < END, "numbers are left");

struct reader {
    const uint8_t *at, *end;
};

/* Adds the record's differences; how it ends: 0 a step follows, 1 another capture, -1 nothing. */
static int read_record(struct reader *r, uint64_t *word, unsigned int words)
{
    while (r->at < r->end) {
        unsigned int number = *r->at & 63, size = 1u << (*r->at >> 6);
        uint64_t difference = 0;

        r->at++;
        if (number == END)
            return size == 2;
        if ((size_t)(r->end - r->at) < size)
            break;
        memcpy(&difference, r->at, size);
        r->at += size;
        if (number < words)
            word[number] += (uint64_t)((int64_t)(difference << (64 - 8 * size)) >> (64 - 8 * size));
    }
    r->at = r->end;
    return -1;
}

/* to[n] += from[n], of words that may lie anywhere. */
static void add_words(void *to, const void *from, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        uint64_t a, b;

        memcpy(&a, (char *)to + 8 * i, 8);
        memcpy(&b, (const char *)from + 8 * i, 8);
        a += b;
        memcpy((char *)to + 8 * i, &a, 8);
    }
}

void *captures_of_form(const uint8_t *data, size_t size, size_t *bytes)
{
    static uint8_t out[MOST_RECORDS * sizeof(struct radon_capture_head)];
    static uint64_t by[MOST_RECORDS][WORDS(struct radon_capture_step)]; /* step by step */
    struct radon_capture_head head = { 0 };
    struct reader r = { data, data + size };
    void *copy;
    int next = 1;

    *bytes = 0;
    memset(by, 0, sizeof(by));
    for (unsigned int n = 0; n < MOST_RECORDS && next == 1; n++) {
        struct radon_capture_head *h = (void *)(out + *bytes);
        struct radon_capture_step step = { 0 };

        next = read_record(&r, (uint64_t *)&head, WORDS(head));
        *h = head;
        add_words(&h->after, &h->before, WORDS(h->after));
        step.regs = h->before;
        *bytes += sizeof(head);
        for (h->steps = 0; next == 0 && n < MOST_RECORDS - 1; n++) {
            struct radon_capture_step *s = (void *)(out + *bytes);

            next = read_record(&r, by[h->steps], WORDS(step));
            add_words(&step, by[h->steps], WORDS(step));
            *s = step;
            add_words(s->mem_after, s->mem_before, 2);
            *bytes += sizeof(step);
            h->steps++;
        }
    }
    copy = malloc(*bytes); /* the sanitizer watches its end */
    if (!copy)
        abort();
    memcpy(copy, out, *bytes);
    return copy;
}
