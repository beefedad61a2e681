/* SPDX-License-Identifier: MIT */
/*
 * crash-user: user mode entered without user page tables.
 *
 * ktest-run: crash (?s)ktest: dies at (\w{16}).*[Dd]omain 0 .*crashed.*\1
 *
 * Promised: user mode never runs on the kernel's tables. Either such a domain is stopped alone,
 * with its registers on the console, or its user finds nothing mapped and the kernel hears of it.
 * Why: with both in ring 3, the tables are all that parts them.
 * Checked: by the runner, the domain is named as crashed and its rip is shown; or here, the page
 * fault at the first user instruction.
 */
#include "ktest.h"

const char ktest_name[] = "crash-user";

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
    struct exception e;

    crash_here(crash_at);
    e = run(regs_user(crash_at));
    test_case("nothing is mapped for user mode");
    check_eq(e.regs.vector, VEC_PF);
    check_eq(e.cr2, crash_at);
    check_eq(e.regs.error & PFEC_U, PFEC_U);
    check_eq(e.regs.rip, crash_at);
    check_eq(e.regs.rbx, regs_user(crash_at).rbx);
}
