/* SPDX-License-Identifier: MIT */
/*
 * events: event channels of the 2-level kind, and the upcall that tells of them.
 *
 * Promised (public/event_channel.h; public/xen.h vcpu_info, shared_info): an event sets its
 * pending bit; if neither channel nor vCPU is masked, the selector and the pending flag are set
 * and the event callback is entered with upcalls masked, from kernel or user mode; what came
 * while masked is delivered after unmasking; a bad port is an errno.
 * Why: every interrupt of a guest is one of these.
 * Varied: kind of channel, masks, mode that is interrupted. Checked: bits, count of upcalls, frame.
 */
#include "event.h"
#include "snippet.h"

const char ktest_name[] = "events";

static struct ktest_regs seen;
static uint8_t seen_mask;
static unsigned int upcalls;

static void note_upcall(struct ktest_regs *regs)
{
    seen = *regs;
    seen_mask = this_cpu()->info->evtchn_upcall_mask;
    upcalls++;
}

static long status_of(unsigned int port, struct evtchn_status *status)
{
    memset(status, 0, sizeof(*status));
    status->dom = DOMID_SELF;
    status->port = port;
    return hyp_event_channel_op(EVTCHNOP_status, status);
}

static long do_unmask(unsigned int port)
{
    struct evtchn_unmask unmask = { .port = port };

    return hyp_event_channel_op(EVTCHNOP_unmask, &unmask);
}

static void binding(void)
{
    struct evtchn_status status;
    long virq, ipi;

    test_case("bind_virq");
    virq = event_bind_virq(VIRQ_TIMER, 0);
    check(virq > 0);
    check_eq(status_of((unsigned int)virq, &status), 0);
    check_eq(status.status, EVTCHNSTAT_virq);
    check_eq(status.u.virq, VIRQ_TIMER);
    check_eq(status.vcpu, 0);
    check_eq(event_bind_virq(VIRQ_TIMER, 0), -XEN_EEXIST);
    check_eq(event_bind_virq(NR_VIRQS, 0), -XEN_EINVAL);
    check_eq(event_bind_virq(VIRQ_TIMER, 4000), -XEN_ENOENT);
    check_eq(event_send((unsigned int)virq), -XEN_EINVAL);
    check_eq(event_close((unsigned int)virq), 0);
    check_eq(event_close((unsigned int)virq), -XEN_EINVAL);

    test_case("bind_ipi");
    ipi = event_bind_ipi(0);
    check_eq(ipi, virq);
    check_eq(status_of((unsigned int)ipi, &status), 0);
    check_eq(status.status, EVTCHNSTAT_ipi);
    check_eq(event_bind_ipi(4000), -XEN_ENOENT);
    check_eq(event_close((unsigned int)ipi), 0);
    check_eq(status_of((unsigned int)ipi, &status), 0);
    check_eq(status.status, EVTCHNSTAT_closed);
}

static void bad_ports(void)
{
    struct evtchn_status status;
    struct evtchn_bind_vcpu bind = { .port = 4095, .vcpu = 0 };

    expect(event_send(0), -XEN_EINVAL);
    expect(event_send(4000), -XEN_EINVAL);
    expect(event_send(~0u), -XEN_EINVAL);
    expect(event_close(0), -XEN_EINVAL);
    expect(event_close(1u << 20), -XEN_EINVAL);
    expect(status_of(1u << 20, &status), -XEN_EINVAL);
    expect(do_unmask(1u << 20), -XEN_EINVAL);
    expect(hyp_event_channel_op(EVTCHNOP_bind_vcpu, &bind), -XEN_EINVAL);
}

static void delivery(void)
{
    unsigned int port = (unsigned int)event_bind_ipi(0);
    unsigned long before = ktest_event_count[port];

    test_case("an event with everything open is an upcall at once");
    upcalls = 0;
    events_enable();
    check_eq(event_send(port), 0);
    check_eq(upcalls, 1);
    check_eq(ktest_event_count[port], before + 1);
    check_eq(seen_mask, 1);
    check_eq(this_cpu()->info->evtchn_upcall_mask, 0);
    check_eq(seen.cs & 0xffff, FLAT_KERNEL_CS & ~3UL);
    check(seen.rflags & RFLAGS_IF);
    check(!event_pending(port));

    test_case("a masked channel is pending, without upcall");
    event_mask(port);
    check_eq(event_send(port), 0);
    check_eq(event_send(port), 0);
    check_eq(upcalls, 1);
    check(event_pending(port));
    check_eq(this_cpu()->info->evtchn_upcall_pending, 0);
    test_case("unmask delivers what is pending");
    check_eq(do_unmask(port), 0);
    check_eq(upcalls, 2);
    check_eq(ktest_event_count[port], before + 2);
    check(!event_pending(port));
    check(!(shared_info->evtchn_mask[port / 64] >> port % 64 & 1));

    test_case("a masked vCPU: flag and selector are set, the upcall waits");
    events_disable();
    check_eq(event_send(port), 0);
    check_eq(upcalls, 2);
    check_eq(this_cpu()->info->evtchn_upcall_pending, 1);
    check(this_cpu()->info->evtchn_pending_sel >> port / 64 & 1);
    events_enable();
    check_eq(upcalls, 3);
    events_disable();
    check_eq(event_close(port), 0);
}

