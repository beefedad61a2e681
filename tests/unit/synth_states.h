/* SPDX-License-Identifier: MIT */
/*
 * A path of guards put together by hand, on numbers: two captures that the steps of synthesis see, and states that
 * they do not, in which what a step did is held against what was there before.
 */
#ifndef SYNTH_STATES_H
#define SYNTH_STATES_H

#include "code.h"

#define SEEN 2u /* captures */
#define STATES 40u

struct states {
    struct synth_input in;
    struct synth_output out;
    struct work w;
    struct code c;
    struct segment s, child;
    struct radon_capture_head head[STATES];
    uint64_t seed;
};

void states_open(struct states *t, uint64_t seed);
void states_close(struct states *t);

/* A number below n. */
uint64_t draw(struct states *t, uint64_t n);
/* A value read from memory, whose number in each state is bound (concrete_bind). */
node_id value_read(struct states *t, uint64_t address);
uint64_t worth(struct states *t, unsigned int state, node_id a);

void add_guard(struct states *t, struct segment *s, node_id truth);
/* Whether the guards of the segments let the state pass: those that are not dead. */
bool guards_hold(struct states *t, unsigned int state);
unsigned int guards_left(const struct segment *s);

#endif
