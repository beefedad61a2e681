/* SPDX-License-Identifier: MIT */
/*
 * Between irq.c (vectors, delivery) and pirq.c (the guests' side); others use hv/irq.h.
 */
#ifndef HV_X86_IRQ_INT_H
#define HV_X86_IRQ_INT_H

#include "hv/irq.h"

enum irq_kind { IRQ_NONE, IRQ_LINE, IRQ_RESERVED, IRQ_MSI };

struct irq_guest {
    struct domain *d;
    uint32_t port;
    bool share;
    bool owes_eoi;
};

struct irq {
    spinlock_t lock;
    uint8_t kind;               /* enum irq_kind; changed under pirq_lock */
    uint8_t nr_guests;
    uint8_t in_flight;          /* guests that owe an EOI; the line is masked while it is not 0 */
    struct ioapic_line line;    /* vector (messages, too), trigger mode, polarity */
    struct irq_guest guest[IRQ_MAX_SHARED];
    void (*fn)(void *arg);      /* the hypervisor's own handler */
    void *arg;
    struct domain *owner;       /* who mapped the message */
    uint32_t msi_first;         /* first irq of its group */
    struct msi_state msi;
    uint64_t count;
};

extern struct irq irqs[NR_IRQS];

/* NULL for a number that is no interrupt. */
static inline struct irq *irq_of(uint32_t pirq)
{
    return pirq < NR_IRQS && irqs[pirq].kind != IRQ_NONE ? &irqs[pirq] : NULL;
}

/* Make sure that a line has a vector; -XEN_ENOSPC.  pirq_lock held. */
int irq_line_vector(uint32_t gsi);
/* Nobody has this message any more; it is masked.  pirq_lock held. */
void irq_free(uint32_t nr);
/* The bit of d's page that says whether pirq needs PHYSDEVOP_eoi. */
void pirq_show_needs_eoi(struct domain *d, uint32_t pirq);

#endif
