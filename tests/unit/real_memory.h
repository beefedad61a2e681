/* SPDX-License-Identifier: MIT */
/*
 * The memory of a real world (fast_world.h) at its own address, for machine code that has guest loads
 * inlined: it may be read there and not written, a fault in the code goes on where the code wants it, and
 * the time stamp is the world's.
 */
#ifndef REAL_MEMORY_H
#define REAL_MEMORY_H

#include "fast_world.h"

/* Once, and again: false: no memory.  code_bytes: how much code there is at most. */
bool real_open(uint32_t code_bytes);
/* Whether some of it is this process's, so that nobody can say what a load finds. */
bool real_is_mapped(uint64_t address, unsigned int size);
/* The time stamp in code that was emitted becomes one that faults; false: there is none where it is read. */
bool real_tsc(const struct fast_program *program, const struct jit_space *space, uint8_t *code,
              uint32_t size);
/* Around a call of `code`, whose fault exit is `fault` bytes into it, or 0. */
void real_enter(struct world *world, const uint8_t *code, uint32_t fault);
void real_leave(void);

#endif
