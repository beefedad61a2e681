/* SPDX-License-Identifier: MIT */
/* Handlers of hypercalls: hits without a full frame and with one, passes, refusals, states. */
#include "capture.h"

#include "event.h"
#include "pages.h"
#include "prog.h"
#include "snippet.h"

#define VERSION __HYPERVISOR_xen_version
#define REAL_VERSION (4 << 16 | 17)
#define ANSWER 0x1234567

SNIPPET(hypercall, "", "syscall");

#define HYPERCALL_PROGRAM(number, insns)                                                           \
    make_program(FAST_ATTACH_HYPERCALL, number, 0, insns, sizeof(insns) / 8)

/* xen_version(0) is ANSWER; other commands are the hypervisor's. */
static const struct fast_insn filter[] = {
    LDX(2, 1, CTX(rdi)), JEQI(2, 0, 2), MOVI(0, 0), EXIT, MOVI(2, ANSWER), STX(1, 2, CTX(rax)),
    MOVI(0, 1), EXIT,
};

/* What lean runs have no room for: rax = rsp + rbx, rbx = number, rsi = rbp. */
static const struct fast_insn full[] = {
    LDX(2, 1, CTX(rsp)), LDX(3, 1, CTX(rbx)), I(0x0f, 2, 3, 0, 0), STX(1, 2, CTX(rax)),
    I(0x61, 2, 1, CTX(number), 0), STX(1, 2, CTX(rbx)), LDX(2, 1, CTX(rbp)), STX(1, 2, CTX(rsi)),
    MOVI(0, 1), EXIT,
};

/* rax = the word at rsi, which becomes rdx. */
static const struct fast_insn swap[] = {
    MOV(6, 1), LDX(7, 1, CTX(rsi)), MOV(1, 7), CALL(HELPER_LOAD64), STX(6, 0, CTX(rax)), MOV(1, 7),
    LDX(2, 6, CTX(rdx)), CALL(HELPER_STORE64), MOVI(0, 1), EXIT,
};

static struct ktest_regs regs_of(uint64_t number, uint64_t rdi)
{
    struct ktest_regs regs = regs_kernel(hypercall_code);

    regs.rax = number;
    regs.rdi = rdi;
    return regs;
}

/* The hypercall at regs, behind which all must be as it was but what `want` says. */
static void check_call(struct ktest_regs regs, struct ktest_regs want)
{
    struct exception e = run(regs);

    want.vector = VEC_UD;
    want.rip = want.rcx = (uint64_t)hypercall_after;
    want.r11 = e.regs.r11;
    check_regs(&e.regs, &want);
    check_eq((e.regs.r11 ^ regs.rflags) & (RFLAGS_CF | RFLAGS_AC | RFLAGS_NT | RFLAGS_TF), 0);
}

static void check_answer(uint64_t rdi, uint64_t rax)
{
    struct ktest_regs regs = regs_of(VERSION, rdi), want = regs;

    want.rax = rax;
    check_call(regs, want);
}

static void hits_and_passes(void)
{
    long id = install(HYPERCALL_PROGRAM(VERSION, filter), RADON_FAST_INSTALL_ACTIVE);
    struct radon_fast_info info;

    test_case("a hypercall that a handler answers, and those that it passes on");
    check(id > 0);
    check_answer(XENVER_version, ANSWER);
    check_answer(XENVER_pagesize, 4096);
    check_answer(0x999, (uint64_t)-XEN_ENOSYS);
    for (unsigned int i = 0; i < 1200; i++) /* by assembly, and now and then by C */
        if (hyp_xen_version(XENVER_version, 0) != ANSWER ||
            hyp_xen_version(XENVER_pagesize, 0) != 4096)
            check(!"the same answers");
    info = info_of((uint32_t)id);
    check_eq(info.hits, 1201);
    check_eq(info.passes[RADON_FAST_PASS_CHOSEN], 1202);
    check_eq(info.runs, 2403);
    check(info.cycles > 0);
    check_eq(info.attach_kind, FAST_ATTACH_HYPERCALL);

    test_case("other hypercalls, and numbers that there are not, are served as ever");
    check_eq(hyp_vcpu_op(VCPUOP_is_up, 0, 0), 1);
    check_eq(hypercall_raw(56, 0, 0, 0), -XEN_ENOSYS);
    check_eq(hypercall_raw(~0UL, 0, 0, 0), -XEN_ENOSYS);

    test_case("disabled, active again, removed");
    check_eq(control((uint32_t)id, RADON_FAST_DISABLED), 0);
    check_answer(XENVER_version, REAL_VERSION);
    check_eq(control((uint32_t)id, RADON_FAST_ACTIVE), 0);
    check_answer(XENVER_version, ANSWER);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
    check_answer(XENVER_version, REAL_VERSION);
}

