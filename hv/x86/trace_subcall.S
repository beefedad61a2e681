/* SPDX-License-Identifier: MIT */
/* The record of a multicall's entry: as that of a hypercall, but called from C. */
#include "x86/trace_entry.h"

    .text
/*
 * void trace_subcall_put(uint64_t op, const uint64_t args[6], struct trace_ring *r).  op is below
 * NR_HYPERCALLS, the ring's place below its limit.
 */
    .balign 16
    .globl trace_subcall_put
trace_subcall_put:
    mov     %rdx, %rcx
    mov     RING_CUR(%rcx), %r11
    mov     %edi, 12(%r11)
    add     trace_nr_args_at(%rip), %rdi
    movzbl  (%rdi), %eax
    mov     0(%rsi), %rdi
    mov     16(%rsi), %rdx
    mov     24(%rsi), %r10
    mov     8(%rsi), %rsi
    TRACE_ALL_ARGS HEAD_SUBCALL, .Lput
.Lput:
    ret

    .section .note.GNU-stack, "", @progbits
