/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI: its arguments; random operations against a model of what must be delivered, with the
 * guest's side of the protocol as consumer; and the same with senders, consumers and someone who
 * moves ports between queues, each a thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "fifo_guest.h"

#define PORTS 40 /* ports 1..PORTS of domain 1 */

static struct fifo_guest g;
static uint32_t rng = 7;

static uint32_t roll(uint32_t n)
{
    rng = rng * 1664525 + 1013904223;
    return (rng >> 8) % n;
}

/* ------------------------------------------------------------------ arguments */

static void no_handler(struct fifo_guest *guest, uint32_t vcpu, uint32_t priority, uint32_t port)
{
    g_and(g_word(guest, port), ~W_PENDING);
    (void)vcpu;
    (void)priority;
}

static void test_arguments(void **state)
{
    void *page = new_page();
    struct domain *d;
    uint32_t port, last = 0;

    (void)state;
    world_make();
    d = world[1];
    assert_int_equal(op_init_control(d, WORLD_VCPUS, page, 0), -XEN_ENOENT);
    assert_int_equal(op_init_control(d, 0, page, 4), -XEN_EINVAL);
    assert_int_equal(op_init_control(d, 0, page, PAGE_SIZE - 64), -XEN_EINVAL);
    assert_int_equal(op_init_control(d, 0, (void *)0x1000, 0), -XEN_EINVAL); /* no such frame */
    assert_int_equal(op_expand_array(d, page), -XEN_EOPNOTSUPP);
    assert_int_equal(op_init_control(d, 0, page, PAGE_SIZE - 72), 0);
    assert_int_equal(op_init_control(d, 0, page, 0), -XEN_EINVAL); /* has one */
    assert_int_equal(op_expand_array(d, (void *)0x1000), -XEN_EINVAL);
    assert_int_equal(op_bind_ipi(d, 0, &port), 0);
    assert_int_equal(op_set_priority(d, port, 16), -XEN_EINVAL);
    assert_int_equal(op_set_priority(d, port + 1, 1), -XEN_EINVAL);
    assert_int_equal(op_set_priority(d, port, 15), 0);
    assert_int_equal(frames_held, 1);

    /* Every page that the array may have, and no more; then every port. */
    memset(&g, 0, sizeof(g));
    g.d = d;
    g_expand(&g, EVTCHN_FIFO_NR_CHANNELS - 1);
    assert_int_equal(op_expand_array(d, page), -XEN_ENOSPC);
    assert_int_equal(frames_held, 1 + MAX_ARRAY_PAGES);
    while (op_bind_ipi(d, 0, &port) == 0)
        last = port;
    assert_int_equal(last, EVTCHN_FIFO_NR_CHANNELS - 1);

    /* A reset by the domain itself gives the pages back and returns to 2-level. */
    assert_int_equal(op_reset(d, DOMID_SELF), 0);
    assert_int_equal(frames_held, 0);
    assert_int_equal(op_bind_ipi(d, 1, &port), 0);
    assert_int_equal(port, 1);
    assert_int_equal(op_send(d, port), 0);
    assert_true(d->shared->evtchn_pending[0] & 2);
    world_end();
    g_end(&g);
    free(page);
}

static void test_early_events_are_kept(void **state)
{
    uint32_t unbound, port;

    (void)state;
    world_make();
    g_make(&g, world[1], 1);
    g.handle = no_handler;
    /* A binding makes its port pending before the guest can have a word for it. */
    assert_int_equal(op_alloc_unbound(world[2], DOMID_SELF, 1, &unbound), 0);
    assert_int_equal(op_bind_interdomain(world[1], 2, unbound, &port), 0);
    g_expand(&g, port);
    assert_true(*g_word(&g, port) & W_PENDING);
    assert_int_equal(g_upcall(&g, 0, 10), 0);
    g_unmask(&g, port);
    assert_int_equal(g_upcall(&g, 0, 10), 1);
    world_end();
    g_end(&g);
}

static void test_late_control_block(void **state)
{
    uint32_t port;

    (void)state;
    world_make();
    g_make(&g, world[1], 1);
    g.handle = no_handler;
    assert_int_equal(op_bind_ipi(world[1], 1, &port), 0);
    g_expand(&g, port);
    g_unmask(&g, port);
    assert_int_equal(op_send(world[1], port), 0);
    g.control[1] = new_page();
    assert_int_equal(op_init_control(world[1], 1, g.control[1], 0), 0);
    assert_int_equal(g_upcall(&g, 1, 10), 1);
    world_end();
    g_end(&g);
}

/* ------------------------------------------------------------------ order */

static uint32_t order[PORTS];
static unsigned int ordered;

