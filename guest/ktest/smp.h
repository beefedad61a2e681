/* SPDX-License-Identifier: MIT */
/* Further vCPUs of a test kernel. */
#ifndef KTEST_SMP_H
#define KTEST_SMP_H

#include "ktest.h"

/*
 * Fills the state a vCPU starts with: on the kernel's page tables and its own stack, upcalls
 * masked, all traps and callbacks set, at `code`, which must not return.
 */
struct vcpu_guest_context *smp_context(unsigned int id, void (*code)(void));
/* VCPUOP_initialise and VCPUOP_up; the first negative errno or 0. */
long smp_start(unsigned int id, void (*code)(void));

/*
 * A worker: a vCPU that does one function after the other for vCPU 0. smp_run() starts one,
 * smp_wait() waits up to a second for its end and gives its result, or -1 when it is not done.
 */
void smp_worker(void);
void smp_run(unsigned int id, long (*work)(void));
long smp_wait(unsigned int id);

#endif
