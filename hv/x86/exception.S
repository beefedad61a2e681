/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, from guests and from the hypervisor, and the general way out to a guest.
 * entry_frame.h has the frame.
 */
#include "x86/sites_entry.h"

/* Timed: the entry's cost and place become the vCPU's bounce. */
.macro BOUNCE_PAGE_FAULT timed
    cmpq    $0, HOT(PAGE_FAULT_RIP, 6)  /* registered, and it masks upcalls */
    je      .Lpf_general
    .if \timed
    cmpb    $0, HOT_HIGH(BOUNCE_KEY, 6)
    jne     .Lpf_due                    /* one is on its way: C ends it */
    .endif
    push    %rax
    push    %rcx
    .if \timed
    mov     %rdx, HOT(SITE_RDX, 8)
    SITE_STAMP(BOUNCE_ENTRY, 8)
    mov     16(%rsp), %eax
    and     $31, %eax
    mov     %eax, HOT(BOUNCE_KEY, 8)
    movb    $SITE_PAGE_FAULT, HOT_HIGH(BOUNCE_KEY, 8)
    mov     24(%rsp), %rax
    mov     %rax, HOT(BOUNCE_ADDRESS, 8)
    .endif
    mov     HOT(KERNEL_CR3, 8), %rax
    mov     %rax, %cr3
    swapgs
    mov     HOT(KERNEL_FRAME, 8), %rax
.Lp0\@: mov   %rcx, -8(%rax)
    mov     56(%rsp), %rcx
.Lp1\@: mov   %rcx, 48(%rax)           /* ss; both ends first, as a system call's */
.Lp2\@: mov   %r11, 0(%rax)
    mov     16(%rsp), %rcx
.Lp3\@: mov   %rcx, 8(%rax)            /* error code */
    mov     %ecx, HOT(SITE_GIVEN, 8)
    movl    $SITE_GIVEN_HIGH | 14, HOT_HIGH(SITE_GIVEN, 8)
    mov     24(%rsp), %rcx
.Lp4\@: mov   %rcx, 16(%rax)           /* rip */
    mov     32(%rsp), %rcx
.Lp5\@: mov   %rcx, 24(%rax)           /* cs; upcalls were not masked */
    mov     40(%rsp), %rcx
.Lp6\@: mov   %rcx, 32(%rax)           /* rflags */
    mov     48(%rsp), %rcx
.Lp7\@: mov   %rcx, 40(%rax)           /* rsp */
    mov     HOT(INFO, 8), %r11
    mov     %cr2, %rcx
    mov     %rcx, VCPUINFO_CR2(%r11)
    movb    $1, VCPUINFO_MASK(%r11)
    mov     HOT(PAGE_FAULT_RIP, 8), %rcx
    mov     $X86_EFLAGS_GUEST_ENTRY, %r11d
    movb    $1, HOT(FLAGS, 8)
    mov     %rax, HOT(SCRATCH, 8)
    .if \timed
    rdtsc
    sub     HOT(BOUNCE_ENTRY, 8), %eax
    mov     %eax, HOT(BOUNCE_COST, 8)
    mov     HOT(SITE_RDX, 8), %rdx
    .endif
    mov     8(%rsp), %rax
    mov     HOT(SCRATCH, 8), %rsp
    lea     -8(%rsp), %rsp
    sysretq

    EXTABLE .Lp0\@, .Lpf_fault\@
    EXTABLE .Lp1\@, .Lpf_fault\@
    EXTABLE .Lp2\@, .Lpf_fault\@
    EXTABLE .Lp3\@, .Lpf_fault\@
    EXTABLE .Lp4\@, .Lpf_fault\@
    EXTABLE .Lp5\@, .Lpf_fault\@
    EXTABLE .Lp6\@, .Lpf_fault\@
    EXTABLE .Lp7\@, .Lpf_fault\@
/* No stack to put the frame on: undone, and C says so. */
.Lpf_fault\@:
    mov     HOT(USER_CR3, 8), %rax
    mov     %rax, %cr3
    swapgs
    .if \timed
    mov     HOT(SITE_RDX, 8), %rdx
    movb    $0, HOT_HIGH(BOUNCE_KEY, 8)
    .endif
    pop     %rcx
    pop     %rax
    jmp     .Lpf_due
.endm
#include "x86/trace_entry.h"

    .text
/*
 * Page faults of plain user mode (flags word 0), which are most: bounced without a full frame.
 * In: the CPU's frame, error code on top; IF = 0.  The frame on the guest kernel's stack is rcx,
 * r11, error code, rip, cs, rflags, rsp, ss: one word more than a system call's.
 */
    .balign 64
page_fault_entry:
    testb   $3, 16(%rsp)
    jz      .Lpf_general
    testl   $~HOT_FAST, HOT(FLAGS, 6)
    jnz     .Lpf_not_plain
.Lpf_countdown:
    decl    HOT(SITE_COUNTDOWN, 6)
    jz      .Lpf_sample
