/* SPDX-License-Identifier: MIT */
/*
 * Recording at the lean entries: the records of hypercalls, irets and page faults, written by hand since
 * there are many (hv/include/hv/trace_ring.h says how a ring is written; docs/tracing.md what it
 * costs).
 *
 * In all of them: rcx is the ring (struct trace_ring of this CPU), r11 where the record goes.
 */
#ifndef HV_X86_TRACE_ENTRY_H
#define HV_X86_TRACE_ENTRY_H

#include "x86/entry_frame.h"

#define RING_OFFSET_XEN CPU_TRACE
#define RING_OFFSET_OWN (CPU_TRACE + SIZEOF_RING)

/* rcx = the ring that records of `event` go to first, or to `none`.  n: words pushed. */
.macro TRACE_FIRST_RING event, n, none
    testb   $TRACE_TO_XEN_, trace_on + \event(%rip)
    jnz     .Lxen\@
    testb   $TRACE_TO_OWN_, trace_on + \event(%rip)
    jz      \none
    mov     $RING_OFFSET_OWN, %ecx
    jmp     .Lring\@
.Lxen\@:
    mov     $RING_OFFSET_XEN, %ecx
.Lring\@:
    add     HOT(CPU, \n), %rcx
.endm

/* Go to `again` with the second ring, if the record went to the first and is to go to both. */
.macro TRACE_NEXT_RING event, n, again
    cmpb    $TRACE_TO_XEN_ | TRACE_TO_OWN_, trace_on + \event(%rip)
    jne     .Ldone\@
    mov     HOT(CPU, \n), %rax
    add     $RING_OFFSET_OWN, %rax
    cmp     %rax, %rcx
    mov     %rax, %rcx
    jne     \again
.Ldone\@:
.endm

/* r11 = where a record of any length may go; to `full` if the ring is to be looked at. */
.macro TRACE_ROOM_OR full
    mov     RING_CUR(%rcx), %r11
    cmp     RING_LIMIT(%rcx), %r11
    jae     \full
.endm

/* Head, time stamp, and the reader may have it.  Clobbers rax, rdx, r11. */
.macro TRACE_PUBLISH head, words
    movl    $(\head) | (\words) << TRACE_EXTRA_SHIFT_, (%r11)
    rdtsc
    mov     %eax, 4(%r11)
    mov     %edx, 8(%r11)
    add     $12 + 4 * (\words), %r11
    mov     %r11, RING_CUR(%rcx)
    incq    RING_WRITTEN(%rcx)
    mov     RING_BUF(%rcx), %rax
    sub     RING_BIAS(%rcx), %r11d
    mov     %r11d, T_BUF_PROD(%rax)     /* stores are seen in order: the record is there */
.endm

/*
 * The arguments of a hypercall, from number i of n on, `at` being where in the record the next one goes
 * and `sizes` what has been found: one bit of two for each argument (public/trace.h).  What is
 * expanded is the whole tree of sizes, so that each way through it has its own end, at `done`.
 */
.macro TRACE_ARGS i, n, at, sizes, head, done
    .if ((\i) == (\n)) || ((\at) == 12 + 4 * TRACE_EXTRA_MAX_)
    TRACE_ARGS_END (\at - 12) / 4, \sizes, \head, \done
    .else
    TRACE_ARG_STORE (\i), (\at)
    cmpl    $0, (\at + 4)(%r11)
    jne     .Lwide\@
    TRACE_ARGS (\i + 1), \n, (\at + 4), (\sizes | 1 << (20 + 2 * (\i))), \head, \done
.Lwide\@:
    .if (\at) + 8 > 12 + 4 * TRACE_EXTRA_MAX_
    TRACE_ARGS_END (\at - 12) / 4, \sizes, \head, \done
    .else
    TRACE_ARGS (\i + 1), \n, (\at + 8), (\sizes | 2 << (20 + 2 * (\i))), \head, \done
    .endif
    .endif
.endm

.macro TRACE_ARG_STORE i, at
    .if (\i) == 0
    mov     %rdi, (\at)(%r11)
    .elseif (\i) == 1
    mov     %rsi, (\at)(%r11)
    .elseif (\i) == 2
    mov     %rdx, (\at)(%r11)
    .elseif (\i) == 3
    mov     %r10, (\at)(%r11)
    .else
    .error  "hypercalls of more than four arguments: write their case"
    .endif
.endm

.macro TRACE_ARGS_END words, sizes, head, done
    orl     $(\sizes), 12(%r11)
    TRACE_PUBLISH \head, (\words)
    jmp     \done
.endm

/* The arguments of a hypercall that has eax of them (0 to 4). */
.macro TRACE_ALL_ARGS head, done
    cmp     $2, %eax
    je      .Ltwo\@
    ja      .Lmore\@
    test    %eax, %eax
    jne     .Lone\@
    TRACE_ARGS 0, 0, 16, 0, \head, \done
