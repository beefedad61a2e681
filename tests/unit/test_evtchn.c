/* SPDX-License-Identifier: MIT */
/*
 * Ports and their states against a model: every operation with good and bad arguments in random
 * order, on three domains at once, 2-level ABI.  After each one the status of every port that was
 * ever given out must be what the model says, and so must the bits in shared_info.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event_world.h"

#define MAX_PORTS 200

struct model_port {
    uint32_t status; /* EVTCHNSTAT_* */
    uint32_t vcpu;
    uint32_t nr;     /* remote domain, VIRQ or pirq */
    uint32_t peer;
    bool pending, masked;
};

static struct model_port model[WORLD_DOMAINS][MAX_PORTS];
static bool pirq_used[16];
static uint32_t rng = 1;

static uint32_t roll(uint32_t n)
{
    rng = rng * 1664525 + 1013904223;
    return (rng >> 8) % n;
}

static bool bit(const void *bits, uint32_t n)
{
    return ((const uint64_t *)bits)[n / 64] >> (n % 64) & 1;
}

/* ------------------------------------------------------------------ the model */

static bool global_virq(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
           virq != VIRQ_XENPMU;
}

static uint32_t model_free_port(uint32_t d)
{
    uint32_t port = 1;

    while (model[d][port].status != EVTCHNSTAT_closed)
        port++;
    return port;
}

static struct model_port *model_take(uint32_t d, uint32_t port, uint32_t status)
{
    struct model_port *p = &model[d][port];

    assert_int_equal(port, model_free_port(d));
    *p = (struct model_port){ .status = status, .masked = p->masked };
    return p;
}

static bool model_find_virq(uint32_t d, uint32_t virq, uint32_t vcpu)
{
    for (uint32_t p = 1; p < MAX_PORTS; p++) {
        const struct model_port *m = &model[d][p];

        if (m->status == EVTCHNSTAT_virq && m->nr == virq &&
            (global_virq(virq) || m->vcpu == vcpu))
            return true;
    }
    return false;
}

/* Port p of d becomes pending: what the guest must see. */
static void model_raise(uint32_t d, uint32_t p)
{
    struct model_port *m = &model[d][p];
    struct vcpu_info *info = &world[d]->shared->vcpu_info[m->vcpu];

    if (!m->pending && !m->masked) {
        assert_true(bit(&info->evtchn_pending_sel, p / 64));
        assert_int_equal(info->evtchn_upcall_pending, 1);
    }
    m->pending = true;
}

static void check_port(uint32_t d, uint32_t p)
{
    const struct model_port *m = &model[d][p];
    struct evtchn_status st;
    int rc = op_status(world[d], DOMID_SELF, p, &st);

    if (rc == -XEN_EINVAL && m->status == EVTCHNSTAT_closed)
        return; /* not made yet */
    assert_int_equal(rc, 0);
    assert_int_equal(st.status, m->status);
    assert_int_equal(bit(world[d]->shared->evtchn_pending, p), m->pending);
    if (m->status == EVTCHNSTAT_closed)
        return;
    assert_int_equal(st.vcpu, m->vcpu);
    switch (m->status) {
    case EVTCHNSTAT_unbound:
        assert_int_equal(st.u.unbound.dom, m->nr);
        break;
    case EVTCHNSTAT_interdomain:
        assert_int_equal(st.u.interdomain.dom, m->nr);
        assert_int_equal(st.u.interdomain.port, m->peer);
        break;
    case EVTCHNSTAT_pirq:
        assert_int_equal(st.u.pirq, m->nr);
        assert_int_equal(bound_pirq[m->nr], d << 16 | p);
        break;
    case EVTCHNSTAT_virq:
        assert_int_equal(st.u.virq, m->nr);
        break;
    }
}

/* ------------------------------------------------------------------ random operations */

static uint32_t some_port(uint32_t d)
{
    (void)d;
    return roll(20) ? roll(40) : roll(5000);
}

static struct model_port *port_of(uint32_t d, uint32_t p)
{
    return p && p < MAX_PORTS && model[d][p].status != EVTCHNSTAT_closed ? &model[d][p] : NULL;
}

