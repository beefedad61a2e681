/* SPDX-License-Identifier: MIT */
/*
 * An independent model of who owns, maps and types which frame.
 *
 * It knows no counts and no transitions.  Its state is what the guests said: owners, pins, base
 * pointers, and the words in pages.  From these alone model_derive() works out which pages are
 * tables of which level and how often each frame is mapped; an operation must be accepted iff the
 * state after it (with the entry that it replaces still counted) is one where nothing is table and
 * writable, or table of two levels, and nobody maps what is not his.
 */
#ifndef TESTS_PAGETYPE_MODEL_H
#define TESTS_PAGETYPE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define FIRST_RAM 4       /* frames below are devices */
#define FRAMES    MM_FRAMES
#define SLOTS     6
#define NO_OWNER  (-1)

#define E_P   1UL
#define E_RW  2UL
#define E_US  4UL
#define E_PSE 0x80UL
#define E_G   0x100UL
#define E_FRAME(e) (((e) & 0x000ffffffffff000UL) >> 12)

struct model_entry {
    uint64_t e;
    bool foreign; /* entered with another domain named as the frame's owner */
};

struct model {
    int owner[FRAMES];    /* domain, or NO_OWNER */
    bool alloc[FRAMES];   /* not given up */
    int pinned[FRAMES];   /* level, or 0 */
    uint32_t kernel[2], user[2]; /* base pointers by domain; 0 = none */
    unsigned int epoch[FRAMES];  /* how often freed */
    struct model_entry word[FRAMES][SLOTS];
};

struct view {
    bool valid;
    int level[FRAMES]; /* table of this level; 0 = none */
    int trefs[FRAMES], writable[FRAMES], readable[FRAMES];
};

/* An entry counted beside those in the state. */
struct extra {
    int level; /* of the table it is in; 0 = nothing extra */
    int dom;
    struct model_entry entry;
};

extern const unsigned int model_slot[SLOTS];
bool model_slot_is_hv(unsigned int s);
void model_derive(const struct model *m, const struct extra *x, struct view *v);
/* After an accepted operation that led from view `before`: what follows from it by itself. */
void model_settle(struct model *m, const struct view *before, struct view *now, uint64_t hv_word);

#endif
