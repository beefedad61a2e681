/* SPDX-License-Identifier: MIT */
/* The record of a multicall's entry: as that of a hypercall, but called from C. */
#include "x86/trace_entry.h"

    .text
/*
 * void trace_subcall(unsigned long op, const uint64_t args[6]).  To one ring, with room, here; C does
 * the rest.  The frame of whoever called ends in struct vcpu_hot somewhere above: CPU's by rsp alone.
 */
    .balign 16
    .globl trace_subcall
trace_subcall:
    movzbl  trace_on + TRACE_EV_pv_subcall(%rip), %eax
    mov     %rsp, %rcx
    or      $STACK_BLOCK - 1, %rcx
    mov     HOT_CPU + 1 - SIZEOF_HOT(%rcx), %rcx
    cmp     $TRACE_TO_OWN_, %eax
    jne     .Lnot_own
    add     $RING_OFFSET_OWN, %rcx
.Lring:
    cmp     $NR_HYPERCALLS, %rdi
    jae     .Lslowly
    TRACE_ROOM_OR .Lslowly
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
.Lnot_own:
    add     $RING_OFFSET_XEN, %rcx
    cmp     $TRACE_TO_XEN_, %eax
    je      .Lring
.Lslowly:
    movzbl  trace_on + TRACE_EV_pv_subcall(%rip), %eax
    mov     %rsi, %rdx
    mov     %rdi, %rsi
    mov     %eax, %edi
    jmp     trace_subcall_slow

    .section .note.GNU-stack, "", @progbits
