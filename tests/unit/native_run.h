/* SPDX-License-Identifier: MIT */
/* Runs one instruction on the host's processor with given registers. */
#ifndef TESTS_NATIVE_RUN_H
#define TESTS_NATIVE_RUN_H

#include <stdint.h>

/* Offsets are used by the assembly in native_run.c. */
struct native_state {
    uint64_t gpr[16];   /* the processor's numbering; RSP is neither loaded nor stored */
    uint64_t rflags;
    const void *code;   /* the instruction, followed by what native_jump_back wrote */
};

/* Writes the jump that returns from the code; returns its length in bytes (below 32). */
unsigned int native_jump_back(uint8_t *code);

/* Loads the registers, runs the code, stores the registers back. The code must not touch RSP. */
void native_run(struct native_state *state);

#endif
