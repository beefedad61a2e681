/* SPDX-License-Identifier: MIT */
#ifndef HV_SMP_H
#define HV_SMP_H

#include "hv/percpu.h"

/* CR4, EFER and FPU of this CPU as the hypervisor wants them. */
void cpu_init_registers(void);
/* All that a CPU needs, its idle vCPU included; panics without memory. */
struct cpu *cpu_create(uint32_t id, uint32_t apic_id);

/* hv/domain */
struct vcpu *idle_vcpu_create(struct cpu *cpu);

#endif
