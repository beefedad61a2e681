/* SPDX-License-Identifier: MIT */
/*
 * Where guests enter the hypervisor, and where they leave it.
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

/*
 * The template of a CPU's SYSCALL stub, copied to a page of its own with a data page behind it
 * (hv/x86/desc.c): 0 = scratch, 8 = stack top of the vCPU that runs here, 16 = entry_syscall,
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

    /*
     * Bounce.  The frame on the guest kernel's stack is rcx, r11, rip, cs, rflags, rsp, ss
     * (the ABI's bounce frame).  With flags 0 upcalls are unmasked, and so RFLAGS.IF is 1 in
     * the guest's eyes as it is in the hardware's.
     */
.Lbounce:
    push    %rax
    mov     HOT(KERNEL_CR3, 3), %rax
    mov     %rax, %cr3
    swapgs
    mov     HOT(KERNEL_FRAME, 3), %rax
.Lb0: mov   %rcx, 0(%rax)               /* both ends first: the frame spans two pages at most */
.Lb1: movq  $FLAT_RING3_SS64_, 48(%rax)
.Lb2: mov   %r11, 8(%rax)
.Lb3: mov   %rcx, 16(%rax)
.Lb4: movq  $FLAT_RING3_CS64_, 24(%rax)
.Lb5: mov   %r11, 32(%rax)
    mov     8(%rsp), %rcx
.Lb6: mov   %rcx, 40(%rax)
    mov     HOT(INFO, 3), %rcx
    movb    $1, VCPUINFO_MASK(%rcx)
    mov     HOT(SYSCALL_RIP, 3), %rcx   /* canonical: checked when it was registered */
    mov     $X86_EFLAGS_GUEST_ENTRY, %r11d
    movb    $1, HOT(FLAGS, 3)
    pop     %rax
    mov     HOT(KERNEL_FRAME, 2), %rsp
    sysretq

    EXTABLE .Lb0, .Lbounce_fault
    EXTABLE .Lb1, .Lbounce_fault
    EXTABLE .Lb2, .Lbounce_fault
    EXTABLE .Lb3, .Lbounce_fault
    EXTABLE .Lb4, .Lbounce_fault
    EXTABLE .Lb5, .Lbounce_fault
    EXTABLE .Lb6, .Lbounce_fault_late
/* The guest kernel's stack is not there: back to user mode, and let C find out and say so. */
.Lbounce_fault:
    mov     HOT(USER_CR3, 3), %rax
    mov     %rax, %cr3
    swapgs
    pop     %rax
    jmp     .Lslow_syscall
/* It went away under our hands (another vCPU): where the user was is lost, the domain ends. */
.Lbounce_fault_late:
    call    bounce_fault_late

.Lnot_plain:
    testb   $HOT_KERNEL, HOT(FLAGS, 2)
    jz      .Luser_not_plain
    cmp     $HYPERCALL_IRET, %rax
    je      .Liret

/*
 * Hypercall: number in rax, arguments in rdi rsi rdx r10 r8 r9, result in rax.  Registers other
 * than rax, rcx and r11 come back as they were.
 */
    push    %r11
    pushq   $FLAT_RING3_CS64_
    push    %rcx
    pushq   $-1                         /* entry_vector: not an exception */
    PUSH_VOLATILE
    testb   $HOT_TRACE >> 24, HOT(FLAGS + 3, 15)
    jnz     .Lhypercall_traced
.Lhypercall_call:
    cmp     $NR_HYPERCALLS, %rax
    jae     .Lbad_hypercall
    lea     hypercall_table(%rip), %r11
    mov     %r10, %rcx
    call    *(%r11, %rax, 8)
.Lhypercall_done:
    cmpl    $HOT_KERNEL, HOT(FLAGS, 15)
    jne     .Lhypercall_exit_not_plain
.Lhypercall_exit:
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

.Lbad_hypercall:
    mov     $-XEN_ENOSYS_, %rax
    jmp     .Lhypercall_done

.Lhypercall_exit_not_plain:
    cmpl    $HOT_KERNEL | HOT_TRACE, HOT(FLAGS, 15)
    je      .Lhypercall_exit
.Lhypercall_slow_exit:
    mov     %rax, 32(%rsp)
    PUSH_PRESERVED
    jmp     exit_to_guest

