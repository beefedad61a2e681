/* SPDX-License-Identifier: MIT */
#include "event_world.h"

#include <stdlib.h>

#include "hv/irq.h"

struct domain *world[WORLD_DOMAINS];
unsigned int kicks[WORLD_DOMAINS][WORLD_VCPUS];
unsigned int wakes[WORLD_DOMAINS][WORLD_VCPUS];
uint32_t bound_pirq[16];
int frames_held;
spinlock_t pirq_lock;

/* ------------------------------------------------------------------ the hypervisor around it */

void *hv_alloc(size_t size)
{
    return calloc(1, size);
}

void hv_free(void *p, size_t size)
{
    (void)size;
    free(p);
}

void printk(const char *fmt, ...)
{
    (void)fmt;
}

void preempt_point(void)
{
}

struct domain *domain_find(uint16_t id)
{
    return id < WORLD_DOMAINS ? world[id] : NULL;
}

void vcpu_kick(struct vcpu *v)
{
    __atomic_fetch_add(&kicks[v->domain->id][v->id], 1, __ATOMIC_SEQ_CST);
}

void vcpu_wake(struct vcpu *v)
{
    __atomic_fetch_add(&wakes[v->domain->id][v->id], 1, __ATOMIC_SEQ_CST);
}

int guest_frame_get(struct guest_frame *f, struct domain *d, uint64_t mfn)
{
    (void)d;
    if (mfn < 16) /* no such frame */
        return -XEN_EINVAL;
    f->va = (void *)(mfn << 12);
    frames_held++;
    return 0;
}

void guest_frame_put(struct guest_frame *f)
{
    if (f->va)
        frames_held--;
    f->va = NULL;
}

int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port, bool will_share)
{
    (void)will_share;
    if (!d->privileged)
        return -XEN_EPERM;
    if (pirq >= 16)
        return -XEN_EINVAL;
    if (bound_pirq[pirq])
        return -XEN_EBUSY;
    bound_pirq[pirq] = (uint32_t)d->id << 16 | port;
    return 0;
}

void pirq_unbind(struct domain *d, uint32_t pirq)
{
    (void)d;
    bound_pirq[pirq] = 0;
}

void pirq_domain_release(struct domain *d)
{
    (void)d;
}

/* ------------------------------------------------------------------ domains */

static void make_vcpu(struct domain *d, uint32_t id)
{
    struct vcpu *v = calloc(1, sizeof(*v));

    v->id = id;
    v->domain = d;
    v->hot = calloc(1, sizeof(*v->hot));
    v->hot->info = &d->shared->vcpu_info[id];
    v->hot->vcpu = v;
    if (event_vcpu_init(v))
        abort();
    d->vcpu[id] = v;
    d->nr_vcpus = id + 1;
}

void world_make(void)
{
    for (uint16_t i = 0; i < WORLD_DOMAINS; i++) {
        struct domain *d = calloc(1, sizeof(*d));

        d->id = i;
        d->privileged = i == 0;
        d->shared = calloc(1, PAGE_SIZE);
        if (event_domain_init(d))
            abort();
        for (uint32_t v = 0; v < WORLD_VCPUS; v++)
            make_vcpu(d, v);
        world[i] = d;
    }
    memset(kicks, 0, sizeof(kicks));
    memset(wakes, 0, sizeof(wakes));
    memset(bound_pirq, 0, sizeof(bound_pirq));
}

void world_end(void)
{
    for (unsigned int i = 0; i < WORLD_DOMAINS; i++)
        event_domain_close_all(world[i]);
    for (unsigned int i = 0; i < WORLD_DOMAINS; i++) {
        event_domain_destroy(world[i]);
        for (uint32_t v = 0; v < WORLD_VCPUS; v++) {
            free(world[i]->vcpu[v]->hot);
            free(world[i]->vcpu[v]);
        }
        free(world[i]->shared);
        free(world[i]);
        world[i] = NULL;
    }
}

uint64_t frame_of(const void *page)
{
    return (uint64_t)page >> 12;
}

void *new_page(void)
{
    void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);

    memset(page, 0, PAGE_SIZE);
    return page;
}

/* ------------------------------------------------------------------ operations */

static int op(struct domain *d, unsigned int cmd, void *arg)
{
    return evtchn_op(d->vcpu[0], cmd, arg);
}

int op_alloc_unbound(struct domain *d, domid_t dom, domid_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound a = { .dom = dom, .remote_dom = remote };
    int rc = op(d, EVTCHNOP_alloc_unbound, &a);

    *port = a.port;
    return rc;
}

int op_bind_interdomain(struct domain *d, domid_t remote, uint32_t rport, uint32_t *port)
{
    struct evtchn_bind_interdomain a = { .remote_dom = remote, .remote_port = rport };
    int rc = op(d, EVTCHNOP_bind_interdomain, &a);

    *port = a.local_port;
    return rc;
}

int op_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_virq a = { .virq = virq, .vcpu = vcpu };
    int rc = op(d, EVTCHNOP_bind_virq, &a);

    *port = a.port;
    return rc;
}

int op_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_ipi a = { .vcpu = vcpu };
    int rc = op(d, EVTCHNOP_bind_ipi, &a);

    *port = a.port;
    return rc;
}

int op_bind_pirq(struct domain *d, uint32_t pirq, uint32_t *port)
{
    struct evtchn_bind_pirq a = { .pirq = pirq };
    int rc = op(d, EVTCHNOP_bind_pirq, &a);

    *port = a.port;
    return rc;
}

int op_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu a = { .port = port, .vcpu = vcpu };

    return op(d, EVTCHNOP_bind_vcpu, &a);
}

int op_close(struct domain *d, uint32_t port)
{
    struct evtchn_close a = { port };

    return op(d, EVTCHNOP_close, &a);
}

int op_send(struct domain *d, uint32_t port)
{
    struct evtchn_send a = { port };

    return op(d, EVTCHNOP_send, &a);
}

int op_unmask(struct domain *d, uint32_t port)
{
    struct evtchn_unmask a = { port };

    return op(d, EVTCHNOP_unmask, &a);
}

int op_status(struct domain *d, domid_t dom, uint32_t port, struct evtchn_status *st)
{
    *st = (struct evtchn_status){ .dom = dom, .port = port };
    return op(d, EVTCHNOP_status, st);
}

int op_reset(struct domain *d, domid_t dom)
{
    struct evtchn_reset a = { dom };

    return op(d, EVTCHNOP_reset, &a);
}

int op_init_control(struct domain *d, uint32_t vcpu, const void *page, uint32_t offset)
{
    struct evtchn_init_control a = { .control_gfn = frame_of(page), .offset = offset,
                                     .vcpu = vcpu };
    int rc = op(d, EVTCHNOP_init_control, &a);

    return rc ? rc : a.link_bits == EVTCHN_FIFO_LINK_BITS ? 0 : -1;
}

int op_expand_array(struct domain *d, const void *page)
{
    struct evtchn_expand_array a = { frame_of(page) };

    return op(d, EVTCHNOP_expand_array, &a);
}

int op_set_priority(struct domain *d, uint32_t port, uint32_t priority)
{
    struct evtchn_set_priority a = { port, priority };

    return op(d, EVTCHNOP_set_priority, &a);
}
