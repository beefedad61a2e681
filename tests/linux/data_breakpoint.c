/* SPDX-License-Identifier: MIT */
/*
 * A data breakpoint on bytes that the hypervisor itself reads: those of an instruction which traps
 * to it.  The process must get the instruction's signal, and the machine must live.
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const char watched[];
__asm__(".pushsection .text\n"
        ".balign 8\n"
        "watched: cli\n"
        ".fill 16, 1, 0x90\n"
        "ret\n"
        ".popsection\n");

static void refused(int signal)
{
    static const char text[] = "signal\n";

    (void)signal;
    _exit(write(1, text, sizeof(text) - 1) != sizeof(text) - 1);
}

int main(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr), .bp_type = HW_BREAKPOINT_RW,
        .bp_addr = (uintptr_t)watched, .bp_len = HW_BREAKPOINT_LEN_8, .exclude_kernel = 1,
        .sample_period = 1,
    };

    if (syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) < 0) {
        perror("perf_event_open");
        return 2;
    }
    signal(SIGSEGV, refused);
    ((void (*)(void))(uintptr_t)watched)();
    printf("not refused\n");
    return 1;
}
