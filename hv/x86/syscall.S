/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL and SYSENTER of guests: system calls, which are bounced to the guest kernel, hypercalls, and
 * the iret hypercall.  entry_frame.h has the frame.
 */
#include "x86/sites_entry.h"
#include "x86/trace_entry.h"

/*
 * The template of a CPU's SYSCALL stub, copied to a page of its own with a data page behind it
 * (hv/x86/desc.c): 0 = scratch, 8 = stack top of the vCPU that runs here, 16 = entry_syscall, or
 * entry_syscall_fast for one whose system calls have fast handlers,
 * 24 = entry_syscall32.  From: SYSCALL in a guest (rcx = rip, r11 = rflags).  Out: the stack of
 * the vCPU with ss and rsp pushed.  Clobbers nothing.
 */
    .section .rodata, "a"
    .balign 16
    .globl syscall_stub_template, syscall_stub_template_end, syscall32_stub_offset
syscall_stub_template:
    mov     %rsp, syscall_stub_template + PAGE_SIZE(%rip)
    mov     syscall_stub_template + PAGE_SIZE + 8(%rip), %rsp
    pushq   $FLAT_RING3_SS64_
    pushq   syscall_stub_template + PAGE_SIZE(%rip)
    jmp     *syscall_stub_template + PAGE_SIZE + 16(%rip)
    .balign 64
1:  mov     %rsp, syscall_stub_template + PAGE_SIZE(%rip)
    mov     syscall_stub_template + PAGE_SIZE + 8(%rip), %rsp
    pushq   $FLAT_RING3_SS64_
    pushq   syscall_stub_template + PAGE_SIZE(%rip)
    jmp     *syscall_stub_template + PAGE_SIZE + 24(%rip)
syscall_stub_template_end:
    .balign 4
syscall32_stub_offset:
    .long   1b - syscall_stub_template

    .text
/*
 * entry_syscall: SYSCALL from 64-bit guest code.
 * In: as the stub leaves it.  Flags word 0 is a plain user system call, which is bounced to the
 * guest kernel without building more of a frame; guest kernel mode is a hypercall.
 */
    .balign 64
    .globl entry_syscall
entry_syscall:
    cmpl    $0, HOT(FLAGS, 2)
    jne     .Lnot_plain
    .globl  bounce_countdown
bounce_countdown:
    decl    HOT(SITE_COUNTDOWN, 2)
    jz      .Lbounce_sample

/*
 * Bounce.  The frame on the guest kernel's stack is rcx, r11, rip, cs, rflags, rsp, ss (the ABI's
 * bounce frame).  With flags 0 upcalls are unmasked, and so RFLAGS.IF is 1 in the guest's eyes
 * as it is in the hardware's.  Timed: the entry's cost and place become the vCPU's bounce.
 */
.macro BOUNCE_SYSCALL timed
    .if \timed
    cmpb    $0, HOT_HIGH(BOUNCE_KEY, 2)
    jne     .Lslow_syscall              /* one is on its way: C ends it */
    mov     %eax, HOT(BOUNCE_KEY, 2)
    movb    $SITE_SYSCALL, HOT_HIGH(BOUNCE_KEY, 2)
    mov     %rcx, HOT(BOUNCE_ADDRESS, 2)
    mov     %rdx, HOT(SITE_RDX, 2)
    .endif
    mov     %rax, HOT(SITE_GIVEN, 2)    /* kept, and so known to hv/trace/sites_time.c */
    .if \timed
    SITE_STAMP(BOUNCE_ENTRY, 2)
    .endif
    mov     HOT(KERNEL_CR3, 2), %rax
    mov     %rax, %cr3
    .if !\timed
    .globl  bounce_in_kernel            /* rax is kept, and the guest kernel's tables are loaded */
bounce_in_kernel:
    .endif
    swapgs
    mov     HOT(KERNEL_FRAME, 2), %rax
.Lb0\@: mov   %rcx, 0(%rax)            /* both ends first: the frame spans two pages at most */
.Lb1\@: movq  $FLAT_RING3_SS64_, 48(%rax)
.Lb2\@: mov   %r11, 8(%rax)
.Lb3\@: mov   %rcx, 16(%rax)
.Lb4\@: movq  $FLAT_RING3_CS64_, 24(%rax)
.Lb5\@: mov   %r11, 32(%rax)
    mov     0(%rsp), %rcx
