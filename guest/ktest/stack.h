/* SPDX-License-Identifier: MIT */
/* Stack geometry of a test kernel, shared by C and assembly. */
#ifndef KTEST_STACK_H
#define KTEST_STACK_H

/*
 * One aligned block a vCPU: struct ktest_cpu at its base, the entry stack (where the hypervisor
 * puts frames that come from user mode) below the middle, a small kernel stack for code under
 * test above it, the kernel's own stack below the top. Any kernel stack pointer thus leads to
 * its vCPU by masking.
 */
#define KTEST_STACK_BYTES 0x10000
#define KTEST_ENTRY_STACK_TOP 0x8000
#define KTEST_SCRATCH_STACK_TOP 0xa000
#define KTEST_MAX_CPUS 4

#endif
