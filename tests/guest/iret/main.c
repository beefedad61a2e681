/* SPDX-License-Identifier: MIT */
/*
 * iret: into user mode by the iret hypercall, and out of it by system calls.
 *
 * Promised (public/arch-x86/xen-x86_64.h HYPERVISOR_iret; public/callback.h):
 *   - iret restores every register, the selectors, rflags and the upcall mask (IF) from the
 *     frame, to user mode when cs has RPL 3, else to kernel mode; with VGCF_in_syscall rcx and
 *     r11 take what sysret gives them, cs and ss are discarded;
 *   - what the processor refuses comes back as an exception, with the frame that was tried;
 *   - SYSCALL of a 64-bit user enters the syscall callback, of a 32-bit user the syscall32 one,
 *     with the frame of an exception without error code; CALLBACKF_mask_events masks upcalls.
 * Why: these are the two halves of every system call; they are also the hypervisor's hottest
 * and most hand-tuned paths.
 * Varied: target mode, flags word, rflags, selectors and rip good and bad, callback flags,
 * 64-bit and 32-bit code.
 * Checked: all registers as the target sees them, by a #UD at its first instruction.
 */
#include "ktest.h"
#include "pages.h"
#include "snippet.h"

const char ktest_name[] = "iret";

#define LOW_CODE 0x400000UL
#define LOW_STACK_TOP 0x402000UL
#define NONCANONICAL 0x0000800000000000UL

SNIPPET(ud, "", "ud2");
SNIPPET(sys, "", "syscall");
SNIPPET(step, "nop", "nop");
SNIPPET(enter, "", "sysenter");

/* 32-bit code, copied to LOW_CODE; offsets are those of each part. */
extern const uint8_t code32[], code32_int80[], code32_syscall[], code32_end[];
asm(".pushsection .text\n"
    ".code32\n"
    "code32: ud2\n"
    "code32_int80: int $0x80\n ud2\n"
    "code32_syscall: syscall\n ud2\n"
    "code32_end:\n"
    ".code64\n"
    ".popsection\n");

static struct exception go(const struct ktest_regs *regs)
{
    struct exception e = run_iret(*regs);

    e.regs.rflags &= ~RFLAGS_RF;
    this_cpu()->info->evtchn_upcall_mask = 1;
    return e;
}

static void every_register(void)
{
    for (unsigned int user = 0; user < 2; user++)
        for (unsigned int open = 0; open < 2; open++) {
            struct ktest_regs regs = user ? regs_user(ud_code) : regs_kernel(ud_code);
            struct ktest_regs want;
            struct exception e;

            test_case("to %s mode, upcalls %s", user ? "user" : "kernel", open ? "open" : "masked");
            regs.rflags |= open ? RFLAGS_IF : 0;
            want = regs;
            want.vector = VEC_UD;
            e = go(&regs);
            check_regs(&e.regs, &want);
            check_eq(e.saved_mask, !open);
        }
}

static void kernel_privilege_levels(void)
{
    for (unsigned int rpl = 0; rpl < 3; rpl++) {
        struct ktest_regs regs = regs_kernel(ud_code);
        struct exception e;

        test_case("cs RPL %u is kernel mode", rpl);
        regs.cs = (FLAT_KERNEL_CS & ~3UL) | rpl;
        e = go(&regs);
        check_eq(e.regs.vector, VEC_UD);
        check_eq(e.regs.cs, FLAT_KERNEL_CS & ~3UL);
        check_eq(e.regs.rsp, regs.rsp);
    }
}

