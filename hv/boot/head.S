/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to C: multiboot 1 (address fields, since the image is a flat binary) and
 * multiboot 2 headers, 32-bit entry, first page tables, long mode, the link address.
 *
 * In: eax = loader's magic, ebx = physical address of its information, protected mode, paging off.
 * First tables: 4 GiB one to one at 0 and at the direct map, the image at its link address; all
 * in 2 MiB pages.  hv/x86/paging.c replaces them.
 */
#include "hv/asm_offsets.h"
#include "hv/config.h"

#define PA(sym) ((sym) - HV_IMAGE_BASE + HV_LOAD_PADDR)

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x00010003 /* page-aligned modules, memory map, address fields */
#define MB2_MAGIC 0xe85250d6

    .section .head, "ax"
    .code32
    .globl _start
_start:
    jmp     start32

    .balign 8
mb1_header:
    .long   MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
    .long   PA(mb1_header), PA(_start), PA(__load_end), PA(__image_end), PA(start32)

    .balign 8
mb2_header:
    .long   MB2_MAGIC, 0, mb2_header_end - mb2_header
    .long   -(MB2_MAGIC + (mb2_header_end - mb2_header))
    .balign 8
    .short  2, 0                        /* address tag */
    .long   24, PA(mb2_header), PA(_start), PA(__load_end), PA(__image_end)
    .balign 8
    .short  3, 0                        /* entry address tag */
    .long   12, PA(start32)
    .balign 8
    .short  6, 0                        /* modules on page boundaries */
    .long   8
    .balign 8
    .short  0, 0
    .long   8
mb2_header_end:

start32:
    cli
    cld
    mov     %eax, %ebp                  /* loader's magic, kept to the end */
    mov     $PA(boot_stack_end), %esp

    /* Long mode and NX, or nothing. */
    mov     $0x80000000, %eax
    push    %ebx
    cpuid
    cmp     $0x80000001, %eax
    jb      no_long_mode
    mov     $0x80000001, %eax
    cpuid
    pop     %ebx
    bt      $29, %edx
    jnc     no_long_mode
    bt      $20, %edx
    jnc     no_long_mode

    /* Four page directories of 2 MiB pages: physical 0 to 4 GiB. */
    mov     $PA(boot_l2), %edi
    mov     $0x83, %eax
    xor     %ecx, %ecx
1:  mov     %eax, (%edi, %ecx, 8)
    movl    $0, 4(%edi, %ecx, 8)
    add     $0x200000, %eax
    inc     %ecx
    cmp     $2048, %ecx
    jb      1b
    mov     $PA(boot_l2) + 3, %eax
    mov     $PA(boot_l3), %edi
    xor     %ecx, %ecx
2:  mov     %eax, (%edi, %ecx, 8)
    add     $0x1000, %eax
    inc     %ecx
    cmp     $4, %ecx
    jb      2b
    /* The image: 32 MiB from where it was loaded. */
    mov     $PA(boot_l2_image), %edi
    mov     $HV_LOAD_PADDR + 0x83, %eax
    xor     %ecx, %ecx
3:  mov     %eax, (%edi, %ecx, 8)
    add     $0x200000, %eax
    inc     %ecx
    cmp     $16, %ecx
    jb      3b
    /* 0xffff82d080000000 is slot 261, L3 entry 322, L2 entry 0. */
    movl    $PA(boot_l2_image) + 3, PA(boot_l3_image) + 322 * 8
    mov     $PA(boot_l4), %edi
    movl    $PA(boot_l3) + 3, (%edi)
    movl    $PA(boot_l3_image) + 3, 261 * 8(%edi)
    movl    $PA(boot_l3) + 3, 262 * 8(%edi)

    .globl  enter_long_mode_bsp
enter_long_mode_bsp:
    mov     %cr4, %eax
    or      $0x620, %eax                /* PAE, OSFXSR, OSXMMEXCPT */
    mov     %eax, %cr4
    mov     $PA(boot_l4), %eax
    mov     %eax, %cr3
    mov     $0xc0000080, %ecx           /* EFER: SCE, LME, NXE */
    rdmsr
    or      $0x901, %eax
    wrmsr
    mov     $0x80010033, %eax           /* PG WP NE ET MP PE */
    mov     %eax, %cr0
    lgdt    PA(boot_gdtr)
    ljmp    $8, $PA(start64)

