/* SPDX-License-Identifier: MIT */
/*
 * Ports: from their allocation to their end.
 */
#include "evtchn.h"

#include "hv/irq.h"

/* ------------------------------------------------------------------ ports */

static uint32_t port_limit(const struct event_state *ev)
{
    uint32_t abi = ev->fifo ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS;

    return MIN(abi, ev->max_ports);
}

static int add_bucket(struct domain *d)
{
    struct event_state *ev = d->ev;
    struct evtchn *b;

    if (!event_vcpu_of(d, 0))
        return -XEN_EINVAL;
    b = hv_alloc(PORTS_PER_BUCKET * sizeof(*b));
    if (!b)
        return -XEN_ENOMEM;
    for (uint32_t i = 0; i < PORTS_PER_BUCKET; i++) {
        b[i].port = ev->nr_buckets * PORTS_PER_BUCKET + i;
        b[i].priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        b[i].vcpu = d->vcpu[0];
        /* Any queue will do while no tail names the port; from then on it must stay right. */
        b[i].queue = &d->vcpu[0]->ev->queues[EVTCHN_FIFO_PRIORITY_DEFAULT];
    }
    if (ev->nr_buckets == 0)
        b[0].state = EVTCHN_RESERVED;
    ev->bucket[ev->nr_buckets] = b;
    WRITE_ONCE(ev->nr_buckets, ev->nr_buckets + 1);
    return 0;
}

int evtchn_alloc(struct domain *d, struct evtchn **out)
{
    struct event_state *ev = d->ev;
    uint32_t limit = port_limit(ev);
    bool hint = true; /* every port so far is in use: the hint may move */

    for (uint32_t port = ev->free_hint; port < limit; port++) {
        struct evtchn *chn = evtchn_of(ev, port);

        if (!chn) {
            int rc = add_bucket(d);

            if (rc)
                return rc;
            chn = evtchn_of(ev, port);
        }
        if (chn->state == EVTCHN_FREE && !evtchn_is_linked(d, port)) {
            chn->state = EVTCHN_RESERVED;
            if (hint)
                ev->free_hint = port + 1;
            *out = chn;
            return 0;
        }
        if (chn->state == EVTCHN_FREE)
            hint = false;
    }
    return -XEN_ENOSPC;
}

void evtchn_free(struct domain *d, struct evtchn *chn)
{
    chn->early = 0;
    evtchn_clear_pending(d, chn);
    chn->state = EVTCHN_FREE;
    chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    WRITE_ONCE(chn->vcpu, d->vcpu[0]);
    chn->remote = NULL;
    chn->peer = NULL;
    d->ev->free_hint = MIN(d->ev->free_hint, chn->port);
}

bool evtchn_is_pending(struct domain *d, uint32_t port)
{
    const event_word_t *word;

    if (!d->ev->fifo)
        return port < EVTCHN_2L_NR_CHANNELS && test_bit(port, d->shared->evtchn_pending);
    word = fifo_word(d->ev, port);
    return word && (READ_ONCE(*word) & (1U << EVTCHN_FIFO_PENDING));
}

bool evtchn_is_masked(struct domain *d, uint32_t port)
{
    const event_word_t *word;

    if (!d->ev->fifo)
        return port < EVTCHN_2L_NR_CHANNELS && test_bit(port, d->shared->evtchn_mask);
    word = fifo_word(d->ev, port);
    return !word || (READ_ONCE(*word) & (1U << EVTCHN_FIFO_MASKED));
}

bool evtchn_is_linked(struct domain *d, uint32_t port)
{
    const event_word_t *word = d->ev->fifo ? fifo_word(d->ev, port) : NULL;

    return word && (READ_ONCE(*word) & (1U << EVTCHN_FIFO_LINKED));
}