static void in_syscall(void)
{
    for (unsigned int junk = 0; junk < 2; junk++) {
        struct ktest_regs regs = regs_user(ud_code), want;
        struct exception e;

        test_case("VGCF_in_syscall%s", junk ? ", cs and ss to be discarded" : "");
        regs.error = VGCF_in_syscall;
        regs.rflags |= RFLAGS_CF | RFLAGS_IF;
        want = regs;
        want.vector = VEC_UD;
        want.error = 0;
        want.rcx = regs.rip;
        want.r11 = regs.rflags;
        if (junk) {
            regs.cs = FLAT_USER_CS; /* RPL 3 chooses user mode */
            regs.ss = 0x1233;
        }
        e = go(&regs);
        check_regs(&e.regs, &want);
    }
}

static void rflags_bits(void)
{
    static const uint64_t plain[] = { RFLAGS_DF, RFLAGS_AC, RFLAGS_ID, 0x8d5 };

    for (unsigned int i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct ktest_regs regs = regs_user(ud_code);
        struct exception e;

        test_case("rflags 0x%lx reaches user mode", plain[i]);
        regs.rflags |= plain[i] | RFLAGS_IF;
        e = go(&regs);
        check_eq(e.regs.rflags, regs.rflags);
    }
}

/* A guest's user must get no I/O privilege from its own flags; the frame shows none either. */
static void iopl_is_refused(void)
{
    struct ktest_regs regs = regs_user(ud_code);
    struct exception e;

    test_case("IOPL 3 in the frame gives none");
    regs.rflags |= RFLAGS_IOPL | RFLAGS_IF;
    e = go(&regs);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rflags, RFLAGS_ONE | RFLAGS_IF);
}

static void single_step(void)
{
    for (unsigned int flags = 0; flags < 2; flags++) {
        struct ktest_regs regs = regs_user(step_code);
        struct exception e;

        test_case("TF steps one user instruction%s", flags ? ", VGCF_in_syscall" : "");
        regs.error = flags ? VGCF_in_syscall : 0;
        regs.rflags |= RFLAGS_TF | RFLAGS_IF;
        e = go(&regs);
        check_eq(e.regs.vector, VEC_DB);
        /* sysret may trap before the first instruction, as if SYSCALL itself were stepped */
        check(e.regs.rip == (uint64_t)step_at ||
              (flags && e.regs.rip == (uint64_t)step_code));
        check(e.regs.rflags & RFLAGS_TF);
    }
    check_eq(hyp_set_debugreg(6, 0xffff0ff0), 0);
}

/*
 * A frame that the processor refuses: the fault arrives as an exception of the target with the
 * selector as error code, or at the failsafe callback; with the frame that was tried.
 */
static void refused_frames(void)
{
    static const struct {
        const char *name;
        uint64_t cs, ss, error;
    } bad[] = {
        { "cs null", 3, FLAT_USER_SS, 0 },
        { "cs is data", FLAT_USER_SS, FLAT_USER_SS, FLAT_USER_SS & ~3UL },
        { "cs outside the table", 0x7ffb, FLAT_USER_SS, 0x7ff8 },
        { "cs in an LDT that is not there", 0xf, FLAT_USER_SS, 0xc },
        { "ss null", FLAT_USER_CS, 3, 0 },
        { "ss is code", FLAT_USER_CS, FLAT_USER_CS, FLAT_USER_CS & ~3UL },
        { "cs of the hypervisor", 0xe00b, FLAT_USER_SS, 0xe008 },
    };

    for (unsigned int i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
        bool user = i & 1;
        struct ktest_regs regs = user ? regs_user(ud_code) : regs_kernel(ud_code), want;
        struct exception e;

        test_case("refused: %s, %s mode", bad[i / 2].name, user ? "user" : "kernel");
        regs.cs = user ? bad[i / 2].cs : bad[i / 2].cs & ~3UL;
        regs.ss = bad[i / 2].ss;
        regs.rflags |= RFLAGS_IF;
        want = regs;
        want.vector = VEC_GP;
        want.error = bad[i / 2].error;
        e = go(&regs);
        if (e.regs.vector == VEC_FAILSAFE) {
            want.vector = VEC_FAILSAFE;
            want.error = 0;
        }
        check_regs(&e.regs, &want);
        if (user)
            check_eq(e.frame, cpu_entry_stack_top(0));
    }
}

