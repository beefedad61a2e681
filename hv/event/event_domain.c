/* SPDX-License-Identifier: MIT */
/*
 * The event state of domains and vCPUs from beginning to end, and the operations on whole domains.
 */
#include "evtchn.h"

#include "hv/irq.h"

int event_domain_init(struct domain *d)
{
    struct event_state *ev = hv_alloc(sizeof(*ev));

    if (!ev)
        return -XEN_ENOMEM;
    ev->max_ports = EVTCHN_FIFO_NR_CHANNELS;
    ev->free_hint = 1; /* port 0 is no port */
    d->ev = ev;
    return 0;
}

void event_set_max_ports(struct domain *d, uint32_t max)
{
    d->ev->max_ports = MIN(max, (uint32_t)EVTCHN_FIFO_NR_CHANNELS);
}

int event_vcpu_init(struct vcpu *v)
{
    v->ev = hv_alloc(sizeof(*v->ev));
    if (!v->ev)
        return -XEN_ENOMEM;
    evtchn_fifo_init_vcpu(v);
    return 0;
}

/* Ports are closed one by one, with a pause for interrupts now and then: there may be 131072. */
static void close_ports(struct domain *d)
{
    for (uint32_t port = 1; port < READ_ONCE(d->ev->nr_buckets) * PORTS_PER_BUCKET; port++) {
        (void)evtchn_close(d, port);
        if (port % PORTS_PER_BUCKET == 0)
            preempt_point();
    }
}

/* EVTCHNOP_reset; by the domain itself it also leaves the FIFO ABI. */
static int reset(struct domain *caller, domid_t dom)
{
    struct domain *d = dom == DOMID_SELF ? caller : domain_find(dom);

    if (!d || !d->ev)
        return -XEN_ESRCH;
    if (d != caller && !caller->privileged)
        return -XEN_EPERM;
    close_ports(d);
    if (dom == DOMID_SELF && d->ev->fifo) {
        spin_lock(&d->ev->lock);
        evtchn_fifo_reset(d);
        spin_unlock(&d->ev->lock);
    }
    return 0;
}

void event_domain_close_all(struct domain *d)
{
    if (!d->ev)
        return;
    close_ports(d);
    pirq_domain_release(d);
}

void event_domain_destroy(struct domain *d)
{
    struct event_state *ev = d->ev;

    if (!ev)
        return;
    evtchn_fifo_reset(d);
    for (uint32_t i = 0; i < d->nr_vcpus; i++) {
        if (d->vcpu[i] && d->vcpu[i]->ev) {
            hv_free(d->vcpu[i]->ev, sizeof(*d->vcpu[i]->ev));
            d->vcpu[i]->ev = NULL;
        }
    }
    for (uint32_t b = 0; b < ev->nr_buckets; b++)
        hv_free(ev->bucket[b], PORTS_PER_BUCKET * sizeof(struct evtchn));
    hv_free(ev, sizeof(*ev));
    d->ev = NULL;
}

/* ------------------------------------------------------------------ operations */

static int alloc_unbound(struct domain *caller, struct evtchn_alloc_unbound *op)
{
    struct domain *d = op->dom == DOMID_SELF ? caller : domain_find(op->dom);

    if (!d || !d->ev)
        return -XEN_ESRCH;
    if (d != caller && !caller->privileged)
        return -XEN_EPERM;
    if (op->remote_dom == DOMID_SELF)
        op->remote_dom = caller->id;
    return evtchn_alloc_unbound(d, op);
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
    struct evtchn *chn;

    spin_lock(&d->ev->lock);
    chn = evtchn_of(d->ev, port);
    if (likely(chn && chn->state > EVTCHN_RESERVED)) {
        if (d->ev->fifo)
            evtchn_fifo_unmask(d, chn);
        else
            evtchn_2l_unmask(d, chn);
    } else {
        chn = NULL;
    }
    spin_unlock(&d->ev->lock);
    return chn ? 0 : -XEN_EINVAL;
}

