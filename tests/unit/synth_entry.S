/* SPDX-License-Identifier: MIT */
/*
 * A kernel's entry and exit for the tests of synthesis: what a bounced system call of a PV guest
 * goes through, in user mode of this process.  The test sets rsp to the frame
 *
 *   rsp -> rcx r11 rip cs rflags rsp ss
 *
 * and stops at the SYSCALL with rax = 23 (the iret hypercall), which it never lets run.
 */
    .macro enter
    popq %rcx
    popq %r11
    movq $0x2b, 32(%rsp)
    movq $0x33, 8(%rsp)
    .endm

    .macro leave_kernel
    pushq $0
    pushq %rcx
    pushq %r11
    pushq %rax
    movl $23, %eax
    syscall
    ud2
    .endm

    .text
    .globl guest_entry
guest_entry:
    enter
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq $-38
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    xorl %edx, %edx
    xorl %ecx, %ecx
    xorl %ebx, %ebx
    xorl %ebp, %ebp
    movq %rsp, %rdi
    movslq %eax, %rsi
    call guest_dispatch
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    addq $8, %rsp
    leave_kernel

    /* As a compiler's retpoline: the target, in rax, is returned to. */
    .globl guest_thunk_rax
guest_thunk_rax:
    call 1f
2:  pause
    lfence
    jmp 2b
1:  movq %rax, (%rsp)
    ret

    /* A jump that begins on one page of text and ends on the next, and is all that is run of both. */
    .globl guest_cross
guest_crossed:
    movl $77, %eax
    ret
    .balign 4096
    .skip 4096 - 3
guest_cross:
    .byte 0xe9
    .long guest_crossed - . - 4
    .balign 4096

    /* ---- single instructions: registers as user mode has them, then the instruction ---- */
    .macro all_flags
    setc %r12b
    setz %r13b
    sets %r14b
    seto %r15b
    setp %bpl
    .endm

    .section .data.rel.ro, "aw"
    .balign 8
    .globl insn_table
insn_table:
    .text

    /* name, the instructions, 1 when it may pass (a guard on values). */
    .macro T name, code, guards=0
    .section .rodata.insn_text, "a"
8:  .asciz "\name"
    .text
