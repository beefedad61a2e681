/* SPDX-License-Identifier: MIT */
/*
 * Inside of the event channels; others use hv/event.h.
 */
#ifndef HV_EVENT_EVTCHN_H
#define HV_EVENT_EVTCHN_H

#include "hv/bitops.h"
#include "hv/event.h"
#include "hv/lib.h"

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED, /* port 0, or a binding still in the making */
    EVTCHN_UNBOUND,
    EVTCHN_INTERDOMAIN,
    EVTCHN_PIRQ,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
};

struct fifo_queue;

/* One port.  Guarded by the event lock of its domain, except as said. */
struct evtchn {
    uint8_t state;              /* enum evtchn_state */
    uint8_t priority;           /* FIFO */
    uint8_t early;              /* FIFO: became pending before its event word existed */
    uint32_t port;
    struct vcpu *vcpu;          /* whom it notifies; written under the lock, read without */
    struct fifo_queue *queue;   /* FIFO: where it was linked last; changed under that one's lock */
    union {
        struct domain *remote;  /* INTERDOMAIN: does not change while either side's lock is held */
        uint32_t nr;            /* VIRQ or PIRQ number; UNBOUND: domid of who may bind */
    };
    struct evtchn *peer;        /* INTERDOMAIN: the other end, under the same rule */
};

#define PORTS_PER_BUCKET 128
#define MAX_BUCKETS (EVTCHN_FIFO_NR_CHANNELS / PORTS_PER_BUCKET)
#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define MAX_ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

/* A frame of the guest that the hypervisor writes to: held with a writable type reference. */
struct guest_frame {
    struct page_info *page;
    void *va;
};

/* Take and map frame mfn of d; -XEN_EINVAL if it cannot be had. */
int guest_frame_get(struct guest_frame *f, struct domain *d, uint64_t mfn);
void guest_frame_put(struct guest_frame *f);

/* The tail of one priority's list, which the guest consumes from the head. */
struct fifo_queue {
    spinlock_t lock;
    uint32_t tail;              /* port linked last, 0 = none known to be in the list */
    uint8_t priority;
    struct vcpu *vcpu;
};

#define POLL_MANY (~0U)

struct vcpu_event_state {
    uint32_t virq_port[NR_VIRQS];                  /* per-vCPU VIRQs; 0 = not bound */
    uint32_t poll_port;                            /* while polling: the port, or POLL_MANY */
    struct evtchn_fifo_control_block *control;     /* FIFO, NULL before init_control */
    struct guest_frame control_frame;
    struct fifo_queue queues[EVTCHN_FIFO_MAX_QUEUES];
};

struct event_state {
    spinlock_t lock;
    bool fifo;
    uint32_t free_hint;                            /* no port below is free */
    uint32_t nr_buckets;                           /* buckets from 0 that exist */
    uint32_t max_ports;
    uint32_t nr_pages;                             /* FIFO: pages of the event array */
    uint32_t global_virq[NR_VIRQS];
    uint64_t pollers[MAX_VCPUS / 64];              /* vCPUs in SCHEDOP_poll */
    struct evtchn *bucket[MAX_BUCKETS];
    event_word_t *array[MAX_ARRAY_PAGES];
    struct guest_frame array_frame[MAX_ARRAY_PAGES];
};

/* NULL for a number beyond the ports made so far. */
static inline struct evtchn *evtchn_of(const struct event_state *ev, uint32_t port)
{
    if (unlikely(port / PORTS_PER_BUCKET >= ev->nr_buckets))
        return NULL;
    return &ev->bucket[port / PORTS_PER_BUCKET][port % PORTS_PER_BUCKET];
}

/* NULL for a vCPU that d does not have. */
static inline struct vcpu *event_vcpu_of(const struct domain *d, uint32_t id)
{
    struct vcpu *v = id < d->nr_vcpus ? d->vcpu[id] : NULL;

    return v && v->ev ? v : NULL;
}

static inline event_word_t *fifo_word(const struct event_state *ev, uint32_t port)
{
    if (unlikely(port / WORDS_PER_PAGE >= READ_ONCE(ev->nr_pages)))
        return NULL;
    return &ev->array[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

/* Raise chn, which belongs to chn->vcpu's domain d: the two ABIs' halves. */
void evtchn_2l_raise(struct domain *d, struct evtchn *chn);
void evtchn_fifo_raise(struct domain *d, struct evtchn *chn);
void evtchn_2l_unmask(struct domain *d, struct evtchn *chn);
void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn);

static inline void evtchn_raise(struct domain *d, struct evtchn *chn)
{
    if (d->ev->fifo)
        evtchn_fifo_raise(d, chn);
    else
        evtchn_2l_raise(d, chn);
}

/* A port became pending: wake those that poll on it. */
void event_wake_pollers(struct domain *d, uint32_t port);

static inline void event_check_pollers(struct domain *d, uint32_t port)
{
    const struct event_state *ev = d->ev;

    if (unlikely(READ_ONCE(ev->pollers[0]) | READ_ONCE(ev->pollers[1])))
        event_wake_pollers(d, port);
}

bool evtchn_is_pending(struct domain *d, uint32_t port);
bool evtchn_is_masked(struct domain *d, uint32_t port);
/* FIFO: the guest has not taken the port out of a queue yet, so it must not be given out again. */
bool evtchn_is_linked(struct domain *d, uint32_t port);
void evtchn_clear_pending(struct domain *d, struct evtchn *chn);

/* FIFO operations; d's event lock held. */
int evtchn_fifo_init_control(struct domain *d, struct evtchn_init_control *op);
/* A new v: queues empty, none of them usable before init_control. */
void evtchn_fifo_init_vcpu(struct vcpu *v);
int evtchn_fifo_expand_array(struct domain *d, uint64_t mfn);
/* Back to the 2-level ABI; all ports are closed. */
void evtchn_fifo_reset(struct domain *d);

/* Lock one domain's state, or two in the order of their addresses (they may be the same). */
void event_lock2(struct domain *a, struct domain *b);
void event_unlock2(struct domain *a, struct domain *b);

/*
 * A new port in state RESERVED, notifying vCPU 0, or -XEN_ENOSPC/-XEN_ENOMEM.  evtchn_free() makes
 * it free again.  Lock held.
 */
int evtchn_alloc(struct domain *d, struct evtchn **out);
void evtchn_free(struct domain *d, struct evtchn *chn);

/*
 * One operation of the calling vCPU v on a copy of its argument, which holds the results after.
 * What is done with the guest's memory is in evtchn_hcall.c.
 */
int evtchn_op(struct vcpu *v, unsigned int cmd, void *arg);
/* Close a port; -XEN_EINVAL if there is nothing to close.  No lock held. */
int evtchn_close(struct domain *d, uint32_t port);

int evtchn_alloc_unbound(struct domain *d, struct evtchn_alloc_unbound *op);
int evtchn_bind_interdomain(struct domain *d, struct evtchn_bind_interdomain *op);
int evtchn_bind_virq(struct domain *d, struct evtchn_bind_virq *op);
/* Where the port of a VIRQ is noted: with the vCPU, or with the domain for a global one. */
uint32_t *evtchn_virq_slot(struct domain *d, struct vcpu *v, uint32_t virq);
int evtchn_bind_ipi(struct domain *d, struct evtchn_bind_ipi *op);
int evtchn_bind_pirq(struct domain *d, struct evtchn_bind_pirq *op);
int evtchn_bind_vcpu(struct domain *d, const struct evtchn_bind_vcpu *op);
int evtchn_status(struct domain *caller, struct evtchn_status *op);

#endif
