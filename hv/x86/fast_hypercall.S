/* SPDX-License-Identifier: MIT */
/*
 * A hypercall that a fast handler is attached to.  It stands in the domain's own table of hypercalls in
 * place of the hypercall's function (hv/fast/registry.c), so that others, and domains without
 * handlers, do not have an instruction more.
 *
 * In: from syscall.S by its indirect call; the lean frame (entry_frame.h) and the return address are
 * pushed; rax: number, arguments in rdi rsi rdx rcx r8 r9.  Out: the result in rax, as from the
 * function; what else the handler changed is in the registers that C keeps and in the frame.
 */
#include "x86/entry_frame.h"

/* Arguments from the frame: offsets of entry_frame.h, and where in it n bytes more are pushed. */
.macro HYPERCALL_ARGS n
    mov     (8 + \n)(%rsp), %rcx        /* r10 */
    mov     (16 + \n)(%rsp), %r9
    mov     (24 + \n)(%rsp), %r8
    mov     (48 + \n)(%rsp), %rdx
    mov     (56 + \n)(%rsp), %rsi
    mov     (64 + \n)(%rsp), %rdi
.endm

    .text
    .balign 64
    .globl  fast_hypercall_entry
/* Handlers that ask for nothing but rax and the arguments, and change rax alone, run at once. */
fast_hypercall_entry:
    mov     HOT(FAST_SYSCALLS, 16), %r11
    mov     FAST_DOMAIN_LEAN_HYPERCALLS(%r11, %rax, 8), %r11
    test    %r11, %r11
    jz      .Lin_c
    testl   $~(HOT_KERNEL | HOT_HANDLERS), HOT(FLAGS, 16)
    jnz     .Lin_c                      /* odd, traced, timed: C knows them all */
    testl   $FAST_REFUSED_FLAGS_, 96 + 8(%rsp)
    jnz     .Lin_c
    decl    FAST_HANDLER_LEFT(%r11)
    jle     .Lin_c                      /* one to be timed */
    mov     HOT(FAST_WORK, 16), %r10
    mov     %rdi, FAST_CTX_RDI(%r10)
    mov     %rsi, FAST_CTX_RSI(%r10)
    mov     %rdx, FAST_CTX_RDX(%r10)
    mov     %rcx, FAST_CTX_R10(%r10)
    mov     %r8, FAST_CTX_R8(%r10)
    mov     %r9, FAST_CTX_R9(%r10)
    mov     %rax, FAST_CTX_RAX(%r10)
    mov     %r11, FAST_CPU_LEAN(%r10)
    movq    $0, FAST_RUN_STOP(%r10)     /* nr_staged too */
    mov     FAST_HANDLER_COUNTS(%r11), %rcx
    add     HOT(FAST_COUNTS_AT, 16), %rcx
    incq    FAST_COUNTS_HITS(%rcx)
    mov     %r10, %rdi                  /* the run is the first of the work memory */
    call    *FAST_HANDLER_CODE(%r11)
    mov     HOT(FAST_WORK, 16), %rdi
    test    %eax, %eax
    jz      .Lpassed
    cmpl    $0, FAST_RUN_NR_STAGED(%rdi)
    jne     .Lcommit
.Lcommitted:
    mov     FAST_CTX_RAX(%rdi), %rax
    ret

.Lcommit:
    call    fast_lean_commit
    mov     HOT(FAST_WORK, 16), %rdi
    test    %al, %al
    jnz     .Lcommitted
/* Served as ever: the function returns to syscall.S. */
.Lpassed:
    call    fast_lean_passed            /* the number */
    HYPERCALL_ARGS 8
    lea     hypercall_table(%rip), %r11
    jmp     *(%r11, %rax, 8)

/* The whole frame, for C; the place of the return address is the first that is pushed to. */
.Lin_c:
    add     $8, %rsp
    PUSH_PRESERVED
    mov     %rsp, %rdi
    call    fast_hypercall              /* true: done, the result is in the scratch word */
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    test    %al, %al
    mov     HOT(SCRATCH, 15), %rax
    jnz     hypercall_done
    mov     32(%rsp), %rax
    HYPERCALL_ARGS 0
    lea     hypercall_table(%rip), %r11
    call    *(%r11, %rax, 8)
    jmp     hypercall_done

    .section .note.GNU-stack, "", @progbits