9:  enter
    \code
    leave_kernel
    .section .data.rel.ro, "aw"
    .quad 8b, 9b, \guards
    .text
    .endm

    .irp op, add, sub, and, or, xor, adc, sbb, cmp, test
    T "\op 64", "cmpq %r10,%rdx; \op %r9,%r8; all_flags"
    T "\op 32", "cmpq %r10,%rdx; \op %r9d,%r8d; all_flags"
    T "\op 16", "cmpq %r10,%rdx; \op %r9w,%r8w; all_flags"
    T "\op 8", "cmpq %r10,%rdx; \op %r9b,%r8b; all_flags"
    T "\op 8 high", "cmpq %r10,%rdx; \op %ah,%bl; all_flags"
    T "\op imm8", "cmpq %r10,%rdx; \op $-5,%r8; all_flags"
    T "\op imm32", "cmpq %r10,%rdx; \op $0x76543210,%r8d; all_flags"
    T "\op imm16", "cmpq %r10,%rdx; \op $0x8001,%r8w; all_flags"
    T "\op mem64", "cmpq %r10,%rdx; \op %r9,8(%rsi); all_flags"
    T "\op mem8", "cmpq %r10,%rdx; \op %r9b,3(%rsi); all_flags"
    T "\op mem imm", "cmpq %r10,%rdx; \op\()l $7,4(%rsi); all_flags"
    .endr
    .irp op, add, sub, and, or, xor, adc, sbb, cmp
    T "\op load", "cmpq %r10,%rdx; \op 8(%rsi),%r8; all_flags"
    T "\op load32", "cmpq %r10,%rdx; \op 12(%rsi),%r8d; all_flags"
    .endr
    .irp op, inc, dec, neg, not
    T "\op 64", "cmpq %r10,%rdx; \op %r8; all_flags"
    T "\op 32", "cmpq %r10,%rdx; \op %r8d; all_flags"
    T "\op 16", "cmpq %r10,%rdx; \op %r8w; all_flags"
    T "\op 8", "cmpq %r10,%rdx; \op %r8b; all_flags"
    T "\op high", "cmpq %r10,%rdx; \op %ah; all_flags"
    T "\op mem", "cmpq %r10,%rdx; \op\()w 6(%rsi); all_flags"
    .endr
    .irp cc, o, no, b, nb, z, nz, be, nbe, s, ns, p, np, l, nl, le, nle
    T "set\cc", "cmpl %r9d,%r8d; set\cc %al"
    T "set\cc after add", "addw %r9w,%r8w; set\cc %bh"
    T "set\cc after test", "testq %r9,%r8; set\cc (%rsi)"
    T "set\cc after dec", "addq %r9,%r8; decb %r8b; set\cc %dl"
    T "set\cc after sbb", "cmpq %r10,%rdx; sbbl %r9d,%r8d; set\cc %dl"
    T "cmov\cc 64", "cmpb %r9b,%r8b; cmov\cc %rdx,%rax"
    T "cmov\cc 32", "cmpw %r9w,%r8w; cmov\cc %edx,%eax"
    T "cmov\cc mem", "cmpq %r9,%r8; cmov\cc 16(%rsi),%ax"
    T "j\cc", "cmpl %r9d,%r8d; movl $1,%eax; j\cc 1f; movl $2,%eax; 1:", 1
    .endr
    /* Shifts by numbers: CF and the result's flags; OF by one only. */
    .irp op, shl, shr, sar
    .irp n, 1, 3, 7, 17, 31
    T "\op 64 \n", "\op $\n,%r8; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 32 \n", "\op $\n,%r8d; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    .endr
    T "\op 16 5", "\op $5,%r8w; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 8 4", "\op $4,%r8b; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 8 7 high", "\op $7,%ah; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 64 1", "\op $1,%r8; all_flags"
    T "\op 8 1", "\op $1,%r8b; all_flags"
    T "\op 16 1", "\op $1,%r8w; all_flags"
    T "\op 64 0", "cmpq %r10,%rdx; \op $64,%r8; all_flags"
    T "\op 32 0", "cmpq %r10,%rdx; \op $32,%r8d; all_flags"
    T "\op 64 cl", "\op %cl,%r8"
    T "\op 32 cl", "\op %cl,%r8d"
    T "\op 16 cl", "\op %cl,%r8w"
    T "\op 8 cl", "\op %cl,%r8b"
    T "\op mem", "\op\()l $3,4(%rsi)"
    .endr
    .irp op, rol, ror
    .irp n, 1, 5, 13, 31
    T "\op 64 \n", "cmpq %r10,%rdx; \op $\n,%r8; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 32 \n", "cmpq %r10,%rdx; \op $\n,%r8d; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 16 \n", "cmpq %r10,%rdx; \op $\n,%r8w; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 8 \n", "cmpq %r10,%rdx; \op $\n,%r8b; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    .endr
    T "\op 64 1", "cmpq %r10,%rdx; \op $1,%r8; all_flags"
    T "\op 32 cl", "\op %cl,%r8d"
    T "\op 64 cl", "\op %cl,%r8"
    T "\op 16 cl", "\op %cl,%r8w"
    .endr
    .irp op, shld, shrd
    T "\op 64 9", "\op $9,%r9,%r8; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 32 9", "\op $9,%r9d,%r8d; setc %r12b; setz %r13b; sets %r14b; setp %bpl"
    T "\op 64 1", "\op $1,%r9,%r8; all_flags"
    T "\op 64 cl", "\op %cl,%r9,%r8"
    T "\op 32 cl", "\op %cl,%r9d,%r8d"
    .endr
    .irp op, bt, bts, btr, btc
    T "\op 64", "cmpq %r10,%rdx; \op %r9,%r8; setc %r12b; setz %r13b"
    T "\op 32", "cmpq %r10,%rdx; \op %r9d,%r8d; setc %r12b; setz %r13b"
    T "\op imm", "cmpq %r10,%rdx; \op $37,%r8; setc %r12b; setz %r13b"
    T "\op mem imm", "cmpq %r10,%rdx; \op\()l $11,8(%rsi); setc %r12b; setz %r13b"
    .endr
    .irp op, bsf, bsr
    T "\op 64", "\op %r9,%r8; setz %r13b", 1
    T "\op 32", "\op %r9d,%r8d; setz %r13b", 1
    .endr
    T "tzcnt", "rep bsf %r9,%r8", 1
    T "popcnt", "popcnt %r9,%r8; setc %r12b; setz %r13b; sets %r14b; seto %r15b"
    T "popcnt 32", "popcnt %r9d,%r8d; setz %r13b"
    T "mul 64", "mulq %r8; setc %r12b; seto %r15b"
    T "mul 32", "mull %r8d; setc %r12b; seto %r15b"
    T "mul 16", "mulw %r8w; setc %r12b; seto %r15b"
    T "mul 8", "mulb %r8b; setc %r12b; seto %r15b"
    T "imul1 64", "imulq %r8; setc %r12b; seto %r15b"
    T "imul1 32", "imull %r8d; setc %r12b; seto %r15b"
    T "imul1 8", "imulb %r8b; setc %r12b; seto %r15b"
    T "imul2 64", "imulq %r9,%r8; setc %r12b; seto %r15b"
    T "imul2 16", "imulw %r9w,%r8w; setc %r12b; seto %r15b"
    T "imul3 32", "imull $-77,%r9d,%r8d; setc %r12b; seto %r15b"
    T "imul3 64", "imulq $1000003,%r9,%r8"
    T "div 64", "xorl %edx,%edx; orq $1,%r8; divq %r8", 1
    T "div 32", "xorl %edx,%edx; orl $1,%r8d; divl %r8d", 1
    T "div 32 full", "movl $3,%edx; orl $0x80000000,%r8d; divl %r8d", 1
    T "idiv 64", "orq $4,%r8; cqto; idivq %r8", 1
    T "idiv 32", "orl $4,%r8d; cltd; idivl %r8d", 1
    T "mov 64", "movq %r8,%rax; movl %r9d,%ebx; movw %r10w,%dx; movb %bl,%ah"
    T "mov imm", "movabsq $0x123456789abcdef0,%rax; movq $-7,%rbx; movl $-7,%edx; movb $9,%r8b"
    T "mov mem", "movq (%rsi),%rax; movl 8(%rsi),%ebx; movw 12(%rsi),%dx; movb 14(%rsi),%r8b"
    T "mov mem store", "movq %rax,(%rsi); movl %ebx,8(%rsi); movw %dx,13(%rsi); movb %ah,17(%rsi)"
    T "mov index", "andl $7,%r8d; movzbl 1(%rsi,%r8,4),%eax; movl (%rsi,%r8,8),%ebx"
    T "mov store and load", "movq %rax,(%rsi); movl 2(%rsi),%ebx; movw %dx,4(%rsi); movq (%rsi),%r8"
    T "movzx", "movzbl %r8b,%eax; movzwl %r9w,%ebx; movzbw %ah,%dx; movzwq %r10w,%r12"
    T "movsx", "movsbl %r8b,%eax; movswq %r9w,%rbx; movsbw %ah,%dx; movslq %r10d,%r12"
    T "movsx mem", "movsbq 5(%rsi),%rax; movslq 4(%rsi),%rbx; movswl 9(%rsi),%edx"
    T "lea", "leaq 5(%r8,%r9,4),%rax; leal -1(%rdx),%ebx; leaw 3(%r10),%dx"
    T "push pop", "pushq %r8; pushq $-3; pushq 8(%rsi); popq %rax; popq %rbx; popq %rdx"
    T "leave", "pushq %rbp; movq %rsp,%rbp; pushq %r8; leave"
    T "stack parts", "pushq %r8; movl 2(%rsp),%eax; movb %r9b,3(%rsp); movq (%rsp),%rbx; popq %rdx"
    T "stack below an amount", "andl $0x7f0,%r8d; subq %r8,%rsp; pushq %r9; popq %rax; addq %r8,%rsp"
    T "xchg", "xchgq %r8,%r9; xchgb %ah,%bl; xchgl %eax,%edx; xchgw %r10w,%r8w"
    T "xchg mem", "xchgq %r8,(%rsi); xchgb %al,9(%rsi)"
    T "xadd", "lock xaddl %r8d,4(%rsi); all_flags; xaddw %ax,(%rsi); xaddq %rdx,%rbx"
    T "cmpxchg", "movl 4(%rsi),%eax; lock cmpxchgl %r8d,4(%rsi); all_flags", 1
    T "cmpxchg fails", "movl 4(%rsi),%eax; addl $1,%eax; lock cmpxchgl %r8d,4(%rsi); all_flags", 1
    T "lock inc", "lock incl 4(%rsi); lock addq %r8,8(%rsi); lock decw (%rsi); setz %al"
    T "cbw", "cbtw; cwtd"
    T "cwde", "cwtl; cltd"
    T "cdqe", "cltq; cqto"
    T "bswap", "bswapq %r8; bswapl %r9d"
    T "carry", "clc; adcl $0,%eax; stc; adcl $0,%ebx; cmpl %r8d,%r9d; cmc; all_flags"
    T "jrcxz", "movl %r8d,%ecx; andl $1,%ecx; jrcxz 1f; movl $5,%eax; 1: movl $0,%ecx", 1
    T "call ret", "call 1f; jmp 2f; 1: movq %r8,%rax; ret; 2:"
    T "jump table", "andl $3,%r8d; leaq 1f(%rip),%rax; leaq (%rax,%r8,8),%rax; jmp *%rax; .balign 8; 1: incq %rbx; .balign 8; incq %rdx; .balign 8; incq %r9; .balign 8; incq %r10", 1
    T "movs", "movq %rsi,%rax; leaq 64(%rsi),%rdi; movsq; movsl; movsb; movq %rax,%rsi"
    T "stos", "leaq 64(%rsi),%rdi; stosq; stosb; stosw"
    T "lods", "movq %rsi,%rbx; lodsq; addq %rax,%r8; lodsb; movq %rbx,%rsi"
    T "scas", "leaq 32(%rsi),%rdi; scasl; all_flags"
    T "cmps", "leaq 32(%rsi),%rdi; cmpsw; all_flags"
    T "rep stos", "leaq 64(%rsi),%rdi; movl $5,%ecx; rep stosb"
    T "rep movs", "movq %rsi,%rbx; leaq 64(%rsi),%rdi; movl $3,%ecx; rep movsq; movq %rbx,%rsi"
    T "rep movs by a count", "movq %rsi,%rbx; leaq 64(%rsi),%rdi; movl %r8d,%ecx; andl $3,%ecx; rep movsb; movq %rbx,%rsi", 1
    T "repe cmps", "movq %rsi,%rbx; leaq 32(%rsi),%rdi; movl $3,%ecx; repe cmpsb; setz %al; movq %rbx,%rsi", 1
    T "repne scas", "leaq 32(%rsi),%rdi; movl $4,%ecx; repne scasb; setz %al", 1
    T "nothing", "nop; endbr64; pause; lfence; mfence; prefetcht0 (%rsi); cld"

    .section .data.rel.ro, "aw"
    .quad 0, 0, 0

    .section .note.GNU-stack, "", @progbits
