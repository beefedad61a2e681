/* SPDX-License-Identifier: MIT */
/*
 * Local descriptor tables: a segment made by modify_ldt() is used, changed, kept by fork() and
 * across switches between processes with other tables.
 */
#include <asm/ldt.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t words[2] __attribute__((aligned(4096))) = { 0x11111111, 0x22222222 };

static int set_base(unsigned int entry, void *base)
{
    struct user_desc d = { .entry_number = entry, .base_addr = (uint32_t)(uintptr_t)base,
                           .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1 };

    return (int)syscall(SYS_modify_ldt, 1, &d, sizeof(d));
}

/* The word at offset 0 of the segment, read through %fs while nothing else uses it. */
static uint32_t through(unsigned int entry)
{
    uint16_t selector = (uint16_t)(entry << 3 | 7), old;
    uint64_t base;
    uint32_t value;

    __asm__ volatile("mov %%fs, %0" : "=r"(old));
    syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &base);
    __asm__ volatile("mov %1, %%fs\n mov %%fs:0, %0\n mov %2, %%fs"
                     : "=r"(value) : "r"(selector), "r"(old) : "memory");
    syscall(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, base);
    return value;
}

int main(void)
{
    int status = 0;
    pid_t child;

    if (set_base(0, &words[0]) || set_base(600, &words[1]))
        return 2;
    printf("%x %x\n", through(0), through(600));
    child = fork();
    if (child == 0) {
        if (set_base(0, &words[1]))
            _exit(2);
        for (int i = 0; i < 200; i++) {
            if (through(0) != words[1])
                _exit(1);
            sched_yield();
        }
        _exit(0);
    }
    for (int i = 0; i < 200; i++) {
        if (through(0) != words[0])
            return 1;
        sched_yield();
    }
    waitpid(child, &status, 0);
    printf("child %d, %x\n", status, through(0));
    return 0;
}
