/* SPDX-License-Identifier: MIT */
/*
 * Handlers of exceptions; and the record of a page fault that the guest kernel does not see: where,
 * what for, and the reason.
 */
#include "capture.h"
#include "events.h"
#include "pages.h"
#include "prog.h"
#include "snippet.h"

#define NR 41
#define NOWHERE 0x5008ul

SNIPPET(bad, "", "mov (%rdi), %rsi");

/* rsi = cr2, and over the instruction of 3 bytes. */
static const struct fast_insn fix[] = {
    LDX(2, 1, CTX(cr2)), STX(1, 2, CTX(rsi)), LDX(2, 1, CTX(rip)), ADDI(2, 3),
    STX(1, 2, CTX(rip)), MOVI(0, 1), EXIT,
};

static struct exception go(struct ktest_regs regs)
{
    struct exception e = run_iret(regs);

    this_cpu()->info->evtchn_upcall_mask = 1;
    return e;
}

static struct ktest_regs regs_at(uint64_t rdi)
{
    struct ktest_regs regs = regs_user(bad_code);

    regs.rdi = rdi;
    regs.rflags |= RFLAGS_IF;
    return regs;
}

static void handlers(void)
{
    static const struct fast_insn wild[] = { /* not canonical */
        LDDW(2, 0x0000900000000000), STX(1, 2, CTX(rip)), MOVI(0, 1), EXIT,
    };
    struct ktest_regs regs = regs_at(NOWHERE);
    struct exception e;
    long id;

    test_case("a page fault that a handler steps over");
    check_eq(go(regs).regs.vector, VEC_PF);
    id = install(make_program(FAST_ATTACH_EXCEPTION, VEC_PF, (uint64_t)bad_at, fix, 7),
                 RADON_FAST_INSTALL_ACTIVE);
    check(id > 0);
    e = go(regs);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rip, bad_after);
    check_eq(e.regs.rsi, NOWHERE);
    check_eq(info_of((uint32_t)id).hits, 1);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
    check_eq(go(regs).regs.vector, VEC_PF);
    test_case("handlers elsewhere, also with the same low bits, have no part in it");
    for (unsigned int i = 1; i <= 128; i *= 2) {
        id = install(make_program(FAST_ATTACH_EXCEPTION, VEC_PF, (uint64_t)bad_at + i, fix, 7),
                     RADON_FAST_INSTALL_ACTIVE);
        check(id > 0);
        check_eq(go(regs).regs.vector, VEC_PF);
        check_eq(info_of((uint32_t)id).runs, 0);
        check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
    }
    test_case("rule 8: an instruction pointer that is not canonical");
    id = install(make_program(FAST_ATTACH_EXCEPTION, VEC_PF, (uint64_t)bad_at, wild, 5),
                 RADON_FAST_INSTALL_ACTIVE);
    check(id > 0);
    check_eq(go(regs).regs.vector, VEC_PF);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

/* ------------------------------------------------------------------ records of faults that are kept */

static void kept_begin(void)
{
    static const enum event want[] = { EV_fault_kept, EV_pv_page_fault };

    events_begin(want, sizeof(want) / sizeof(want[0]));
}

/* The one record; rip 0: some place in the hypervisor. */
static void check_kept(uint64_t rip, uint64_t address, uint32_t error_code, enum radon_fault_why why)
{
    events_end();
    check_eq(nr_seen, 1);
    check_eq(seen[0].event, EV_fault_kept);
    if (rip)
        check_eq(*(uint64_t *)&seen[0].words[0], rip);
    else
        check(*(uint64_t *)&seen[0].words[0] - HYPERVISOR_VIRT_START <
              HYPERVISOR_VIRT_END - HYPERVISOR_VIRT_START);
    check_eq(*(uint64_t *)&seen[0].words[2], address);
    check_eq(seen[0].words[4], error_code);
    check_eq(seen[0].words[5], why);
}

static void kept(void)
{
    static const struct fast_insn load[] = {
        LDX(1, 1, CTX(rdi)), CALL(HELPER_LOAD64), MOVI(0, 1), EXIT,
    };
    extern const uint8_t kept_write_at[];
    uint64_t *page = page_alloc();
    volatile uint64_t *entry = kernel_entry(page, 1);
    long id;

    test_case("records of faults: a write to a page table");
    kept_begin();
    asm volatile("kept_write_at: mov %1, %0" : "=m"(*entry) : "r"(*entry & ~PTE_A));
    check_kept((uint64_t)kept_write_at, (uint64_t)entry, 7, RADON_FAULT_PAGE_TABLE);

    test_case("records of faults: the hypervisor's own access");
    kept_begin();
    check_eq(hyp_xen_version(XENVER_extraversion, (void *)NOWHERE), -XEN_EFAULT);
    check_kept(0, NOWHERE, 2, RADON_FAULT_ACCESS);

    test_case("records of faults: a handler did it");
    id = install(make_program(FAST_ATTACH_EXCEPTION, VEC_PF, (uint64_t)bad_at, fix, 7),
                 RADON_FAST_INSTALL_ACTIVE);
    kept_begin();
    check_eq(go(regs_at(NOWHERE)).regs.vector, VEC_UD);
    check_kept((uint64_t)bad_at, NOWHERE, 4, RADON_FAULT_HANDLER);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);

    test_case("records of faults: a handler's own load");
    id = install(PROGRAM(NR, load), RADON_FAST_INSTALL_ACTIVE);
    kept_begin();
    user_syscall(NR, NOWHERE, 0);
    check_kept(0, NOWHERE, 0, RADON_FAULT_HANDLER_LOAD);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);

    test_case("records of faults: one that the guest kernel has is not among them");
    kept_begin();
    go(regs_at(NOWHERE));
    events_end();
    check_eq(nr_seen, 1);
    check_eq(seen[0].event, EV_pv_page_fault);
}

void exception_tests(void)
{
    handlers();
    kept();
}
