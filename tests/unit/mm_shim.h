/* SPDX-License-Identifier: MIT */
/*
 * hv/mm and hv/grant on the host: a machine of MM_FRAMES frames in an array, two CPUs, and guest
 * addresses that are plain host addresses.  Included before everything else (-include), so that the
 * hypervisor's fixed addresses become those of the arrays, and single instructions become calls.
 */
#ifndef TESTS_MM_SHIM_H
#define TESTS_MM_SHIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config.h"

#define MM_FRAMES 256

extern uint64_t mm_ram[MM_FRAMES * 512];
extern uint64_t mm_frame_table[MM_FRAMES * 4];
extern uint64_t mm_m2p[MM_FRAMES];

#undef FRAME_TABLE
#define FRAME_TABLE ((uintptr_t)mm_frame_table)
#undef DIRECTMAP_BASE
#define DIRECTMAP_BASE ((uintptr_t)mm_ram)
#undef RW_M2P_BASE
#define RW_M2P_BASE ((uintptr_t)mm_m2p)

#include "hv/asm.h"
#include "hv/domain.h"
#include "hv/percpu.h"

struct vcpu *mm_current(void);
struct vcpu_hot *mm_hot(void);
struct cpu *mm_this_cpu(void);
void mm_write_cr3(uint64_t cr3);

#define current()    mm_current()
#define hot()        mm_hot()
#define this_cpu()   mm_this_cpu()
#define write_cr3(x) mm_write_cr3(x)
#define read_cr3()   (mm_hot()->kernel_cr3)
#define invlpg(va)   ((void)(va))
#define cpuid_count(leaf, sub, r) ((r)[0] = 0) /* 36 address bits */

/*
 * Start the machine anew: frames [ram_first, MM_FRAMES) are RAM, those below devices; dom 0
 * (privileged) and dom 1 exist without memory, one vCPU each, dom n's on CPU n.
 */
void mm_machine_reset(uint64_t ram_first);
extern struct domain mm_dom[2];
extern struct vcpu mm_vcpu[2];
extern struct cpu mm_cpu[2];
/* Whose hypercalls come next. */
void mm_run_as(unsigned int dom);
/* Put dom's vCPU on a CPU, as a context switch does (no-op if it is there). */
void mm_migrate(unsigned int dom, unsigned int cpu);
/* Called at each flush of everything on a CPU; NULL = nobody. */
extern void (*mm_on_flush)(unsigned int cpu);
/* Called at each preemption point, with no lock held; NULL = nobody. */
extern void (*mm_on_preempt)(void);
/* Guest memory accesses beyond this many fail; -1 = never. */
extern long mm_guest_accesses_left;

#endif
