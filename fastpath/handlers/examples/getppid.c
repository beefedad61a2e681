/* SPDX-License-Identifier: MIT */
/* getppid: the process number of the parent, as the caller's process namespace numbers it. */
#include "current.h"

#define PIDTYPE_TGID 1 /* include/linux/pid.h */

/* signal->pids[PIDTYPE_TGID] of the parent; its number in the namespace that is the caller's. */
RADON_SYSCALL(110) int getppid(struct fast_ctx *ctx)
{
    uint64_t task = current_task(ctx);
    uint64_t own = radon_load64(task + task_struct__thread_pid);
    uint64_t parent = radon_load64(task + task_struct__real_parent);
    uint64_t signal = radon_load64(parent + task_struct__signal);
    uint64_t pid = radon_load64(signal + signal_struct__pids + 8 * PIDTYPE_TGID);
    uint64_t level, number, ns, result = 0;

    if (!own || !pid)
        return FAST_PASS;
    level = radon_load32(own + pid__level);
    ns = radon_load64(own + pid__numbers + level * sizeof__upid + upid__ns);
    /* A parent outside the namespace has no number in it: 0. */
    if (radon_load32(pid + pid__level) >= level) {
        number = pid + pid__numbers + level * sizeof__upid;
        if (radon_load64(number + upid__ns) == ns)
            result = radon_load32(number + upid__nr);
    }
    if (has_work(task))
        return FAST_PASS;
    ctx->rax = result;
    return FAST_DONE;
}