.Lb6\@: mov   %rcx, 40(%rax)
    mov     HOT(INFO, 2), %rcx
    movb    $1, VCPUINFO_MASK(%rcx)
    .if \timed
    rdtsc
    sub     HOT(BOUNCE_ENTRY, 2), %eax
    mov     %eax, HOT(BOUNCE_COST, 2)
    mov     HOT(SITE_RDX, 2), %rdx
    .endif
    mov     HOT(SYSCALL_RIP, 2), %rcx   /* canonical: checked when it was registered */
    mov     $X86_EFLAGS_GUEST_ENTRY, %r11d
    movb    $1, HOT(FLAGS, 2)
    mov     HOT(SITE_GIVEN, 2), %rax
    mov     HOT(KERNEL_FRAME, 2), %rsp
    sysretq

    EXTABLE .Lb0\@, .Lbounce_fault\@
    EXTABLE .Lb1\@, .Lbounce_fault\@
    EXTABLE .Lb2\@, .Lbounce_fault\@
    EXTABLE .Lb3\@, .Lbounce_fault\@
    EXTABLE .Lb4\@, .Lbounce_fault\@
    EXTABLE .Lb5\@, .Lbounce_fault\@
    EXTABLE .Lb6\@, .Lbounce_fault_late
/* The guest kernel's stack is not there: back to user mode, and let C find out and say so. */
.Lbounce_fault\@:
    mov     HOT(USER_CR3, 2), %rax
    mov     %rax, %cr3
    swapgs
    .if \timed
    mov     HOT(SITE_RDX, 2), %rdx
    movb    $0, HOT_HIGH(BOUNCE_KEY, 2)
    .endif
    mov     HOT(SITE_GIVEN, 2), %rax
    jmp     .Lslow_syscall
.endm

    BOUNCE_SYSCALL 0
.Lbounce_sample:
    push    %rax
    SITE_NEXT_SAMPLE(HOT_SITES_BOUNCE, 3)
    pop     %rax
.Lbounce_timed:
    BOUNCE_SYSCALL 1
/* It went away under our hands (another vCPU): where the user was is lost, the domain ends. */
.Lbounce_fault_late:
    call    bounce_fault_late

    .globl  entry_not_plain
entry_not_plain:
.Lnot_plain:
    testb   $HOT_KERNEL, HOT(FLAGS, 2)
    jz      .Luser_not_plain
    cmp     $HYPERCALL_IRET, %rax
    je      .Liret

/*
 * Hypercall: number in rax, arguments in rdi rsi rdx r10 r8 r9, result in rax.  Registers other
 * than rax, rcx and r11 come back as they were.
 */
.macro HYPERCALL_CALL
    cmp     $NR_HYPERCALLS, %rax
    jae     .Lbad_hypercall
    mov     HOT(HYPERCALLS, 15), %r11   /* hypercall_table, but for numbers with a fast handler */
    mov     %r10, %rcx
    call    *(%r11, %rax, 8)
.endm

.macro HYPERCALL_RETURN
    mov     HOT(INFO, 15), %rcx
    cmpw    $1, (%rcx)                  /* pending and not masked */
    je      .Lhypercall_slow_exit
    mov     80(%rsp), %rcx
    test    %rcx, %rcx                  /* low addresses might not be canonical: SYSRET is not safe */
    jns     .Lhypercall_slow_exit
    mov     8(%rsp), %r10
    mov     16(%rsp), %r9
    mov     24(%rsp), %r8
    mov     48(%rsp), %rdx
    mov     56(%rsp), %rsi
    mov     64(%rsp), %rdi
    mov     96(%rsp), %r11
    mov     104(%rsp), %rsp
    sysretq
.endm

    push    %r11
    pushq   $FLAT_RING3_CS64_
    push    %rcx
    pushq   $-1                         /* entry_vector: not an exception */
    PUSH_VOLATILE
    mov     %eax, HOT(SITE_HYPERCALL, 15)
    testl   $HOT_TRACE | HOT_SITES_EXACT, HOT(FLAGS, 15)
    jnz     .Lhypercall_not_plain
    decl    HOT(SITE_COUNTDOWN, 15)
    jz      .Lhypercall_sample
.Lhypercall_call:
    HYPERCALL_CALL
    .globl  hypercall_done              /* also of a call from elsewhere, and of fast_hypercall.S */