static void stack_selector_level(void)
{
    struct ktest_regs regs = regs_user(ud_code);
    struct exception e;

    test_case("ss RPL is made 3");
    regs.ss &= ~3UL;
    e = go(&regs);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.ss, FLAT_USER_SS);
}

/* Where a jump to a non-canonical address is noticed, in iret or behind it, is left open. */
static void non_canonical(void)
{
    for (unsigned int flags = 0; flags < 2; flags++) {
        struct ktest_regs regs = regs_user((void *)NONCANONICAL);
        struct exception e;

        test_case("non-canonical rip%s", flags ? ", VGCF_in_syscall" : "");
        regs.error = flags ? VGCF_in_syscall : 0;
        e = go(&regs);
        check(e.regs.vector == VEC_FAILSAFE || e.regs.vector == VEC_GP);
        check_eq(e.regs.rip, NONCANONICAL);
        check_eq(e.regs.rsp, regs.rsp);
    }
}

static void system_call(void)
{
    for (unsigned int mask = 0; mask < 2; mask++) {
        struct ktest_regs regs = regs_user(sys_code), want;
        struct exception e;

        test_case("SYSCALL, callback %s upcalls", mask ? "masks" : "leaves");
        check_eq(callback_set(CALLBACKTYPE_syscall, mask ? CALLBACKF_mask_events : 0,
                              ktest_syscall_entry), 0);
        regs.rflags |= RFLAGS_CF | RFLAGS_IF;
        want = regs;
        want.vector = VEC_SYSCALL;
        want.rip = (uint64_t)sys_after;
        want.rcx = want.rip;
        want.r11 = regs.rflags;
        e = run_iret(regs);
        e.regs.rflags &= ~RFLAGS_RF;
        check_eq(e.upcall_mask, mask);
        check_eq(e.saved_mask, 0);
        check_eq(e.frame, cpu_entry_stack_top(0));
        check_regs(&e.regs, &want);
        this_cpu()->info->evtchn_upcall_mask = 1;
    }
}

static void system_call_elsewhere(void)
{
    struct ktest_regs regs = regs_user(sys_code);

    test_case("SYSCALL goes to the callback registered last");
    regs.rflags |= RFLAGS_IF;
    check_eq(callback_set(CALLBACKTYPE_syscall, 0, ktest_alt_entry), 0);
    check_eq(go(&regs).regs.vector, VEC_ALT);
    check_eq(callback_set(CALLBACKTYPE_syscall, 0, ktest_syscall_entry), 0);
    check_eq(go(&regs).regs.vector, VEC_SYSCALL);
}

static void system_call_stack(void)
{
    struct ktest_regs regs = regs_user(sys_code);
    uint64_t other = cpu_entry_stack_top(0) - 512;
    struct exception e;

    test_case("SYSCALL lands on the stack of stack_switch");
    check_eq(hyp_stack_switch(FLAT_KERNEL_SS, other), 0);
    e = go(&regs);
    check_eq(e.frame, other);
    check_eq(hyp_stack_switch(FLAT_KERNEL_SS, other - 8), 0);
    e = go(&regs);
    check_eq(e.frame, other - 16);
    check_eq(hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(0)), 0);
}

/* 32-bit user code: registers of a 64-bit kernel, none of them wider than 32 bits. */
static struct ktest_regs regs_user32(uint64_t offset)
{
    struct ktest_regs r = regs_user((void *)(LOW_CODE + offset));
    uint64_t *word = (uint64_t *)&r;

    for (unsigned int i = 0; i < 15; i++)
        word[i] &= 0xffffffff;
    r.r8 = r.r9 = r.r10 = r.r11 = r.r12 = r.r13 = r.r14 = r.r15 = 0;
    r.cs = FLAT_USER_CS32;
    r.ss = FLAT_USER_SS32;
    r.rsp = LOW_STACK_TOP - 64;
    r.rflags |= RFLAGS_IF;
    return r;
}

