/* SPDX-License-Identifier: MIT */
/*
 * A system call that a fast handler's lean code serves (fastpath/core/jit_x86.h), from user mode to user mode:
 * no frame, user mode's registers where they are.  hv/fast/lean.c has what it needs of C.
 */
#include "x86/entry_frame.h"

    .text
    .balign 64
    .globl  entry_syscall_fast
/*
 * In: from the SYSCALL stub; pushed are ss, rsp.  User mode with nothing up but handlers: the system call
 * has one, or is as plain as without.
 */
entry_syscall_fast:
    testl   $~HOT_HANDLERS, HOT(FLAGS, 2)
    jnz     entry_not_plain
    cmp     $FAST_MAX_SYSCALL_, %rax
    ja      bounce_countdown
    bt      %rax, HOT(FAST_MAP, 2)
    jnc     bounce_countdown
    push    %rcx
    mov     HOT(FAST_LEAN, 3), %rcx
    mov     (%rcx, %rax, 8), %rcx       /* struct fast_counts, of this CPU */
    test    $FAST_REFUSED_FLAGS_, %r11d
    jnz     .Lin_c
    btq     $47, (%rsp)                 /* SYSRET wants a canonical address */
    jc      .Lin_c
    decl    FAST_COUNTS_LEFT(%rcx)
    jle     .Ldue
    mov     HOT(KERNEL_CR3, 3), %rax
    mov     %rax, %cr3
    incq    FAST_COUNTS_HITS(%rcx)
    mov     FAST_COUNTS_CODE(%rcx), %rax
    mov     HOT(FAST_WORK, 3), %rcx     /* the run is the first of the work memory */
    call    *%rax
    jc      .Lnot_done
    mov     HOT(USER_CR3, 3), %rcx
    mov     %rcx, %cr3
    pop     %rcx
    mov     (%rsp), %rsp                /* who made an upcall due meanwhile sent an interrupt */
    sysretq

/*
 * It is the guest kernel's after all, whose tables are loaded: the run, counted as a hit when it began, is a
 * pass.  The code leaves the run in rcx and the handler in rax.
 */
.Lnot_done:
    cmpl    $FAST_STOP_NONE_, FAST_RUN_STOP(%rcx)
    jne     .Lstopped
    mov     FAST_CPU_COUNTS_AT(%rcx), %rcx
    add     FAST_HANDLER_COUNTS(%rax), %rcx
    decq    FAST_COUNTS_HITS(%rcx)
    incq    FAST_COUNTS_CHOSEN(%rcx)
    mov     FAST_HANDLER_NUMBER(%rax), %eax
.Lpassed:
    pop     %rcx
    mov     %rax, HOT(SITE_GIVEN, 2)
    jmp     bounce_in_kernel

/* Stores are left to be taken, or something stopped it: C says in rdx whether it is done, and what goes to rax. */
.Lstopped:
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
    jz      .Lpassed                    /* flags: as test left them */
    mov     HOT(USER_CR3, 3), %rcx
    mov     %rcx, %cr3
    mov     HOT(INFO, 3), %rcx
    cmpb    $0, (%rcx)                  /* a store of the handler's may have had to do with it */
    pop     %rcx
    jne     .Levent
    mov     (%rsp), %rsp
    sysretq

/* An upcall is due, at the new state: a full frame, and C on the way out. */
.Levent:
    push    %r11
    pushq   $FLAT_RING3_CS64_
    push    %rcx
    pushq   $-1
    PUSH_VOLATILE
    PUSH_PRESERVED
    jmp     exit_to_guest

/*
 * One to be timed, or compared, or that has no lean code (fewer than none left).  The runs since C saw
 * one count for the samples of hot sites: C finds it due if one of them would have been.
 */
.Ldue:
    jl      .Lin_c
    push    %rax
    mov     FAST_COUNTS_STEP(%rcx), %eax
    dec     %eax
    sub     %eax, HOT(SITE_COUNTDOWN, 4)
    pop     %rax
    ja      .Lin_c
    movl    $1, HOT(SITE_COUNTDOWN, 3)
.Lin_c:
    pop     %rcx
    jmp     slow_syscall

    .section .note.GNU-stack, "", @progbits
