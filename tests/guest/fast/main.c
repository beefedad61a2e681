/* SPDX-License-Identifier: MIT */
/*
 * fast: handlers that a domain installs for itself.
 *
 * Promised (hv/include/public/radon.h, docs/fast-hypervisor.md): an active handler finishes an entry
 * (hit: effects taken, user mode goes on) or leaves it as it was (pass: the guest kernel is entered);
 * what is refused changes nothing; what a handler rests on retires it when it changes.
 * Varied: registers, guest memory of all kinds, flags, limits, states, what happens meanwhile.
 * Checked: where user mode goes on, every register, memory, counters, states and reasons.
 * ktest-run: smp 2
 */
#include "capture.h"
#include "entries.h"
#include "event.h"
#include "pages.h"
#include "prog.h"
#include "smp.h"
#include "snippet.h"

const char ktest_name[] = "fast";

#define NR 39 /* a system call */

SNIPPET(sys, ".balign 4096", "syscall");
#define SYS_CODE 0x20000001000ul /* where it is mapped too: the lean path goes back to the lower half */
#define SYS_AFTER (SYS_CODE + 2)

static uint64_t cell __attribute__((aligned(4096)));
static uint64_t *page;

/* rax = the word at `cell`, unless rdi is 1: then the handler passes. */
static struct fast_insn answer[] = {
    MOV(6, 1), LDX(2, 1, CTX(rdi)), JEQI(2, 1, 6), LDDW(1, 0UL), CALL(HELPER_LOAD64),
    STX(6, 0, CTX(rax)), MOVI(0, 1), EXIT, MOVI(0, 0), EXIT,
};

/* The word at rdi becomes rsi; rax = what it was. */
static const struct fast_insn swap[] = {
    MOV(6, 1), LDX(7, 1, CTX(rdi)), MOV(1, 7), CALL(HELPER_LOAD64), STX(6, 0, CTX(rax)), MOV(1, 7),
    LDX(2, 6, CTX(rsi)), CALL(HELPER_STORE64), MOVI(0, 1), EXIT,
};

static struct ktest_regs call_regs(uint64_t rdi, uint64_t rsi)
{
    struct ktest_regs regs = regs_user((void *)SYS_CODE);

    regs.rax = NR;
    regs.rdi = rdi;
    regs.rsi = rsi;
    regs.rflags |= RFLAGS_IF;
    return regs;
}

static struct exception go(struct ktest_regs regs)
{
    struct exception e = run_iret(regs);

    e.regs.rflags &= ~RFLAGS_RF;
    this_cpu()->info->evtchn_upcall_mask = 1;
    return e;
}

/* A system call that must be a hit: user mode goes on behind it, with all registers but rax. */
static void check_hit(struct ktest_regs regs, uint64_t rax)
{
    struct ktest_regs want = regs;
    struct exception e = go(regs);

    want.vector = VEC_UD;
    want.rip = want.rcx = SYS_AFTER;
    want.r11 = regs.rflags;
    want.rax = rax;
    check_regs(&e.regs, &want);
}

/* One that must reach the guest kernel as if there were no handler. */
static void check_pass(struct ktest_regs regs)
{
    struct ktest_regs want = regs;
    struct exception e = go(regs);

    want.vector = VEC_SYSCALL;
    want.rip = want.rcx = SYS_AFTER;
    want.r11 = regs.rflags;
    check_regs(&e.regs, &want);
}

static void hits_and_passes(void)
{
    struct radon_fast_info info;
    long id;

    cell = 0x1122334455667788;
    test_case("no handler: the guest kernel");
    check_pass(call_regs(0, 0));
    test_case("a hit");
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check(id > 0);
    check_hit(call_regs(0, 0), cell);
    cell++;
    check_hit(call_regs(5, 0), cell);
    test_case("the handler passes");
    check_pass(call_regs(1, 0));
    info = info_of((uint32_t)id);
    check_eq(info.hits, 2);
    check_eq(info.passes[RADON_FAST_PASS_CHOSEN], 1);
    check_eq(info.runs, 3);
    check_eq(info.state, RADON_FAST_ACTIVE);
    test_case("disabled, active again, removed");
    check_eq(control((uint32_t)id, RADON_FAST_DISABLED), 0);
    check_pass(call_regs(0, 0));
    check_eq(control((uint32_t)id, RADON_FAST_ACTIVE), 0);
    check_hit(call_regs(0, 0), cell);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
    check(!exists((uint32_t)id));
    check_pass(call_regs(0, 0));
    check_eq(control((uint32_t)id, RADON_FAST_ACTIVE), -XEN_ENOENT);
}

