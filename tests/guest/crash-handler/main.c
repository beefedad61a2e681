/* SPDX-License-Identifier: MIT */
/*
 * crash-handler: a fault for which the trap table has no handler.
 *
 * ktest-run: crash (?s)ktest: dies at (\w{16}).*[Dd]omain 0 .*crashed.*\1
 *
 * Promised: such a domain cannot go on; it is stopped alone, with its registers on the console,
 * and since it is domain 0, the machine ends or restarts.
 * Why: the alternative is a hypervisor that follows the guest into the ditch.
 * Checked by the runner: the domain is named as crashed, its rip is shown, no verdict follows.
 */
#include "ktest.h"

const char ktest_name[] = "crash-handler";

void crash_here(const void *rip);

/* Announces where the domain is going to die. */
void crash_here(const void *rip)
{
    printk("ktest: dies at %p\n", (void *)rip);
}

void test_main(void)
{
    hyp_set_trap_table(0);
    asm volatile("lea crash_at(%rip), %rdi\n call crash_here\n crash_at: ud2");
    ktest_finish(KTEST_FAILURE, "still alive");
}
