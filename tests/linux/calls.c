/* SPDX-License-Identifier: MIT */
/* Asks for the parent's process number so many times; says how often the answer was right. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long calls = argc > 1 ? atol(argv[1]) : 1, right = 0, parent = getppid();

    for (long i = 0; i < calls; i++)
        right += syscall(SYS_getppid) == parent;
    printf("%ld right\n", right);
    return right != calls;
}
