/* SPDX-License-Identifier: MIT */
/*
 * Timing of the lean entries, for the tables of hot sites (hv/trace/sites.c has the same in C, for all
 * other entries).  SITES_SLOW must be expanded once in each file that uses SITE_FIND or SITE_ADD.
 */
#ifndef HV_X86_SITES_ENTRY_H
#define HV_X86_SITES_ENTRY_H

#include "x86/entry_frame.h"

/* The upper half of a field of struct vcpu_hot; a key's lowest byte there is its kind. */
#define HOT_HIGH(field, n) (HOT_##field + 4 + 8 * (n))(%rsp)

/* The TSC to a field, by halves.  Clobbers rax, rdx. */
#define SITE_STAMP(field, n)                                                                       \
    rdtsc;                                                                                         \
    mov %eax, HOT(field, n);                                                                       \
    mov %edx, HOT_HIGH(field, n)

/* This entry is the sample that was due: the next one after a period.  Clobbers rax. */
#define SITE_NEXT_SAMPLE(flag, n)                                                                  \
    lock orb $(flag) >> 24, (HOT_FLAGS + 3 + 8 * (n))(%rsp);                                       \
    mov HOT(SITE_PERIOD, n), %eax;                                                                 \
    mov %eax, HOT(SITE_COUNTDOWN, n)

/*
 * The first row of the window of (key, address), both registers: SITE_HASH in assembly.  What is shifted
 * is the offset of the row, 256 bytes each.
 */
.macro SITE_FIRST_ROW n, key, address, row
    lea     (\address, \key), \row
    imul    site_hash_k(%rip), \row
    shr     $SITE_HASH_SHIFT_, \row
    and     $(SITE_ROWS_ - 1) << 8, \row
    add     HOT_SITE_ROWS + 8 * \n(%rsp), \row
.endm

/* Key in r11, address in rcx: the row.  Clobbers nothing else. */
.macro SITE_FIND n, row
    SITE_FIRST_ROW \n, %r11, %rcx, \row
    cmp     %rcx, (\row)
    jne     .Lfind_slow\@
    cmp     %r11, 8(\row)
    jne     .Lfind_slow\@
.Lfound\@:
    .pushsection .text.site_find_slow, "ax"
.Lfind_slow\@:
    call    site_find_slow
    mov     HOT(SITE_FOUND, \n), \row
    jmp     .Lfound\@
    .popsection
.endm

/* The preprocessor's names, for macros to put together. */
    .set    SITE_AT_OWN_LIMIT, SITE_OWN_LIMIT
    .set    SITE_AT_OWN_TOTAL, SITE_OWN_TOTAL
    .set    SITE_AT_OWN_BINS, SITE_OWN_BINS
    .set    SITE_AT_BOUNCED_LIMIT, SITE_BOUNCED_LIMIT
    .set    SITE_AT_BOUNCED_TOTAL, SITE_BOUNCED_TOTAL
    .set    SITE_AT_BOUNCED_BINS, SITE_BOUNCED_BINS

/* Add the cost in rax to the row in `row`; `which` is OWN or BOUNCED.  Clobbers rax. */
.macro SITE_ADD row, which
    cmp     %rax, SITE_AT_\which\()_LIMIT(\row)
    jb      .Ladd_slow\@
    add     %rax, SITE_AT_\which\()_TOTAL(\row)
    or      $31, %eax
    bsr     %eax, %eax
    incl    SITE_AT_\which\()_BINS - 16(\row, %rax, 4)
.Ladded\@:
    .pushsection .text.site_add_slow, "ax"
.Ladd_slow\@:
    push    %rdi
    mov     \row, %rdi
    call    site_add_slow_\which
    pop     %rdi
    jmp     .Ladded\@
    .popsection
.endm

/* ------------------------------------------------------------------ hypercalls */

/* The sub-operation of the hypercall in ecx, below NR_HYPERCALLS, to bits 8-15 of it. */
.macro HYPERCALL_SUB_OPERATION
    mov     HOT_SITE_SUB_MASKS + 8 * 15(%rsp, %rcx), %ch
    and     64(%rsp), %ch
.endm

/*
 * A timed hypercall is over: result in rax, the rest of what the guest has comes back from the frame.
 * Its key is the number with the sub-operation, if that is in rdi, and the caller's address, if it came
 * by a stub.  Whether it did is not looked at where the row of that caller is there: what lies on
 * the stack where a stub has its return address is no other hypercall's by chance.
 * In: the number with the sub-operation in ecx.  Keeps rax alone.
 */
.macro HYPERCALL_COUNT
    mov     %rax, %r10
    or      HOT(SITE_BASE, 15), %rcx
    cmpl    $HYPERVISOR_VIRT_END_ >> 32, 108(%rsp)
    jb      .Lhypercall_row_slow\@
    mov     104(%rsp), %rdx
.Lhc\@: mov  HYPERCALL_STUB_PUSHES_(%rdx), %r8
    EXTABLE .Lhc\@, .Lhypercall_row_slow\@
    SITE_FIRST_ROW 15, %rcx, %r8, %r9
    cmp     %r8, (%r9)
    jne     .Lhypercall_row_slow\@
    cmp     %rcx, 8(%r9)
    jne     .Lhypercall_row_slow\@
.Lhypercall_row\@:
    rdtsc
    shl     $32, %rdx
    or      %rdx, %rax
    sub     HOT(SITE_ENTRY, 15), %rax
    SITE_ADD %r9, OWN
    mov     %r10, %rax
    .pushsection .text.hypercall_row_slow, "ax"
.Lhypercall_row_slow\@:
    call    hypercall_row_slow
    jmp     .Lhypercall_row\@
    .popsection
.endm

/* As HYPERCALL_COUNT begins, key in rcx: the row in r9.  Clobbers rcx, rdx, r11. */
.macro SITES_HYPERCALL_SLOW
hypercall_row_slow:
    mov     %rcx, %r11
    mov     80 + 8(%rsp), %rcx
.Lhr0: mov  (%rcx), %edx
    and     $0xffffff, %edx
    cmp     $HYPERCALL_STUB_TAIL_, %edx
    jne     .Lhypercall_no_caller
    cmpl    $HYPERVISOR_VIRT_END_ >> 32, 108 + 8(%rsp)
    jb      .Lhypercall_no_caller
    mov     104 + 8(%rsp), %rdx
.Lhr1: mov   HYPERCALL_STUB_PUSHES_(%rdx), %rcx
    EXTABLE .Lhr0, .Lhypercall_no_caller
    EXTABLE .Lhr1, .Lhypercall_no_caller
.Lhypercall_no_caller:
    SITE_FIND 16, %r9
    ret
.endm

/* ------------------------------------------------------------------ C */

/* The general ways, around C; what C clobbers is kept. */
.macro SITES_SLOW
site_find_slow:                         /* as SITE_FIND; the row is left in vcpu_hot.site_found */
    push    %rax
    push    %rdx
    push    %rcx
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    cld
    mov     %r11, %rdi
    mov     %rcx, %rsi
    call    sites_find_for_entry
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rcx
    pop     %rdx
    pop     %rax
    ret
    SITE_ADD_SLOW OWN, sites_add
    SITE_ADD_SLOW BOUNCED, sites_add_bounced
.endm

.macro SITE_ADD_SLOW which, function    /* row in rdi, cost in rax */
site_add_slow_\which:
    push    %rcx
    push    %rdx
    push    %rsi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    cld
    mov     %rax, %rsi
    call    \function
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rsi
    pop     %rdx
    pop     %rcx
    ret
.endm

#endif
