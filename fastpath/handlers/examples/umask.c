/* SPDX-License-Identifier: MIT */
/*
 * umask: sets the task's mask and returns the one before.  The guest kernel exchanges the two with a
 * lock, because threads may share them; here they are the current task's alone, or it passes.
 */
#include "current.h"

RADON_SYSCALL(95) int umask(struct fast_ctx *ctx)
{
    uint64_t task = current_task(ctx);
    uint64_t fs = radon_load64(task + task_struct__fs);
    uint64_t before = radon_load32(fs + fs_struct__umask);

    if (radon_load32(fs + fs_struct__users) != 1)
        return FAST_PASS;
    radon_store32(fs + fs_struct__umask, ctx->rdi & 0777);
    if (has_work(task))
        return FAST_PASS;
    ctx->rax = before;
    return FAST_DONE;
}