.Lone\@:
    TRACE_ARGS 0, 1, 16, 0, \head, \done
.Ltwo\@:
    TRACE_ARGS 0, 2, 16, 0, \head, \done
.Lmore\@:
    cmp     $3, %eax
    jne     .Lfour\@
    TRACE_ARGS 0, 3, 16, 0, \head, \done
.Lfour\@:
    TRACE_ARGS 0, 4, 16, 0, \head, \done
.endm

/*
 * The record of a hypercall.  In: rax and arguments as the guest has them, frame as the lean path has it
 * (15 words; r11 r10 r9 r8 rax rcx rdx rsi rdi from rsp on).  Out: the same; rcx, r11 clobbered.
 */
.macro TRACE_HYPERCALL
    TRACE_FIRST_RING TRACE_EV_pv_hypercall, 15, .Lhypercall_untraced
.Lhypercall_record:
    cmp     $NR_HYPERCALLS, %rax
    jae     .Lhypercall_full
    TRACE_ROOM_OR .Lhypercall_full
    mov     %eax, 12(%r11)
    add     trace_nr_args_at(%rip), %rax
    movzbl  (%rax), %eax
    TRACE_ALL_ARGS HEAD_HYPERCALL, .Ltraced_hypercall
.Ltraced_hypercall:
    TRACE_NEXT_RING TRACE_EV_pv_hypercall, 15, .Lhypercall_again
.Lhypercall_untraced:
    mov     32(%rsp), %rax
    mov     48(%rsp), %rdx
.endm

/* Out of the way of it: the second ring, and rings to be looked at. */
.macro TRACE_HYPERCALL_RARE
.Lhypercall_again:
    mov     32(%rsp), %rax
    mov     48(%rsp), %rdx
    jmp     .Lhypercall_record
.Lhypercall_full:
    mov     %rsp, %rdi
    mov     %rcx, %rsi
    push    %rcx
    call    trace_hypercall_slow
    pop     %rcx
    mov     8(%rsp), %r10
    mov     16(%rsp), %r9
    mov     24(%rsp), %r8
    mov     56(%rsp), %rsi
    mov     64(%rsp), %rdi
    jmp     .Ltraced_hypercall
.endm

/* C looks at the ring in rcx; `data` of the record is at rsp.  Keeps rcx alone. */
.macro TRACE_RECORD_SLOWLY head, words
    mov     $(\head) | (\words) << TRACE_EXTRA_SHIFT_, %edi
    mov     %rsp, %rsi
    mov     %rcx, %rdx
    push    %rcx
    call    trace_record_slow
    pop     %rcx
.endm

/* What C clobbers and a guest still needs, but rax, rcx, rdx and r11. */
.macro TRACE_SAVE
    push    %rdi
    push    %rsi
    push    %r8
    push    %r9
    push    %r10
    cld
.endm

.macro TRACE_RESTORE
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rsi
    pop     %rdi
.endm

/* The record of a page fault of user mode.  In: the CPU's frame, error code on top.  Clobbers nothing. */
.macro TRACE_USER_PAGE_FAULT
    push    %rax
    push    %rcx
    push    %rdx
    push    %r11
    TRACE_FIRST_RING TRACE_EV_pv_page_fault, 10, .Lpf_untraced
.Lpf_record:
    TRACE_ROOM_OR .Lpf_full
    mov     40(%rsp), %rax
    mov     %rax, 12(%r11)              /* rip */
    mov     %cr2, %rax
    mov     %rax, 20(%r11)
    mov     32(%rsp), %eax
    mov     %eax, 28(%r11)              /* error code: from user mode, it is the guest's as it is */
    TRACE_PUBLISH HEAD_PAGE_FAULT, 5
.Lpf_recorded:
    TRACE_NEXT_RING TRACE_EV_pv_page_fault, 10, .Lpf_record
.Lpf_untraced:
    pop     %r11
    pop     %rdx
    pop     %rcx
    pop     %rax
.endm

.macro TRACE_USER_PAGE_FAULT_RARE
.Lpf_full:
    TRACE_SAVE
    pushq   72(%rsp)
    mov     %cr2, %rax
    push    %rax
    pushq   96(%rsp)
    TRACE_RECORD_SLOWLY HEAD_PAGE_FAULT, 5
    add     $24, %rsp
    TRACE_RESTORE
    jmp     .Lpf_recorded
.endm

/* ------------------------------------------------------------------ of Radon's rings alone */

/* rcx = the ring; n: words pushed. */
.macro TRACE_OWN_RING n
    mov     HOT(CPU, \n), %rcx
    add     $RING_OFFSET_OWN, %rcx
.endm

/*
 * A system call is given to the guest kernel: its record, if it is wanted, and on to `next`.  In: 2 words
 * pushed, registers of the guest (rax: number, rcx: rip).  Clobbers nothing.
 */