static void compat_code(void)
{
    struct ktest_regs regs, want;
    struct exception e;

    test_case("32-bit user code: #UD");
    want = regs = regs_user32(0);
    want.vector = VEC_UD;
    e = go(&regs);
    check_regs(&e.regs, &want);

    test_case("32-bit user code: int $0x80");
    check_eq(trap_set(0x80, 3, (uint64_t)ktest_vector_entries[0x80]), 0);
    want = regs = regs_user32((uint64_t)(code32_int80 - code32));
    want.vector = 0x80;
    want.rip += 2;
    e = go(&regs);
    check_regs(&e.regs, &want);
}

/* SYSCALL in 32-bit mode exists on AMD processors alone; elsewhere it is #UD. */
static void compat_syscall(void)
{
    struct ktest_regs regs, want;
    struct exception e;

    test_case("32-bit user code: SYSCALL");
    check_eq(callback_set(CALLBACKTYPE_syscall32, CALLBACKF_mask_events, ktest_syscall32_entry), 0);
    want = regs = regs_user32((uint64_t)(code32_syscall - code32));
    e = run_iret(regs);
    e.regs.rflags &= ~RFLAGS_RF;
    if (e.regs.vector == VEC_SYSCALL32) {
        want.rip += 2;
        want.rcx = want.rip;
        want.r11 = e.regs.r11; /* clobbered, of no use to 32-bit code */
    }
    want.vector = e.regs.vector == VEC_UD ? VEC_UD : VEC_SYSCALL32;
    check_regs(&e.regs, &want);
    this_cpu()->info->evtchn_upcall_mask = 1;
}

/*
 * SYSENTER of a 64-bit user exists on Intel processors alone; the return address is unknown to all.
 * The peer is not asked there: Xen 4.17.7 with QEMU's qemu64,vendor=GenuineIntel takes a double
 * fault on its entry stack.
 */
static void system_enter(void)
{
    static char version[XEN_EXTRAVERSION_LEN];
    struct ktest_regs regs = regs_user(enter_code);
    struct exception e;

    hyp_xen_version(XENVER_extraversion, version);
    if (strncmp(version, "-radon", 6) != 0 && !cpu_is_amd())
        return;
    test_case("SYSENTER");
    check_eq(callback_set(CALLBACKTYPE_sysenter, CALLBACKF_mask_events, ktest_sysenter_entry), 0);
    regs.rflags |= RFLAGS_IF;
    e = go(&regs);
    if (e.regs.vector == VEC_UD) {
        check_eq(e.regs.rip, enter_code);
        return;
    }
    check_eq(e.regs.vector, VEC_SYSENTER);
    check_eq(e.regs.cs & 3, 3);
    check_eq(e.regs.rbx, regs.rbx);
    check_eq(e.regs.rdi, regs.rdi);
    check_eq(e.regs.r9, regs.r9);
    check_eq(e.frame, cpu_entry_stack_top(0));
    check_eq(e.upcall_mask, 1);
}

static void prepare_low_code(void)
{
    uint8_t *code = page_alloc(), *stack = page_alloc();

    memcpy(code, code32, (size_t)(code32_end - code32));
    map_low(LOW_CODE, code);
    map_low(LOW_STACK_TOP - PAGE_BYTES, stack);
}

void test_main(void)
{
    user_mode_init();
    every_register();
    kernel_privilege_levels();
    in_syscall();
    rflags_bits();
    iopl_is_refused();
    single_step();
    system_call();
    system_call_elsewhere();
    system_call_stack();
    system_enter();
    refused_frames();
    stack_selector_level();
    non_canonical();
    prepare_low_code();
    compat_code();
    compat_syscall();
}
