/* SPDX-License-Identifier: MIT */
/*
 * CPUID: what the processor has, and what guests are told.
 */
#ifndef HV_CPUID_H
#define HV_CPUID_H

#include "hv/types.h"

struct vcpu;

struct cpu_features {
    bool xsave, xsaveopt, pge, pcid, tsc_deadline, gb_pages, smep, umip, fsgsbase, x2apic, invariant_tsc;
    uint64_t xcr0_max;    /* state components that the hypervisor saves */
    uint32_t xsave_size;  /* bytes for xcr0_max */
    char vendor[13];
};

extern struct cpu_features features;

void features_detect(void);
/* Answer of CPUID to a PV guest, with the hypervisor leaves at 0x40000000. regs: eax ebx ecx edx. */
void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t regs[4]);

#endif
