/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <stddef.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "public/radon.h"

#define __HYPERVISOR_radon_op RADON_HYPERCALL

/* Each row is filled from two catalogues. */
const struct trace_call trace_calls[TRACE_HYPERCALLS] = {
#define HYPERCALL(nr, call, handler, nargs, doc) [nr].name = #call, [nr].nr_args = nargs,
#include "public/hypercalls.def"
#undef HYPERCALL
#define HYPERCALL_ARGS(call, place, bits, ...)                                                     \
    [__HYPERVISOR_##call].where = place, [__HYPERVISOR_##call].mask = bits,                        \
    [__HYPERVISOR_##call].args = { __VA_ARGS__ },
#define HYPERCALL_OP(call, number, name)
#include "public/hypercall_args.def"
#undef HYPERCALL_ARGS
#undef HYPERCALL_OP
};

const struct trace_op trace_ops[TRACE_OPS] = {
#define HYPERCALL_ARGS(call, place, bits, ...)
#define HYPERCALL_OP(call, number, name) { __HYPERVISOR_##call, number, #name },
#include "public/hypercall_args.def"
#undef HYPERCALL_ARGS
#undef HYPERCALL_OP
};

int trace_op_find(uint32_t call, uint32_t number)
{
    int low = 0, high = TRACE_OPS - 1;

    while (low <= high) {
        int middle = (low + high) / 2;
        const struct trace_op *op = &trace_ops[middle];

        if (op->call == call && op->number == number)
            return middle;
        if (op->call < call || (op->call == call && op->number < number))
            low = middle + 1;
        else
            high = middle - 1;
    }
    return -1;
}
