/* SPDX-License-Identifier: MIT */
/*
 * A toy world for fast handlers: guest memory, page-table entries, and both engines on the same
 * program, compared in everything that a guest or the hypervisor could see.
 */
#ifndef FAST_WORLD_H
#define FAST_WORLD_H

#include "interp.h"
#include "jit_x86.h"
#include "verifier.h"

#define WORLD_BASE 0x100000ull /* where guest memory is, unless the world is wild */
/*
 * A real world: what is below WORLD_HIDDEN is the hypervisor's, and some of it is there and can be read;
 * behind it are 2 GiB of nothing, as run.h has them, up to run->guard; guest memory is far behind that.
 */
#define WORLD_HIDDEN 0x200000000000ull
#define WORLD_GUARD (WORLD_HIDDEN + (1ull << 31))
#define WORLD_REAL 0x300000000000ull
#define WORLD_BYTES 16384u
#define WORLD_PTES 512u
#define WORLD_PTE_BASE 0x5000ull
#define WORLD_FRAMES 64u /* m2p(mfn) is mfn + 0x1000 */

struct world {
    uint8_t memory[WORLD_BYTES];
    uint64_t pte[WORLD_PTES];
    uint8_t readonly[WORLD_BYTES / 4096];
    uint64_t tsc;
    uint64_t calls;  /* hash of what the engine asked for, in order */
    bool misaligned; /* the stack, in some call of a helper */
    bool wild;       /* any address is somewhere in memory, one in sixteen fails */
    bool real;       /* memory is at WORLD_REAL for the machine code, too, which has guest memory inlined */
    bool takes;      /* real: pages are known, and the code may do what it staged itself */
    bool hidden;     /* the last load that failed went below WORLD_HIDDEN, to what is there */
    bool elsewhere;  /* real: a load went to memory of this process, and says nothing */
};

extern const struct fast_env world_env;

struct world_result {
    enum fast_outcome outcome;
    uint64_t r0;
    struct fast_ctx ctx;
    struct fast_run run;
    struct world world;
    bool took; /* the code did what it staged */
};

/* Runs the program in a copy of the world; stages, then finishes. */
void world_interpret(const struct fast_program *program, const struct world *world,
                     const struct fast_ctx *ctx, struct world_result *out);
/*
 * The same through the JIT with its registers rotated by `shuffle`, or, in a real world, as it is for the
 * hypervisor; NULL, or what went wrong.
 */
const char *world_jit(const struct fast_program *program, const struct world *world,
                      const struct fast_ctx *ctx, unsigned int shuffle, struct world_result *out);
/* NULL when the two are the same, else what differs. */
const char *world_compare(const struct world_result *a, const struct world_result *b);

/* A context with a different number in every register. */
void world_ctx(struct fast_ctx *ctx, const struct fast_program *program);

#endif
