/* SPDX-License-Identifier: MIT */
/* Random programs that the verifier accepts, out of a stream of bytes or of a seed. */
#ifndef FAST_RANDOM_H
#define FAST_RANDOM_H

#include "isa.h"

struct draw {
    const uint8_t *data; /* NULL: from the seed */
    size_t size;
    uint64_t seed;
};

/* A number below n. Zero when the bytes are used up. */
unsigned int draw_below(struct draw *d, unsigned int n);
/* Often one that arithmetic goes wrong with. */
uint64_t draw_number(struct draw *d);

/* Makes a program of at most FAST_MAX_INSNS instructions; insns is where they go. */
void random_program(struct draw *d, struct fast_insn *insns, struct fast_program *out);
/* The same with more loads and stores, most of them in WORLD_BYTES of guest memory at base. */
void random_guest_program(struct draw *d, uint64_t base, struct fast_insn *insns,
                          struct fast_program *out);

/* A head for tests, with the attach point. */
void random_head(struct fast_header *head, unsigned int kind);

#endif