/* Recorded, then as any other.  What C clobbers comes back from the frame. */
.Lhypercall_traced:
    mov     %rsp, %rdi
    call    trace_hypercall_entry
    mov     8(%rsp), %r10
    mov     16(%rsp), %r9
    mov     24(%rsp), %r8
    mov     32(%rsp), %rax
    mov     48(%rsp), %rdx
    mov     56(%rsp), %rsi
    mov     64(%rsp), %rdi
    jmp     .Lhypercall_call

/* A system call of user mode with a flag up: of those, tracing has no record of it to make. */
.Luser_not_plain:
    cmpl    $HOT_TRACE, HOT(FLAGS, 2)
    je      .Lbounce
    jmp     .Lslow_syscall

/*
 * The iret hypercall.  On the guest's stack: rax, r11, rcx, flags (VGCF_*), rip, cs, rflags, rsp,
 * ss.  The lean path is a return to user mode with events unmasked and nothing odd.  What is
 * checked is read once, to our own stack, since another vCPU may write to the guest's.
 */
.Liret:
    cmpl    $HOT_KERNEL, HOT(FLAGS, 2)
    jne     .Liret_not_plain
.Liret_plain:
    mov     (%rsp), %rcx
    movabs  $HYPERVISOR_VIRT_END_, %rax
    cmp     %rax, %rcx
    jb      .Lslow_iret
.Li0: cmpq  $0, 24(%rcx)
    jne     .Lslow_iret
.Li1: pushq 64(%rcx)
.Li2: pushq 56(%rcx)
.Li3: pushq 48(%rcx)
.Li4: pushq 40(%rcx)
.Li5: pushq 32(%rcx)
    mov     16(%rsp), %rax
    and     $~X86_EFLAGS_FREE, %rax
    cmp     $X86_EFLAGS_GUEST_ENTRY, %rax
    jne     .Lslow_iret_5
    mov     8(%rsp), %eax
    and     $3, %eax
    cmp     $3, %eax
    jne     .Lslow_iret_5
.Li6: pushq 0(%rcx)
.Li7: mov   8(%rcx), %r11
.Li8: mov   16(%rcx), %rcx
    mov     HOT(INFO, 8), %rax
    movb    $0, VCPUINFO_MASK(%rax)
    cmpb    $0, (%rax)
    jne     .Lslow_iret_pending
    mov     HOT(USER_CR3, 8), %rax
    mov     %rax, %cr3
    movb    $0, HOT(FLAGS, 8)
    pop     %rax
    swapgs
    .globl  iret_lean
iret_lean:
    iretq

    EXTABLE .Li0, .Lslow_iret
    EXTABLE .Li1, .Lslow_iret
    EXTABLE .Li2, .Liret_fault_1
    EXTABLE .Li3, .Liret_fault_2
    EXTABLE .Li4, .Liret_fault_3
    EXTABLE .Li5, .Liret_fault_4
    EXTABLE .Li6, .Lslow_iret_5
    EXTABLE .Li7, .Lslow_iret_6
    EXTABLE .Li8, .Lslow_iret_6
    EXTABLE iret_lean, iret_failed
.Lslow_iret_pending:
    movb    $1, VCPUINFO_MASK(%rax)
.Lslow_iret_6:
    add     $8, %rsp
.Lslow_iret_5:
    add     $8, %rsp
.Liret_fault_4:
    add     $8, %rsp
.Liret_fault_3:
    add     $8, %rsp
.Liret_fault_2:
    add     $8, %rsp
.Liret_fault_1:
    add     $8, %rsp
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

/* Recorded, then as any other: rax, rcx and r11 come from the guest's frame. */
.Liret_not_plain:
    cmpl    $HOT_KERNEL | HOT_TRACE, HOT(FLAGS, 2)
    jne     .Lslow_syscall
    push    %rdi
    push    %rsi
    push    %rdx
    push    %r8
    push    %r9
    push    %r10
    call    trace_iret_entry
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdx
    pop     %rsi
    pop     %rdi
    jmp     .Liret_plain

/* A full frame and C: system calls and irets that are not plain. */
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

/*
 * Page faults of plain user mode (flags word 0), which are most: bounced without a full frame.
 * In: the CPU's frame, error code on top; IF = 0.  The frame on the guest kernel's stack is rcx,
 * r11, error code, rip, cs, rflags, rsp, ss: one word more than a system call's.
 */
    .balign 64
