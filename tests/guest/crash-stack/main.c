/* SPDX-License-Identifier: MIT */
/*
 * crash-stack: a fault in user mode while the stack of stack_switch is not mapped.
 *
 * ktest-run: crash (?s)ktest: dies at (\w{16}).*[Dd]omain 0 .*crashed.*\1
 *
 * Promised: such a domain cannot go on; it is stopped alone, with its registers on the console,
 * and since it is domain 0, the machine ends or restarts.
 * Why: the alternative is a hypervisor that follows the guest into the ditch.
 * Checked by the runner: the domain is named as crashed, its rip is shown, no verdict follows.
 */
#include "ktest.h"

const char ktest_name[] = "crash-stack";

extern const uint8_t crash_at[];
asm(".pushsection .text\n crash_at: ud2\n .popsection");
void crash_here(const void *rip);

/* Announces where the domain is going to die. */
void crash_here(const void *rip)
{
    printk("ktest: dies at %p\n", (void *)rip);
}

void test_main(void)
{
    user_mode_init();
    hyp_stack_switch(FLAT_KERNEL_SS, 0x123456789000);
    crash_here(crash_at);
    run(regs_user(crash_at));
    ktest_finish(KTEST_FAILURE, "still alive");
}
