/* SPDX-License-Identifier: MIT */
/*
 * xsave: extended processor state, as kernels switch it on.
 *
 * ktest-run: cpu max
 * ktest-run: hv_options dom0_max_vcpus=2
 *
 * Promised: where forced cpuid shows XSAVE, a write of CR4.OSXSAVE is taken, CR4 and cpuid show it,
 * xsetbv takes valid masks and refuses the others, and the state in the mask belongs to a vCPU.
 * Why: Linux does this at boot; AVX registers that leak or get lost corrupt user programs.
 * Varied: masks of XCR0; two vCPUs on one CPU. Checked: xgetbv, exceptions, ymm registers.
 */
#include <xen/arch-x86/cpuid.h>

#include "event.h"
#include "probe.h"
#include "smp.h"
#include "snippet.h"

const char ktest_name[] = "xsave";

#define CR4_OSXSAVE (1UL << 18)
#define CPUID_XSAVE (1u << 26)
#define CPUID_OSXSAVE (1u << 27)
#define CPUID_AVX (1u << 28)

static uint32_t cpuid_1_ecx(void)
{
    uint32_t a = 1, b, c = 0, d;

    asm volatile(XEN_CPUID : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c;
}

static bool set_cr4(uint64_t value)
{
    return PROBE_ASM("mov %0, %%cr4", , "r"(value));
}

static uint64_t cr4(void)
{
    uint64_t value;

    asm volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static bool xsetbv_faults(uint32_t index, uint64_t value)
{
    return PROBE_ASM("xsetbv", ,
                     PROBE_ARGS("c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))));
}

static uint64_t xgetbv(void)
{
    uint32_t low, high;

    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void switch_on(void)
{
    test_case("CR4.OSXSAVE");
    check(!set_cr4(cr4() | CR4_OSXSAVE));
    check(cr4() & CR4_OSXSAVE);
    check(cpuid_1_ecx() & CPUID_OSXSAVE);
    test_case("xsetbv and xgetbv");
    check(!xsetbv_faults(0, 3));
    check_eq(xgetbv(), 3);
    check(!xsetbv_faults(0, 7));
    check_eq(xgetbv(), 7);
    test_case("xsetbv refuses");
    check(xsetbv_faults(0, 0));
    check_eq(this_cpu()->last.regs.vector, VEC_GP);
    check(xsetbv_faults(0, 2));
    check(xsetbv_faults(0, 5));
    check(xsetbv_faults(0, 1UL << 62 | 7));
    check(xsetbv_faults(7, 7));
    check_eq(xgetbv(), 7);
}

SNIPPET(user_xsetbv, "xor %ecx, %ecx\n xor %edx, %edx\n mov $7, %eax\n", "xsetbv");

static void user_may_not(void)
{
    struct exception e = run(regs_user(user_xsetbv_code));

    test_case("xsetbv in user mode");
    check_eq(e.regs.vector, VEC_GP);
    check_eq(e.regs.rip, user_xsetbv_at);
}

static void set_ymm(uint64_t seed)
{
    uint64_t x[4] = { seed, ~seed, seed * 3, seed * 5 };

    asm volatile("vmovups %0, %%ymm0\n vmovups %0, %%ymm6\n vmovups %0, %%ymm15" : : "m"(x));
}

static unsigned int wrong_ymm(uint64_t seed)
{
    uint64_t x[3][4];
    unsigned int wrong = 0;

    asm volatile("vmovups %%ymm0, (%0)\n vmovups %%ymm6, 32(%0)\n vmovups %%ymm15, 64(%0)"
                 : : "r"(x) : "memory");
    for (unsigned int i = 0; i < 3; i++)
        wrong += x[i][0] != seed || x[i][1] != ~seed || x[i][2] != seed * 3 || x[i][3] != seed * 5;
    return wrong;
}

static volatile bool stop;

static long other_owner(void)
{
    long wrong = 0;

    if (set_cr4(cr4() | CR4_OSXSAVE) || xsetbv_faults(0, 7))
        return -2;
    set_ymm(0x0fedcba987654321);
    while (!stop) {
        wrong += wrong_ymm(0x0fedcba987654321);
        hyp_sched_op(SCHEDOP_yield, 0);
    }
    return wrong;
}

static void kept_apart(void)
{
    unsigned int wrong = 0;

    test_case("two vCPUs on one CPU keep their ymm registers apart");
    ktest_require(smp_start(1, smp_worker) == 0);
    smp_run(1, other_owner);
    set_ymm(0x1122334455667788);
    for (uint64_t end = time_now() + 200000000; time_now() < end;) {
        wrong += wrong_ymm(0x1122334455667788);
        hyp_sched_op(SCHEDOP_yield, 0);
    }
    stop = true;
    check_eq(smp_wait(1), 0);
    check_eq(wrong, 0);
    check_eq(xgetbv(), 7);
}

void test_main(void)
{
    if (!(cpuid_1_ecx() & CPUID_XSAVE) || !(cpuid_1_ecx() & CPUID_AVX))
        ktest_finish(KTEST_SKIP, "no AVX on this processor");
    user_mode_init();
    switch_on();
    user_may_not();
    kept_apart();
}