void evtchn_clear_pending(struct domain *d, struct evtchn *chn)
{
    event_word_t *word;

    if (!d->ev->fifo) {
        if (chn->port < EVTCHN_2L_NR_CHANNELS)
            (void)test_and_clear_bit(chn->port, d->shared->evtchn_pending);
        return;
    }
    word = fifo_word(d->ev, chn->port);
    if (word)
        __atomic_fetch_and(word, ~(1U << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
}

/* ------------------------------------------------------------------ closing */

/* pirq_lock is the outermost, so the state is looked at again under it. */
static int close_pirq(struct domain *d, uint32_t port)
{
    struct evtchn *chn;
    uint32_t pirq = 0;
    int rc = -XEN_EINVAL;

    spin_lock(&pirq_lock);
    spin_lock(&d->ev->lock);
    chn = evtchn_of(d->ev, port);
    if (chn && chn->state == EVTCHN_PIRQ) {
        pirq = chn->nr;
        evtchn_free(d, chn);
        rc = 0;
    }
    spin_unlock(&d->ev->lock);
    if (!rc)
        pirq_unbind(d, pirq);
    spin_unlock(&pirq_lock);
    return rc;
}

/*
 * Lock d, and for an interdomain port the other side, too.  Not in the order of addresses: the peer
 * cannot go away while d's lock is held, but may when it is dropped to take the locks in order.
 */
static struct evtchn *lock_for_close(struct domain *d, uint32_t port)
{
    for (;;) {
        struct evtchn *chn;

        spin_lock(&d->ev->lock);
        chn = evtchn_of(d->ev, port);
        if (!chn || chn->state != EVTCHN_INTERDOMAIN || chn->remote == d ||
            spin_trylock(&chn->remote->ev->lock))
            return chn;
        spin_unlock(&d->ev->lock);
        spin_wait();
    }
}

/* The peer waits for a new connection from the same domain. */
static void disconnect(struct domain *d, struct evtchn *chn)
{
    struct domain *rd = chn->remote;

    chn->peer->peer = NULL;
    chn->peer->remote = NULL;
    chn->peer->nr = d->id;
    chn->peer->state = EVTCHN_UNBOUND;
    if (rd != d)
        spin_unlock(&rd->ev->lock);
}

int evtchn_close(struct domain *d, uint32_t port)
{
    struct evtchn *chn = lock_for_close(d, port);
    int rc = 0;

    switch (chn ? chn->state : EVTCHN_FREE) {
    case EVTCHN_PIRQ:
        spin_unlock(&d->ev->lock);
        return close_pirq(d, port);
    case EVTCHN_INTERDOMAIN:
        disconnect(d, chn);
        break;
    case EVTCHN_VIRQ:
        WRITE_ONCE(*evtchn_virq_slot(d, chn->vcpu, chn->nr), 0);
        break;
    case EVTCHN_UNBOUND:
    case EVTCHN_IPI:
        break;
    default:
        rc = -XEN_EINVAL;
        break;
    }
    if (!rc)
        evtchn_free(d, chn);
    spin_unlock(&d->ev->lock);
    return rc;
}

/* ------------------------------------------------------------------ status */

static void fill_status(const struct evtchn *chn, struct evtchn_status *op)
{
    op->vcpu = chn->vcpu->id;
    switch (chn->state) {
    case EVTCHN_UNBOUND:
        op->status = EVTCHNSTAT_unbound;
        op->u.unbound.dom = chn->nr;
        break;
    case EVTCHN_INTERDOMAIN:
        op->status = EVTCHNSTAT_interdomain;
        op->u.interdomain.dom = chn->remote->id;
        op->u.interdomain.port = chn->peer->port;
        break;
    case EVTCHN_PIRQ:
        op->status = EVTCHNSTAT_pirq;
        op->u.pirq = chn->nr;
        break;
    case EVTCHN_VIRQ:
        op->status = EVTCHNSTAT_virq;
        op->u.virq = chn->nr;
        break;
    case EVTCHN_IPI:
        op->status = EVTCHNSTAT_ipi;
        break;
    default:
        op->status = EVTCHNSTAT_closed;
        break;
    }
}

int evtchn_status(struct domain *caller, struct evtchn_status *op)
{
    struct domain *d = op->dom == DOMID_SELF ? caller : domain_find(op->dom);
    struct evtchn *chn;

    if (!d || !d->ev)
        return -XEN_ESRCH;
    if (d != caller && !caller->privileged)
        return -XEN_EPERM;
    spin_lock(&d->ev->lock);
    chn = evtchn_of(d->ev, op->port);
    if (chn)
        fill_status(chn, op);
    spin_unlock(&d->ev->lock);
    return chn ? 0 : -XEN_EINVAL;
}