no_long_mode:
    mov     $PA(no_long_mode_text), %esi
    mov     $0x3f8, %dx
4:  lodsb
    test    %al, %al
    jz      5f
    out     %al, %dx
    jmp     4b
5:  hlt
    jmp     5b
no_long_mode_text:
    .asciz  "radon: this processor has no 64-bit mode with NX\r\n"

    .code64
start64:
    movabs  $high64, %rax
    jmp     *%rax

    .text
high64:
    xor     %eax, %eax
    mov     %eax, %ss
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %fs
    mov     %eax, %gs
    lea     boot_stack_end - SIZEOF_HOT(%rip), %rsp
    mov     %ebp, %edi
    mov     %ebx, %esi
    call    hv_start
    ud2

/*
 * Where another processor begins: copied to TRAMPOLINE_PADDR, entered in real mode by SIPI with
 * cs = that page.  trampoline_cr3 and trampoline_stack/_arg are filled in before.
 */
    .section .rodata, "a"
    .balign 16
    .globl trampoline_start, trampoline_end, trampoline_params
    .code16
trampoline_start:
    cli
    cld
    mov     %cs, %ax
    mov     %ax, %ds
    lgdtl   trampoline_gdtr - trampoline_start
    mov     $0x11, %eax
    mov     %eax, %cr0
    ljmpl   $24, $TRAMPOLINE_PADDR + (trampoline32 - trampoline_start)
    .code32
trampoline32:
    mov     $16, %eax
    mov     %eax, %ds
    mov     %eax, %ss
    mov     $0x620, %eax
    mov     %eax, %cr4
    mov     TRAMPOLINE_PADDR + (trampoline_params - trampoline_start), %eax
    mov     %eax, %cr3
    mov     $0xc0000080, %ecx
    rdmsr
    or      $0x901, %eax
    wrmsr
    mov     $0x80010033, %eax
    mov     %eax, %cr0
    ljmp    $8, $TRAMPOLINE_PADDR + (trampoline64 - trampoline_start)
    .code64
trampoline64:
    xor     %eax, %eax
    mov     %eax, %ss
    mov     %eax, %ds
    mov     %eax, %es
    mov     TRAMPOLINE_PADDR + (trampoline_params - trampoline_start) + 8, %rsp
    mov     TRAMPOLINE_PADDR + (trampoline_params - trampoline_start) + 24, %rdi
    mov     TRAMPOLINE_PADDR + (trampoline_params - trampoline_start) + 16, %rax
    call    *%rax
    ud2
    .balign 8
trampoline_gdt:
    .quad   0
    .quad   0x00af9b000000ffff          /* 8: 64-bit code */
    .quad   0x00cf93000000ffff          /* 16: data */
    .quad   0x00cf9b000000ffff          /* 24: 32-bit code */
trampoline_gdtr:
    .short  31
    .long   TRAMPOLINE_PADDR + (trampoline_gdt - trampoline_start)
    .balign 8
trampoline_params:
    .quad   0, 0, 0, 0                  /* cr3, stack, entry, argument */
trampoline_end:

    .section .head_data, "aw"
    .balign 8
boot_gdt:
    .quad   0
    .quad   0x00af9b000000ffff
    .quad   0x00cf93000000ffff
boot_gdtr:
    .short  23
    .long   PA(boot_gdt)

    .section .bss.page_aligned, "aw", @nobits
    .balign 4096
    .globl  boot_l4
boot_l4:        .skip 4096
boot_l3:        .skip 4096
boot_l3_image:  .skip 4096
boot_l2_image:  .skip 4096
boot_l2:        .skip 4 * 4096
/* The boot CPU's first stack, which becomes nothing: hv_start moves to the idle vCPU's. */
    .balign STACK_BLOCK
    .skip   STACK_BLOCK
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
