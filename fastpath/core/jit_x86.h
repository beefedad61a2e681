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

/* What is known at an instruction (jit_flow.c). */
struct jit_point {
    uint16_t live; /* bit per register of the program: read here or later before it is written */
    uint16_t ctx;  /* the same: holds the context's address */
    uint16_t last_store; /* the instruction that staged the last of them */
    uint8_t stores; /* staged on the way here; or JIT_MIXED: that depends on the way, as may the
                       next two */
    uint8_t result; /* the context's rax was written */
    uint8_t r0;     /* 0 or 1, if that is what it holds */
    bool reached, target, half /* the second of an lddw */;
    bool plain; /* some way here is neither `ja` nor falls out of `mov r0, ...` */
};
#define JIT_MIXED 0xff

/* Work memory between the two steps, the caller's. */
struct jit_space {
    uint32_t offset[FAST_MAX_INSNS]; /* of each instruction's code */
    struct jit_point point[FAST_MAX_INSNS];
    uint32_t leave;   /* where the common end starts */
    uint32_t stopped; /* where a stopped run ends */
    uint32_t fault;   /* guest_memory: where a load that faulted goes on; else 0 */
    uint32_t slow[4]; /* lean: loads of 1, 2, 4, 8 bytes by the helper; else 0 */
    unsigned int shuffle;
    uint64_t tag;
    uint32_t first_page;
    bool guest_memory;
    bool lean;
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
 * kernel's tables loaded): loads, staging of stores and the time stamp are inlined; run->env is
 * asked for the loads behind a staged store alone, which must see it.  An address of the
 * hypervisor's (FAST_GUARD) becomes FAST_NO_ADDRESS, without a branch that could be run past.  Who
 * catches a fault in the code continues at space->fault with all registers as they are.  Of the places in
 * run->page the code's stores have those from first_page on (FAST_PAGE()).
 */
uint32_t fast_jit_size_guest(const struct fast_program *program, struct jit_space *space,
                             uint32_t first_page);

/*
 * Calls such code: r0.  With `take` it does what it staged, if all of it goes to run->page and a page-table
 * update behind it is possible; the list is empty then, and stays as it is otherwise.
 */
uint64_t fast_call(fast_code code, struct fast_run *run, bool take);

/*
 * Lean code, for system calls on the way from user mode and back, without a frame: 0 if the program
 * is none of that kind (it reads more of the context than rax, the arguments, kernel_gs and
 * kernel_sp, or writes more than rax, or its stores on ways that meet are not the same).
 *
 * In: rcx = the run; rdi rsi rdx r10 r8 r9 = the arguments; stack 16-aligned behind the return
 * address. Out: carry clear: all is done and rax is the context's; carry set: rax is `tag`, and
 * run->stop says why: FAST_STOP_UNTAKEN, the stores staged are still to be taken, with run->result
 * as rax; else PASS. Changed: rax, flags.  A fault continues at space->fault, as above.
 */
uint32_t fast_jit_size_lean(const struct fast_program *program, struct jit_space *space,
                            uint64_t tag, uint32_t first_page);

/*
 * Calls lean code from C, with the context in place of registers: r0.  rax is in the context then,
 * and what was staged is left in the list; or, with `take`, taken if all of it goes to run->page
 * (then the list is empty).
 */
uint64_t fast_call_lean(fast_code code, struct fast_run *run, bool take);

/* Writes the code. `size` is what fast_jit_size returned, `space` as it left it. False: not
 * emitted. */
bool fast_jit_emit(const struct fast_program *program, struct jit_space *space, void *buffer,
                   uint32_t size);

#endif