static void registers(void)
{
    long id = install(HYPERCALL_PROGRAM(VERSION, full), RADON_FAST_INSTALL_ACTIVE);
    struct ktest_regs regs = regs_of(VERSION, 0), want = regs;

    test_case("a handler that reads and writes registers of all kinds");
    check(id > 0);
    want.rax = regs.rsp + regs.rbx;
    want.rbx = VERSION;
    want.rsi = regs.rbp;
    check_call(regs, want);
    check_call(regs, want);
    check_eq(info_of((uint32_t)id).hits, 2);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

static void stores(void)
{
    uint64_t *page = page_alloc();
    long id = install(HYPERCALL_PROGRAM(VERSION, swap), RADON_FAST_INSTALL_ACTIVE);
    struct ktest_regs regs = regs_of(VERSION, XENVER_pagesize), want = regs;

    test_case("staged stores are done");
    check(id > 0);
    page[3] = 7;
    want.rsi = regs.rsi = (uint64_t)&page[3];
    want.rdx = regs.rdx = 8;
    for (unsigned int i = 0; i < 3; i++) { /* the first one by C */
        want.rax = page[3];
        check_call(regs, want);
        check_eq(page[3], 8);
        page[3] = 20 + i;
    }
    test_case("rule 2: a page that may not be written: the hypervisor serves it");
    ktest_require(page_readonly(page) == 0);
    want.rax = 4096;
    check_call(regs, want);
    check_eq(page[3], 22);
    ktest_require(page_writable(page) == 0);
    test_case("rules 1 and 6: not mapped; the hypervisor's; a vcpu_info");
    want.rsi = regs.rsi = 0x5000;
    check_call(regs, want);
    want.rsi = regs.rsi = 0xffff82d080000000;
    check_call(regs, want);
    want.rsi = regs.rsi = (uint64_t)this_cpu()->info;
    check_call(regs, want);
    check_eq(info_of((uint32_t)id).passes[RADON_FAST_PASS_STORE], 2);
    check_eq(info_of((uint32_t)id).passes[RADON_FAST_PASS_LOAD], 2);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

static void events(void)
{
    long id = install(HYPERCALL_PROGRAM(VERSION, filter), RADON_FAST_INSTALL_ACTIVE);
    long port = event_bind_ipi(0);

    test_case("rule 6: what is pending is delivered behind it");
    for (unsigned int i = 0; i < 3; i++) {
        unsigned long before = ktest_event_count[port];

        this_cpu()->info->evtchn_upcall_mask = 1;
        event_send((unsigned int)port);
        check_eq(hyp_xen_version(XENVER_version, 0), ANSWER);
        check_eq(ktest_event_count[port], before);
        this_cpu()->info->evtchn_upcall_mask = 0;
        check_eq(hyp_xen_version(XENVER_version, 0), ANSWER);
        check_eq(ktest_event_count[port], before + 1);
        this_cpu()->info->evtchn_upcall_mask = 1;
    }
    check_eq(event_close((unsigned int)port), 0);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

static void states(void)
{
    long id = install(HYPERCALL_PROGRAM(VERSION, filter), RADON_FAST_INSTALL_ACTIVE);
    struct ktest_regs regs = regs_of(VERSION, XENVER_version), want = regs;
    struct multicall_entry entry = { .op = VERSION, .args = { XENVER_version } };

    test_case("rule 8: AC, NT and live debug registers");
    check_answer(XENVER_version, ANSWER); /* by C; what follows would be by assembly */
    want.rax = REAL_VERSION;
    regs.rflags = want.rflags |= RFLAGS_AC;
    check_call(regs, want);
    regs.rflags = want.rflags = (want.rflags & ~RFLAGS_AC) | RFLAGS_NT;
    check_call(regs, want);
    check_eq(hyp_set_debugreg(0, 0x400000), 0);
    check_eq(hyp_set_debugreg(7, 0x401), 0);
    check_answer(XENVER_version, REAL_VERSION);
    check_eq(hyp_set_debugreg(7, 0x400), 0);
    check_answer(XENVER_version, ANSWER);
    check_eq(info_of((uint32_t)id).passes[RADON_FAST_PASS_STATE], 3);

    test_case("an entry of a multicall has no registers: the hypervisor serves it");
    check_eq(hyp_multicall(&entry, 1), 0);
    check_eq(entry.result, REAL_VERSION);

    test_case("rule 16: vm_assist retires it");
    check_answer(XENVER_version, ANSWER);
    hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
    check_answer(XENVER_version, REAL_VERSION);
    check_eq(info_of((uint32_t)id).reason, RADON_FAST_GUEST_STATE);
}

static void refusals(void)
{
    static const struct fast_insn writes_rcx[] = { MOVI(2, 1), STX(1, 2, CTX(rcx)), MOVI(0, 1), EXIT };
    static const struct fast_insn writes_r11[] = { MOVI(2, 1), STX(1, 2, CTX(r11)), MOVI(0, 1), EXIT };
    long id;

    test_case("no shadow: what a hypercall does is not in memory and registers");
    check_eq(install(HYPERCALL_PROGRAM(VERSION, filter), 0), -XEN_EOPNOTSUPP);
    id = install(HYPERCALL_PROGRAM(VERSION, filter), RADON_FAST_INSTALL_ACTIVE);
    check(id > 0);
    check_eq(control((uint32_t)id, RADON_FAST_SHADOW), -XEN_EOPNOTSUPP);
    check_answer(XENVER_version, ANSWER);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);

    test_case("iret, radon_op, and numbers without a hypercall");
    check_eq(install(HYPERCALL_PROGRAM(__HYPERVISOR_iret, filter), RADON_FAST_INSTALL_ACTIVE),
             -XEN_EINVAL);
    check_eq(install(HYPERCALL_PROGRAM(RADON_HYPERCALL, filter), RADON_FAST_INSTALL_ACTIVE),
             -XEN_EINVAL);
    check_eq(install(HYPERCALL_PROGRAM(56, filter), RADON_FAST_INSTALL_ACTIVE), -XEN_EINVAL);
    check_eq(install(HYPERCALL_PROGRAM(63, filter), RADON_FAST_INSTALL_ACTIVE), -XEN_EINVAL);
    check(install(HYPERCALL_PROGRAM(64, filter), RADON_FAST_INSTALL_ACTIVE) < -1000);

    test_case("rcx and r11, which SYSCALL leaves as they are");
    check(install(HYPERCALL_PROGRAM(VERSION, writes_rcx), RADON_FAST_INSTALL_ACTIVE) < -1000);
    check(install(HYPERCALL_PROGRAM(VERSION, writes_r11), RADON_FAST_INSTALL_ACTIVE) < -1000);
}

void hypercall_tests(void)
{
    hits_and_passes();
    registers();
    stores();
    events();
    states();
    refusals();
}
