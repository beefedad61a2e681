/* SPDX-License-Identifier: MIT */
#include "capture_twin.h"

#include <stdlib.h>
#include <string.h>

#define NEAR 512       /* of a pointer: what it points to, still */
#define SMALL 0x10000u /* no pointer */

/* The words of a step that a pointer may be in. */
static const unsigned int word_at[] = { 0,  1,  2,  3,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                        22, 23, 24, 25, 26, 27, 28, 29 };
#define WORDS (sizeof(word_at) / sizeof(word_at[0]))

static uint64_t *word_of(const struct radon_capture_step *s, unsigned int i)
{
    return (uint64_t *)(uintptr_t)s + word_at[i % WORDS];
}

static void rename_word(uint64_t *word, uint64_t from, uint64_t to)
{
    if (*word - from + NEAR < 2 * NEAR)
        *word += to - from;
}

static void rename_value(const struct synth_capture *c, uint64_t from, uint64_t to)
{
    struct radon_capture_head *h = (void *)(uintptr_t)c->head;

    for (unsigned int r = 0; r < 16; r++) {
        rename_word((uint64_t *)&h->before + r, from, to);
        rename_word((uint64_t *)&h->after + r, from, to);
    }
    for (uint32_t n = 0; n < h->steps; n++)
        for (unsigned int i = 0; i < WORDS; i++)
            rename_word(word_of(&c->step[n], i), from, to);
}

struct synth_capture capture_twin(const struct synth_capture *of, const uint8_t *choices, size_t size)
{
    size_t bytes = sizeof(*of->head) + of->head->steps * sizeof(*of->step);
    struct radon_capture_head *h = malloc(bytes);
    struct synth_capture twin;

    if (!h)
        abort();
    twin = (struct synth_capture){ h, (const void *)(h + 1) };
    memcpy(h, of->head, sizeof(*h));
    memcpy(h + 1, of->step, bytes - sizeof(*h));
    for (; size >= 5 && h->steps; size -= 5, choices += 5) {
        uint64_t from = *word_of(&twin.step[choices[0] % h->steps], choices[1]);
        uint64_t to = *word_of(&twin.step[choices[2] % h->steps], choices[3]);

        if (from >= SMALL && to >= SMALL)
            rename_value(&twin, from, to + (uint64_t)(int8_t)choices[4]);
    }
    return twin;
}
