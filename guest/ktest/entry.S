/* SPDX-License-Identifier: MIT */
/*
 * Entries from the hypervisor.
 *
 * Frame table: who pushed what, lowest address first. The hypervisor writes it to the kernel
 * stack in use (fault in kernel mode) or to the one given to stack_switch (fault in user mode),
 * after aligning rsp down to 16 bytes.
 *
 *   word        exception           exception with     callbacks: event,    failsafe
 *                                   error code         syscall, sysenter,   callback
 *                                                      syscall32, nmi
 *   rsp + 0x00  rcx        hv       rcx        hv      rcx        hv        rcx       hv
 *   rsp + 0x08  r11        hv       r11        hv      r11        hv        r11       hv
 *               -                   error code CPU     -                    ds es fs gs hv
 *               rip        CPU      rip        CPU     rip        CPU       rip       hv
 *               cs         hv *     cs         hv *    cs         hv *      cs        hv *
 *               rflags     hv **    rflags     hv **   rflags     hv **     rflags    hv **
 *               rsp        CPU      rsp        CPU     rsp        CPU       rsp       hv
 *               ss         CPU      ss         CPU     ss         CPU       ss        hv
 *    *  RPL 0 when the fault came from kernel mode, 3 from user mode;
 *       bits 32 to 39 of the word are the saved upcall mask (struct cpu_user_regs).
 *    ** IF is the inverse of the vCPU's upcall mask at the time of the fault.
 *
 * Every entry completes it to struct ktest_regs (regs.h): pops rcx and r11, pushes a zero error
 * code where none is, the vector, and all general registers.
 */
#include "stack.h"
#include "vectors.h"

#define HYPERCALL_IRET (hypercall_page + 23 * 32)

.macro PUSH_GPRS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro POP_GPRS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

    .text
    .balign 32
    .globl ktest_vector_entries
/* from: hypervisor, trap table; 256 stubs of 32 bytes; stack: frame table above */
ktest_vector_entries:
    vector = 0
    .rept 256
    .balign 32
    pop %rcx
    pop %r11
    /* SDM 3A table 6-1: 8, 10 to 14, 17, 21, 29 and 30 come with an error code */
    .if vector < 32
    .if ((0x60227d00 >> vector) & 1) == 0
    push $0
    .endif
    .else
    push $0
    .endif
    push $vector
    jmp common
    vector = vector + 1
    .endr

.macro CALLBACK name, vector
    .balign 32
    .globl \name
\name:
    pop %rcx
    pop %r11
    push $0
    push $\vector
    jmp common
.endm

    CALLBACK ktest_event_entry, VEC_EVENT
    CALLBACK ktest_syscall_entry, VEC_SYSCALL
    CALLBACK ktest_sysenter_entry, VEC_SYSENTER
    CALLBACK ktest_syscall32_entry, VEC_SYSCALL32
    CALLBACK ktest_nmi_entry, VEC_NMI
    CALLBACK ktest_alt_entry, VEC_ALT

    .balign 32
    .globl ktest_failsafe_entry
/* from: hypervisor, an iret or a segment load that failed; stack: frame table, last column */
ktest_failsafe_entry:
    pop %rcx
    pop %r11
    pop ktest_failsafe_segments(%rip)
    pop ktest_failsafe_segments + 8(%rip)
    pop ktest_failsafe_segments + 16(%rip)
    pop ktest_failsafe_segments + 24(%rip)
    push $0
    push $VEC_FAILSAFE
    jmp common

    .balign 16
/* in: completed frame except general registers; out: to the interrupted code by the iret
 * hypercall, or to whom ktest_run() was called by when ktest_trap() returns its saved rsp */
common:
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call ktest_trap
    test %rax, %rax
    jnz 1f
    mov %rbp, %rsp
    POP_GPRS
    add $16, %rsp
    push $0
    jmp HYPERCALL_IRET
1:  mov %rax, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

.macro ENTER
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rsi)
    mov %rdi, %rsp
    POP_GPRS
    add $8, %rsp
.endm

    .balign 16
    .globl ktest_enter_iret
/* from: ktest_run(); in: rdi = struct ktest_regs with 64 free bytes below it, whose error word
 * holds the VGCF flags; rsi = where to save rsp for the return; out: at regs->rip, by the iret
 * hypercall; comes back through ktest_trap(); clobbers nothing of the caller's */
ktest_enter_iret:
    ENTER
    jmp HYPERCALL_IRET

    .balign 16
    .globl ktest_enter_native
/* as above, without the hypervisor, for kernel mode: rflags and rip lie in the two words below
 * regs->rsp (not iretq: with SMAP on, QEMU's TCG lets it fault in ring 3) */
ktest_enter_native:
    ENTER
    mov 32(%rsp), %rsp
    lea -16(%rsp), %rsp
    popfq
    ret

    .section .bss, "aw", @nobits
    .balign 8
    .globl ktest_failsafe_segments
ktest_failsafe_segments:
    .skip 32

    .section .note.GNU-stack, "", @progbits
