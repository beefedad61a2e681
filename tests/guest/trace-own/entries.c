/* SPDX-License-Identifier: MIT */
/* What is recorded of entries and returns: hypercalls, system calls, faults, irets. */
#include "rings.h"

#include "cases.h"
#include "pages.h"
#include "snippet.h"

SNIPPET(call, "mov $777, %eax", "syscall");
SNIPPET(fault, "", "mov (%rdi), %rsi");
SNIPPET(ud, "", "ud2");
SNIPPET(enter, "mov $779, %eax", "sysenter");

#define LOW_CODE 0x400000UL
extern const uint8_t call32_code[], call32_end[];
asm(".pushsection .text\n"
    ".code32\n"
    "call32_code: mov $778, %eax\n syscall\n"
    "call32_end: ud2\n"
    ".code64\n"
    ".popsection\n");

/* Nothing is printed in between, since that is a hypercall. */
void each_event(void)
{
    struct ktest_regs regs = regs_user(fault_code);

    test_case("entries, exits, system calls, faults and irets, each as often as it was");
    want_nothing();
    want(EV_pv_hypercall);
    want(EV_exit_hypercall);
    want(EV_bounce_syscall);
    want(EV_iret_user);
    want(EV_pv_page_fault);
    want(EV_pv_trap);
    user_mode_init();
    check_eq(start(RADON_TRACE_STREAM), 0);
    drain();
    versions(5);
    for (unsigned int i = 0; i < 3; i++)
        run(regs_user(call_code));
    regs.rdi = 0x123456789000;
    run(regs);
    run(regs_user(ud_code));
    start(RADON_TRACE_OFF);
    drain();
    check_eq(seen.versions, 5);
    check_eq(seen.exits, 5);
    check_eq(seen.result, 4 << 16 | 17);
    check_eq(seen.bounces, 3);
    check_eq(seen.bounce_number, 777);
    check_eq(seen.bounce_rip, call_after);
    check_eq(seen.irets, 5);
    check_eq(seen.iret_rip, ud_code);
    check_eq(seen.faults, 1);
    check_eq(seen.fault_address, 0x123456789000);
    check_eq(seen.traps, 1);
    check_eq(seen.lost, 0);
    check_eq(seen.others, 0);
    versions(3);
    drain();
    check_eq(seen.records, 0);
}

/* The one bounce since the last look, unless the processor has no such instruction. */
static void check_bounce(const struct exception *e, unsigned int vector, uint64_t number, uint64_t rip)
{
    check_eq(seen.bounces, e->regs.vector != VEC_UD);
    if (!seen.bounces)
        return;
    check_eq(e->regs.vector, vector);
    check_eq(seen.bounce_number, number);
    check_eq(seen.bounce_rip, rip);
}

/*
 * SYSCALL of 32-bit code is AMD's alone, SYSENTER in 64-bit mode Intel's: each is a system call, or the #UD of a
 * processor that has no such instruction.
 */
void other_system_calls(void)
{
    static uint8_t code[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
    struct ktest_regs regs = regs_user((void *)LOW_CODE);
    struct exception e;

    test_case("system calls by SYSCALL of 32-bit code and by SYSENTER");
    memcpy(code, call32_code, (size_t)(call32_end - call32_code));
    map_low(LOW_CODE, code);
    check_eq(callback_set(CALLBACKTYPE_syscall32, CALLBACKF_mask_events, ktest_syscall32_entry), 0);
    check_eq(callback_set(CALLBACKTYPE_sysenter, CALLBACKF_mask_events, ktest_sysenter_entry), 0);
    want_nothing();
    want(EV_bounce_syscall);
    regs.cs = FLAT_USER_CS32;
    regs.ss = FLAT_USER_SS32;
    regs.rsp = LOW_CODE + PAGE_BYTES - 64;
    regs.rflags |= RFLAGS_IF;
    start(RADON_TRACE_STREAM);
    drain();
    e = run_iret(regs);
    drain();
    check_bounce(&e, VEC_SYSCALL32, 778, LOW_CODE + (uint64_t)(call32_end - call32_code));
    regs = regs_user(enter_code);
    regs.rflags |= RFLAGS_IF;
    e = run_iret(regs);
    drain();
    check_bounce(&e, VEC_SYSENTER, 779, 0);
    this_cpu()->info->evtchn_upcall_mask = 1;
    start(RADON_TRACE_OFF);
}
