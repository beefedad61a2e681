/* SPDX-License-Identifier: MIT */
/*
 * Event channels (public/event_channel.h): ports, their delivery by the 2-level and the FIFO ABI,
 * and physical interrupts bound to them.
 *
 * Locks, outermost first: pirq_lock (hv/irq.h), the event lock of one domain or of two in the order
 * of their addresses, the lock of a FIFO queue, then the scheduler's.
 */
#ifndef HV_EVENT_H
#define HV_EVENT_H

#include "hv/domain.h"
#include "hv/types.h"

/* ------------------------------------------------------------------ life of domains and vCPUs */

/* Make d->ev, with the 2-level ABI and port 0 reserved; -XEN_ENOMEM. */
int event_domain_init(struct domain *d);
/* Highest port d may have, plus one; the default is all that its ABI offers. */
void event_set_max_ports(struct domain *d, uint32_t max);
/* Make v->ev; -XEN_ENOMEM.  v->hot->info must point somewhere from here on. */
int event_vcpu_init(struct vcpu *v);
/*
 * Close all ports of d and unmap its pirqs (first step of its death, peers see unbound ports).
 * May be called again.
 */
void event_domain_close_all(struct domain *d);
/* Free d->ev and all v->ev; no vCPU of d runs and nobody can find d any more. */
void event_domain_destroy(struct domain *d);

/* ------------------------------------------------------------------ sending */

/*
 * Make `port` of v's domain pending and, unless masked, tell v.  The port belongs to that domain
 * and the caller keeps it from being closed (event lock of either end).
 */
void evtchn_set_pending(struct vcpu *v, uint32_t port);
/* Raise a per-vCPU VIRQ; nothing happens when it is not bound.  No event lock held. */
void evtchn_send_virq(struct vcpu *v, unsigned int virq);
/* Raise a global VIRQ of d; d may be NULL (no domain 0 yet). */
void evtchn_send_global_virq(struct domain *d, unsigned int virq);
/* As EVTCHNOP_send of d; -XEN_EINVAL for a port that cannot send. */
int evtchn_send(struct domain *d, uint32_t port);

/* As EVTCHNOP_unmask of d; -XEN_EINVAL. */
int evtchn_unmask(struct domain *d, uint32_t port);

/*
 * Set v's pending flag (with evtchn_pending_sel as it is) and wake or kick it: for when hot->info
 * has moved and what was pending must be looked at again.
 */
void event_mark_pending(struct vcpu *v);
/*
 * hot->info has moved (register_vcpu_info): mark every 2-level selector and the pending flag, since
 * events that came meanwhile may have been noted in the old place.  Call it after the switch.
 */
void event_info_moved(struct vcpu *v);

/* ------------------------------------------------------------------ SCHEDOP_poll */

/*
 * v is about to wait for one of the ports: from here on a pending one wakes it (vcpu_wake), masked
 * or not.  1 if one is pending already (v must not wait), 0, or -XEN_EINVAL for an invalid port.
 * Follow it by event_poll_end() in any case.  Sets and clears v->polling.
 */
int event_poll_begin(struct vcpu *v, const evtchn_port_t *ports, unsigned int nr);
void event_poll_end(struct vcpu *v);

/* ------------------------------------------------------------------ looking */

/* Print all ports of d that are in use. */
void event_dump(struct domain *d);

#endif
