/* SPDX-License-Identifier: MIT */
/*
 * radon_op: the hypercall of Radon's own (hv/include/public/radon.h).  What it does stands with each
 * subsystem; here is the way there.
 */
#include "hv/radon_op.h"

#include "hv/asm.h"
#include "hv/domain.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/revision.h"
#include "hv/time.h"

enum { MACHINE, ANY };

int radon_info_get(struct radon_info *info)
{
    *info = (struct radon_info){
        .abi_version = RADON_ABI_VERSION,
        .nr_cpus = nr_cpus,
        .tsc_hz = tsc_khz * 1000,
        .tsc = rdtsc(),
        .system_ns = now_ns(),
    };
    snprintf(info->revision, sizeof(info->revision), "%s", RADON_REVISION);
    return 0;
}

/* The largest structure among the commands'. */
union any_op {
#define RADON_OP(command, structure, handler, who) struct radon_##structure handler;
#include "hv/radon_ops.def"
#undef RADON_OP
};

struct op_row {
    int (*handler)(void *);
    uint16_t size;
    uint8_t who;
    bool known;
};

#define RADON_OP(command, structure, handler, who)                                                 \
    static int call_##handler(void *op) { return handler(op); }                                    \
    _Static_assert(sizeof(struct radon_##structure) <= 512, "fits the stack");
#include "hv/radon_ops.def"
#undef RADON_OP

static const struct op_row rows[] = {
#define RADON_OP(command, structure, handler, who)                                                 \
    [RADON_##command] = { call_##handler, sizeof(struct radon_##structure), who, true },
#include "hv/radon_ops.def"
#undef RADON_OP
};

long do_radon_op(HCALL_ARGS2(cmd, arg))
{
    const struct op_row *row = &rows[cmd < ARRAY_SIZE(rows) ? cmd : 0];
    union any_op op;
    long rc;

    if (cmd >= ARRAY_SIZE(rows) || !row->known)
        return -XEN_ENOSYS;
    if (row->who == MACHINE && !current()->domain->privileged)
        return -XEN_EPERM;
    if (copy_from_guest_va(&op, arg, row->size))
        return -XEN_EFAULT;
    rc = row->handler(&op);
    if (rc >= 0 && copy_to_guest_va(arg, &op, row->size))
        return -XEN_EFAULT;
    return rc;
}
