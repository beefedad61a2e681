/* SPDX-License-Identifier: MIT */
/* Two vCPUs on one CPU: each has rows of its own, for the same places too. */
#include "sites.h"

#include "event.h"
#include "ktest.h"
#include "probe.h"
#include "smp.h"
#include "snippet.h"

SNIPPET(both_call, "mov $778, %eax", "syscall");
SNIPPET(both_ud, "", "ud2");

/* Entries of that kind and number, by vCPU: timed ones, and looks. */
static struct entries {
    uint64_t count, looks;
} of[2];

static void by_vcpu(unsigned int kind, uint32_t number, const void *address)
{
    of[0] = of[1] = (struct entries){ 0 };
    for (unsigned int i = 0; i < reading.room; i++) {
        const struct radon_site *r = &rows[i];

        ktest_require(r->vcpu < 2);
        if (r->kind != kind || r->number != number || r->address != (uint64_t)address)
            continue;
        of[r->vcpu].count += r->count;
        of[r->vcpu].looks += r->looks + r->bounced_looks;
    }
}

/* As often as the vCPU wants it; no entry of these kinds besides. */
static void work(unsigned int calls, unsigned int exceptions)
{
    for (unsigned int i = 0; i < calls; i++)
        run(regs_user(both_call_code));
    for (unsigned int i = 0; i < exceptions; i++)
        run(regs_kernel(both_ud_code));
    hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(this_cpu()->id)); /* the last one is over */
}

static long second_works(void)
{
    user_mode_init();
    work(31, 17);
    return 0;
}

static void exact(void)
{
    test_case("exact: two vCPUs at the same places");
    check_eq(control(RADON_SITES_EXACT, 0), 0);
    smp_run(1, second_works);
    work(12, 5);
    check_eq(smp_wait(1), 0);
    read_rows(0);
    by_vcpu(RADON_SITE_SYSCALL, 778, both_call_after);
    check_eq(of[0].count, 12);
    check_eq(of[1].count, 31);
    by_vcpu(RADON_SITE_TRAP, VEC_UD, both_ud_at);
    check_eq(of[0].count, 5);
    check_eq(of[1].count, 17);
    by_vcpu(RADON_SITE_HYPERCALL, __HYPERVISOR_iret, 0);
    check_eq(of[0].count, 12);
    check_eq(of[1].count, 31);
}

/* The kernel works on a system call of its user's. */
static long second_stays_in_call(void)
{
    run(regs_user(both_call_code));
    spin_ms(200);
    hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(1));
    return 0;
}

static void by_time(void)
{
    test_case("by time: which vCPU's");
    check_eq(control(RADON_SITES_SAMPLED, 65521), 0);
    smp_run(1, second_stays_in_call);
    check_eq(smp_wait(1), 0);
    read_rows(0);
    by_vcpu(RADON_SITE_SYSCALL, 778, both_call_after);
    check_eq(of[0].looks, 0);
    check(of[1].looks > 30);
}

void vcpus(void)
{
    ktest_require(smp_start(1, smp_worker) == 0);
    exact();
    by_time();
    check_eq(hyp_vcpu_op(VCPUOP_down, 1, 0), 0);
}
