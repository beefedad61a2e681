/* SPDX-License-Identifier: MIT */
/*
 * Raising events and telling vCPUs.  This is run for each inter-processor interrupt and timer tick
 * of a guest: it is kept short.
 */
#include "hv/trace.h"

#include "evtchn.h"

/*
 * The exchange orders the flag before what vcpu_kick() looks at; a vCPU that is about to block
 * announces that first and then looks at the flag: one of the two sees the other.  A flag that was
 * set has been told already.
 */
void event_mark_pending(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->hot->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

void event_info_moved(struct vcpu *v)
{
    struct vcpu_info *info = v->hot->info;

    __atomic_store_n(&info->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST);
    __atomic_store_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    event_mark_pending(v);
}

int evtchn_send(struct domain *d, uint32_t port)
{
    struct event_state *ev = d->ev;
    struct evtchn *chn;
    int rc = 0;

    spin_lock(&ev->lock);
    chn = evtchn_of(ev, port);
    if (likely(chn && chn->state == EVTCHN_INTERDOMAIN)) {
        trace_event_send(port, chn->remote->id);
        evtchn_raise(chn->remote, chn->peer);
    } else if (chn && chn->state == EVTCHN_IPI) {
        trace_event_send(port, d->id);
        evtchn_raise(d, chn);
    } else if (!chn || chn->state != EVTCHN_UNBOUND) { /* unbound: nobody hears it */
        rc = -XEN_EINVAL;
    }
    spin_unlock(&ev->lock);
    return rc;
}

void evtchn_set_pending(struct vcpu *v, uint32_t port)
{
    struct evtchn *chn = evtchn_of(v->domain->ev, port);

    if (chn)
        evtchn_raise(v->domain, chn);
}

/* Raise the port in a slot that a close clears, both under the lock. */
static void raise_slot(struct domain *d, const uint32_t *slot, unsigned int virq)
{
    if (!READ_ONCE(*slot))
        return;
    spin_lock(&d->ev->lock);
    if (likely(*slot)) {
        struct evtchn *chn = evtchn_of(d->ev, *slot);

        trace_event_virq(virq, trace_vcpu_number(chn->vcpu));
        evtchn_raise(d, chn);
    }
    spin_unlock(&d->ev->lock);
}

void evtchn_send_virq(struct vcpu *v, unsigned int virq)
{
    raise_slot(v->domain, &v->ev->virq_port[virq], virq);
}

void evtchn_send_global_virq(struct domain *d, unsigned int virq)
{
    if (d && d->ev)
        raise_slot(d, &d->ev->global_virq[virq], virq);
}

void evtchn_send_pirq(struct domain *d, uint32_t port)
{
    struct evtchn *chn;

    spin_lock(&d->ev->lock);
    chn = evtchn_of(d->ev, port);
    if (chn && chn->state == EVTCHN_PIRQ)
        evtchn_raise(d, chn);
    spin_unlock(&d->ev->lock);
}

/* ------------------------------------------------------------------ SCHEDOP_poll */

void event_wake_pollers(struct domain *d, uint32_t port)
{
    for (unsigned int w = 0; w < ARRAY_SIZE(d->ev->pollers); w++) {
        uint64_t left = READ_ONCE(d->ev->pollers[w]);

        for (; left; left &= left - 1) {
            struct vcpu *v = d->vcpu[w * 64 + __builtin_ctzl(left)];
            uint32_t wanted = v ? READ_ONCE(v->ev->poll_port) : 0;

            if (wanted && (wanted == POLL_MANY || wanted == port))
                vcpu_wake(v);
        }
    }
}

int event_poll_begin(struct vcpu *v, const evtchn_port_t *ports, unsigned int nr)
{
    struct domain *d = v->domain;

    v->polling = true;
    WRITE_ONCE(v->ev->poll_port, nr == 1 ? ports[0] : POLL_MANY);
    /* A locked operation: ordered before the look at the pending bits. */
    set_bit(v->id, d->ev->pollers);
    for (unsigned int i = 0; i < nr; i++) {
        if (!ports[i] || !evtchn_of(d->ev, ports[i]))
            return -XEN_EINVAL;
        if (evtchn_is_pending(d, ports[i]))
            return 1;
    }
    return 0;
}

void event_poll_end(struct vcpu *v)
{
    clear_bit(v->id, v->domain->ev->pollers);
    WRITE_ONCE(v->ev->poll_port, 0);
    v->polling = false;
}
