/* SPDX-License-Identifier: MIT */
/*
 * x87/SSE/AVX state of vCPUs.  The registers keep a vCPU's state until another one runs on the CPU.
 */
#ifndef HV_FPU_H
#define HV_FPU_H

#include "hv/domain.h"

void fpu_init_cpu(void);
/* 0 or -XEN_ENOMEM. */
int fpu_vcpu_init(struct vcpu *v);
void fpu_vcpu_destroy(struct vcpu *v);
/* The vCPU that will run here: save the state of another, load this one's. */
void fpu_switch_to(struct vcpu *v);
/* Write the state in the registers to v's image, if it is there (v may move to another CPU). */
void fpu_save(struct vcpu *v);
/* CR0.TS as the guest wants it; v is current. */
void fpu_set_ts(struct vcpu *v, bool ts);
/* #NM of the guest: TS is cleared before it is delivered, as the ABI has it. */
void fpu_not_available(void);
bool fpu_set_xcr0(struct vcpu *v, uint64_t xcr0);

#endif
