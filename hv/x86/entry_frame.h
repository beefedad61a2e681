/* SPDX-License-Identifier: MIT */
/*
 * The frame that guests enter the hypervisor with, and what its assembly shares (syscall.S: SYSCALL and
 * iret; exception.S: exceptions, interrupts and the general way out).
 *
 * The frame.  Every entry from a guest starts at the top of its vCPU's stack (struct vcpu_hot),
 * and what is pushed there is struct cpu_user_regs of the public headers, from its end down:
 *
 *   offset  field          SYSCALL stub   hypercall   exception
 *   168..   es ds fs gs    (head of struct vcpu_hot)
 *   160     ss             stub           =           CPU
 *   152     rsp            stub           =           CPU
 *   144     rflags         entry (r11)    =           CPU
 *   136     cs             entry          =           CPU
 *   128     rip            entry (rcx)    =           CPU
 *   124     entry_vector   entry          =           vector stub
 *   120     error_code     entry          =           CPU or vector stub
 *   48-112  rdi rsi rdx rcx rax r8-r11    =           common
 *   0-40    rbx rbp r12-r15    not pushed, kept by C      common
 *
 * So a lean hypercall frame is the upper part of a full one, and becomes full by six pushes.
 *
 * Interrupts are off from entry to exit.  GS is the guest's: the hypervisor never uses it.
 */
#ifndef HV_X86_ENTRY_FRAME_H
#define HV_X86_ENTRY_FRAME_H

#include "hv/asm_offsets.h"
#include "hv/config.h"
#include "hv/vcpu_hot.h"

/* Field of struct vcpu_hot when `n` 8-byte words have been pushed since the stack's top. */
#define HOT(field, n) (HOT_##field + 8 * (n))(%rsp)

/* A fault at `from` continues at `to`, with registers as they were. */
.macro EXTABLE from, to
    .pushsection __ex_table, "a"
    .long \from - ., \to - .
    .popsection
.endm

.macro PUSH_VOLATILE
    push    %rdi
    push    %rsi
    push    %rdx
    push    %rcx
    push    %rax
    push    %r8
    push    %r9
    push    %r10
    push    %r11
.endm

.macro PUSH_PRESERVED
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
.endm

.macro POP_ALL
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rax
    pop     %rcx
    pop     %rdx
    pop     %rsi
    pop     %rdi
.endm

#endif
