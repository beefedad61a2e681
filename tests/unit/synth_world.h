/* SPDX-License-Identifier: MIT */
/*
 * A world for the tests of synthesis: a child process that plays the guest kernel, at fixed
 * addresses in memory that it shares with the test.  The test records it instruction by
 * instruction (as the hypervisor's capture does), runs it for the true answer, and runs the
 * handler that was made of the recording in its place.
 */
#ifndef SYNTH_WORLD_H
#define SYNTH_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"
#include "synth.h"

#define KERNEL_BASE 0x700000000000ull /* its data: "kernel memory" is what lies above USER_END_ */
#define KERNEL_BYTES 0x8000u
#define PERCPU_BASE 0x700000100000ull
#define PERCPU_BYTES 0x2000u
#define STACK_BASE 0x700000200000ull
#define STACK_BYTES_ 0x4000u
#define KERNEL_SP (STACK_BASE + STACK_BYTES_ - 64)
#define USER_BASE 0x200000000000ull
#define USER_BYTES 0x2000u
#define USER_LIMIT 0x400000000000ull
#define AREAS 4u

#define VCPU_INFO_AT 0x100 /* in the per-CPU area: pending, then mask */

/* All memory of the world but the stack. */
struct memory {
    uint8_t kernel[KERNEL_BYTES], percpu[PERCPU_BYTES], user[USER_BYTES];
};

/*
 * Starts the child; its random numbers are those of RADON_SYNTH_SEED.  False, and a message: this machine allows no
 * ptrace, or the addresses are taken (the test is skipped).
 */
bool world_start(void);
void world_stop(void);

void world_save(struct memory *to);
void world_restore(const struct memory *from);

/* The state in which a system call enters: user registers, then `entry` on the kernel's stack. */
struct call {
    struct radon_regs user; /* rip, rsp, rflags of user mode too; rcx = rip and r11 = rflags */
    uint32_t number;
};

/*
 * Runs the entry in the child to the iret hypercall.  Memory is what it left; *after: user mode's
 * registers.  `record`: a capture in a buffer that the caller frees; NULL otherwise.
 */
void *world_run(uint64_t entry, const struct call *call, bool record, struct radon_regs *after);

/* RADON_SYNTH_CAPTURES=DIR: the first n of them go into a file of that name there (tests/fuzz/capture_form.py). */
void world_keep(const char *name, const struct synth_capture *capture, unsigned int n);

/* Recordings have one more step behind each repeated instruction, as QEMU's do with -icount. */
extern bool world_extra_step;

/* What handlers read as time; the child's is the processor's. */
extern uint64_t world_tsc;

/* Runs a handler on the world as it is. */
struct handled {
    enum fast_outcome outcome;
    uint32_t stop;
    struct radon_regs after;
    struct fast_staged staged[FAST_MAX_STAGED];
    uint32_t staged_by[FAST_MAX_STAGED]; /* by the interpreter alone: the instruction */
    uint32_t nr_staged;
};
void world_handle(const struct fast_program *program, const struct call *call, bool jit,
                  struct handled *out);

/* For struct synth_input: read-only segments of this program. */
bool world_ro_read(void *arg, uint64_t address, void *buffer, size_t n);

extern char guest_entry[];
struct insn_row {
    const char *name;
    uint64_t entry, guards;
};
extern const struct insn_row insn_table[];

uint64_t world_random(void);

#endif
