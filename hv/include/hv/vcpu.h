/* SPDX-License-Identifier: MIT */
/*
 * Making domains and vCPUs.
 */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "hv/domain.h"

/* NULL without memory. */
struct domain *domain_create(uint16_t id, bool privileged);
/* A vCPU that is offline and not initialised; NULL without memory. */
struct vcpu *vcpu_create(struct domain *d, uint32_t id);
/* Give a vCPU the state of a guest context; 0 or -XEN_E*. */
int vcpu_initialise(struct vcpu *v, const struct vcpu_guest_context *ctxt);

/* A vCPU's frame at the top of its stack; valid while it is in the hypervisor with a full one. */
static inline struct cpu_user_regs *vcpu_regs(struct vcpu *v)
{
    return (struct cpu_user_regs *)((char *)v->hot - offsetof(struct cpu_user_regs, es));
}

/* An NMI for v, delivered when it leaves the hypervisor next; it is woken.  No lock held. */
void vcpu_send_nmi(struct vcpu *v);
void vcpu_periodic_fired(void *arg);

/* noreboot on the command line. */
extern bool no_reboot;

#endif
