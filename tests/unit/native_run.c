/* SPDX-License-Identifier: MIT */
#include "native_run.h"

#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(struct native_state, rflags) == 128, "used below");
_Static_assert(offsetof(struct native_state, code) == 136, "used below");

void native_back(void);

/*
 * native_run: in RDI = state; clobbers what a function may. On the stack while the code runs, from
 * the top: state, the six preserved registers. RET enters the code without needing a register.
 */
__asm__(".text\n"
        ".globl native_run\n"
        ".type native_run, @function\n"
        "native_run:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "    push %rdi\n"
        "    pushq 136(%rdi)\n"
        "    pushq 128(%rdi)\n"
        "    popfq\n"
        "    mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
        "    mov 40(%rdi), %rbp; mov 48(%rdi), %rsi\n"
        "    mov 64(%rdi), %r8; mov 72(%rdi), %r9; mov 80(%rdi), %r10; mov 88(%rdi), %r11\n"
        "    mov 96(%rdi), %r12; mov 104(%rdi), %r13; mov 112(%rdi), %r14; mov 120(%rdi), %r15\n"
        "    mov 56(%rdi), %rdi\n"
        "    ret\n"
        ".globl native_back\n"
        ".type native_back, @function\n"
        "native_back:\n"
        "    push %rax\n"
        "    mov 8(%rsp), %rax\n"
        "    mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax)\n"
        "    mov %rbp, 40(%rax); mov %rsi, 48(%rax); mov %rdi, 56(%rax)\n"
        "    mov %r8, 64(%rax); mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax)\n"
        "    mov %r12, 96(%rax); mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax)\n"
        "    pushfq\n"
        "    popq 128(%rax)\n"
        "    popq 0(%rax)\n"
        "    add $8, %rsp\n"
        "    cld\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n"
        ".section .note.GNU-stack,\"\",@progbits\n"
        ".text\n");

unsigned int native_jump_back(uint8_t *code)
{
    static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };   /* jmp *0(%rip) */
    void (*target)(void) = native_back;

    memcpy(code, jump, sizeof(jump));
    memcpy(code + sizeof(jump), &target, sizeof(target));
    return sizeof(jump) + sizeof(target);
}