static void do_alloc_unbound(uint32_t d)
{
    domid_t dom = roll(3) ? DOMID_SELF : (domid_t)roll(WORLD_DOMAINS + 1);
    domid_t remote = roll(4) ? (domid_t)roll(WORLD_DOMAINS) : DOMID_SELF;
    uint32_t target = dom == DOMID_SELF ? d : dom, port;
    int rc = op_alloc_unbound(world[d], dom, remote, &port);

    if (target >= WORLD_DOMAINS) {
        assert_int_equal(rc, -XEN_ESRCH);
    } else if (target != d && d != 0) {
        assert_int_equal(rc, -XEN_EPERM);
    } else {
        assert_int_equal(rc, 0);
        model_take(target, port, EVTCHNSTAT_unbound)->nr = remote == DOMID_SELF ? d : remote;
    }
}

static void do_bind_interdomain(uint32_t d)
{
    uint32_t remote = roll(WORLD_DOMAINS + 1), port, rport;
    struct model_port *r;
    int rc;

    rport = some_port(remote);
    rc = op_bind_interdomain(world[d], (domid_t)remote, rport, &port);
    if (remote >= WORLD_DOMAINS) {
        assert_int_equal(rc, -XEN_ESRCH);
        return;
    }
    r = port_of(remote, rport);
    if (!r || r->status != EVTCHNSTAT_unbound || r->nr != d) {
        assert_int_equal(rc, -XEN_EINVAL);
        return;
    }
    assert_int_equal(rc, 0);
    *model_take(d, port, EVTCHNSTAT_interdomain) = (struct model_port){
        .status = EVTCHNSTAT_interdomain, .nr = remote, .peer = rport,
        .masked = model[d][port].masked
    };
    r->status = EVTCHNSTAT_interdomain;
    r->nr = d;
    r->peer = port;
    model_raise(d, port);
}

static void do_bind_virq(uint32_t d)
{
    uint32_t virq = roll(NR_VIRQS + 2), vcpu = roll(WORLD_VCPUS + 1), port;
    int rc = op_bind_virq(world[d], virq, vcpu, &port);

    if (virq >= NR_VIRQS || (global_virq(virq) && vcpu)) {
        assert_int_equal(rc, -XEN_EINVAL);
    } else if (vcpu >= WORLD_VCPUS) {
        assert_int_equal(rc, -XEN_ENOENT);
    } else if (model_find_virq(d, virq, vcpu)) {
        assert_int_equal(rc, -XEN_EEXIST);
    } else {
        struct model_port *m;

        assert_int_equal(rc, 0);
        m = model_take(d, port, EVTCHNSTAT_virq);
        m->nr = virq;
        m->vcpu = vcpu;
    }
}

static void do_bind_ipi(uint32_t d)
{
    uint32_t vcpu = roll(WORLD_VCPUS + 1), port;
    int rc = op_bind_ipi(world[d], vcpu, &port);

    if (vcpu >= WORLD_VCPUS) {
        assert_int_equal(rc, -XEN_ENOENT);
    } else {
        assert_int_equal(rc, 0);
        model_take(d, port, EVTCHNSTAT_ipi)->vcpu = vcpu;
    }
}

static void do_bind_pirq(uint32_t d)
{
    uint32_t pirq = roll(18), port;
    int rc = op_bind_pirq(world[d], pirq, &port);

    if (d != 0) {
        assert_int_equal(rc, -XEN_EPERM);
    } else if (pirq >= 16) {
        assert_int_equal(rc, -XEN_EINVAL);
    } else if (pirq_used[pirq]) {
        assert_int_equal(rc, -XEN_EBUSY);
    } else {
        assert_int_equal(rc, 0);
        pirq_used[pirq] = true;
        model_take(d, port, EVTCHNSTAT_pirq)->nr = pirq;
    }
}

static void do_bind_vcpu(uint32_t d)
{
    uint32_t port = some_port(d), vcpu = roll(WORLD_VCPUS + 1);
    struct model_port *m = port_of(d, port);
    int rc = op_bind_vcpu(world[d], port, vcpu);

    if (vcpu >= WORLD_VCPUS) {
        assert_int_equal(rc, -XEN_ENOENT);
    } else if (!m || m->status == EVTCHNSTAT_ipi ||
               (m->status == EVTCHNSTAT_virq && !global_virq(m->nr))) {
        assert_int_equal(rc, -XEN_EINVAL);
    } else {
        assert_int_equal(rc, 0);
        m->vcpu = vcpu;
    }
}

static void model_close(uint32_t d, uint32_t port)
{
    struct model_port *m = &model[d][port];

    if (m->status == EVTCHNSTAT_interdomain) {
        struct model_port *r = &model[m->nr][m->peer];

        r->status = EVTCHNSTAT_unbound;
        r->nr = d;
    }
    if (m->status == EVTCHNSTAT_pirq) {
        pirq_used[m->nr] = false;
        assert_int_equal(bound_pirq[m->nr], 0);
    }
    m->status = EVTCHNSTAT_closed;
    m->pending = false;
    m->vcpu = 0;
}

