/* SPDX-License-Identifier: MIT */
/*
 * Handlers in C, for the test of the object loader:
 *   clang -O2 -target bpf -ffreestanding -Ifastpath/core -c example.c
 */
#include "program.h"

#define TASK  0x40 /* offsets of a toy kernel */
#define FLAGS 0x10
#define PID   0x20

/* Answers system call 39 when the current task has no work pending. */
RADON_SYSCALL(39) int toy_getpid(struct fast_ctx *ctx)
{
    uint64_t task = radon_load64(ctx->kernel_gs + TASK);

    if (radon_load32(task + FLAGS))
        return FAST_PASS;
    ctx->rax = radon_load32(task + PID);
    return FAST_DONE;
}

/* Adds four numbers of the guest and stores the sum; the loop has a constant bound. */
RADON_HYPERCALL(20) int toy_sum(struct fast_ctx *ctx)
{
    uint64_t sum = 0;

#pragma unroll
    for (int i = 0; i < 4; i++)
        sum += radon_load64(ctx->rdi + 8 * i);
    radon_store64(ctx->rsi, sum);
    ctx->rax = 0;
    return FAST_DONE;
}

/* Marks an entry accessed and dirty. */
RADON_EXCEPTION(14, 0xffffffff81234567) int toy_fault(struct fast_ctx *ctx)
{
    if (ctx->error_code != 3)
        return FAST_PASS;
    radon_pt_update(ctx->cr2, 0x27, 0x67);
    return FAST_DONE;
}
