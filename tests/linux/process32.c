/* SPDX-License-Identifier: MIT */
/*
 * A 32-bit process without a C library: system calls by int 0x80 and by the vDSO's entry (sysenter
 * or syscall, as the processor has it), a caught fault, a child. Prints one word for each that
 * works.
 */
typedef unsigned int u32;

enum {
    SYS_exit = 1,
    SYS_fork = 2,
    SYS_write = 4,
    SYS_waitpid = 7,
    SYS_getpid = 20,
    SYS_sigaction = 67,
    SIGSEGV = 11,
    AT_SYSINFO = 32,
};

struct old_sigaction {
    void (*handler)(int);
    u32 mask;
    u32 flags;
    void (*restorer)(void);
};

static u32 vsyscall;

static int call80(int number, u32 a, u32 b, u32 c)
{
    int result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

static int call_vdso(int number, u32 a, u32 b, u32 c)
{
    int result;

    __asm__ volatile("call *%5"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "m"(vsyscall)
                     : "memory");
    return result;
}

static void say(const char *text)
{
    u32 length = 0;

    while (text[length])
        length++;
    call80(SYS_write, 1, (u32)text, length);
}

static void on_fault(int signal)
{
    say(signal == SIGSEGV ? "fault " : "wrong-signal ");
    say("end\n");
    call80(SYS_exit, 5, 0, 0);
}

__attribute__((used)) static void start(u32 *stack)
{
    struct old_sigaction action = { .handler = on_fault };
    u32 *at = stack + 1 + stack[0] + 1;
    int status = 0, child;

    while (*at)
        at++;
    for (at++; at[0]; at += 2)
        if (at[0] == AT_SYSINFO)
            vsyscall = at[1];
    say("int80 ");
    if (vsyscall && call_vdso(SYS_getpid, 0, 0, 0) == call80(SYS_getpid, 0, 0, 0))
        say("vdso ");
    child = call80(SYS_fork, 0, 0, 0);
    if (child == 0)
        call80(SYS_exit, 3, 0, 0);
    if (call80(SYS_waitpid, (u32)child, (u32)&status, 0) == child && status == 3 << 8)
        say("fork ");
    call80(SYS_sigaction, SIGSEGV, (u32)&action, 0);
    *(volatile u32 *)16 = 1;
    say("no-fault\n");
    call80(SYS_exit, 1, 0, 0);
}

__asm__(".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n"
        "call start\n");
