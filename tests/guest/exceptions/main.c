/* SPDX-License-Identifier: MIT */
/*
 * exceptions: every exception that a PV kernel or its user can raise arrives as on bare metal.
 *
 * Promised (public/arch-x86/xen.h trap_info, xen-x86_64.h; SDM 3A chapter 6 for vectors, error
 * codes and whether rip points at the instruction or behind it):
 *   - the trap table's handler is entered with the frame in guest/ktest/entry.S: rcx, r11, the
 *     error code where the vector has one, rip, cs (RPL 0 for kernel, 3 for user), rflags (IF is
 *     the inverse of the upcall mask), rsp, ss; every other register untouched;
 *   - the frame lies on the interrupted stack (kernel) or on stack_switch's (user), aligned to 16;
 *   - the user bit of a page fault's error code speaks of the guest's mode; the address is in
 *     vcpu_info; software interrupts obey the level in the trap table; flag 4 masks upcalls.
 * Why: signals, breakpoints and demand paging of a guest kernel are built on exactly this.
 * Varied: vector, kernel or user mode, access kind, level and flags of the trap table entry,
 * upcall mask, alignment of the stack.
 * Checked: the whole frame and all registers.
 */
#include "ktest.h"
#include "pages.h"
#include "snippet.h"

const char ktest_name[] = "exceptions";

#define IN_KERNEL 1
#define IN_USER 2
#define IN_BOTH 3
#define ANY_P 0x80000000u /* whether the error code has P is the hypervisor's own affair */

#define NONCANONICAL 0x8000000000000000UL
#define UNMAPPED 0x0000123456789000UL

/* Our own GDT page: entry 8 data not present, 9 data, 10 code of DPL 3, not present, 11 32-bit. */
#define SEL_NULL_ENTRY 0x3b
#define SEL_NOT_PRESENT 0x43
#define SEL_DATA 0x4b
#define SEL_CODE_NP 0x53

SNIPPET(de, "", "divl %edi");
SNIPPET(int3, "", "int3");
SNIPPET(int_3, "", ".byte 0xcd, 3");
SNIPPET(int_4, "", "int $4");
SNIPPET(ud2, "", "ud2");
SNIPPET(long_bound, "", ".byte 0x62, 0x00");
SNIPPET(long_into, "", ".byte 0xce");
SNIPPET(read_mem, "", "mov (%rdi), %rsi");
SNIPPET(write_mem, "", "movb $1, (%rdi)");
SNIPPET(rmw_mem, "", "lock incl (%rdi)");
SNIPPET(jump_mem, "", "jmp *%rdi");
SNIPPET(load_ds, "", "mov %edi, %ds");
SNIPPET(load_ss, "", "mov %edi, %ss");
SNIPPET(far_jump, "", "ljmp *(%rdi)");
SNIPPET(x87_divide, "fninit\n push $0x33b\n fldcw (%rsp)\n lea 8(%rsp), %rsp\n fldz\n fld1\n"
        "fdivp\n", "fwait");
SNIPPET(int_21, "", "int $0x21");
SNIPPET(int_80, "", "int $0x80");
SNIPPET(int_d, "", "int $13");
SNIPPET(nops, "nop", "nop");
SNIPPET(cli_hlt, "", "hlt");

static uint8_t readonly_page[PAGE_BYTES] __attribute__((aligned(4096)));
static uint8_t nx_page[PAGE_BYTES] __attribute__((aligned(4096)));
static uint8_t absent_page[PAGE_BYTES] __attribute__((aligned(4096)));
static uint64_t gdt[512] __attribute__((aligned(4096)));
static struct {
    uint32_t offset;
    uint16_t selector;
} __attribute__((packed)) far_pointer = { 0, SEL_CODE_NP };

struct row {
    const char *name;
    const uint8_t *code, *rip;
    unsigned int modes, vector, error;
    uint64_t rdi;      /* the operand */
    uint64_t cr2;      /* page faults only */
    uint64_t rip_set;  /* 0: rip is above */
};