/* What a handler wrote before it passed is nobody's. */
static void pass_after_writes(void)
{
    const struct fast_insn insns[] = {
        MOV(6, 1), MOVI(2, 77), STX(6, 2, CTX(rax)), LDX(1, 6, CTX(rdi)), MOVI(2, 5),
        CALL(HELPER_STORE64), MOVI(0, 0), EXIT,
    };
    long id = install(PROGRAM(NR, insns), RADON_FAST_INSTALL_ACTIVE);

    test_case("a pass after a result and a store");
    page[4] = 1;
    check(id > 0);
    for (unsigned int i = 0; i < 70; i++) /* by assembly, and now and then by C */
        check_pass(call_regs((uint64_t)&page[4], 0));
    check_eq(page[4], 1);
    check_eq(info_of((uint32_t)id).passes[RADON_FAST_PASS_CHOSEN], 70);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

/* rsi to the word at r8, rax = the word at rdi: by a helper where they are near, since a store is in between. */
static const struct fast_insn store_and_load[] = {
    MOV(6, 1), LDX(1, 6, CTX(r8)), LDX(2, 6, CTX(rsi)), CALL(HELPER_STORE64), LDX(1, 6, CTX(rdi)),
    CALL(HELPER_LOAD64), STX(6, 0, CTX(rax)), MOVI(0, 1), EXIT,
};

static void stopped_once(void)
{
    long id = install(PROGRAM(NR, store_and_load), RADON_FAST_INSTALL_ACTIVE);
    struct ktest_regs good = call_regs((uint64_t)&page[4], 9), bad = call_regs(0x1000, 9);

    test_case("a run that a load stopped is nothing to the next one");
    check(id > 0);
    good.r8 = bad.r8 = (uint64_t)&page[4];
    page[4] = 1;
    for (unsigned int i = 0; i < 70; i++) {
        check_pass(bad);
        good.rsi++;
        check_hit(good, good.rsi);
        check_eq(page[4], good.rsi);
    }
    check_eq(info_of((uint32_t)id).passes[RADON_FAST_PASS_LOAD], 70);
    check_eq(info_of((uint32_t)id).hits, 70);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

/* The page of a vcpu_info that was moved there: its rest may be stored to, itself not. */
static void moved_vcpu_info(void)
{
    struct vcpu_register_vcpu_info r = { .mfn = mfn_of(page), .offset = 512 };
    long id = install(PROGRAM(NR, swap), RADON_FAST_INSTALL_ACTIVE);

    test_case("rule 6: a vcpu_info in the guest's own memory");
    check_eq(hyp_vcpu_op(VCPUOP_register_vcpu_info, 0, &r), 0);
    this_cpu()->info = (void *)((char *)page + 512);
    page[3] = 7;
    check_hit(call_regs((uint64_t)&page[3], 8), 7);
    check_eq(page[3], 8);
    check_pass(call_regs((uint64_t)page + 512, 1));
    check_pass(call_regs((uint64_t)page + 568, 1));
    check_pass(call_regs((uint64_t)page + 505, 1));
    page[72] = 3;
    check_hit(call_regs((uint64_t)&page[72], 9), 3);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

static void other_numbers(void)
{
    struct ktest_regs regs = call_regs(0, 0);
    long id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);

    test_case("other system calls, and numbers beyond all");
    regs.rax = NR + 1;
    check_pass(regs);
    regs.rax = 1024;
    check_pass(regs);
    regs.rax = ~0UL;
    check_pass(regs);
    regs.rax = NR | 1UL << 32;
    check_pass(regs);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

/* ------------------------------------------------------------------ memory (rules 1 and 2) */

static void stores(void)
{
    long id = install(PROGRAM(NR, swap), RADON_FAST_INSTALL_ACTIVE);
    struct radon_fast_info info;

    test_case("a store");
    page[3] = 7;
    check_hit(call_regs((uint64_t)&page[3], 8), 7);
    check_eq(page[3], 8);
    check_hit(call_regs((uint64_t)&page[3], 9), 8);
    check_eq(page[3], 9);

    test_case("rule 2: read-only, a page table, shared_info, vcpu_info; across pages");
    ktest_require(page_readonly(page) == 0);
    check_pass(call_regs((uint64_t)&page[3], 10));
    ktest_require(page_writable(page) == 0);
    check_eq(page[3], 9);
    check_pass(call_regs((uint64_t)kernel_entry(page, 1), 0));
    check_pass(call_regs((uint64_t)&shared_info->wc_sec, 1));
    check_pass(call_regs((uint64_t)this_cpu()->info, 1));
    check_pass(call_regs((uint64_t)page + 4092, 1));
    info = info_of((uint32_t)id);
    check_eq(info.passes[RADON_FAST_PASS_STORE], 5);

    test_case("rule 1: the hypervisor's range, not canonical, not mapped");
    check_pass(call_regs(0xffff82d080000000, 1));
    check_pass(call_regs(0xffff800000000000, 1));
    check_pass(call_regs(0xffff87fffffffff8, 1));
    check_pass(call_regs(0xffff7ffffffffffc, 1));
    check_pass(call_regs(1UL << 63, 1));
    check_pass(call_regs(0x5000, 1));
    info = info_of((uint32_t)id);
    check_eq(info.passes[RADON_FAST_PASS_LOAD], 6);
    check_eq(info.hits, 2);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

/* ------------------------------------------------------------------ rule 8 */

static void states(void)
{
    long id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    struct ktest_regs regs = call_regs(0, 0);

    test_case("rule 8: AC and NT pass");
    regs.rflags |= RFLAGS_AC;
    check_pass(regs);
    regs = call_regs(0, 0);
    regs.rflags |= RFLAGS_NT;
    check_pass(regs);
    check_eq(info_of((uint32_t)id).passes[RADON_FAST_PASS_STATE], 2);
    test_case("rule 8: live debug registers pass");
    check_eq(hyp_set_debugreg(0, 0x400000), 0);
    check_eq(hyp_set_debugreg(7, 0x401), 0);
    check_pass(call_regs(0, 0));
    check_eq(hyp_set_debugreg(7, 0x400), 0);
    check_hit(call_regs(0, 0), cell);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

/* ------------------------------------------------------------------ refusals and limits */

static void refusals(void)
{
    static const struct fast_insn no_exit[] = { MOVI(0, 1) };
    static const struct fast_insn loop[] = { MOVI(0, 1), I(0x05, 0, 0, -2, 0), EXIT };
    static char text[512];
    struct radon_fast_install op = { .text = (uint64_t)text, .text_bytes = sizeof(text) };
    struct program *p = PROGRAM(NR, answer);
    uint32_t id;

    test_case("programs that are refused change nothing");
    check(install_op(PROGRAM(NR, no_exit), &op) < -1000);
    check_eq(op.id, 0);
    check_eq(memcmp(text, "refused: ", 9), 0);
    check(install(PROGRAM(NR, loop), RADON_FAST_INSTALL_ACTIVE) < -1000);
    check_pass(call_regs(0, 0));
    p = PROGRAM(NR, answer);
    p->head.magic++;
    check(install(p, RADON_FAST_INSTALL_ACTIVE) < -1000);
    p = PROGRAM(1024, answer);
    check(install(p, RADON_FAST_INSTALL_ACTIVE) < -1000);
    p = PROGRAM(NR, answer);
    p->head.total_bytes += 8;
    check(install(p, RADON_FAST_INSTALL_ACTIVE) < -1000);

    test_case("fields out of range, bad pointers");
    check_eq(install(PROGRAM(NR, answer), 0x100), -XEN_EINVAL);
    op = (struct radon_fast_install){ .domain = DOMID_SELF, .bytes = 1 << 20 };
    check_eq(radon_op(RADON_FAST_INSTALL, &op), -XEN_EINVAL);
    op = (struct radon_fast_install){ .domain = DOMID_SELF, .bytes = 72, .program = 0x5000 };
    check_eq(radon_op(RADON_FAST_INSTALL, &op), -XEN_EFAULT);
    op = (struct radon_fast_install){ .domain = 77, .bytes = 72, .program = (uint64_t)p };
    check_eq(radon_op(RADON_FAST_INSTALL, &op), -XEN_ESRCH);

    test_case("verified only: accepted, not installed");
    op = (struct radon_fast_install){ .flags = RADON_FAST_INSTALL_VERIFY_ONLY };
    check_eq(install_op(PROGRAM(NR, answer), &op), 0);
    check_pass(call_regs(0, 0));

    test_case("as many as a domain may have; the oldest retired one makes room");
    id = 0;
    for (unsigned int i = 0; i < RADON_FAST_MAX_HANDLERS; i++) {
        long rc = install(PROGRAM(100 + i, answer), RADON_FAST_INSTALL_ACTIVE);

        ktest_require(rc > 0);
        if (!id)
            id = (uint32_t)rc;
    }
    check_eq(install(PROGRAM(300, answer), 0), -XEN_ENOSPC);
    for (unsigned int i = 0; i < RADON_FAST_MAX_HANDLERS; i++)
        check_eq(control(id + i, RADON_FAST_RETIRED), 0);
    check(install(PROGRAM(300, answer), 0) > 0);
}

static void switches(void)
{
    struct radon_fast_switch op = { .domain = DOMID_SELF };
    uint32_t id = (uint32_t)install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    struct radon_fast_info info;

    test_case("a domain's switch: all are retired, new ones refused");
    check_hit(call_regs(0, 0), cell);
    check_eq(radon_op(RADON_FAST_SWITCH, &op), 0);
    check_pass(call_regs(0, 0));
    info = info_of(id);
    check_eq(info.state, RADON_FAST_RETIRED);
    check_eq(info.reason, RADON_FAST_SWITCHED_OFF);
    check_eq(install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE), -XEN_EPERM);
    op.on = 1;
    check_eq(radon_op(RADON_FAST_SWITCH, &op), 0);
    check_pass(call_regs(0, 0)); /* retired is for good */
    id = (uint32_t)install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check_hit(call_regs(0, 0), cell);
    test_case("the machine's switch");
    op = (struct radon_fast_switch){ .domain = RADON_DOMID_ANY };
    check_eq(radon_op(RADON_FAST_SWITCH, &op), 0);
    check_pass(call_regs(0, 0));
    check_eq(install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE), -XEN_EPERM);
    op.on = 1;
    check_eq(radon_op(RADON_FAST_SWITCH, &op), 0);
    test_case("replaced by another one for the same call");
    id = (uint32_t)install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check(install(PROGRAM(NR, swap), RADON_FAST_INSTALL_ACTIVE) > 0);
    check_eq(info_of(id).reason, RADON_FAST_REPLACED);
}

/* ------------------------------------------------------------------ rules 9 and 10 */

static long install_watching(const void *address, uint64_t hash)
{
    struct radon_fast_watch watch = { (uint64_t)address, hash };
    struct radon_fast_install op = { .flags = RADON_FAST_INSTALL_ACTIVE, .nr_watches = 1,
                                     .watches = (uint64_t)&watch };

    return install_op(PROGRAM(NR, answer), &op);
}

static uint64_t hash_of(const void *at)
{
    const uint8_t *p = at;
    uint64_t hash = RADON_FAST_HASH_START;

    for (unsigned int i = 0; i < PAGE_BYTES; i++)
        hash = (hash ^ p[i]) * RADON_FAST_HASH_PRIME;
    return hash;
}

static void check_retired(long id, uint8_t reason)
{
    struct radon_fast_info info = info_of((uint32_t)id);

    check_eq(info.state, RADON_FAST_RETIRED);
    check_eq(info.reason, reason);
    check_pass(call_regs(0, 0));
}

static void watches(void)
{
    uint64_t *text = page_alloc(), *alias = page_alloc();
    uint64_t entry;
    long id;

    test_case("rule 9: what has a writable mapping is refused");
    text[0] = 1;
    check_eq(install_watching(text, 0), -XEN_EBUSY);
    ktest_require(page_readonly(text) == 0);
    check_eq(install_watching((void *)0x5000, 0), -XEN_EFAULT);
    check_eq(install_watching(text, hash_of(text) + 1), -XEN_EINVAL);
    check_pass(call_regs(0, 0));
    id = install_watching(text, hash_of(text));
    check(id > 0);
    check_hit(call_regs(0, 0), cell);

    test_case("rule 10: the page becomes writable");
    ktest_require(page_writable(text) == 0);
    check_retired(id, RADON_FAST_TEXT_CHANGED);

    test_case("rule 10: writable at another address");
    ktest_require(page_readonly(text) == 0);
    id = install_watching(text, 0);
    check_hit(call_regs(0, 0), cell);
    entry = *kernel_entry(alias, 1);
    check_eq(map_va(alias, mfn_of(text) * PAGE_BYTES | PTE_RO), 0);
    check_hit(call_regs(0, 0), cell);
    check_eq(map_va(alias, mfn_of(text) * PAGE_BYTES | PTE_RW), 0);
    check_retired(id, RADON_FAST_TEXT_CHANGED);
    check_eq(map_va(alias, entry), 0);

    test_case("rule 10: the address maps another frame, by each way to change it");
    for (unsigned int way = 0; way < 3; way++) {
        uint64_t frame = mfn_of(text) * PAGE_BYTES, other = mfn_of(alias) * PAGE_BYTES;

        id = install_watching(text, 0);
        check(id > 0);
        check_hit(call_regs(0, 0), cell);
        if (way == 0)
            check_eq(map_va(text, other | PTE_RO), 0);
        else if (way == 1)
            check_eq(mmu_update_one(machine_of((void *)kernel_entry(text, 1)), other | PTE_RO), 0);
        else
            *kernel_entry(text, 1) = other | PTE_RO; /* a direct write */
        check_retired(id, RADON_FAST_MAP_CHANGED);
        check_eq(map_va(text, frame | PTE_RO), 0);
    }
}

/* ------------------------------------------------------------------ rule 16 */

static void guest_state(void)
{
    static uint64_t ldt[512] __attribute__((aligned(4096)));
    long id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);

    test_case("rule 16: vm_assist");
    check_hit(call_regs(0, 0), cell);
    hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
    check_retired(id, RADON_FAST_GUEST_STATE);
    test_case("rule 16: callbacks");
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, ktest_syscall_entry), 0);
    check_retired(id, RADON_FAST_GUEST_STATE);
    test_case("rule 16: an LDT, and none any more");
    check_eq(page_readonly(ldt), 0);
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check_eq(mmuext(MMUEXT_SET_LDT, (uint64_t)ldt, 512), 0);
    check_retired(id, RADON_FAST_GUEST_STATE);
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    check_retired(id, RADON_FAST_GUEST_STATE);
    check_eq(page_writable(ldt), 0);
}

