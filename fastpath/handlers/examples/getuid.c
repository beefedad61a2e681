/* SPDX-License-Identifier: MIT */
/* getuid: in a user namespace that maps every number to itself; others are the guest kernel's. */
#include "current.h"

RADON_SYSCALL(102) int getuid(struct fast_ctx *ctx)
{
    uint64_t task = current_task(ctx);
    uint64_t cred = radon_load64(task + task_struct__cred);
    uint64_t map = radon_load64(cred + cred__user_ns) + user_namespace__uid_map;
    uint64_t extent = map + uid_gid_map__extent;
    uint64_t uid = radon_load32(cred + cred__uid);

    if (radon_load32(map + uid_gid_map__nr_extents) != 1 ||
        radon_load32(extent + uid_gid_extent__first) != 0 ||
        radon_load32(extent + uid_gid_extent__lower_first) != 0 ||
        radon_load32(extent + uid_gid_extent__count) != 0xffffffff)
        return FAST_PASS;
    if (has_work(task))
        return FAST_PASS;
    ctx->rax = uid;
    return FAST_DONE;
}