static void do_close(uint32_t d)
{
    uint32_t port = some_port(d);
    struct model_port *m = port_of(d, port);
    int rc = op_close(world[d], port);

    assert_int_equal(rc, m ? 0 : -XEN_EINVAL);
    if (m)
        model_close(d, port);
}

static void do_send(uint32_t d)
{
    uint32_t port = some_port(d);
    struct model_port *m = port_of(d, port);
    int rc = op_send(world[d], port);

    if (!m || (m->status != EVTCHNSTAT_interdomain && m->status != EVTCHNSTAT_ipi &&
               m->status != EVTCHNSTAT_unbound)) {
        assert_int_equal(rc, -XEN_EINVAL);
        return;
    }
    assert_int_equal(rc, 0);
    if (m->status == EVTCHNSTAT_interdomain)
        model_raise(m->nr, m->peer);
    else if (m->status == EVTCHNSTAT_ipi)
        model_raise(d, port);
}

static void do_virq(uint32_t d)
{
    uint32_t virq = roll(NR_VIRQS), vcpu = roll(WORLD_VCPUS);

    if (global_virq(virq))
        evtchn_send_global_virq(world[d], virq);
    else
        evtchn_send_virq(world[d]->vcpu[vcpu], virq);
    for (uint32_t p = 1; p < MAX_PORTS; p++) {
        const struct model_port *m = &model[d][p];

        if (m->status == EVTCHNSTAT_virq && m->nr == virq &&
            (global_virq(virq) || m->vcpu == vcpu))
            model_raise(d, p);
    }
}

static void do_guest_mask(uint32_t d)
{
    uint32_t port = 1 + roll(39);

    set_bit(port, world[d]->shared->evtchn_mask);
    model[d][port].masked = true;
}

static void do_unmask(uint32_t d)
{
    uint32_t port = some_port(d);
    struct model_port *m = port_of(d, port);
    struct vcpu_info *info;
    int rc = op_unmask(world[d], port);

    assert_int_equal(rc, m ? 0 : -XEN_EINVAL);
    if (!m)
        return;
    info = &world[d]->shared->vcpu_info[m->vcpu];
    assert_false(bit(world[d]->shared->evtchn_mask, port));
    if (m->pending && m->masked) {
        assert_true(bit(&info->evtchn_pending_sel, port / 64));
        assert_int_equal(info->evtchn_upcall_pending, 1);
    }
    m->masked = false;
}

/* The guest takes what is pending on a vCPU, as an upcall handler does. */
static void do_consume(uint32_t d)
{
    uint32_t vcpu = roll(WORLD_VCPUS);
    struct vcpu_info *info = &world[d]->shared->vcpu_info[vcpu];
    unsigned int kicked = kicks[d][vcpu];

    if (info->evtchn_upcall_pending)
        assert_true(kicked > 0);
    info->evtchn_upcall_pending = 0;
    kicks[d][vcpu] = 0;
    uint64_t sel = __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (uint32_t p = 1; p < MAX_PORTS; p++) {
        if (!(sel >> (p / 64) & 1) || !bit(world[d]->shared->evtchn_pending, p) ||
            bit(world[d]->shared->evtchn_mask, p))
            continue;
        clear_bit(p, world[d]->shared->evtchn_pending);
        model[d][p].pending = false;
    }
}

static void test_random_operations(void **state)
{
    static void (*const ops[])(uint32_t d) = {
        do_alloc_unbound, do_alloc_unbound, do_bind_interdomain, do_bind_interdomain,
        do_bind_interdomain, do_bind_virq, do_bind_ipi, do_bind_pirq, do_bind_vcpu, do_close,
        do_close, do_close, do_send, do_send, do_send, do_virq, do_guest_mask, do_unmask,
        do_unmask, do_consume, do_consume,
    };

    (void)state;
    for (unsigned int round = 0; round < 20; round++) {
        world_make();
        memset(model, 0, sizeof(model));
        memset(pirq_used, 0, sizeof(pirq_used));
        for (unsigned int i = 0; i < 3000; i++) {
            uint32_t d = roll(WORLD_DOMAINS);

            ops[roll(ARRAY_SIZE(ops))](d);
            for (uint32_t w = 0; w < WORLD_DOMAINS; w++) {
                for (uint32_t p = 1; p < MAX_PORTS; p++)
                    check_port(w, p);
            }
        }
        world_end();
    }
}

