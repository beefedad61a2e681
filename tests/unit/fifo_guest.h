/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of the FIFO ABI, written after the design that public/event_channel.h declares:
 * one consumer for each vCPU.
 */
#ifndef TESTS_FIFO_GUEST_H
#define TESTS_FIFO_GUEST_H

#include "event_world.h"

#define W_PENDING (1U << EVTCHN_FIFO_PENDING)
#define W_MASKED  (1U << EVTCHN_FIFO_MASKED)
#define W_LINKED  (1U << EVTCHN_FIFO_LINKED)
#define W_BUSY    (1U << EVTCHN_FIFO_BUSY)

struct fifo_guest {
    struct domain *d;
    event_word_t *array[MAX_ARRAY_PAGES];
    uint32_t pages;
    struct evtchn_fifo_control_block *control[WORLD_VCPUS];
    uint32_t head[WORLD_VCPUS][EVTCHN_FIFO_MAX_QUEUES];
    /* Called for a port taken while pending and not masked, PENDING still set. */
    void (*handle)(struct fifo_guest *g, uint32_t vcpu, uint32_t priority, uint32_t port);
};

static inline event_word_t *g_word(const struct fifo_guest *g, uint32_t port)
{
    return &g->array[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

static inline event_word_t g_or(event_word_t *w, event_word_t bits)
{
    return __atomic_fetch_or(w, bits, __ATOMIC_SEQ_CST);
}

static inline event_word_t g_and(event_word_t *w, event_word_t bits)
{
    return __atomic_fetch_and(w, bits, __ATOMIC_SEQ_CST);
}

static inline bool g_cas(event_word_t *w, event_word_t *old, event_word_t new_value)
{
    return __atomic_compare_exchange_n(w, old, new_value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Add pages until there is a word for the port: all masked, as a guest starts them. */
static inline void g_expand(struct fifo_guest *g, uint32_t port)
{
    while (g->pages <= port / WORDS_PER_PAGE) {
        event_word_t *page = new_page();

        for (uint32_t i = 0; i < WORDS_PER_PAGE; i++)
            page[i] = W_MASKED;
        g->array[g->pages] = page;
        if (op_expand_array(g->d, page))
            abort();
        g->pages++;
    }
}

/* Unmask without the hypervisor if nothing is pending, waiting while it is BUSY with the word. */
static inline void g_unmask(struct fifo_guest *g, uint32_t port)
{
    event_word_t w = __atomic_load_n(g_word(g, port), __ATOMIC_SEQ_CST);

    do {
        if (!(w & W_MASKED))
            return;
        if (w & W_PENDING) {
            if (op_unmask(g->d, port))
                abort();
            return;
        }
        w &= ~W_BUSY;
    } while (!g_cas(g_word(g, port), &w, w & ~W_MASKED));
}

/* Take one port of a queue that is ready; false when that was its last one. */
static inline bool g_consume_one(struct fifo_guest *g, uint32_t vcpu, uint32_t priority)
{
    uint32_t port = g->head[vcpu][priority];
    event_word_t w;

    if (!port)
        port = __atomic_load_n(&g->control[vcpu]->head[priority], __ATOMIC_SEQ_CST);
    w = __atomic_load_n(g_word(g, port), __ATOMIC_SEQ_CST);
    while (!g_cas(g_word(g, port), &w, w & ~(W_LINKED | EVTCHN_FIFO_LINK_MASK)))
        ;
    g->head[vcpu][priority] = w & EVTCHN_FIFO_LINK_MASK;
    w = __atomic_load_n(g_word(g, port), __ATOMIC_SEQ_CST);
    if ((w & W_PENDING) && !(w & W_MASKED))
        g->handle(g, vcpu, priority, port);
    return g->head[vcpu][priority] != 0;
}

/* As an upcall on the vCPU: everything that is ready, highest priority first.  Ports taken. */
static inline unsigned int g_upcall(struct fifo_guest *g, uint32_t vcpu, unsigned int limit)
{
    struct vcpu_info *info = &g->d->shared->vcpu_info[vcpu];
    unsigned int taken = 0;
    uint32_t ready;

    if (!__atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST))
        return 0;
    ready = __atomic_exchange_n(&g->control[vcpu]->ready, 0, __ATOMIC_SEQ_CST);
    while (ready) {
        uint32_t priority = (uint32_t)__builtin_ctz(ready);

        if (!g_consume_one(g, vcpu, priority))
            ready &= ~(1U << priority);
        ready |= __atomic_exchange_n(&g->control[vcpu]->ready, 0, __ATOMIC_SEQ_CST);
        if (++taken == limit)
            abort(); /* a list that ends nowhere */
    }
    return taken;
}

static inline void g_make(struct fifo_guest *g, struct domain *d, uint32_t vcpus)
{
    memset(g, 0, sizeof(*g));
    g->d = d;
    for (uint32_t v = 0; v < vcpus; v++) {
        g->control[v] = new_page();
        if (op_init_control(d, v, g->control[v], 0))
            abort();
    }
}

static inline void g_end(struct fifo_guest *g)
{
    for (uint32_t i = 0; i < g->pages; i++)
        free(g->array[i]);
    for (uint32_t v = 0; v < WORLD_VCPUS; v++)
        free(g->control[v]);
}

#endif