#define FAULT(n, s) .name = (n), .code = s##_code, .rip = s##_at
#define TRAP(n, s) .name = (n), .code = s##_code, .rip = s##_after
#define PF(address, code) .vector = VEC_PF, .error = (code), .rdi = (address), .cr2 = (address)

static const struct row rows[] = {
    { FAULT("#DE div by zero", de), IN_BOTH, VEC_DE, 0, 0 },
    { TRAP("#BP int3", int3), IN_BOTH, VEC_BP, 0, 0 },
    { TRAP("#BP int $3", int_3), IN_BOTH, VEC_BP, 0, 0 },
    { TRAP("#OF int $4", int_4), IN_BOTH, VEC_OF, 0, 0 },
    { FAULT("#UD ud2", ud2), IN_BOTH, VEC_UD, 0, 0 },
    { FAULT("#UD bound", long_bound), IN_BOTH, VEC_UD, 0, 0 },
    { FAULT("#UD into", long_into), IN_BOTH, VEC_UD, 0, 0 },
    { FAULT("#GP non-canonical read", read_mem), IN_BOTH, VEC_GP, 0, NONCANONICAL },
    { FAULT("#GP non-canonical write", write_mem), IN_BOTH, VEC_GP, 0, NONCANONICAL },
    { FAULT("#GP null descriptor in ds", load_ds), IN_BOTH, VEC_GP, 0x38, SEL_NULL_ENTRY },
    { FAULT("#GP ldt selector in ds", load_ds), IN_BOTH, VEC_GP, 0x3c, 0x3f },
    { FAULT("#GP null ss", load_ss), IN_USER, VEC_GP, 0, 3 },
    { FAULT("#NP absent segment in ds", load_ds), IN_BOTH, VEC_NP, 0x40, SEL_NOT_PRESENT },
    { FAULT("#SS absent segment in ss", load_ss), IN_BOTH, VEC_SS, 0x40, SEL_NOT_PRESENT },
    { FAULT("#NP far jump to absent code", far_jump), IN_BOTH, VEC_NP, 0x50,
      (uint64_t)&far_pointer },
    { FAULT("#MF x87 zero divide", x87_divide), IN_BOTH, VEC_MF, 0, 0 },
    { FAULT("#GP hlt in user mode", cli_hlt), IN_USER, VEC_GP, 0, 0 },
    { FAULT("#PF read, not present", read_mem), IN_BOTH, PF(UNMAPPED, 0) },
    { FAULT("#PF write, not present", write_mem), IN_BOTH, PF(UNMAPPED + 8, PFEC_W) },
    { .name = "#PF fetch, not present", .code = jump_mem_code, .modes = IN_BOTH,
      PF(UNMAPPED + 16, PFEC_I), .rip_set = UNMAPPED + 16 },
    { FAULT("#PF read, L1 entry not present", read_mem), IN_BOTH,
      PF((uint64_t)absent_page + 123, 0) },
    { FAULT("#PF write to a read-only page", write_mem), IN_BOTH,
      PF((uint64_t)readonly_page + 0xfff, PFEC_P | PFEC_W) },
    { FAULT("#PF locked write to a read-only page", rmw_mem), IN_BOTH,
      PF((uint64_t)readonly_page + 4, PFEC_P | PFEC_W) },
    { .name = "#PF fetch from a no-execute page", .code = jump_mem_code, .modes = IN_BOTH,
      PF((uint64_t)nx_page + 32, PFEC_P | PFEC_I), .rip_set = (uint64_t)nx_page + 32 },
    { FAULT("#PF write to the M2P", write_mem), IN_BOTH,
      PF(HYPERVISOR_VIRT_START + 8, ANY_P | PFEC_W) },
    { FAULT("#PF read of the hypervisor", read_mem), IN_BOTH,
      PF(HYPERVISOR_VIRT_END - 0x1000, ANY_P) },
    { FAULT("#PF write to the hypervisor", write_mem), IN_BOTH,
      PF(0xffff830000000000, ANY_P | PFEC_W) },
    { FAULT("#PF read of the hypervisor's text", read_mem), IN_BOTH,
      PF(0xffff82d080200000, ANY_P) },
    { .name = "#PF jump into the hypervisor", .code = jump_mem_code, .modes = IN_BOTH,
      PF(0xffff82d080200000, ANY_P | PFEC_I), .rip_set = 0xffff82d080200000 },
};