static void test_reset_closes_everything(void **state)
{
    uint32_t port, peer, i;
    struct evtchn_status st;

    (void)state;
    world_make();
    assert_int_equal(op_alloc_unbound(world[1], DOMID_SELF, 2, &port), 0);
    assert_int_equal(op_bind_interdomain(world[2], 1, port, &peer), 0);
    assert_int_equal(op_bind_virq(world[1], VIRQ_TIMER, 1, &i), 0);
    assert_int_equal(op_reset(world[2], 1), -XEN_EPERM);
    assert_int_equal(op_reset(world[0], 77), -XEN_ESRCH);
    assert_int_equal(op_reset(world[0], 1), 0);
    for (uint32_t p = 1; p < 128; p++) {
        assert_int_equal(op_status(world[1], DOMID_SELF, p, &st), 0);
        assert_int_equal(st.status, EVTCHNSTAT_closed);
    }
    assert_int_equal(op_status(world[2], DOMID_SELF, peer, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(op_status(world[1], 2, peer, &st), -XEN_EPERM);
    assert_int_equal(op_status(world[0], 2, peer, &st), 0);
    /* The VIRQ is free again. */
    assert_int_equal(op_bind_virq(world[1], VIRQ_TIMER, 1, &i), 0);
    world_end();
}

static void test_limits(void **state)
{
    uint32_t port = 0, n = 0;

    (void)state;
    world_make();
    while (op_bind_ipi(world[1], 0, &port) == 0) {
        assert_int_equal(port, n + 1);
        n++;
    }
    assert_int_equal(n, EVTCHN_2L_NR_CHANNELS - 1);
    assert_int_equal(op_bind_ipi(world[1], 0, &port), -XEN_ENOSPC);
    assert_int_equal(op_close(world[1], 1234), 0);
    assert_int_equal(op_bind_ipi(world[1], 0, &port), 0);
    assert_int_equal(port, 1234);
    event_set_max_ports(world[2], 10);
    for (n = 1; n < 10; n++)
        assert_int_equal(op_bind_ipi(world[2], 0, &port), 0);
    assert_int_equal(op_bind_ipi(world[2], 0, &port), -XEN_ENOSPC);
    assert_int_equal(evtchn_op(world[1]->vcpu[0], 99, &port), -XEN_ENOSYS);
    assert_int_equal(op_close(world[1], 0), -XEN_EINVAL);
    assert_int_equal(op_set_priority(world[1], 1, 3), -XEN_ENOSYS);
    assert_int_equal(op_expand_array(world[1], world[1]), -XEN_EOPNOTSUPP);
    world_end();
}

static void test_poll(void **state)
{
    uint32_t a, b, bad[2];

    (void)state;
    world_make();
    assert_int_equal(op_bind_ipi(world[1], 0, &a), 0);
    assert_int_equal(op_bind_ipi(world[1], 1, &b), 0);
    set_bit(a, world[1]->shared->evtchn_mask);

    /* A masked port wakes the one that polls on it, and only that one. */
    assert_int_equal(event_poll_begin(world[1]->vcpu[2], &a, 1), 0);
    assert_int_equal(event_poll_begin(world[1]->vcpu[3], &b, 1), 0);
    assert_int_equal(op_send(world[1], a), 0);
    assert_int_equal(wakes[1][2], 1);
    assert_int_equal(wakes[1][3], 0);
    assert_int_equal(kicks[1][0], 0);
    event_poll_end(world[1]->vcpu[2]);
    event_poll_end(world[1]->vcpu[3]);
    assert_int_equal(op_send(world[1], b), 0);
    assert_int_equal(wakes[1][3], 0);

    /* Pending already; several; invalid. */
    assert_int_equal(event_poll_begin(world[1]->vcpu[2], &a, 1), 1);
    event_poll_end(world[1]->vcpu[2]);
    bad[0] = b;
    bad[1] = 4000;
    clear_bit(b, world[1]->shared->evtchn_pending);
    assert_int_equal(event_poll_begin(world[1]->vcpu[2], bad, 2), -XEN_EINVAL);
    event_poll_end(world[1]->vcpu[2]);
    bad[1] = b;
    assert_int_equal(event_poll_begin(world[1]->vcpu[2], bad, 2), 0);
    assert_int_equal(op_send(world[1], b), 0);
    assert_int_equal(wakes[1][2], 2);
    event_poll_end(world[1]->vcpu[2]);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_reset_closes_everything),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_poll),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