.Lpf_plain:
    BOUNCE_PAGE_FAULT 0
.Lpf_sample:
    push    %rax
    SITE_NEXT_SAMPLE(HOT_SITES_BOUNCE, 7)
    pop     %rax
.Lpf_timed:
    BOUNCE_PAGE_FAULT 1
/* The general way, which finds it due. */
.Lpf_due:
    movl    $1, HOT(SITE_COUNTDOWN, 6)
.Lpf_general:
    movl    $14, 4(%rsp)
    jmp     exception_common

/* At an address that has no handler, whatever others have: plain. Recorded, then plain, if the lean path takes it. */
.Lpf_not_plain:
    testl   $HOT_FAST_TRAP, HOT(FLAGS, 6)
    jz      .Lpf_no_handler
    push    %rax
    mov     16(%rsp), %eax              /* rip */
    and     $FAST_FAULT_BITS_ - 1, %eax
    bt      %rax, HOT(FAST_FAULTS, 7)
    pop     %rax
    jc      .Lpf_general
    testl   $~HOT_HANDLERS, HOT(FLAGS, 6)
    jz      .Lpf_countdown
.Lpf_no_handler:
    testl   $~(HOT_TRACE | HOT_SITES | HOT_HANDLERS), HOT(FLAGS, 6)
    jnz     .Lpf_general
    testl   $HOT_TRACE, HOT(FLAGS, 6)
    jz      .Lpf_timed
    cmpq    $0, HOT(PAGE_FAULT_RIP, 6)
    je      .Lpf_general
    TRACE_USER_PAGE_FAULT
    testl   $HOT_SITES_EXACT, HOT(FLAGS, 6)
    jnz     .Lpf_timed
    decl    HOT(SITE_COUNTDOWN, 6)
    jz      .Lpf_sample
    jmp     .Lpf_plain
    TRACE_USER_PAGE_FAULT_RARE

/*
 * Exceptions and interrupts.  In: the vector's stub pushed an error code (or 0) with the vector
 * in the upper half.  From a guest the stack is the vCPU's own, from the hypervisor it goes on.
 */
    .balign 16
exception_common:
    cld
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    testb   $3, UREGS_CS(%rsp)
    jz      .Lfrom_hypervisor
.Lfrom_guest:
    testl   $HOT_SITES_EXACT, HOT(FLAGS, UREGS_WORDS)
    jnz     .Ltrap_timed
    decl    HOT(SITE_COUNTDOWN, UREGS_WORDS)
    jz      .Ltrap_sample
.Ltrap:
    call    do_trap

/* Leave to the guest with a full frame at the stack's top. */
    .globl exit_to_guest
exit_to_guest:
    testl   $~(HOT_KERNEL | HOT_TRACE | HOT_SITES_BOUNCE | HOT_HANDLERS), HOT(FLAGS, UREGS_WORDS)
    jnz     .Lexit_work
    mov     HOT(INFO, UREGS_WORDS), %rcx
    cmpw    $1, (%rcx)
    je      .Lexit_work_c
.Lrestore:
    POP_ALL
    add     $8, %rsp
    .globl  iret_full
iret_full:
    iretq
    EXTABLE iret_full, iret_failed

.Lfrom_hypervisor:
    call    do_hypervisor_trap
    jmp     .Lrestore

/* To be timed; what it is C says (sites_label()). */
.Ltrap_sample:
    SITE_NEXT_SAMPLE(HOT_SITES_OPEN, UREGS_WORDS)
    SITE_STAMP(SITE_ENTRY, UREGS_WORDS)
    jmp     .Ltrap
.Ltrap_timed:
    SITE_STAMP(SITE_ENTRY, UREGS_WORDS)
    call    do_trap

/* Something is up; if it is no more than exact timing, or when it is done: the timed entry ends here. */
.Lexit_work:
    testl   $~(HOT_KERNEL | HOT_TRACE | HOT_SITES_BOUNCE | HOT_HANDLERS | HOT_SITES_EXACT), \
            HOT(FLAGS, UREGS_WORDS)
    jnz     .Lexit_work_c
    mov     HOT(INFO, UREGS_WORDS), %rcx
    cmpw    $1, (%rcx)
    je      .Lexit_work_c
.Lexit_timed:
    cmpb    $0, HOT_HIGH(SITE_KEY, UREGS_WORDS)
    jle     .Lexit_bounced
    mov     HOT(SITE_KEY, UREGS_WORDS), %r11
    mov     HOT(SITE_ADDRESS, UREGS_WORDS), %rcx
    SITE_FIND UREGS_WORDS, %rsi
    rdtsc
    shl     $32, %rdx
    or      %rdx, %rax
    sub     HOT(SITE_ENTRY, UREGS_WORDS), %rax
    SITE_ADD %rsi, OWN
    movb    $0, HOT_HIGH(SITE_KEY, UREGS_WORDS)
    jmp     .Lrestore