page_fault_entry:
    testb   $3, 16(%rsp)
    jz      .Lpf_general
    cmpl    $0, HOT(FLAGS, 6)
    jne     .Lpf_not_plain
.Lpf_plain:
    cmpq    $0, HOT(PAGE_FAULT_RIP, 6)  /* registered, and it masks upcalls */
    je      .Lpf_general
    push    %rax
    push    %rcx
    mov     HOT(KERNEL_CR3, 8), %rax
    mov     %rax, %cr3
    swapgs
    mov     HOT(KERNEL_FRAME, 8), %rax
.Lp0: mov   %rcx, -8(%rax)
    mov     56(%rsp), %rcx
.Lp1: mov   %rcx, 48(%rax)              /* ss; both ends first, as above */
.Lp2: mov   %r11, 0(%rax)
    mov     16(%rsp), %rcx
.Lp3: mov   %rcx, 8(%rax)               /* error code */
    mov     24(%rsp), %rcx
.Lp4: mov   %rcx, 16(%rax)              /* rip */
    mov     32(%rsp), %rcx
.Lp5: mov   %rcx, 24(%rax)              /* cs; upcalls were not masked */
    mov     40(%rsp), %rcx
.Lp6: mov   %rcx, 32(%rax)              /* rflags */
    mov     48(%rsp), %rcx
.Lp7: mov   %rcx, 40(%rax)              /* rsp */
    mov     HOT(INFO, 8), %r11
    mov     %cr2, %rcx
    mov     %rcx, VCPUINFO_CR2(%r11)
    movb    $1, VCPUINFO_MASK(%r11)
    mov     HOT(PAGE_FAULT_RIP, 8), %rcx
    mov     $X86_EFLAGS_GUEST_ENTRY, %r11d
    movb    $1, HOT(FLAGS, 8)
    mov     %rax, HOT(SCRATCH, 8)
    mov     8(%rsp), %rax
    mov     HOT(SCRATCH, 8), %rsp
    lea     -8(%rsp), %rsp
    sysretq

    EXTABLE .Lp0, .Lpf_fault
    EXTABLE .Lp1, .Lpf_fault
    EXTABLE .Lp2, .Lpf_fault
    EXTABLE .Lp3, .Lpf_fault
    EXTABLE .Lp4, .Lpf_fault
    EXTABLE .Lp5, .Lpf_fault
    EXTABLE .Lp6, .Lpf_fault
    EXTABLE .Lp7, .Lpf_fault
/* No stack to put the frame on: undone, and C says so. */
.Lpf_fault:
    mov     HOT(USER_CR3, 8), %rax
    mov     %rax, %cr3
    swapgs
    pop     %rcx
    pop     %rax
.Lpf_general:
    movl    $14, 4(%rsp)
    jmp     exception_common

/* Recorded, then as any other, if the lean path will take it. */
.Lpf_not_plain:
    cmpl    $HOT_TRACE, HOT(FLAGS, 6)
    jne     .Lpf_general
    cmpq    $0, HOT(PAGE_FAULT_RIP, 6)
    je      .Lpf_general
    cld
    PUSH_VOLATILE
    lea     72(%rsp), %rdi              /* error code, rip */
    call    trace_page_fault_entry
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rax
    pop     %rcx
    pop     %rdx
    pop     %rsi
    pop     %rdi
    jmp     .Lpf_plain

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
    call    do_trap
    testb   $3, UREGS_CS(%rsp)
    jz      .Lrestore

/* Leave to the guest with a full frame at the stack's top. */
    .globl exit_to_guest
exit_to_guest:
    testl   $~(HOT_KERNEL | HOT_TRACE), HOT(FLAGS, UREGS_WORDS)
    jnz     .Lexit_work
    mov     HOT(INFO, UREGS_WORDS), %rcx
    cmpw    $1, (%rcx)
    je      .Lexit_work
.Lrestore:
    POP_ALL
    add     $8, %rsp
    .globl  iret_full
iret_full:
    iretq
    EXTABLE iret_full, iret_failed

.Lexit_work:
    mov     %rsp, %rdi
    call    guest_exit_work
    jmp     .Lrestore

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
    call    do_trap
    jmp     exit_to_guest

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

    .section .note.GNU-stack, "", @progbits
