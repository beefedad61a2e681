/* SPDX-License-Identifier: MIT */
/*
 * What ports are bound to.
 */
#include "evtchn.h"

#include "hv/irq.h"

void event_lock2(struct domain *a, struct domain *b)
{
    struct domain *first = a < b ? a : b;
    struct domain *second = a < b ? b : a;

    spin_lock(&first->ev->lock);
    if (first != second)
        spin_lock(&second->ev->lock);
}

void event_unlock2(struct domain *a, struct domain *b)
{
    spin_unlock(&a->ev->lock);
    if (a != b)
        spin_unlock(&b->ev->lock);
}

int evtchn_alloc_unbound(struct domain *d, struct evtchn_alloc_unbound *op)
{
    struct evtchn *chn;
    int rc;

    spin_lock(&d->ev->lock);
    rc = evtchn_alloc(d, &chn);
    if (!rc) {
        chn->state = EVTCHN_UNBOUND;
        chn->nr = op->remote_dom;
        op->port = chn->port;
    }
    spin_unlock(&d->ev->lock);
    return rc;
}

static int connect(struct domain *ld, struct domain *rd, struct evtchn_bind_interdomain *op)
{
    struct evtchn *rchn = evtchn_of(rd->ev, op->remote_port);
    struct evtchn *lchn;
    int rc;

    if (!rchn || rchn->state != EVTCHN_UNBOUND || rchn->nr != ld->id)
        return -XEN_EINVAL;
    rc = evtchn_alloc(ld, &lchn);
    if (rc)
        return rc;
    lchn->remote = rd;
    lchn->peer = rchn;
    lchn->state = EVTCHN_INTERDOMAIN;
    rchn->remote = ld;
    rchn->peer = lchn;
    rchn->state = EVTCHN_INTERDOMAIN;
    op->local_port = lchn->port;
    /* The peer may have sent before there was anyone to receive (public/event_channel.h). */
    evtchn_raise(ld, lchn);
    return 0;
}

int evtchn_bind_interdomain(struct domain *d, struct evtchn_bind_interdomain *op)
{
    struct domain *rd = op->remote_dom == DOMID_SELF ? d : domain_find(op->remote_dom);
    int rc;

    if (!rd || !rd->ev)
        return -XEN_ESRCH;
    event_lock2(d, rd);
    rc = connect(d, rd, op);
    event_unlock2(d, rd);
    return rc;
}

/* The classes are those of the VIRQ list in public/xen.h. */
static bool virq_is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
           virq != VIRQ_XENPMU;
}

/* Where the port of a VIRQ is noted. */
uint32_t *evtchn_virq_slot(struct domain *d, struct vcpu *v, uint32_t virq)
{
    return virq_is_global(virq) ? &d->ev->global_virq[virq] : &v->ev->virq_port[virq];
}

int evtchn_bind_virq(struct domain *d, struct evtchn_bind_virq *op)
{
    struct vcpu *v = event_vcpu_of(d, op->vcpu);
    struct evtchn *chn;
    uint32_t *slot;
    int rc;

    if (op->virq >= NR_VIRQS || (virq_is_global(op->virq) && op->vcpu != 0))
        return -XEN_EINVAL;
    if (!v)
        return -XEN_ENOENT;

    spin_lock(&d->ev->lock);
    slot = evtchn_virq_slot(d, v, op->virq);
    rc = *slot ? -XEN_EEXIST : evtchn_alloc(d, &chn);
    if (!rc) {
        chn->state = EVTCHN_VIRQ;
        chn->nr = op->virq;
        WRITE_ONCE(chn->vcpu, v);
        op->port = chn->port;
        WRITE_ONCE(*slot, chn->port);
    }
    spin_unlock(&d->ev->lock);
    return rc;
}

int evtchn_bind_ipi(struct domain *d, struct evtchn_bind_ipi *op)
{
    struct vcpu *v = event_vcpu_of(d, op->vcpu);
    struct evtchn *chn;
    int rc;

    if (!v)
        return -XEN_ENOENT;
    spin_lock(&d->ev->lock);
    rc = evtchn_alloc(d, &chn);
    if (!rc) {
        chn->state = EVTCHN_IPI;
        WRITE_ONCE(chn->vcpu, v);
        op->port = chn->port;
    }
    spin_unlock(&d->ev->lock);
    return rc;
}

int evtchn_bind_pirq(struct domain *d, struct evtchn_bind_pirq *op)
{
    struct evtchn *chn = NULL;
    int rc;

    spin_lock(&pirq_lock);
    spin_lock(&d->ev->lock);
    rc = evtchn_alloc(d, &chn);
    if (!rc) {
        chn->state = EVTCHN_PIRQ;
        chn->nr = op->pirq;
        op->port = chn->port;
    }
    spin_unlock(&d->ev->lock);
    if (!rc) {
        rc = pirq_bind(d, op->pirq, op->port, op->flags & BIND_PIRQ__WILL_SHARE);
        if (rc) {
            spin_lock(&d->ev->lock);
            evtchn_free(d, chn);
            spin_unlock(&d->ev->lock);
        }
    }
    spin_unlock(&pirq_lock);
    return rc;
}

int evtchn_bind_vcpu(struct domain *d, const struct evtchn_bind_vcpu *op)
{
    struct vcpu *v = event_vcpu_of(d, op->vcpu);
    struct evtchn *chn;
    int rc = 0;

    if (!v)
        return -XEN_ENOENT;
    spin_lock(&d->ev->lock);
    chn = evtchn_of(d->ev, op->port);
    switch (chn ? chn->state : EVTCHN_FREE) {
    case EVTCHN_VIRQ:
        if (!virq_is_global(chn->nr)) {
            rc = -XEN_EINVAL;
            break;
        }
        /* fall through */
    case EVTCHN_UNBOUND:
    case EVTCHN_INTERDOMAIN:
    case EVTCHN_PIRQ:
        WRITE_ONCE(chn->vcpu, v);
        break;
    default:
        rc = -XEN_EINVAL;
        break;
    }
    spin_unlock(&d->ev->lock);
    return rc;
}
