/* SPDX-License-Identifier: MIT */
/*
 * The processor as a PV guest is shown it.
 */
#ifndef HV_PVCPU_H
#define HV_PVCPU_H

#include "hv/domain.h"
#include "hv/types.h"

/* CR4 as the guest may see it after asking for `value`. */
uint64_t pv_cr4(uint64_t value);

/* Debug registers: 0 or -XEN_EINVAL/-XEN_EPERM; v is current or not running. */
long pv_set_debugreg(struct vcpu *v, unsigned int nr, uint64_t value);
uint64_t pv_get_debugreg(const struct vcpu *v, unsigned int nr);

/* One entry of the trap table, its address checked. */
void pv_set_trap(struct vcpu *v, unsigned int vector, struct guest_trap t);

/* As the stack_switch hypercall; sp is checked against the hypervisor's range. */
void pv_set_kernel_stack(struct vcpu *v, uint16_t ss, uint64_t sp);

/* Port I/O of a guest that has the privilege level for it; refused ports read as ones. */
uint32_t guest_port_read(struct vcpu *v, uint16_t port, unsigned int bytes);
void guest_port_write(struct vcpu *v, uint16_t port, unsigned int bytes, uint32_t value);

/* Save and load what belongs to a vCPU beside its frame: segments, bases, debug registers. */
/* The current vCPU's kernel has another GS base now. */
void pv_note_kernel_gs(struct vcpu *v, uint64_t base);
void pv_save_state(struct vcpu *v);
void pv_load_state(struct vcpu *v);

#endif
