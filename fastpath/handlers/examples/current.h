/* SPDX-License-Identifier: MIT */
/*
 * What the examples share: the current task, and whether the guest kernel has work of its own to do
 * on the way in or out of a system call (docs/handlers-tutorial.md).  kernel.h is made by radon-btf.
 */
#ifndef HANDLERS_CURRENT_H
#define HANDLERS_CURRENT_H

#include "program.h"
#include "kernel.h"

static inline uint64_t current_task(const struct fast_ctx *ctx)
{
    return radon_load64(ctx->kernel_gs + percpu__current_task);
}

/*
 * Signals, rescheduling, ptrace, seccomp, audit, tracepoints of system calls: the guest kernel's.  To
 * be asked last, so that nothing that comes while the handler runs is missed.
 */
static inline int has_work(uint64_t task)
{
    return (radon_load64(task + task_struct__thread_info__flags) |
            radon_load64(task + task_struct__thread_info__syscall_work)) != 0;
}

#endif
