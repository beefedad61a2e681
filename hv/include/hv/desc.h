/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables of CPUs and guests.
 */
#ifndef HV_DESC_H
#define HV_DESC_H

#include "hv/types.h"

struct cpu;
struct vcpu;
struct vcpu_hot;

void idt_init(void);
/* Allocate GDT window, TSS, stacks and stub of a CPU; then, on that CPU, load them. */
void desc_init_cpu(struct cpu *cpu);
void desc_load(struct cpu *cpu);
/* The stack that the next entry from a guest starts on. */
void desc_set_stack(struct cpu *cpu, struct vcpu_hot *h);
/* How system calls enter, by HOT_FAST of the vCPU that runs there; either way is right, one is sooner. */
void desc_set_syscall(struct cpu *cpu, const struct vcpu_hot *h);
/* Show v's GDT and LDT in the CPU's windows. */
void desc_switch_to(struct cpu *cpu, struct vcpu *v);
/* Let go of v's GDT and LDT frames; v does not run. */
void desc_release(struct vcpu *v);
/* As the set_gdt hypercall, for any v that is current or not running; -XEN_EINVAL. */
int vcpu_set_gdt(struct vcpu *v, const mfn_t *frames, unsigned int entries);

#endif