/* Rule 10 across vCPUs: the other one takes the page away while this one uses the handler. */
static uint64_t *watched_page;

static long make_writable(void)
{
    return page_writable(watched_page);
}

static void vcpus(void)
{
    long id, alone;

    test_case("rule 16: a vCPU comes online");
    check_eq(hyp_vcpu_op(VCPUOP_initialise, 1, smp_context(1, smp_worker)), 0);
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    alone = install(PROGRAM(NR + 1, answer), RADON_FAST_INSTALL_ACTIVE | RADON_FAST_ONE_VCPU);
    check(alone > 0);
    check_hit(call_regs(0, 0), cell);
    check_eq(hyp_vcpu_op(VCPUOP_up, 1, 0), 0);
    check_retired(id, RADON_FAST_VCPUS);
    check_retired(alone, RADON_FAST_VCPUS);

    entry_vcpu_tests();

    test_case("rules 3, 4: what was made for one vCPU is refused while there are two");
    check_eq(install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE | RADON_FAST_ONE_VCPU), -XEN_EBUSY);
    check_eq(install(PROGRAM(NR, answer), RADON_FAST_ONE_VCPU), -XEN_EBUSY);
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check_hit(call_regs(0, 0), cell);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);

    shadow_races();
    test_case("rule 10: another vCPU makes a watched page writable");
    watched_page = page_alloc();
    ktest_require(page_readonly(watched_page) == 0);
    id = install_watching(watched_page, 0);
    check_hit(call_regs(0, 0), cell);
    smp_run(1, make_writable);
    check_eq(smp_wait(1), 0);
    check_retired(id, RADON_FAST_TEXT_CHANGED);

    test_case("rule 16: a vCPU goes offline");
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE);
    check_hit(call_regs(0, 0), cell);
    check_eq(hyp_vcpu_op(VCPUOP_down, 1, 0), 0);
    check_retired(id, RADON_FAST_VCPUS);
    id = install(PROGRAM(NR, answer), RADON_FAST_INSTALL_ACTIVE | RADON_FAST_ONE_VCPU);
    check_hit(call_regs(0, 0), cell);
    check_eq(control((uint32_t)id, RADON_FAST_RETIRED), 0);
}

void test_main(void)
{
    user_mode_init();
    map_low(SYS_CODE, sys_at);
    answer[3].imm = (int32_t)(uint64_t)&cell; /* it passes where rdi is 1 */
    answer[4].imm = (int32_t)((uint64_t)&cell >> 32);
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, ktest_syscall_entry), 0);
    page = page_alloc();
    hits_and_passes();
    pass_after_writes();
    stopped_once();
    other_numbers();
    stores();
    states();
    exception_tests();
    entry_tests();
    refusals();
    switches();
    watches();
    guest_state();
    hypercall_tests();
    budget_tests();
    event_tests();
    capture_tests();
    shadow_tests();
    vcpus();
    moved_vcpu_info();
}
