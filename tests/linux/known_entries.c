// SPDX-License-Identifier: MIT
/*
 * Enters the hypervisor a number of times that is known, in ways that nothing else on the machine
 * does: the counts of the tools must be these, to the digit.
 *
 *   known_entries PAGES CALLS TRAPS HYPERCALLS
 *
 * Prints a line "NAME COUNT [ADDRESS]" for each: the instructions that do it have an address of
 * their own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/sys/privcmd.h>
#include <xen/version.h>

extern const char touch_at[], call_at[], trap_at[];

/* One write to the page, by one instruction for all pages. */
__attribute__((noinline)) static void touch(char *page)
{
    __asm__ volatile(".globl touch_at\ntouch_at: movb $1, (%0)" : : "r"(page) : "memory");
}

__attribute__((noinline)) static long call(long number)
{
    long result;

    __asm__ volatile("syscall\n.globl call_at\ncall_at:"
                     : "=a"(result)
                     : "a"(number)
                     : "rcx", "r11", "memory");
    return result;
}

/* The kernel is told of the instruction behind int3. */
__attribute__((noinline)) static void trap(void)
{
    __asm__ volatile("int3\n.globl trap_at\ntrap_at:" : : : "memory");
}

static volatile sig_atomic_t trapped;

static void note_trap(int number)
{
    (void)number;
    trapped++;
}

static void touch_pages(long n)
{
    size_t bytes = (size_t)n * 4096;
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED || madvise(pages, bytes, MADV_NOHUGEPAGE))
        exit(1);
    for (long i = 0; i < n; i++)
        touch(pages + 4096 * i);
    munmap(pages, bytes);
}

static void make_hypercalls(long n)
{
    privcmd_hypercall_t op = { .op = __HYPERVISOR_xen_version, .arg = { XENVER_pagesize } };
    int fd = open("/dev/xen/privcmd", O_RDWR);

    for (long i = 0; i < n; i++)
        if (ioctl(fd, IOCTL_PRIVCMD_HYPERCALL, &op) != 4096)
            exit(1);
}

int main(int argc, char **argv)
{
    long pages, calls, traps, hypercalls;

    if (argc != 5)
        return 2;
    pages = atol(argv[1]);
    calls = atol(argv[2]);
    traps = atol(argv[3]);
    hypercalls = atol(argv[4]);
    signal(SIGTRAP, note_trap);
    touch_pages(pages);
    for (long i = 0; i < calls; i++)
        if (call(SYS_getppid) < 0)
            return 1;
    for (long i = 0; i < traps; i++)
        trap();
    make_hypercalls(hypercalls);
    printf("page_fault %ld %#018lx\n", pages, (long)(uintptr_t)touch_at);
    printf("getppid %ld %#018lx\n", calls, (long)(uintptr_t)call_at);
    printf("breakpoint %ld %#018lx\n", (long)trapped, (long)(uintptr_t)trap_at);
    printf("hypercall %ld\n", hypercalls);
    return trapped == traps ? 0 : 1;
}
