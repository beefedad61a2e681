/* SPDX-License-Identifier: MIT */
/*
 * sched_op (public/sched.h).
 */
#include "hv/event.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/sched.h"

static long block(struct vcpu *v)
{
    v->hot->info->evtchn_upcall_mask = 0;
    WRITE_ONCE(v->woken, false);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!v->hot->info->evtchn_upcall_pending)
        vcpu_block();
    return 0;
}

static void poll_timeout(void *arg)
{
    vcpu_wake(arg);
}

#define POLL_MAX_PORTS 128

static long poll(struct vcpu *v, uint64_t arg)
{
    evtchn_port_t ports[POLL_MAX_PORTS];
    struct sched_poll p;
    int rc;

    if (!copy_from_guest(&p, arg, 1))
        return -XEN_EFAULT;
    if (p.nr_ports > POLL_MAX_PORTS)
        return -XEN_EINVAL;
    if (!copy_from_guest(ports, guest_handle_va(p.ports), p.nr_ports))
        return -XEN_EFAULT;
    WRITE_ONCE(v->woken, false);
    rc = event_poll_begin(v, ports, p.nr_ports);
    if (rc == 0) {
        v->poll_timer.fn = poll_timeout;
        v->poll_timer.arg = v;
        if (p.timeout)
            timer_set(&v->poll_timer, p.timeout);
        if (!(v->hot->info->evtchn_upcall_pending && !v->hot->info->evtchn_upcall_mask))
            vcpu_block();
        timer_stop(&v->poll_timer);
    }
    event_poll_end(v);
    return rc < 0 ? rc : 0;
}

long do_sched_op(HCALL_ARGS2(cmd, arg))
{
    struct vcpu *v = current();
    struct sched_shutdown sd;

    switch (cmd) {
    case SCHEDOP_yield:
        vcpu_yield();
        return 0;
    case SCHEDOP_block:
        return block(v);
    case SCHEDOP_poll:
        return poll(v, arg);
    case SCHEDOP_shutdown:
        if (!copy_from_guest(&sd, arg, 1))
            return -XEN_EFAULT;
        domain_shutdown(v->domain, sd.reason);
        schedule();
        return 0;
    case SCHEDOP_shutdown_code:
        if (!copy_from_guest(&sd, arg, 1))
            return -XEN_EFAULT;
        v->domain->shutdown_code = sd.reason;
        return 0;
    case SCHEDOP_pin_override:
        return v->domain->privileged ? 0 : -XEN_EPERM; /* vCPUs do not move by themselves */
    case SCHEDOP_watchdog:
    case SCHEDOP_remote_shutdown:
        return -XEN_ENOSYS;
    }
    return -XEN_ENOSYS;
}

long do_sched_op_compat(HCALL_ARGS2(cmd, arg))
{
    struct vcpu *v = current();

    switch (cmd) {
    case SCHEDOP_yield:
        vcpu_yield();
        return 0;
    case SCHEDOP_block:
        return block(v);
    case SCHEDOP_shutdown:
        domain_shutdown(v->domain, arg);
        schedule();
        return 0;
    }
    return -XEN_ENOSYS;
}