/* What the frame must be, given the registers before and the row. */
static struct ktest_regs expected(const struct ktest_regs *before, const struct row *row, bool user)
{
    struct ktest_regs want = *before;

    want.vector = row->vector;
    want.error = row->error & ~ANY_P;
    if (row->vector == VEC_PF && user)
        want.error |= PFEC_U;
    want.rip = row->rip_set ? row->rip_set : (uint64_t)row->rip;
    if (!this_cpu()->info->evtchn_upcall_mask)
        want.rflags |= RFLAGS_IF;
    return want;
}

/* The resume flag depends on the processor's make; rflags below it are the program's. */
static void hide_details(struct exception *e, unsigned int error)
{
    e->regs.rflags &= ~RFLAGS_RF;
    if (error & ANY_P)
        e->regs.error &= ~(uint64_t)PFEC_P;
}

static void run_row(const struct row *row, bool user)
{
    struct ktest_regs regs = user ? regs_user(row->code) : regs_kernel(row->code);
    struct ktest_regs want;
    struct exception e;

    test_case("%s, %s mode", row->name, user ? "user" : "kernel");
    regs.rdi = row->rdi;
    want = expected(&regs, row, user);
    e = run(regs);
    hide_details(&e, row->error);
    if (row->vector == VEC_MF)
        asm volatile("fninit");
    check_regs(&e.regs, &want);
    if (row->vector == VEC_PF)
        check_eq(e.cr2, row->cr2);
    check_eq(e.frame, user ? cpu_entry_stack_top(0) : regs.rsp);
}

static void run_rows(void)
{
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned int user = 0; user < 2; user++)
            if (rows[i].modes & (user ? IN_USER : IN_KERNEL))
                run_row(&rows[i], user);
}

/*
 * The error code of a refused int $n is n * 8 + 2 (SDM 3A 6.13). QEMU's TCG makes it n * 16 + 2
 * in 64-bit mode, and a hypervisor that learns the vector from it cannot know n: there, an
 * allowed interrupt may also arrive as #GP with that code.
 */
static void software_interrupt(unsigned int vector, const uint8_t *code, unsigned int level,
                               bool user)
{
    bool allowed = level == 3 || (level > 0 && !user), tcg;
    struct ktest_regs regs = user ? regs_user(code) : regs_kernel(code);
    struct ktest_regs want = regs;
    struct exception e;

    test_case("int $0x%x, level %u, %s mode", vector, level, user ? "user" : "kernel");
    check_eq(trap_set(vector, level, (uint64_t)ktest_vector_entries[vector]), 0);
    e = run(regs);
    hide_details(&e, 0);
    tcg = e.regs.vector == VEC_GP && e.regs.error == vector * 16 + 2;
    if (allowed && !tcg) {
        want.vector = vector;
        want.rip = (uint64_t)code + 2;
    } else {
        want.vector = VEC_GP;
        want.error = vector * (tcg ? 16 : 8) + 2;
    }
    check_regs(&e.regs, &want);
}

/*
 * int $n against the level in the trap table: 0 nobody, 1 and 2 the kernel, 3 everybody.
 * 0x80 is tried at level 3 alone: the peer lets it through at any level. The vectors with an
 * error code are tried where they must be refused: allowed, they come without one.
 */
static void software_interrupts(void)
{
    for (unsigned int user = 0; user < 2; user++) {
        for (unsigned int level = 0; level < 4; level++) {
            software_interrupt(0x21, int_21_code, level, user);
            if (level == 0 || (user && level < 3))
                software_interrupt(13, int_d_code, level, user);
        }
        software_interrupt(0x80, int_80_code, 3, user);
    }
    trap_table_reset();
}

