/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI: an event word for each port, in pages that the guest gives (the event array), and
 * for each vCPU and priority a singly linked list of ports.
 *
 * The guest takes ports from a list's head: it reads the head from the control block when it has
 * reached the end, clears LINKED and the link of a word in one step, and goes on at the link.  The
 * hypervisor appends at the tail.  That a word is LINKED means that the guest has not come to it, so
 * a link stored then is one that it will follow; otherwise the list has run empty and a new head
 * starts it again.
 *
 * LINKED is also the token of him who appends: of several CPUs that raise a port only the one that
 * turned the bit on puts it into a list.  It is turned on under the lock of the queue where the
 * port was last, and if the port moves to another one, the old queue's tail is forgotten before
 * that lock is dropped: appending behind a port that has moved would tie the two lists together.
 */
#include "evtchn.h"

#define PENDING (1U << EVTCHN_FIFO_PENDING)
#define MASKED  (1U << EVTCHN_FIFO_MASKED)
#define LINKED  (1U << EVTCHN_FIFO_LINKED)
#define BUSY    (1U << EVTCHN_FIFO_BUSY)

/* Compare-and-exchange attempts before asking the guest to wait (BUSY), and before giving up. */
#define TRIES_FREE 4
#define TRIES_BUSY 64

static event_word_t word_or(event_word_t *word, event_word_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static event_word_t word_and(event_word_t *word, event_word_t bits)
{
    return __atomic_fetch_and(word, bits, __ATOMIC_SEQ_CST);
}

/* true: stored; false: the word is not LINKED; *tries runs down to 0 when the guest interferes. */
static bool try_set_link(event_word_t *word, uint32_t port, unsigned int *tries)
{
    event_word_t w = READ_ONCE(*word);

    while (*tries && (w & LINKED)) {
        event_word_t linked = (w & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;

        if (__atomic_compare_exchange_n(word, &w, linked, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
        --*tries;
    }
    return false;
}

/*
 * Make the guest go on at `port` after the port of `word`; false if it has already been there.  A
 * guest that keeps changing the word even though it is BUSY gets the new port as a head, too: it
 * may lose events by that, as it deserves.
 */
static bool set_link(event_word_t *word, uint32_t port)
{
    unsigned int tries = TRIES_FREE;
    bool done = try_set_link(word, port, &tries);

    if (done || tries)
        return done;

    word_or(word, BUSY);
    tries = TRIES_BUSY;
    done = try_set_link(word, port, &tries);
    if (!done)
        word_and(word, ~BUSY);
    return done;
}

/* Queue locked, the port's word LINKED by us. */
static void append(const struct event_state *ev, struct fifo_queue *q, uint32_t port)
{
    struct evtchn_fifo_control_block *control = q->vcpu->ev->control;
    event_word_t *tail = NULL;

    /* The port itself as the tail is not in the list any more: it was not LINKED. */
    if (q->tail && q->tail != port)
        tail = fifo_word(ev, q->tail);
    q->tail = port;
    if (tail && set_link(tail, port))
        return;

    __atomic_store_n(&control->head[q->priority], port, __ATOMIC_RELEASE);
    if (!(__atomic_fetch_or(&control->ready, 1U << q->priority, __ATOMIC_SEQ_CST) &
          (1U << q->priority)))
        event_mark_pending(q->vcpu);
}

/* Lock the queue where chn was linked last. */
static struct fifo_queue *lock_last_queue(struct evtchn *chn)
{
    for (;;) {
        struct fifo_queue *q = READ_ONCE(chn->queue);

        spin_lock(&q->lock);
        if (likely(q == READ_ONCE(chn->queue)))
            return q;
        spin_unlock(&q->lock);
    }
}

/* Put a port that is pending and not masked into the list of its vCPU and priority. */
static void link_port(const struct event_state *ev, struct evtchn *chn, event_word_t *word)
{
    struct vcpu_event_state *vev = READ_ONCE(chn->vcpu)->ev;
    struct fifo_queue *q = &vev->queues[READ_ONCE(chn->priority)];
    struct fifo_queue *last;

    /* Without a control block it stays pending; init_control comes back to it. */
    if (unlikely(!READ_ONCE(vev->control)))
        return;
    last = lock_last_queue(chn);
    if (word_or(word, LINKED) & LINKED) {
        spin_unlock(&last->lock);
        return;
    }
    if (unlikely(last != q)) {
        if (last->tail == chn->port)
            last->tail = 0;
        WRITE_ONCE(chn->queue, q);
        spin_unlock(&last->lock);
        spin_lock(&q->lock);
    }
    append(ev, q, chn->port);
    spin_unlock(&q->lock);
}

/*
 * No word yet: remember it for expand_array.  The exchange orders the note before a second look at
 * nr_pages, which expand_array() raises before it looks at the notes.
 */
static event_word_t *word_or_note(const struct event_state *ev, struct evtchn *chn)
{
    event_word_t *word;

    __atomic_exchange_n(&chn->early, 1, __ATOMIC_SEQ_CST);
    word = fifo_word(ev, chn->port);
    if (word && !__atomic_exchange_n(&chn->early, 0, __ATOMIC_SEQ_CST))
        return NULL; /* expand_array() has taken the note */
    return word;
}

void evtchn_fifo_raise(struct domain *d, struct evtchn *chn)
{
    struct event_state *ev = d->ev;
    event_word_t *word = fifo_word(ev, chn->port);
    event_word_t old;

    if (unlikely(!word)) {
        word = word_or_note(ev, chn);
        if (!word)
            return;
    }
    old = word_or(word, PENDING);
    if (!(old & (MASKED | LINKED)))
        link_port(ev, chn, word);
    if (!(old & PENDING))
        event_check_pollers(d, chn->port);
}

void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn)
{
    event_word_t *word = fifo_word(d->ev, chn->port);
    event_word_t old;

    if (!word)
        return;
    old = word_and(word, ~MASKED);
    if ((old & (PENDING | LINKED)) == PENDING)
        link_port(d->ev, chn, word);
}

void evtchn_fifo_init_vcpu(struct vcpu *v)
{
    for (unsigned int i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++) {
        v->ev->queues[i].priority = i;
        v->ev->queues[i].vcpu = v;
    }
}

/* Events of v that found no control block. */
static void link_waiting(struct domain *d, const struct vcpu *v)
{
    struct event_state *ev = d->ev;

    for (uint32_t port = 1; port < ev->nr_buckets * PORTS_PER_BUCKET; port++) {
        struct evtchn *chn = evtchn_of(ev, port);
        event_word_t *word = fifo_word(ev, port);

        if (chn->state == EVTCHN_FREE || chn->vcpu != v || !word)
            continue;
        if ((READ_ONCE(*word) & (PENDING | MASKED | LINKED)) == PENDING)
            link_port(ev, chn, word);
    }
}

int evtchn_fifo_init_control(struct domain *d, struct evtchn_init_control *op)
{
    struct vcpu *v = event_vcpu_of(d, op->vcpu);
    int rc;

    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    if (!v)
        return -XEN_ENOENT;
    if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8)
        return -XEN_EINVAL;
    if (v->ev->control)
        return -XEN_EINVAL;

    rc = guest_frame_get(&v->ev->control_frame, d, op->control_gfn);
    if (rc)
        return rc;
    __atomic_store_n(&v->ev->control,
                     (void *)((char *)v->ev->control_frame.va + op->offset), __ATOMIC_SEQ_CST);
    if (!d->ev->fifo)
        WRITE_ONCE(d->ev->fifo, true);
    else
        link_waiting(d, v);
    return 0;
}

int evtchn_fifo_expand_array(struct domain *d, uint64_t mfn)
{
    struct event_state *ev = d->ev;
    uint32_t first = ev->nr_pages * WORDS_PER_PAGE;
    int rc;

    if (!ev->fifo)
        return -XEN_EOPNOTSUPP;
    if (ev->nr_pages == MAX_ARRAY_PAGES)
        return -XEN_ENOSPC;
    rc = guest_frame_get(&ev->array_frame[ev->nr_pages], d, mfn);
    if (rc)
        return rc;
    ev->array[ev->nr_pages] = ev->array_frame[ev->nr_pages].va;
    __atomic_store_n(&ev->nr_pages, ev->nr_pages + 1, __ATOMIC_SEQ_CST);

    for (uint32_t port = first; port < first + WORDS_PER_PAGE; port++) {
        struct evtchn *chn = evtchn_of(ev, port);

        if (!chn)
            break;
        if (chn->early && __atomic_exchange_n(&chn->early, 0, __ATOMIC_SEQ_CST))
            evtchn_fifo_raise(d, chn);
    }
    return 0;
}

void evtchn_fifo_reset(struct domain *d)
{
    struct event_state *ev = d->ev;

    ev->fifo = false;
    for (uint32_t i = 0; i < d->nr_vcpus; i++) {
        struct vcpu *v = event_vcpu_of(d, i);

        if (!v)
            continue;
        v->ev->control = NULL;
        guest_frame_put(&v->ev->control_frame);
        for (unsigned int q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
            v->ev->queues[q].tail = 0;
    }
    while (ev->nr_pages) {
        ev->nr_pages--;
        ev->array[ev->nr_pages] = NULL;
        guest_frame_put(&ev->array_frame[ev->nr_pages]);
    }
}
