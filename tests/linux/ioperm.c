/* SPDX-License-Identifier: MIT */
/*
 * Ports of a user process: refused at first (SIGSEGV), open where ioperm() says, and only there.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/io.h>

static sigjmp_buf back;

static void refused(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

static void try_port(unsigned short port)
{
    if (sigsetjmp(back, 1)) {
        printf("%x refused\n", port);
        return;
    }
    outb(0, port);
    printf("%x open\n", port);
}

int main(void)
{
    signal(SIGSEGV, refused);
    try_port(0x80);
    if (ioperm(0x80, 1, 1))
        return 2;
    try_port(0x80);
    try_port(0x81);
    if (iopl(3))
        return 2;
    try_port(0x81);
    return 0;
}
