/* SPDX-License-Identifier: MIT */
/*
 * Asks for the parent's process number so many times; says how often the answer was right.  With `mixed`:
 * by turns for that, for the process's, the thread's and the user's number, and writes to nowhere.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long ask(long which, long parent, int null)
{
    switch (which) {
    case 0:
        return syscall(SYS_getpid) == getpid();
    case 1:
        return syscall(SYS_gettid) == getpid();
    case 2:
        return syscall(SYS_getuid) == 0;
    case 3:
        return syscall(SYS_write, null, "", 1) == 1;
    default:
        return syscall(SYS_getppid) == parent;
    }
}

int main(int argc, char **argv)
{
    long calls = argc > 1 ? atol(argv[1]) : 1, right = 0, parent = getppid();
    int null = open("/dev/null", O_WRONLY);

    for (long i = 0; i < calls; i++)
        right += ask(argc > 2 ? i % 5 : 4, parent, null);
    printf("%ld right\n", right);
    return right != calls;
}
