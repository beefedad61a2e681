/* SPDX-License-Identifier: MIT */
/*
 * First instructions of a test kernel, its ELF notes and its hypercall page.
 *
 * State at _start (public/arch-x86/xen.h, public/xen.h "start-of-day memory layout"):
 *   rsi = virtual address of start_info; rsp = top of a boot stack of at least 4 KiB;
 *   cs:rip flat 64-bit, ring 3; event upcalls masked; the image, the module, the P2M table,
 *   start_info, the page tables and the boot stack mapped from VIRT_BASE on.
 */
#include <xen/elfnote.h>
#include "stack.h"

    .section .text.start, "ax"
    .code64
    .globl _start
    .type _start, @function
/* from: the domain builder; in: rsi = start_info; stack: boot stack, left for ours */
_start:
    cld
    lea ktest_stacks + KTEST_STACK_BYTES(%rip), %rsp
    xor %ebp, %ebp
    push %rbp
    push %rbp
    mov %rsi, %rdi
    call ktest_start
1:  ud2
    jmp 1b

    .section .text, "ax"
    .balign 4096
    .globl hypercall_page
/* Filled by the domain builder: 128 stubs of 32 bytes, one a hypercall number. */
hypercall_page:
    .fill 4096, 1, 0xcc

    .section .bss, "aw", @nobits
    .balign KTEST_STACK_BYTES
    .globl ktest_stacks
ktest_stacks:
    .skip KTEST_STACK_BYTES * KTEST_MAX_CPUS

#ifndef KTEST_FEATURES
#define KTEST_FEATURES "!writable_page_tables|pae_pgdir_above_4gb"
#endif

.macro NOTE type, kind:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f
    .long 4f - 3f
    .long \type
1:  .asciz "Xen"
2:  .balign 4
3:  \kind
4:  .balign 4
    .popsection
.endm

    NOTE XEN_ELFNOTE_GUEST_OS, .asciz "ktest"
    NOTE XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
    NOTE XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
    NOTE XEN_ELFNOTE_LOADER, .asciz "generic"
    NOTE XEN_ELFNOTE_VIRT_BASE, .quad 0xffffffff80000000
    NOTE XEN_ELFNOTE_PADDR_OFFSET, .quad 0
    NOTE XEN_ELFNOTE_ENTRY, .quad _start
    NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
    NOTE XEN_ELFNOTE_FEATURES, .asciz KTEST_FEATURES
    NOTE XEN_ELFNOTE_PAE_MODE, .asciz "yes"

    .section .note.GNU-stack, "", @progbits