static void single_step(void)
{
    for (unsigned int user = 0; user < 2; user++) {
        struct ktest_regs regs = user ? regs_user(nops_code) : regs_kernel(nops_code);
        struct ktest_regs want;
        struct exception e;

        test_case("#DB single step, %s mode", user ? "user" : "kernel");
        regs.rflags |= RFLAGS_TF;
        want = regs;
        want.vector = VEC_DB;
        want.rip = (uint64_t)nops_at;
        e = run(regs);
        hide_details(&e, 0);
        check_regs(&e.regs, &want);
        check((hyp_get_debugreg(6) & 0x4000) != 0);
        check_eq(hyp_set_debugreg(6, 0xffff0ff0), 0);
    }
}

/* Flag 4 of a trap table entry masks upcalls at entry; the frame tells what it was before. */
static void upcall_mask(void)
{
    for (unsigned int user = 0; user < 2; user++)
        for (unsigned int flag = 0; flag < 2; flag++)
            for (unsigned int mask = 0; mask < 2; mask++) {
                struct ktest_regs regs = user ? regs_user(ud2_code) : regs_kernel(ud2_code);
                struct exception e;

                test_case("entry from %s mode, flag %u, upcalls %s", user ? "user" : "kernel",
                          flag, mask ? "masked" : "open");
                check_eq(trap_set(VEC_UD, flag << 2, (uint64_t)ktest_vector_entries[VEC_UD]), 0);
                if (mask && user)
                    continue; /* entering user mode by iret opens upcalls: see test iret */
                this_cpu()->info->evtchn_upcall_mask = (uint8_t)mask;
                if (user)
                    regs.rflags |= RFLAGS_IF;
                e = run(regs);
                this_cpu()->info->evtchn_upcall_mask = 1;
                check_eq(e.upcall_mask, mask | flag);
                check_eq(e.saved_mask, mask);
                check_eq(e.regs.rflags & RFLAGS_IF, mask ? 0 : RFLAGS_IF);
            }
    trap_table_reset();
}

static void stack_alignment(void)
{
    for (unsigned int skew = 0; skew < 16; skew++) {
        struct ktest_regs regs = regs_kernel(ud2_code);
        struct exception e;

        test_case("kernel stack off by %u", skew);
        regs.rsp -= skew;
        e = run(regs);
        check_eq(e.regs.rsp, regs.rsp);
        check_eq(e.frame, regs.rsp & ~15UL);
    }
}

static void flags_survive(void)
{
    static const uint64_t flags[] = { RFLAGS_CF, RFLAGS_DF, RFLAGS_AC, RFLAGS_NT, RFLAGS_ID,
                                      0x8d5 };

    for (unsigned int user = 0; user < 2; user++)
        for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
            struct ktest_regs regs = user ? regs_user(ud2_code) : regs_kernel(ud2_code);
            struct exception e;

            test_case("rflags 0x%lx in the frame, %s mode", flags[i], user ? "user" : "kernel");
            regs.rflags |= flags[i];
            e = run(regs);
            hide_details(&e, 0);
            check_eq(e.regs.rflags, regs.rflags);
        }
}

static void prepare(void)
{
    mfn_t frames[1] = { mfn_of(gdt) };

    user_mode_init();
    gdt[8] = 0x00cf72000000ffff;  /* data, DPL 3, not present */
    gdt[9] = 0x00cff2000000ffff;  /* data, DPL 3 */
    gdt[10] = 0x00af7a000000ffff; /* 64-bit code, DPL 3, not present */
    ktest_require(page_readonly(gdt) == 0);
    ktest_require(hyp_set_gdt(frames, 512) == 0);
    ktest_require(page_readonly(readonly_page) == 0);
    ktest_require(map_va(nx_page, mfn_of(nx_page) * PAGE_BYTES | PTE_RW | PTE_NX) == 0);
    ktest_require(map_va(absent_page, 0) == 0);
}

void test_main(void)
{
    prepare();
    run_rows();
    software_interrupts();
    single_step();
    upcall_mask();
    stack_alignment();
    flags_survive();
}
