/* SPDX-License-Identifier: MIT */
/*
 * x86-64 code of a verified program.  Two steps, so that the caller can see to it that no page is
 * ever writable and executable at once: ask for the size, map that much writable, emit, map it
 * executable. The code runs at any address (relative jumps only; helpers through run->helpers),
 * uses no vector register, and keeps the System V calling convention.
 */
#ifndef FASTPATH_JIT_X86_H
#define FASTPATH_JIT_X86_H

#include "run.h"

/* What the emitted code is: returns r0, 0 when a helper stopped the run. */
typedef uint64_t (*fast_code)(struct fast_run *run);

/* Work memory between the two steps, the caller's. */
struct jit_space {
    uint32_t offset[FAST_MAX_INSNS]; /* of each instruction's code */
    uint32_t leave;                  /* where the common end starts */
    uint32_t stopped;                /* where a stopped run ends */
    uint32_t fault;                  /* guest_memory: where a load that faulted goes on; else 0 */
    uint8_t target[FAST_MAX_INSNS / 8]; /* bit per instruction: jumps go there */
    unsigned int shuffle;
    bool guest_memory;
};

/*
 * Size in bytes of the program's code, or 0 when it cannot be made (the program was not verified).
 * `shuffle` rotates the assignment of registers: 0 for use; 1..9 for tests, which so find code that
 * works for one assignment only.
 */
uint32_t fast_jit_size(const struct fast_program *program, struct jit_space *space,
                       unsigned int shuffle);

/*
 * The same for where the guest's addresses can be used as they are (the hypervisor, with the guest
 * kernel's tables loaded): loads, staging of stores and the time stamp are inlined; run->env is asked
 * for the loads behind a staged store alone, which must see it.  An address of the hypervisor's
 * (FAST_GUARD) becomes FAST_NO_ADDRESS, without a branch that could be run past.  Who catches a fault
 * in the code continues at space->fault with all registers as they are.
 */
uint32_t fast_jit_size_guest(const struct fast_program *program, struct jit_space *space);

/* Writes the code. `size` is what fast_jit_size returned, `space` as it left it. False: not
 * emitted. */
bool fast_jit_emit(const struct fast_program *program, struct jit_space *space, void *buffer,
                   uint32_t size);

#endif
