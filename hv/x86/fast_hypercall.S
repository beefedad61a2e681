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
    mov     HOT(FAST_LEAN, 16), %r11
    mov     8 * (FAST_MAX_SYSCALL_ + 1)(%r11, %rax, 8), %r11
    testl   $~(HOT_KERNEL | HOT_HANDLERS), HOT(FLAGS, 16)
    jnz     .Lin_c                      /* odd, traced, timed: C knows them all */
    testl   $FAST_REFUSED_FLAGS_, 96 + 8(%rsp)
    jnz     .Lin_c
    decl    FAST_COUNTS_LEFT(%r11)
    jle     .Lin_c                      /* one to be timed, or without lean code */
    incq    FAST_COUNTS_HITS(%r11)
    mov     HOT(FAST_WORK, 16), %rcx    /* the run is the first of the work memory */
    call    *FAST_COUNTS_CODE(%r11)
    jc      .Lnot_done
    ret

/* Stores are left to be taken, or it is served as ever: the function returns to syscall.S. */
.Lnot_done:
    mov     HOT(FAST_WORK, 16), %rdi
    mov     %rax, %rsi
    sub     $8, %rsp
    call    fast_lean_end
    add     $8, %rsp
    test    %rdx, %rdx
    jnz     1f
    HYPERCALL_ARGS 8
    lea     hypercall_table(%rip), %r11
    jmp     *(%r11, %rax, 8)
1:  ret

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
