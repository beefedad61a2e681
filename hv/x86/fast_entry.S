/* SPDX-License-Identifier: MIT */
/*
 * A system call that a fast handler's lean code serves (fastpath/core/jit_x86.h), from user mode to user mode:
 * no frame, user mode's registers where they are.  hv/fast/lean.c has what it needs of C.
 */
#include "x86/entry_frame.h"

    .text
    .balign 64
    .globl  fast_lean_syscall
/*
 * In: from syscall.S, with what this CPU counts of the handler (struct fast_counts) in rcx; pushed are ss,
 * rsp, rcx (where user mode goes on).  Flags word: user mode, nothing but handlers.  Interrupts off, stack
 * the vCPU's, CR3 user mode's.
 */
fast_lean_syscall:
    test    $FAST_REFUSED_FLAGS_, %r11d
    jnz     .Lin_c
    btq     $47, (%rsp)                 /* SYSRET wants a canonical address */
    jc      .Lin_c
    decl    HOT(SITE_COUNTDOWN, 3)
    jz      .Lsample
    decl    FAST_COUNTS_LEFT(%rcx)
    jle     .Lin_c                      /* one to be timed, or compared */
    mov     HOT(KERNEL_CR3, 3), %rax
    mov     %rax, %cr3
    incq    FAST_COUNTS_HITS(%rcx)
    mov     FAST_COUNTS_CODE(%rcx), %rax
    mov     HOT(FAST_WORK, 3), %rcx     /* the run is the first of the work memory */
    call    *%rax
    jc      .Lnot_done
.Ldone:
    mov     HOT(USER_CR3, 3), %rcx
    mov     %rcx, %cr3
    mov     HOT(INFO, 3), %rcx
    cmpb    $0, (%rcx)
    pop     %rcx
    jne     .Levent
    mov     (%rsp), %rsp
    sysretq

/*
 * Stores are left to be taken, or it is the guest kernel's after all: C says so in rdx, with what goes to
 * rax, of the handler that the code leaves in rax.
 */
.Lnot_done:
    push    %r11
    push    %r10
    push    %r9
    push    %r8
    push    %rdi
    push    %rsi
    push    %rdx
    mov     HOT(FAST_WORK, 10), %rdi
    mov     %rax, %rsi
    call    fast_lean_end
    test    %rdx, %rdx
    pop     %rdx
    pop     %rsi
    pop     %rdi
    pop     %r8
    pop     %r9
    pop     %r10
    pop     %r11
    jnz     .Ldone
    mov     HOT(USER_CR3, 3), %rcx
    mov     %rcx, %cr3
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
