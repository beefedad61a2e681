/* SPDX-License-Identifier: MIT */
/*
 * fifo: event channels of the FIFO kind.
 *
 * Promised (public/event_channel.h "FIFO ABI"): after init_control and expand_array an event sets
 * PENDING in its word; if not MASKED it is linked to the queue of its priority, whose bit in the
 * control block's ready word is set, and the upcall comes; queues keep order; unmask links what
 * is pending.
 * Why: Linux uses these wherever it finds them.
 * Varied: priority, mask, number of events. Checked: event words, links, ready word, results.
 */
#include "event.h"
#include "pages.h"

const char ktest_name[] = "fifo";

static struct evtchn_fifo_control_block *control;
static volatile event_word_t *words;
static unsigned int upcalls;

static void note_upcall(struct ktest_regs *regs)
{
    (void)regs;
    upcalls++;
}

#define BIT(n) (1u << (n))

static long set_priority(unsigned int port, unsigned int priority)
{
    struct evtchn_set_priority set = { .port = port, .priority = priority };

    return hyp_event_channel_op(EVTCHNOP_set_priority, &set);
}

/* Takes the first event off a queue, as the header's consumer does; 0 when it is empty. */
static unsigned int take(unsigned int queue)
{
    unsigned int port = control->head[queue], next;

    if (!(control->ready & BIT(queue)) || !port)
        return 0;
    __atomic_and_fetch(&words[port], ~BIT(EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
    next = words[port] & EVTCHN_FIFO_LINK_MASK;
    __atomic_and_fetch(&words[port], ~(BIT(EVTCHN_FIFO_LINKED) | EVTCHN_FIFO_LINK_MASK),
                       __ATOMIC_SEQ_CST);
    control->head[queue] = next;
    if (!next)
        __atomic_and_fetch(&control->ready, ~BIT(queue), __ATOMIC_SEQ_CST);
    return port;
}

static void setting_up(void)
{
    struct evtchn_init_control init = { .control_gfn = mfn_of(control), .offset = 0, .vcpu = 0 };
    struct evtchn_expand_array expand = { .array_gfn = mfn_of((void *)(uint64_t)words) };

    test_case("init_control and expand_array");
    check_eq(hyp_event_channel_op(EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP);
    init.vcpu = 4000;
    check_eq(hyp_event_channel_op(EVTCHNOP_init_control, &init), -XEN_ENOENT);
    init.vcpu = 0;
    init.offset = 4092;
    check_eq(hyp_event_channel_op(EVTCHNOP_init_control, &init), -XEN_EINVAL);
    init.offset = 3;
    check_eq(hyp_event_channel_op(EVTCHNOP_init_control, &init), -XEN_EINVAL);
    init.offset = 0;
    check_eq(hyp_event_channel_op(EVTCHNOP_init_control, &init), 0);
    check_eq(init.link_bits, EVTCHN_FIFO_LINK_BITS);
    check_eq(hyp_event_channel_op(EVTCHNOP_expand_array, &expand), 0);
    check_eq(page_readonly(control) == 0, 1); /* an alias of ours: harmless to the hypervisor */
    check_eq(page_writable(control), 0);
}

static void one_event(unsigned int port)
{
    test_case("one event");
    words[port] &= ~BIT(EVTCHN_FIFO_MASKED);
    upcalls = 0;
    events_enable();
    check_eq(event_send(port), 0);
    events_disable();
    check_eq(upcalls, 1);
    check_eq(control->ready, BIT(EVTCHN_FIFO_PRIORITY_DEFAULT));
    check_eq(control->head[EVTCHN_FIFO_PRIORITY_DEFAULT], port);
    check_eq(words[port], BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_LINKED));
    check_eq(take(EVTCHN_FIFO_PRIORITY_DEFAULT), port);
    check_eq(words[port], 0);
    check_eq(control->ready, 0);
}

static void masked(unsigned int port)
{
    struct evtchn_unmask unmask = { .port = port };

    test_case("a masked event is pending, not linked, until unmasked");
    words[port] |= BIT(EVTCHN_FIFO_MASKED);
    check_eq(event_send(port), 0);
    check_eq(words[port], BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_MASKED));
    check_eq(control->ready, 0);
    check_eq(hyp_event_channel_op(EVTCHNOP_unmask, &unmask), 0);
    check_eq(words[port], BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_LINKED));
    check_eq(take(EVTCHN_FIFO_PRIORITY_DEFAULT), port);
}

static void queues(const unsigned int *port, unsigned int count)
{
    test_case("events of one priority keep their order");
    for (unsigned int i = 0; i < count; i++)
        check_eq(event_send(port[i]), 0);
    check_eq(event_send(port[1]), 0);
    for (unsigned int i = 0; i < count; i++)
        check_eq(take(EVTCHN_FIFO_PRIORITY_DEFAULT), port[i]);
    check_eq(take(EVTCHN_FIFO_PRIORITY_DEFAULT), 0);

    test_case("priorities have queues of their own");
    for (unsigned int i = 0; i < count; i++)
        check_eq(set_priority(port[i], i % 16), 0);
    for (unsigned int i = 0; i < count; i++)
        check_eq(event_send(port[i]), 0);
    check_eq(control->ready, (1u << (count < 16 ? count : 16)) - 1);
    for (unsigned int i = 0; i < count; i++)
        check_eq(take(i % 16), port[i]);
    check_eq(control->ready, 0);
    check_eq(set_priority(port[0], 16), -XEN_EINVAL);
    check_eq(set_priority(1u << 17, 1), -XEN_EINVAL);
}

void test_main(void)
{
    unsigned int port[20];

    control = page_alloc();
    words = page_alloc();
    ktest_event_hook = note_upcall;
    setting_up();
    for (unsigned int i = 0; i < 20; i++) {
        long bound = event_bind_ipi(0);

        ktest_require(bound > 0);
        port[i] = (unsigned int)bound;
        words[port[i]] &= ~BIT(EVTCHN_FIFO_MASKED);
    }
    one_event(port[0]);
    masked(port[0]);
    words[port[0]] = 0;
    queues(port, 20);
}