.macro TRACE_BOUNCE_SYSCALL next
    testb   $TRACE_TO_OWN_, trace_on + TRACE_EV_bounce_syscall(%rip)
    jz      \next
    push    %rax
    push    %rcx
    push    %rdx
    push    %r11
    TRACE_OWN_RING 6
    TRACE_ROOM_OR .Lfull\@
    mov     %eax, 12(%r11)
    mov     16(%rsp), %rax
    mov     %rax, 16(%r11)
    TRACE_PUBLISH HEAD_BOUNCE_SYSCALL, 3
.Lput\@:
    pop     %r11
    pop     %rdx
    pop     %rcx
    pop     %rax
    jmp     \next
.Lfull\@:
    TRACE_SAVE
    sub     $16, %rsp
    mov     %eax, (%rsp)
    mov     72(%rsp), %rax
    mov     %rax, 4(%rsp)
    TRACE_RECORD_SLOWLY HEAD_BOUNCE_SYSCALL, 3
    add     $16, %rsp
    TRACE_RESTORE
    jmp     .Lput\@
.endm

/* A hypercall's result is in rax, the frame as the lean path has it.  Clobbers rcx, rdx, r10, r11. */
.macro TRACE_HYPERCALL_EXIT
.Lhypercall_exit_traced:
    mov     %rax, %r10
    TRACE_OWN_RING 15
    TRACE_ROOM_OR .Lhypercall_exit_full
    mov     32(%rsp), %eax
    mov     %eax, 12(%r11)
    mov     %r10, 16(%r11)
    TRACE_PUBLISH HEAD_EXIT_HYPERCALL, 3
    mov     %r10, %rax
    jmp     .Lhypercall_exit_recorded
.Lhypercall_exit_full:
    mov     32(%rsp), %r11d
    push    %rax
    sub     $16, %rsp
    mov     %r11d, (%rsp)
    mov     %rax, 4(%rsp)
    TRACE_RECORD_SLOWLY HEAD_EXIT_HYPERCALL, 3
    add     $16, %rsp
    pop     %rax
    jmp     .Lhypercall_exit_recorded
.endm

/* ------------------------------------------------------------------ iret */

/*
 * The records of an iret hypercall: that it goes to user mode, and the hypercall; those of them that are
 * wanted, and on to `next`.  Where it goes is read from the guest's stack, and where that cannot be
 * read C finds out.  In: 2 words pushed.  Clobbers rax, rcx, r11.
 */
.macro TRACE_IRET next
    testb   $TRACE_TO_OWN_, trace_on + TRACE_EV_iret_user(%rip)
    jnz     .Luser\@
.Lhypercall\@:
    TRACE_FIRST_RING TRACE_EV_pv_hypercall, 2, \next
    mov     %rdx, HOT(SITE_RDX, 2)
.Lhypercall_record\@:
    TRACE_ROOM_OR .Lhypercall_full\@
    movl    $HYPERCALL_IRET, 12(%r11)
    TRACE_PUBLISH HEAD_HYPERCALL, 1
.Lhypercall_recorded\@:
    TRACE_NEXT_RING TRACE_EV_pv_hypercall, 2, .Lhypercall_record\@
    mov     HOT(SITE_RDX, 2), %rdx
    jmp     \next

.Luser\@:
    mov     (%rsp), %r11
    movabs  $HYPERVISOR_VIRT_END_, %rax
    cmp     %rax, %r11
    jb      .Lunreadable\@
.Lcs\@:
    mov     40(%r11), %eax
    and     $3, %eax
    cmp     $3, %eax
    jne     .Lhypercall\@
.Lrip\@:
    mov     32(%r11), %rax
    EXTABLE .Lcs\@, .Lunreadable\@
    EXTABLE .Lrip\@, .Lunreadable\@
    mov     %rdx, HOT(SITE_RDX, 2)
    TRACE_OWN_RING 2
    TRACE_ROOM_OR .Luser_full\@
    mov     %rax, 12(%r11)
    TRACE_PUBLISH HEAD_IRET_USER, 2
.Luser_recorded\@:
    mov     HOT(SITE_RDX, 2), %rdx
    cmpb    $0, trace_on + TRACE_EV_pv_hypercall(%rip)
    je      \next
    jmp     .Lhypercall\@

.Lhypercall_full\@:
    TRACE_SAVE
    pushq   $HYPERCALL_IRET
    TRACE_RECORD_SLOWLY HEAD_HYPERCALL, 1
    add     $8, %rsp
    TRACE_RESTORE
    jmp     .Lhypercall_recorded\@
.Luser_full\@:
    TRACE_SAVE
    push    %rax
    TRACE_RECORD_SLOWLY HEAD_IRET_USER, 2
    add     $8, %rsp
    TRACE_RESTORE
    jmp     .Luser_recorded\@
.Lunreadable\@:
    mov     $HYPERCALL_IRET, %eax
    jmp     .Lslow_syscall
.endm

#endif
