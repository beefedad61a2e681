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
 * Key in r11, address in rcx: the row in rdx.  SITE_HASH in assembly: what is shifted by 24 is the
 * offset of the row, 256 bytes each.  Clobbers nothing else.
 */
.macro SITE_FIND n
    lea     (%rcx, %r11), %rdx
    imul    $SITE_HASH_K_, %rdx, %rdx
    shr     $24, %rdx
    and     $(SITE_ROWS_ - 1) << 8, %edx
    add     HOT_SITE_ROWS + 8 * \n(%rsp), %rdx
    cmp     %rcx, (%rdx)
    jne     .Lfind_slow\@
    cmp     %r11, 8(%rdx)
    je      .Lfound\@
.Lfind_slow\@:
    call    site_find_slow
.Lfound\@:
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

/* The general ways, around C; what C clobbers is kept. */
.macro SITES_SLOW
site_find_slow:                         /* as SITE_FIND */
    push    %rax
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
    call    sites_find
    mov     %rax, %rdx
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rcx
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