hypercall_done:
.Lhypercall_done:
    testl   $~(HOT_KERNEL | HOT_HANDLERS), HOT(FLAGS, 15)
    jnz     .Lhypercall_exit_not_plain
.Lhypercall_exit:
    HYPERCALL_RETURN

.Lbad_hypercall:
    mov     $-XEN_ENOSYS_, %rax
    jmp     .Lhypercall_done

.Lhypercall_exit_not_plain:
    testl   $HOT_SITES_EXACT | HOT_SITES_OPEN, HOT(FLAGS, 15)
    jnz     .Lhypercall_timed
.Lhypercall_exit_timed:
    testb   $TRACE_TO_OWN_, trace_on + TRACE_EV_exit_hypercall(%rip)
    jnz     .Lhypercall_exit_traced
.Lhypercall_exit_recorded:
    testl   $~(HOT_KERNEL | HOT_TRACE | HOT_SITES | HOT_HANDLERS), HOT(FLAGS, 15)
    jz      .Lhypercall_exit
.Lhypercall_slow_exit:
    mov     %rax, 32(%rsp)
    PUSH_PRESERVED
    jmp     exit_to_guest

/* Exactly timed and not recorded: a way of its own, as long as nothing comes up. */
.Lhypercall_not_plain:
    testl   $HOT_TRACE, HOT(FLAGS, 15)
    jnz     .Lhypercall_traced
    SITE_STAMP(SITE_ENTRY, 15)
    mov     32(%rsp), %rax
    mov     48(%rsp), %rdx
    HYPERCALL_CALL
    cmpl    $HOT_KERNEL | HOT_SITES_EXACT, HOT(FLAGS, 15)
    jne     .Lhypercall_exit_not_plain
    mov     32(%rsp), %ecx
    HYPERCALL_SUB_OPERATION
    HYPERCALL_COUNT
    HYPERCALL_RETURN

.Lhypercall_sample:
    SITE_NEXT_SAMPLE(HOT_SITES_OPEN, 15)
    SITE_STAMP(SITE_ENTRY, 15)
    mov     32(%rsp), %rax
    mov     48(%rsp), %rdx
    jmp     .Lhypercall_call

.Lhypercall_timed:
    mov     32(%rsp), %ecx
    cmp     $NR_HYPERCALLS, %ecx
    jae     1f
    HYPERCALL_SUB_OPERATION
1:  HYPERCALL_COUNT
    testl   $HOT_SITES_OPEN, HOT(FLAGS, 15)
    jz      .Lhypercall_exit_timed
    lock andb $~(HOT_SITES_OPEN >> 24), HOT(FLAGS + 3, 15)
    jmp     .Lhypercall_exit_timed

/* Recorded; and if there is no more to it than that, with a way of its own, too. */
.Lhypercall_traced:
    testl   $HOT_SITES_EXACT, HOT(FLAGS, 15)
    jz      .Lhypercall_recorded_first
    SITE_STAMP(SITE_ENTRY, 15)
    mov     32(%rsp), %rax
    mov     48(%rsp), %rdx
.Lhypercall_recorded_first:
    TRACE_HYPERCALL
    decl    HOT(SITE_COUNTDOWN, 15)
    jz      .Lhypercall_sample
    HYPERCALL_CALL
    testl   $~(HOT_KERNEL | HOT_TRACE | HOT_HANDLERS), HOT(FLAGS, 15)
    jnz     .Lhypercall_exit_not_plain
    testb   $TRACE_TO_OWN_, trace_on + TRACE_EV_exit_hypercall(%rip)
    jnz     .Lhypercall_exit_traced
    HYPERCALL_RETURN
    TRACE_HYPERCALL_RARE
    TRACE_HYPERCALL_EXIT

/* To C if the system call in rax has a handler, which is C's to run here, or else to `none`. */
.macro SYSCALL_OF_HANDLER none
    testb   $HOT_FAST >> 24, HOT(FLAGS + 3, 2)
    jz      \none
    cmp     $FAST_MAX_SYSCALL_, %rax
    ja      \none
    bt      %rax, HOT(FAST_MAP, 2)
    jnc     \none
    jmp     .Lslow_syscall
.endm