static void loopback(void)
{
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF };
    struct evtchn_status status;

    test_case("a channel of the domain to itself");
    check_eq(hyp_event_channel_op(EVTCHNOP_alloc_unbound, &unbound), 0);
    check_eq(status_of(unbound.port, &status), 0);
    check_eq(status.status, EVTCHNSTAT_unbound);
    check_eq(event_send(unbound.port), 0);
    bind.remote_port = unbound.port;
    check_eq(hyp_event_channel_op(EVTCHNOP_bind_interdomain, &bind), 0);
    check(bind.local_port != unbound.port);
    check_eq(status_of(bind.local_port, &status), 0);
    check_eq(status.status, EVTCHNSTAT_interdomain);
    check_eq(status.u.interdomain.port, unbound.port);
    event_clear_pending(bind.local_port);
    event_clear_pending(unbound.port);
    check_eq(event_send(bind.local_port), 0);
    check(event_pending(unbound.port) && !event_pending(bind.local_port));
    check_eq(event_send(unbound.port), 0);
    check(event_pending(bind.local_port));
    check_eq(hyp_event_channel_op(EVTCHNOP_bind_interdomain, &bind), -XEN_EINVAL);
    check_eq(event_close(bind.local_port), 0);
    check_eq(status_of(unbound.port, &status), 0);
    check_eq(status.status, EVTCHNSTAT_unbound);
    check_eq(event_close(unbound.port), 0);
    event_clear_pending(bind.local_port);
    event_clear_pending(unbound.port);
}

static void many_channels(void)
{
    static unsigned int ports[200];
    unsigned int bad = 0;

    test_case("200 channels, an event on each");
    events_disable();
    for (unsigned int i = 0; i < 200; i++) {
        long port = event_bind_ipi(0);

        check(port > 0);
        ports[i] = (unsigned int)port;
        ktest_event_count[ports[i]] = 0;
        bad += event_send(ports[i]) != 0;
    }
    upcalls = 0;
    events_enable();
    events_disable();
    check_eq(upcalls, 1);
    for (unsigned int i = 0; i < 200; i++) {
        bad += ktest_event_count[ports[i]] != 1;
        bad += event_close(ports[i]) != 0;
    }
    check_eq(bad, 0);
}

SNIPPET(user_ud, "nop", "ud2");

/* The event is pending when user mode is entered: the upcall comes first, on the entry stack. */
static void into_user_mode(void)
{
    unsigned int port = (unsigned int)event_bind_ipi(0);
    struct ktest_regs regs = regs_user(user_ud_code);
    struct exception e;

    test_case("an upcall out of user mode");
    events_disable();
    check_eq(event_send(port), 0);
    regs.rflags |= RFLAGS_IF;
    upcalls = 0;
    e = run(regs);
    events_disable();
    check_eq(upcalls, 1);
    check_eq(seen.cs & 0xffff, FLAT_USER_CS);
    check_eq(seen.rip, user_ud_code);
    check_eq(seen.rsp, regs.rsp);
    check_eq(seen.rbx, regs.rbx);
    check_eq(seen.rcx, regs.rcx);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rip, user_ud_at);
    check_eq(e.regs.r11, regs.r11);
    check_eq(event_close(port), 0);
}

static void polling(void)
{
    unsigned int port = (unsigned int)event_bind_ipi(0);
    evtchn_port_t list[1] = { port };
    struct sched_poll poll = { .nr_ports = 1 };
    uint64_t start;

    test_case("poll");
    events_disable();
    set_xen_guest_handle(poll.ports, list);
    check_eq(event_send(port), 0);
    check_eq(hyp_sched_op(SCHEDOP_poll, &poll), 0);
    event_clear_pending(port);
    this_cpu()->info->evtchn_upcall_pending = 0;
    this_cpu()->info->evtchn_pending_sel = 0;
    start = time_now();
    poll.timeout = start + 3000000;
    check_eq(hyp_sched_op(SCHEDOP_poll, &poll), 0);
    check(time_now() >= start + 3000000);
    check(time_now() < start + 3000000000);
    poll.nr_ports = 129;
    check_eq(hyp_sched_op(SCHEDOP_poll, &poll), -XEN_EINVAL);
    poll.nr_ports = 1;
    list[0] = 1u << 20;
    check_eq(hyp_sched_op(SCHEDOP_poll, &poll), -XEN_EINVAL);
    check_eq(event_close(port), 0);
}

void test_main(void)
{
    user_mode_init();
    ktest_event_hook = note_upcall;
    binding();
    bad_ports();
    delivery();
    loopback();
    many_channels();
    into_user_mode();
    polling();
    expect(hyp_sched_op(SCHEDOP_yield, 0), 0);
}
