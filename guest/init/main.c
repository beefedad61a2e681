/* SPDX-License-Identifier: MIT */
/*
 * /init of the machines that `radon run` boots: process 1. Sets the system up, runs one command,
 * relays what it prints in frames (frame.h), reports its exit status and powers the machine off.
 */
#include "frame.h"
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

/* The console is what the kernel's command line names last: hvc0 under a hypervisor, else ttyS0. It
 * becomes raw, so that bytes pass as they are. /dev comes first: the archive's own /dev/console
 * would be a terminal that has no name once /dev lies over it. */
static int open_console(struct termios *cooked)
{
    struct termios raw;
    int fd;

    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL); /* Linux may have done it; else the archive's */
    fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    memset(cooked, 0, sizeof(*cooked));
    if (fd >= 0 && tcgetattr(fd, cooked) == 0) {
        raw = *cooked;
        cfmakeraw(&raw);
        tcsetattr(fd, TCSANOW, &raw);
    }
    return fd;
}

static void power_off(int console)
{
    tcdrain(console);
    sync();
    reboot(RB_POWER_OFF);
    /* No ACPI in reach: a reset ends the machine just as well (QEMU runs with -no-reboot). */
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}

static void send_begin(int console)
{
    struct timespec up;

    clock_gettime(CLOCK_BOOTTIME, &up);
    frame_printf(console, FRAME_BEGIN, "%llu %llu",
                 (unsigned long long)up.tv_sec * 1000000000ull + (unsigned long long)up.tv_nsec,
                 (unsigned long long)__rdtsc());
}

int main(void)
{
    static char *shell[] = { "/bin/sh", "-l", NULL };
    struct termios cooked;
    int console = open_console(&cooked), status;
    char **argv, **envp, **root, **get;

    umask(022);
    setup_system(console);
    argv = read_list(RADON_DIR "/argv");
    envp = read_list(RADON_DIR "/env");
    get = read_list(RADON_DIR "/get");
    root = read_list(RADON_DIR "/root");
    if (root[0] && !enter_root(console, root[0]))
        power_off(console); /* without an exit frame: the host sees that no command ran */
    for (char **e = envp; *e; e++)
        putenv(*e); /* execvpe searches the PATH of this process */
    send_begin(console);
    if (argv[0]) {
        status = run_relayed(console, argv, envp);
    } else {
        tcdrain(console);
        tcsetattr(console, TCSANOW, &cooked);
        status = run_interactive(console, shell, envp);
    }
    send_files(console, get);
    frame_printf(console, FRAME_EXIT, "%d", status);
    power_off(console);
    return 0;
}
