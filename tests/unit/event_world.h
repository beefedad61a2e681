/* SPDX-License-Identifier: MIT */
/*
 * Domains for the tests of event channels: what hv/event needs of the rest of the hypervisor, and
 * what it told it.
 */
#ifndef TESTS_EVENT_WORLD_H
#define TESTS_EVENT_WORLD_H

#include "event/evtchn.h"

#define WORLD_DOMAINS 3
#define WORLD_VCPUS   4

extern struct domain *world[WORLD_DOMAINS];
/* Calls of vcpu_kick() and vcpu_wake() by domain and vCPU; atomic. */
extern unsigned int kicks[WORLD_DOMAINS][WORLD_VCPUS];
extern unsigned int wakes[WORLD_DOMAINS][WORLD_VCPUS];
/* pirqs that are bound: domain << 16 | port, by number. */
extern uint32_t bound_pirq[16];
/* Frames given to the hypervisor and not taken back. */
extern int frames_held;

void world_make(void);
void world_end(void);

/* A "frame" number for a page of the test's own: its address >> 12. */
uint64_t frame_of(const void *page);
void *new_page(void);

/* Shorthands for evtchn_op(). */
int op_alloc_unbound(struct domain *d, domid_t dom, domid_t remote, uint32_t *port);
int op_bind_interdomain(struct domain *d, domid_t remote, uint32_t rport, uint32_t *port);
int op_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port);
int op_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port);
int op_bind_pirq(struct domain *d, uint32_t pirq, uint32_t *port);
int op_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);
int op_close(struct domain *d, uint32_t port);
int op_send(struct domain *d, uint32_t port);
int op_unmask(struct domain *d, uint32_t port);
int op_status(struct domain *d, domid_t dom, uint32_t port, struct evtchn_status *st);
int op_reset(struct domain *d, domid_t dom);
int op_init_control(struct domain *d, uint32_t vcpu, const void *page, uint32_t offset);
int op_expand_array(struct domain *d, const void *page);
int op_set_priority(struct domain *d, uint32_t port, uint32_t priority);

#endif