static int set_priority(struct domain *d, const struct evtchn_set_priority *op)
{
    struct evtchn *chn;
    int rc = 0;

    spin_lock(&d->ev->lock);
    chn = evtchn_of(d->ev, op->port);
    if (!chn || chn->state <= EVTCHN_RESERVED || op->priority > EVTCHN_FIFO_PRIORITY_MIN)
        rc = -XEN_EINVAL;
    else if (!d->ev->fifo)
        rc = -XEN_ENOSYS;
    else
        WRITE_ONCE(chn->priority, op->priority);
    spin_unlock(&d->ev->lock);
    return rc;
}

static int init_control(struct domain *d, struct evtchn_init_control *op)
{
    int rc;

    spin_lock(&d->ev->lock);
    rc = evtchn_fifo_init_control(d, op);
    spin_unlock(&d->ev->lock);
    return rc;
}

static int expand_array(struct domain *d, const struct evtchn_expand_array *op)
{
    int rc;

    spin_lock(&d->ev->lock);
    rc = evtchn_fifo_expand_array(d, op->array_gfn);
    spin_unlock(&d->ev->lock);
    return rc;
}

int evtchn_op(struct vcpu *v, unsigned int cmd, void *arg)
{
    struct domain *d = v->domain;

    switch (cmd) {
    case EVTCHNOP_send:
        return evtchn_send(d, ((struct evtchn_send *)arg)->port);
    case EVTCHNOP_unmask:
        return evtchn_unmask(d, ((struct evtchn_unmask *)arg)->port);
    case EVTCHNOP_alloc_unbound:
        return alloc_unbound(d, arg);
    case EVTCHNOP_bind_interdomain:
        return evtchn_bind_interdomain(d, arg);
    case EVTCHNOP_bind_virq:
        return evtchn_bind_virq(d, arg);
    case EVTCHNOP_bind_ipi:
        return evtchn_bind_ipi(d, arg);
    case EVTCHNOP_bind_pirq:
        return evtchn_bind_pirq(d, arg);
    case EVTCHNOP_close:
        return evtchn_close(d, ((struct evtchn_close *)arg)->port);
    case EVTCHNOP_status:
        return evtchn_status(d, arg);
    case EVTCHNOP_bind_vcpu:
        return evtchn_bind_vcpu(d, arg);
    case EVTCHNOP_reset:
        return reset(d, ((struct evtchn_reset *)arg)->dom);
    case EVTCHNOP_init_control:
        return init_control(d, arg);
    case EVTCHNOP_expand_array:
        return expand_array(d, arg);
    case EVTCHNOP_set_priority:
        return set_priority(d, arg);
    default:
        return -XEN_ENOSYS;
    }
}

/* ------------------------------------------------------------------ debugging */

static const char *const state_names[] = {
    [EVTCHN_FREE] = "free", [EVTCHN_RESERVED] = "reserved", [EVTCHN_UNBOUND] = "unbound",
    [EVTCHN_INTERDOMAIN] = "interdomain", [EVTCHN_PIRQ] = "pirq", [EVTCHN_VIRQ] = "virq",
    [EVTCHN_IPI] = "ipi",
};

static void dump_port(struct domain *d, const struct evtchn *chn)
{
    bool peer = chn->state == EVTCHN_INTERDOMAIN;

    printk("  %4u: v%u prio %2u %s%s%s %s %u", chn->port, chn->vcpu->id, chn->priority,
           evtchn_is_pending(d, chn->port) ? "P" : "-", evtchn_is_masked(d, chn->port) ? "M" : "-",
           evtchn_is_linked(d, chn->port) ? "L" : "-", state_names[chn->state],
           peer ? chn->remote->id : chn->nr);
    if (peer)
        printk(" port %u", chn->peer->port);
    printk("\n");
}

void event_dump(struct domain *d)
{
    if (!d->ev)
        return;
    printk("Event channels of domain %u (%s):\n", d->id, d->ev->fifo ? "FIFO" : "2-level");
    for (uint32_t port = 1; port < d->ev->nr_buckets * PORTS_PER_BUCKET; port++) {
        const struct evtchn *chn = evtchn_of(d->ev, port);

        if (chn->state > EVTCHN_RESERVED)
            dump_port(d, chn);
    }
}
