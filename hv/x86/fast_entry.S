/* SPDX-License-Identifier: MIT */
/*
 * A system call that a fast handler serves, from user mode to user mode without a full frame: the
 * handlers of which hv/fast/lean.c says that nothing but the arguments, rax and where
 * the guest kernel stands is asked for, and rax alone is changed.
 *
 * In: from syscall.S, with the handler in rcx; pushed are ss, rsp, rcx (where user mode goes on).  Flags
 * word: user mode, HOT_FAST.
 */
#include "x86/entry_frame.h"

    .text
    .balign 64
    .globl  fast_lean_syscall
fast_lean_syscall:
    testl   $~HOT_HANDLERS, HOT(FLAGS, 3)
    jnz     .Lin_c                      /* odd, traced, timed: C knows them all */
    decl    HOT(SITE_COUNTDOWN, 3)
    jz      .Lsample
    test    $FAST_REFUSED_FLAGS_, %r11d
    jnz     .Lin_c
    btq     $47, (%rsp)                 /* SYSRET wants a canonical address */
    jc      .Lin_c
    decl    FAST_HANDLER_LEFT(%rcx)
    jle     .Lin_c                      /* one to be timed, or compared */
    push    %r11
    push    %rdi
    push    %rsi
    push    %rdx
    push    %r8
    push    %r9
    push    %r10
    mov     HOT(FAST_WORK, 10), %r11
    mov     %rdi, FAST_CTX_RDI(%r11)
    mov     %rsi, FAST_CTX_RSI(%r11)
    mov     %rdx, FAST_CTX_RDX(%r11)
    mov     %r10, FAST_CTX_R10(%r11)
    mov     %r8, FAST_CTX_R8(%r11)
    mov     %r9, FAST_CTX_R9(%r11)
    mov     %rax, FAST_CTX_RAX(%r11)
    mov     HOT(KERNEL_SP, 10), %rax
    mov     %rax, FAST_CTX_KERNEL_SP(%r11)
    mov     %rcx, FAST_CPU_LEAN(%r11)
    movq    $0, FAST_RUN_STOP(%r11)     /* nr_staged too */
    mov     FAST_HANDLER_COUNTS(%rcx), %rdx
    add     HOT(FAST_COUNTS_AT, 10), %rdx
    incq    FAST_COUNTS_HITS(%rdx)
    mov     FAST_HANDLER_CODE(%rcx), %r8
    mov     $MSR_SHADOW_GS_BASE_, %ecx
    rdmsr
    mov     %eax, FAST_CTX_KERNEL_GS(%r11)
    mov     %edx, FAST_CTX_KERNEL_GS + 4(%r11)
    mov     HOT(KERNEL_CR3, 10), %rax
    mov     %rax, %cr3
    mov     %r11, %rdi                  /* the run is the first of the work memory */
    call    *%r8
    mov     HOT(FAST_WORK, 10), %rdi
    test    %eax, %eax
    jz      .Lpassed
    cmpl    $0, FAST_RUN_NR_STAGED(%rdi)
    jne     .Lcommit
.Lcommitted:
    mov     HOT(USER_CR3, 10), %rax
    mov     %rax, %cr3
    mov     FAST_CTX_RAX(%rdi), %rax
    mov     HOT(INFO, 10), %rcx
    cmpb    $0, (%rcx)
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdx
    pop     %rsi
    pop     %rdi
    pop     %r11
    pop     %rcx
    jne     .Levent
    mov     (%rsp), %rsp
    sysretq

.Lcommit:
    cld
    call    fast_lean_commit
    mov     HOT(FAST_WORK, 10), %rdi
    test    %al, %al
    jnz     .Lcommitted
/* The guest kernel's after all. */
.Lpassed:
    mov     HOT(USER_CR3, 10), %rax
    mov     %rax, %cr3
    cld
    call    fast_lean_passed            /* the number: the context's rax may be changed */
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdx
    pop     %rsi
    pop     %rdi
    pop     %r11
    pop     %rcx
    jmp     bounce_plain

/* An upcall is due, at the new state: a full frame, and C on the way out. */
.Levent:
    push    %r11
    pushq   $FLAT_RING3_CS64_
    push    %rcx
    pushq   $-1
    PUSH_VOLATILE
    PUSH_PRESERVED
    jmp     exit_to_guest

/* The sample that is due is C's. */
.Lsample:
    movl    $1, HOT(SITE_COUNTDOWN, 3)
.Lin_c:
    pop     %rcx
    jmp     slow_syscall

    .section .note.GNU-stack, "", @progbits