/* A system call of user mode with a flag up. */
.Luser_not_plain:
    testl   $~HOT_HANDLERS, HOT(FLAGS, 2)
    jz      .Lhandlers_alone
    cmpl    $HOT_TRACE, HOT(FLAGS, 2)
    je      .Lbounce_traced
    cmpl    $HOT_SITES_EXACT, HOT(FLAGS, 2)
    je      .Lbounce_timed
    SYSCALL_OF_HANDLER .Lno_handler
.Lno_handler:
    testl   $~(HOT_TRACE | HOT_SITES | HOT_HANDLERS), HOT(FLAGS, 2)
    jnz     .Lslow_syscall
    testl   $HOT_SITES_EXACT, HOT(FLAGS, 2)
    jnz     .Lbounce_traced_timed
.Lbounce_traced:
    TRACE_BOUNCE_SYSCALL bounce_countdown
.Lbounce_traced_timed:
    TRACE_BOUNCE_SYSCALL .Lbounce_timed
.Lhandlers_alone:                       /* the stub comes here a moment longer */
    SYSCALL_OF_HANDLER bounce_countdown

/*
 * The iret hypercall.  On the guest's stack: rax, r11, rcx, flags (VGCF_*), rip, cs, rflags, rsp,
 * ss.  The lean path is a return to user mode with events unmasked and nothing odd.  What is
 * checked is read once, to our own stack, since another vCPU may write to the guest's.
 */
.macro IRET timed
    .if \timed
    mov     %rdx, HOT(SITE_RDX, 2)
    SITE_STAMP(SITE_ENTRY, 2)
    .endif
    mov     (%rsp), %rcx
    movabs  $HYPERVISOR_VIRT_END_, %rax
    cmp     %rax, %rcx
    jb      .Lslow\@
.Li0\@: cmpq  $0, 24(%rcx)
    jne     .Lslow\@
.Li1\@: pushq 64(%rcx)
.Li2\@: pushq 56(%rcx)
.Li3\@: pushq 48(%rcx)
.Li4\@: pushq 40(%rcx)
.Li5\@: pushq 32(%rcx)
    mov     16(%rsp), %rax
    and     $~X86_EFLAGS_FREE, %rax
    cmp     $X86_EFLAGS_GUEST_ENTRY, %rax
    jne     .Lslow_5\@
    mov     8(%rsp), %eax
    and     $3, %eax
    cmp     $3, %eax
    jne     .Lslow_5\@
    .if \timed
    TIMED_IRET
    .endif
.Li6\@: pushq 0(%rcx)
.Li7\@: mov   8(%rcx), %r11
.Li8\@: mov   16(%rcx), %rcx
    mov     HOT(INFO, 8), %rax
    movb    $0, VCPUINFO_MASK(%rax)
    cmpb    $0, (%rax)
    jne     .Lslow_pending\@
    mov     HOT(USER_CR3, 8), %rax
    mov     %rax, %cr3
    movb    $0, HOT(FLAGS, 8)
    pop     %rax
    swapgs
iret_lean_\timed:
    iretq

    EXTABLE .Li0\@, .Lslow\@
    EXTABLE .Li1\@, .Lslow\@
    EXTABLE .Li2\@, .Lslow_1\@
    EXTABLE .Li3\@, .Lslow_2\@
    EXTABLE .Li4\@, .Lslow_3\@
    EXTABLE .Li5\@, .Lslow_4\@
    EXTABLE .Li6\@, .Lslow_5\@
    EXTABLE .Li7\@, .Lslow_6\@
    EXTABLE .Li8\@, .Lslow_6\@
    EXTABLE iret_lean_\timed, iret_failed
.Lslow_pending\@:
    movb    $1, VCPUINFO_MASK(%rax)
.Lslow_6\@:
    add     $8, %rsp
.Lslow_5\@:
    add     $8, %rsp
.Lslow_4\@:
    add     $8, %rsp
.Lslow_3\@:
    add     $8, %rsp
.Lslow_2\@:
    add     $8, %rsp
.Lslow_1\@:
    add     $8, %rsp
.Lslow\@:
    .if \timed
    mov     HOT(SITE_RDX, 2), %rdx
    movl    $1, HOT(SITE_COUNTDOWN, 2)  /* C's sites_due() finds it so again */
    .else
    incl    HOT(SITE_COUNTDOWN, 2)      /* C counts it */
    .endif
    jmp     .Lslow_iret
.endm

/*
 * Count what ends here: the bounce, up to this entry, and the iret itself, up to here (what is left of
 * it is 11 instructions).  Five words of frame are pushed; rcx is the guest's stack pointer.
 */
