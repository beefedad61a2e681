/* SPDX-License-Identifier: MIT */
/* Code that may take what it staged itself (jit_x86.h), called from C. */
#include "jit_x86.h"

/*
 * The code's own stack is below the compiler's red zone, and aligned.  rbx survives: who calls code
 * that is lean has nothing else to find the stack pointer by.
 */
static bool call(fast_code code, struct fast_run *run, uint64_t *rax)
{
    const struct fast_ctx *ctx = run->ctx;
    register uint64_t rdi __asm__("rdi") = ctx->rdi;
    register uint64_t rsi __asm__("rsi") = ctx->rsi;
    register uint64_t rdx __asm__("rdx") = ctx->rdx;
    register uint64_t r10 __asm__("r10") = ctx->r10;
    register uint64_t r8 __asm__("r8") = ctx->r8;
    register uint64_t r9 __asm__("r9") = ctx->r9;
    register struct fast_run *rcx __asm__("rcx") = run;
    uint64_t result = (uintptr_t)code;
    bool not_done;

    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "sub $128, %%rsp\n"
                     "and $-16, %%rsp\n"
                     "sub $8, %%rsp\n"
                     "call *%%rax\n"
                     "setc %1\n"
                     "mov %%rbx, %%rsp\n"
                     : "+a"(result), "=r"(not_done)
                     : "r"(rdi), "r"(rsi), "r"(rdx), "r"(r10), "r"(r8), "r"(r9), "r"(rcx)
                     : "rbx", "cc", "memory");
    *rax = result;
    return not_done;
}

uint64_t fast_call(fast_code code, struct fast_run *run, bool take)
{
    if (!take)
        run->gone = 1;
    return code(run);
}

uint64_t fast_call_lean(fast_code code, struct fast_run *run, bool take)
{
    uint64_t rax;

    if (!take)
        run->gone = 1;
    run->stop = FAST_STOP_NONE;
    run->nr_staged = 0;
    if (!call(code, run, &rax)) {
        run->ctx->rax = rax;
        run->nr_staged = 0; /* a load that went by the helper told it what there was */
    } else if (run->stop == FAST_STOP_UNTAKEN) {
        run->stop = FAST_STOP_NONE;
        run->ctx->rax = run->result;
        for (uint32_t i = 0; i < run->nr_staged; i++)
            run->staged[i].value &= ~0ull >> (64 - 8 * run->staged[i].size);
    } else {
        return FAST_PASS;
    }
    return FAST_DONE;
}