/* Given to the guest kernel: counted when that is done with it.  Its own cost is known now. */
.Lexit_bounced:
    je      .Lrestore                   /* not that: nothing is open */
    cmpb    $0, HOT_HIGH(BOUNCE_KEY, UREGS_WORDS)
    jne     .Lexit_bounced_before
.Lexit_bounce:
    mov     HOT(SITE_KEY, UREGS_WORDS), %rcx
    mov     %rcx, HOT(BOUNCE_KEY, UREGS_WORDS)
    andb    $~SITE_BOUNCED, HOT_HIGH(BOUNCE_KEY, UREGS_WORDS)
    mov     HOT(SITE_ADDRESS, UREGS_WORDS), %rcx
    mov     %rcx, HOT(BOUNCE_ADDRESS, UREGS_WORDS)
    mov     HOT(SITE_ENTRY, UREGS_WORDS), %rcx
    mov     %rcx, HOT(BOUNCE_ENTRY, UREGS_WORDS)
    movb    $0, HOT_HIGH(SITE_KEY, UREGS_WORDS)
    rdtsc
    sub     %ecx, %eax
    mov     %eax, HOT(BOUNCE_COST, UREGS_WORDS)
    sbb     HOT_HIGH(SITE_ENTRY, UREGS_WORDS), %edx
    jz      .Lrestore
    movl    $-1, HOT(BOUNCE_COST, UREGS_WORDS)
    jmp     .Lrestore
.Lexit_bounced_before:                  /* what has no end ends */
    call    sites_drop_bounce
    jmp     .Lexit_bounce

.Lexit_work_c:
    mov     %rsp, %rdi
    call    guest_exit_work
    testl   $HOT_SITES_EXACT | HOT_SITES_OPEN, HOT(FLAGS, UREGS_WORDS)
    jz      .Lrestore
    testl   $HOT_SITES_OPEN, HOT(FLAGS, UREGS_WORDS)
    jz      .Lexit_timed
    lock andb $~(HOT_SITES_OPEN >> 24), HOT(FLAGS + 3, UREGS_WORDS)
    testb   $SITE_BOUNCED, HOT_HIGH(SITE_KEY, UREGS_WORDS)
    jz      .Lexit_timed
    lock orb $HOT_SITES_BOUNCE >> 24, HOT(FLAGS + 3, UREGS_WORDS)
    jmp     .Lexit_timed

/*
 * IRETQ refused what the guest wanted (selectors, a non-canonical address).  In: rsp at the iret
 * frame, all registers the guest's.  The frame is copied to the top of the vCPU's stack, made
 * full, and C delivers what the ABI says.
 */
    .globl iret_failed
iret_failed:
    pushq   $-1
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    do_iret_failed              /* returns the frame moved to the stack's top */
    mov     %rax, %rsp
    jmp     exit_to_guest

/* First run of a vCPU: its frame lies at the stack's top, we come from switch_stacks. */
    .globl vcpu_first_entry
vcpu_first_entry:
    mov     %rsp, %rdi
    call    vcpu_first_run
    jmp     exit_to_guest

/*
 * void switch_stacks(uint64_t *save_sp, uint64_t new_sp): what C keeps goes on the old stack.
 */
    .globl switch_stacks
switch_stacks:
    PUSH_PRESERVED
    mov     %rsp, (%rdi)
    mov     %rsi, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

/*
 * #DB: on a stack of its own as well, since it comes in ring 0 too: from a guest's data breakpoint
 * on what the hypervisor reads for it, or at the first instruction of an entry (MOV SS before
 * SYSCALL or INT), where the stack may still be the guest's.  From a guest the frame goes to
 * the vCPU's stack, and on as any exception.
 */
    .balign 16
debug_entry:
    cld
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    do_debug_entry              /* returns where the frame is now */
    mov     %rax, %rsp
    testb   $3, UREGS_CS(%rsp)
    jz      .Lrestore
    mov     %rsp, %rdi
    jmp     .Lfrom_guest

/* NMI, #DF and #MC: on stacks of their own (IST), from anywhere. */
ist_common:
    cld
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    do_ist_trap
    POP_ALL
    add     $8, %rsp
    iretq

/* The 256 vector stubs, 16 bytes each. */
    .balign 16
    .globl vector_stubs
vector_stubs:
    .set    vec, 0
    .rept   256
    .balign 16
    .if vec == 14
    jmp     page_fault_entry
    .else
    .if (vec == 8) || (vec == 10) || (vec == 11) || (vec == 12) || (vec == 13) || \
        (vec == 14) || (vec == 17) || (vec == 21) || (vec == 29) || (vec == 30)
    movl    $vec, 4(%rsp)
    .else
    pushq   $0
    movl    $vec, 4(%rsp)
    .endif
    .if (vec == 2) || (vec == 8) || (vec == 18)
    jmp     ist_common
    .elseif vec == 1
    jmp     debug_entry
    .else
    jmp     exception_common
    .endif
    .endif
    .set    vec, vec + 1
    .endr
    .balign 16

    SITES_SLOW

    .section .note.GNU-stack, "", @progbits
