/* SPDX-License-Identifier: MIT */
/*
 * fpu: x87 and SSE registers belong to a vCPU, and CR0.TS is emulated.
 *
 * ktest-run: hv_options dom0_max_vcpus=2
 *
 * Promised (HYPERVISOR_fpu_taskswitch; XEN_CPUID of FXSR): after fpu_taskswitch(1), or TS set by a
 * write of cr0, the next use raises #NM exactly once, which also clears TS; clts and
 * fpu_taskswitch(0) clear it; nothing that a vCPU does loses or mixes its registers.
 * Why: a guest's lazy context switch; state that leaks is both wrong and a hole.
 * Varied: how TS is set and cleared; block, yield, preemption by a second vCPU on the same CPU.
 * Checked: exceptions; all xmm registers, mxcsr, the x87 control word and stack.
 */
#include "event.h"
#include "probe.h"
#include "smp.h"
#include "snippet.h"

const char ktest_name[] = "fpu";

SNIPPET(use_x87, "", "fnclex");
SNIPPET(use_sse, "", "xorps %xmm0, %xmm0");

static uint64_t read_cr0(void)
{
    uint64_t value;

    asm volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static unsigned int vector_of(const uint8_t *code, bool user)
{
    return (unsigned int)run(user ? regs_user(code) : regs_kernel(code)).regs.vector;
}

static void task_switched(void)
{
    for (unsigned int user = 0; user < 2; user++) {
        test_case("#NM once, %s mode", user ? "user" : "kernel");
        check_eq(hyp_fpu_taskswitch(1), 0);
        check(read_cr0() & 8);
        check_eq(vector_of(use_sse_code, user), VEC_NM);
        check(!(read_cr0() & 8));
        check_eq(vector_of(use_sse_code, user), VEC_UD);
        check_eq(hyp_fpu_taskswitch(1), 0);
        check_eq(vector_of(use_x87_code, user), VEC_NM);
        check_eq(vector_of(use_x87_code, user), VEC_UD);
    }
    test_case("TS cleared before use");
    check_eq(hyp_fpu_taskswitch(1), 0);
    check_eq(hyp_fpu_taskswitch(0), 0);
    check_eq(vector_of(use_sse_code, false), VEC_UD);
    check_eq(hyp_fpu_taskswitch(1), 0);
    asm volatile("clts");
    check(!(read_cr0() & 8));
    check_eq(vector_of(use_sse_code, false), VEC_UD);
    test_case("TS set by a write of cr0");
    asm volatile("mov %0, %%cr0" : : "r"(read_cr0() | 8));
    check(read_cr0() & 8);
    check_eq(vector_of(use_sse_code, false), VEC_NM);
    check_eq(vector_of(use_sse_code, false), VEC_UD);
}

static void set_registers(uint64_t seed)
{
    uint32_t mxcsr = 0x1f80 | (seed & 3) << 13;
    uint16_t control = 0x37f;
    uint64_t x[2] = { seed, ~seed };

    asm volatile("fninit\n fldcw %1\n fildq %2\n ldmxcsr %0\n"
                 "movups %2, %%xmm0\n movups %2, %%xmm1\n movups %2, %%xmm2\n"
                 "movups %2, %%xmm7\n movups %2, %%xmm8\n movups %2, %%xmm15\n"
                 : : "m"(mxcsr), "m"(control), "m"(x));
}

static unsigned int wrong_registers(uint64_t seed)
{
    uint64_t x[6][2], stack;
    uint32_t mxcsr;
    unsigned int wrong = 0;

    asm volatile("movups %%xmm0, (%2)\n movups %%xmm1, 16(%2)\n movups %%xmm2, 32(%2)\n"
                 "movups %%xmm7, 48(%2)\n movups %%xmm8, 64(%2)\n movups %%xmm15, 80(%2)\n"
                 "stmxcsr %0\n fistpq %1\n fildq %1\n"
                 : "=m"(mxcsr), "=m"(stack) : "r"(x) : "memory");
    for (unsigned int i = 0; i < 6; i++)
        wrong += x[i][0] != seed || x[i][1] != ~seed;
    wrong += mxcsr != (0x1f80 | (seed & 3) << 13);
    wrong += stack != seed;
    return wrong;
}

static void kept_over_sleep(void)
{
    test_case("registers survive hypercalls, sleep and yield");
    set_registers(0x1234567812345671);
    for (unsigned int i = 0; i < 5; i++) {
        events_disable(); /* block opens them: the timer cannot fire unseen before it */
        check_eq(hyp_set_timer_op(time_now() + 2000000), 0);
        check_eq(hyp_sched_op(SCHEDOP_block, 0), 0);
        check_eq(hyp_sched_op(SCHEDOP_yield, 0), 0);
        check_eq(wrong_registers(0x1234567812345671), 0);
    }
    events_disable();
}

static volatile bool stop;

static long other_owner(void)
{
    long wrong = 0;

    set_registers(0x0fedcba987654322);
    while (!stop) {
        wrong += wrong_registers(0x0fedcba987654322);
        hyp_sched_op(SCHEDOP_yield, 0);
    }
    return wrong;
}

static void kept_apart(void)
{
    unsigned int wrong = 0;

    test_case("two vCPUs on one CPU keep their registers apart");
    ktest_require(smp_start(1, smp_worker) == 0);
    smp_run(1, other_owner);
    set_registers(0x0011223344556673);
    for (uint64_t end = time_now() + 200000000; time_now() < end;) {
        wrong += wrong_registers(0x0011223344556673);
        hyp_sched_op(SCHEDOP_yield, 0);
        hyp_fpu_taskswitch(0);
    }
    stop = true;
    check_eq(smp_wait(1), 0);
    check_eq(wrong, 0);
}

void test_main(void)
{
    ktest_require(event_bind_virq(VIRQ_TIMER, 0) > 0);
    user_mode_init();
    task_switched();
    kept_over_sleep();
    kept_apart();
}