.macro TIMED_IRET
    cmpb    $0, HOT_HIGH(BOUNCE_KEY, 7)
    je      .Lno_bounce\@
    mov     HOT(BOUNCE_KEY, 7), %r11
    mov     HOT(BOUNCE_ADDRESS, 7), %rcx
    SITE_FIND 7, %rdx
    mov     HOT(SITE_ENTRY, 7), %rax
    sub     HOT(BOUNCE_ENTRY, 7), %rax
    SITE_ADD %rdx, BOUNCED
    mov     HOT(BOUNCE_COST, 7), %eax
    SITE_ADD %rdx, OWN
    movb    $0, HOT_HIGH(BOUNCE_KEY, 7)
.Lno_bounce\@:
    rdtsc
    sub     HOT(SITE_ENTRY, 7), %eax    /* the rest of it is 0: nothing in between waits */
    mov     HOT(SITE_IRET_ROW, 7), %rcx
    SITE_ADD %rcx, OWN
    mov     HOT(SITE_RDX, 7), %rdx
    mov     40(%rsp), %rcx
.endm

.Liret:
    testl   $~(HOT_KERNEL | HOT_HANDLERS), HOT(FLAGS, 2)
    jnz     .Liret_not_plain
.Liret_countdown:
    decl    HOT(SITE_COUNTDOWN, 2)
    jz      .Liret_sample
    IRET 0
.Liret_timed:
    IRET 1

.Liret_sample:
    mov     HOT(SITE_PERIOD, 2), %eax
    mov     %eax, HOT(SITE_COUNTDOWN, 2)
    jmp     .Liret_timed

.Lslow_iret:
    mov     $HYPERCALL_IRET, %eax
    push    %r11
    pushq   $FLAT_RING3_CS64_
    push    %rcx
    pushq   $-1
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    do_slow_iret
    jmp     exit_to_guest

/*
 * A sample's way back to user mode is C's.  Else recorded, timed, or both, and then as any other: rax,
 * rcx and r11 come from the guest's frame.
 */
.Liret_not_plain:
    cmpl    $HOT_KERNEL | HOT_SITES_EXACT, HOT(FLAGS, 2)
    je      .Liret_timed
    testl   $~(HOT_KERNEL | HOT_TRACE | HOT_HANDLERS), HOT(FLAGS, 2)
    jz      .Liret_traced
    testl   $~(HOT_KERNEL | HOT_TRACE | HOT_SITES_EXACT | HOT_HANDLERS), HOT(FLAGS, 2)
    jnz     .Liret_in_c
    testl   $HOT_TRACE, HOT(FLAGS, 2)
    jz      .Liret_timed
    TRACE_IRET .Liret_timed
.Liret_traced:
    TRACE_IRET .Liret_countdown
/* The sample ends here, not where C gets to it. */
.Liret_in_c:
    mov     %rdx, HOT(SITE_RDX, 2)
    SITE_STAMP(SITE_ENTRY, 2)
    mov     HOT(SITE_RDX, 2), %rdx
    mov     $HYPERCALL_IRET, %eax
    jmp     .Lslow_syscall

/* A full frame and C: system calls and irets that are not plain. */
    .globl  slow_syscall
slow_syscall:
.Lslow_syscall:
    push    %r11
    pushq   $FLAT_RING3_CS64_
    push    %rcx
    pushq   $-1
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    do_slow_syscall
    jmp     exit_to_guest

/* SYSCALL from 32-bit guest user code (AMD's CSTAR). */
    .balign 16
    .globl entry_syscall32
entry_syscall32:
    push    %r11
    pushq   $FLAT_RING3_CS32_
    push    %rcx
    pushq   $-1
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    do_syscall32
    jmp     exit_to_guest

/* SYSENTER from guest user code: rsp comes from the MSR and is the top of the vCPU's stack. */
    .balign 16
    .globl entry_sysenter
entry_sysenter:
    pushq   $FLAT_RING3_SS32_
    pushq   $0
    pushq   $X86_EFLAGS_GUEST_ENTRY
    pushq   $FLAT_RING3_CS32_
    pushq   $0
    pushq   $-1
    PUSH_VOLATILE
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    do_sysenter
    jmp     exit_to_guest

    SITES_SLOW
    SITES_HYPERCALL_SLOW

    .section .note.GNU-stack, "", @progbits