static void note_order(struct fifo_guest *guest, uint32_t vcpu, uint32_t priority, uint32_t port)
{
    (void)vcpu;
    (void)priority;
    g_and(g_word(guest, port), ~W_PENDING);
    order[ordered++] = port;
}

static void test_order(void **state)
{
    static const uint32_t priorities[] = { 7, 0, 15, 7, 3, 0, 7 };
    static const uint32_t expected[] = { 2, 6, 5, 1, 4, 7, 3 };
    uint32_t port;

    (void)state;
    world_make();
    g_make(&g, world[1], 1);
    g.handle = note_order;
    ordered = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(priorities); i++) {
        assert_int_equal(op_bind_ipi(world[1], 0, &port), 0);
        assert_int_equal(port, i + 1);
        g_expand(&g, port);
        g_unmask(&g, port);
        assert_int_equal(op_set_priority(world[1], port, priorities[i]), 0);
        assert_int_equal(op_send(world[1], port), 0);
        assert_int_equal(op_send(world[1], port), 0);
    }
    g_upcall(&g, 0, 100);
    assert_int_equal(ordered, ARRAY_SIZE(expected));
    for (unsigned int i = 0; i < ordered; i++)
        assert_int_equal(order[i], expected[i]);
    /* Told once for each queue that was empty, and only while nobody had been told. */
    assert_int_equal(kicks[1][0], 1);
    world_end();
    g_end(&g);
}

/* ------------------------------------------------------------------ random operations */

static uint32_t peer[PORTS + 1];       /* domain 2's end; 0: port of domain 1 is closed */
static uint32_t sent[PORTS + 1], handled[PORTS + 1];
static uint32_t vcpu_now[PORTS + 1], priority_now[PORTS + 1];
static bool moved[PORTS + 1];          /* vCPU or priority changed since it was raised */

static void note_handled(struct fifo_guest *guest, uint32_t vcpu, uint32_t priority, uint32_t port)
{
    g_and(g_word(guest, port), ~W_PENDING);
    __atomic_store_n(&handled[port], __atomic_load_n(&sent[port], __ATOMIC_SEQ_CST),
                     __ATOMIC_SEQ_CST);
    if (!moved[port]) {
        assert_int_equal(vcpu, vcpu_now[port]);
        assert_int_equal(priority, priority_now[port]);
    }
}

static void connect_port(uint32_t port)
{
    bool linked[PORTS + 1] = { false };
    uint32_t unbound, local;

    for (uint32_t p = 1; g.pages && p <= PORTS; p++)
        linked[p] = *g_word(&g, p) & W_LINKED;
    assert_int_equal(op_alloc_unbound(world[2], DOMID_SELF, 1, &unbound), 0);
    assert_int_equal(op_bind_interdomain(world[1], 2, unbound, &local), 0);
    g_expand(&g, local);
    /* A closed port comes back only after the guest took it out of its queue. */
    assert_true(local <= PORTS && !linked[local]);
    assert_true(!peer[local] && (!port || local == port));
    peer[local] = unbound;
    vcpu_now[local] = 0;
    priority_now[local] = EVTCHN_FIFO_PRIORITY_DEFAULT;
    moved[local] = false;
    sent[local]++;
    g_unmask(&g, local);
}

static void random_op(void)
{
    uint32_t port = 1 + roll(PORTS);

    if (!peer[port]) {
        if (!roll(4) && !(*g_word(&g, port) & W_LINKED))
            connect_port(0);
        return;
    }
    switch (roll(9)) {
    case 0:
    case 1:
    case 2:
        /* A port that waits in a queue stays there when it is raised again. */
        if (!(*g_word(&g, port) & W_LINKED))
            moved[port] = false;
        sent[port]++;
        assert_int_equal(op_send(world[2], peer[port]), 0);
        break;
    case 3:
        g_or(g_word(&g, port), W_MASKED);
        break;
    case 4:
        if (!(*g_word(&g, port) & W_LINKED))
            moved[port] = false;
        g_unmask(&g, port);
        break;
    case 5:
        vcpu_now[port] = roll(WORLD_VCPUS);
        moved[port] = true;
        assert_int_equal(op_bind_vcpu(world[1], port, vcpu_now[port]), 0);
        break;
    case 6:
        priority_now[port] = roll(16);
        moved[port] = true;
        assert_int_equal(op_set_priority(world[1], port, priority_now[port]), 0);
        break;
    case 7:
        g_upcall(&g, roll(WORLD_VCPUS), 4 * PORTS);
        break;
    case 8:
        if (roll(4))
            break;
        assert_int_equal(op_close(world[1], port), 0);
        assert_int_equal(op_close(world[2], peer[port]), 0);
        assert_false(*g_word(&g, port) & W_PENDING);
        peer[port] = 0;
        handled[port] = sent[port];
        break;
    }
}

