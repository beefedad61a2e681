/* SPDX-License-Identifier: MIT */
/*
 * The event_channel_op hypercalls: arguments from and to guest memory.
 */
#include "evtchn.h"

#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/sites.h"
#include "hv/trace.h"

union evtchn_arg {
    struct evtchn_op compat;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

/* Bytes of the argument of each operation, and whether it has results. */
static const struct {
    uint8_t size;
    bool out;
} arg_of[] = {
    [EVTCHNOP_bind_interdomain] = { sizeof(struct evtchn_bind_interdomain), true },
    [EVTCHNOP_bind_virq] = { sizeof(struct evtchn_bind_virq), true },
    [EVTCHNOP_bind_pirq] = { sizeof(struct evtchn_bind_pirq), true },
    [EVTCHNOP_close] = { sizeof(struct evtchn_close), false },
    [EVTCHNOP_send] = { sizeof(struct evtchn_send), false },
    [EVTCHNOP_status] = { sizeof(struct evtchn_status), true },
    [EVTCHNOP_alloc_unbound] = { sizeof(struct evtchn_alloc_unbound), true },
    [EVTCHNOP_bind_ipi] = { sizeof(struct evtchn_bind_ipi), true },
    [EVTCHNOP_bind_vcpu] = { sizeof(struct evtchn_bind_vcpu), false },
    [EVTCHNOP_unmask] = { sizeof(struct evtchn_unmask), false },
    [EVTCHNOP_reset] = { sizeof(struct evtchn_reset), false },
    [EVTCHNOP_init_control] = { sizeof(struct evtchn_init_control), true },
    [EVTCHNOP_expand_array] = { sizeof(struct evtchn_expand_array), false },
    [EVTCHNOP_set_priority] = { sizeof(struct evtchn_set_priority), false },
};

/* An operation whose results cannot be stored is not undone: the guest gave a bad address. */
static long run(unsigned int cmd, uint64_t va)
{
    union evtchn_arg arg;
    long rc;

    if (cmd >= ARRAY_SIZE(arg_of) || !arg_of[cmd].size)
        return -XEN_ENOSYS;
    if (copy_from_guest_va(&arg, va, arg_of[cmd].size))
        return -XEN_EFAULT;
    rc = evtchn_op(current(), cmd, &arg);
    if (!rc && arg_of[cmd].out && copy_to_guest_va(va, &arg, arg_of[cmd].size))
        rc = -XEN_EFAULT;
    return rc;
}

long do_event_channel_op(HCALL_ARGS2(cmd, va))
{
    evtchn_port_t port;

    /* What a guest does thousands of times a second comes first. */
    if (likely((unsigned int)cmd == EVTCHNOP_send)) {
        if (unlikely(!copy_from_guest(&port, va, 1)))
            return -XEN_EFAULT;
        return evtchn_send(current()->domain, port);
    }
    return run((unsigned int)cmd, va);
}

/* As above with the command in memory before the argument; what came later is not reached by it. */
long do_event_channel_op_compat(HCALL_ARGS1(va))
{
    uint32_t cmd;

    if (!copy_from_guest(&cmd, va, 1))
        return -XEN_EFAULT;
    SITES_OPERATION(__HYPERVISOR_event_channel_op_compat, cmd);
    trace_operation(__HYPERVISOR_event_channel_op_compat, cmd, 0);
    if (cmd > EVTCHNOP_unmask)
        return -XEN_ENOSYS;
    return run(cmd, va + offsetof(struct evtchn_op, u));
}