static void check_all_delivered(void)
{
    for (uint32_t v = 0; v < WORLD_VCPUS; v++)
        g_upcall(&g, v, 4 * PORTS);
    for (uint32_t p = 1; p <= PORTS; p++) {
        event_word_t w = *g_word(&g, p);

        assert_false(w & (W_LINKED | W_BUSY | EVTCHN_FIFO_LINK_MASK));
        if (peer[p] && !(w & W_MASKED)) {
            assert_false(w & W_PENDING);
            assert_int_equal(handled[p], sent[p]);
        }
    }
}

static void start_random(uint32_t vcpus)
{
    world_make();
    g_make(&g, world[1], vcpus);
    g.handle = note_handled;
    memset(peer, 0, sizeof(peer));
    memset(sent, 0, sizeof(sent));
    memset(handled, 0, sizeof(handled));
    for (uint32_t p = 1; p <= PORTS; p++)
        connect_port(p);
}

static void test_random_operations(void **state)
{
    (void)state;
    for (unsigned int round = 0; round < 50; round++) {
        start_random(WORLD_VCPUS);
        for (unsigned int i = 0; i < 5000; i++) {
            random_op();
            if (i % 97 == 0)
                check_all_delivered();
        }
        check_all_delivered();
        world_end();
        g_end(&g);
    }
}

/* ------------------------------------------------------------------ threads */

#define THREAD_ROUNDS 100000

static bool stop;
static uint32_t active; /* ports that are used: few of them make the senders and consumers meet */

static void *sender(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg;

    for (unsigned int i = 0; i < THREAD_ROUNDS; i++) {
        uint32_t port;

        seed = seed * 1664525 + 1013904223;
        port = 1 + (seed >> 8) % active;
        __atomic_fetch_add(&sent[port], 1, __ATOMIC_SEQ_CST);
        if (op_send(world[2], peer[port]))
            abort();
    }
    return NULL;
}

static void *mover(void *arg)
{
    uint32_t seed = 99;

    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        uint32_t port;

        seed = seed * 1664525 + 1013904223;
        port = 1 + (seed >> 8) % active;
        if (seed >> 31)
            op_set_priority(world[1], port, seed >> 4 & 15);
        else
            op_bind_vcpu(world[1], port, seed >> 5 & 1);
    }
    return NULL;
}

static void threaded_handler(struct fifo_guest *guest, uint32_t vcpu, uint32_t priority,
                             uint32_t port)
{
    uint32_t seen;

    (void)vcpu;
    (void)priority;
    /* Masked while it is handled: it may be raised, and even linked elsewhere, meanwhile. */
    g_or(g_word(guest, port), W_MASKED);
    g_and(g_word(guest, port), ~W_PENDING);
    seen = __atomic_load_n(&sent[port], __ATOMIC_SEQ_CST);
    __atomic_store_n(&handled[port], seen, __ATOMIC_SEQ_CST);
    g_unmask(guest, port);
}

static void *consumer(void *arg)
{
    uint32_t vcpu = (uint32_t)(uintptr_t)arg;

    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        g_upcall(&g, vcpu, ~0U);
    return NULL;
}

static void run_threads(uint32_t ports)
{
    pthread_t senders[2], others[3];

    active = ports;
    start_random(2);
    g.handle = threaded_handler;
    __atomic_store_n(&stop, false, __ATOMIC_SEQ_CST);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&others[i], NULL, consumer, (void *)i);
    pthread_create(&others[2], NULL, mover, NULL);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&senders[i], NULL, sender, (void *)(i + 1));
    for (unsigned int i = 0; i < 2; i++)
        pthread_join(senders[i], NULL);
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
    for (unsigned int i = 0; i < 3; i++)
        pthread_join(others[i], NULL);
    for (uint32_t v = 0; v < 2; v++)
        g_upcall(&g, v, 10 * PORTS);
    for (uint32_t p = 1; p <= PORTS; p++) {
        event_word_t w = *g_word(&g, p);

        assert_false(w & (W_PENDING | W_MASKED | W_LINKED | W_BUSY | EVTCHN_FIFO_LINK_MASK));
        assert_int_equal(handled[p], sent[p]);
    }
    world_end();
    g_end(&g);
}

static void test_threads(void **state)
{
    (void)state;
    run_threads(PORTS);
}

static void test_threads_few_ports(void **state)
{
    (void)state;
    for (uint32_t ports = 1; ports <= 4; ports++)
        run_threads(ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_early_events_are_kept),
        cmocka_unit_test(test_late_control_block),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_threads_few_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
