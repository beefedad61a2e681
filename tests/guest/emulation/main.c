/* SPDX-License-Identifier: MIT */
/*
 * emulation: privileged instructions of a kernel that runs in ring 3.
 *
 * Promised (public/arch-x86/xen.h XEN_EMULATE_PREFIX; public/arch-x86/cpuid.h; public/physdev.h
 * set_iopl, set_iobitmap; public/xen.h on PAT): cpuid with the prefix answers with the hypervisor's
 * leaves; MSRs and control registers that a PV kernel uses read sensibly and write with effect;
 * ports obey the virtual I/O privilege level; what is not for guests is #GP; user mode gets #GP
 * always.
 * Why: start-up code of every guest kernel does all of this.
 * Varied: instruction, mode, privilege level, width. Checked: values, effects, exceptions.
 */
#include <xen/arch-x86/cpuid.h>

#include "pages.h"
#include "probe.h"
#include "snippet.h"

const char ktest_name[] = "emulation";

struct cpuid {
    uint32_t a, b, c, d;
};

static struct cpuid cpuid_forced(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;

    asm volatile(XEN_CPUID : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(sub));
    return r;
}

static void forced_cpuid(void)
{
    struct cpuid r = cpuid_forced(XEN_CPUID_LEAF(0), 0);

    test_case("forced cpuid: the hypervisor's leaves");
    check_eq(r.b, XEN_CPUID_SIGNATURE_EBX);
    check_eq(r.c, XEN_CPUID_SIGNATURE_ECX);
    check_eq(r.d, XEN_CPUID_SIGNATURE_EDX);
    check(r.a >= XEN_CPUID_LEAF(2) && r.a < XEN_CPUID_LEAF(256));
    check_eq(cpuid_forced(XEN_CPUID_LEAF(1), 0).a, 4 << 16 | 17);

    test_case("forced cpuid: features that PV guests cannot have are hidden");
    r = cpuid_forced(1, 0);
    check(!(r.c & 1u << 5));  /* VMX */
    check(!(r.c & 1u << 3));  /* MONITOR */
    check(r.c & 1u << 31);    /* hypervisor present */
    check(r.d & 1u << 24);    /* FXSR: long mode has it */
    r = cpuid_forced(0x80000001, 0);
    check(!(r.c & 1u << 2));  /* SVM */
    check(!(r.d & 1u << 26)); /* 1 GiB pages */
    check(r.d & 1u << 29);    /* long mode */
}

SNIPPET(user_cpuid, "mov $0x40000000, %eax\n ud2\n .ascii \"xen\"\n cpuid\n", "ud2");

static void forced_cpuid_in_user_mode(void)
{
    struct exception e = run(regs_user(user_cpuid_code));

    test_case("forced cpuid in user mode");
    check_eq(e.regs.rip, user_cpuid_at);
    check_eq(e.regs.rbx, XEN_CPUID_SIGNATURE_EBX);
}

/* ---- MSRs ---- */

static bool rdmsr_faults(uint32_t msr, uint64_t *value)
{
    uint32_t low = 0, high = 0;
    bool fault = PROBE_ASM("rdmsr", PROBE_ARGS("+a"(low), "+d"(high)), "c"(msr));

    *value = (uint64_t)high << 32 | low;
    return fault;
}

static bool wrmsr_faults(uint32_t msr, uint64_t value)
{
    return PROBE_ASM("wrmsr", ,
                     PROBE_ARGS("c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))));
}

#define MSR_EFER 0xc0000080
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_GS_SHADOW 0xc0000102
#define MSR_PAT 0x277
#define NONCANONICAL 0x0000800000000000UL

static uint64_t fs_word(void)
{
    uint64_t value;

    asm volatile("mov %%fs:0, %0" : "=r"(value));
    return value;
}

static uint64_t gs_word(void)
{
    uint64_t value;

    asm volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

static void base_registers(void)
{
    static uint64_t one = 111, two = 222;
    uint64_t value;

    test_case("MSRs FS, GS and shadow GS base");
    check(!wrmsr_faults(MSR_FS_BASE, (uint64_t)&one));
    check_eq(fs_word(), 111);
    check(!rdmsr_faults(MSR_FS_BASE, &value));
    check_eq(value, &one);
    check(!wrmsr_faults(MSR_GS_BASE, (uint64_t)&two));
    check_eq(gs_word(), 222);
    check(!wrmsr_faults(MSR_GS_SHADOW, (uint64_t)&one));
    check_eq(gs_word(), 222);
    check(!rdmsr_faults(MSR_GS_SHADOW, &value));
    check_eq(value, &one);
    check_eq(hyp_set_segment_base(SEGBASE_FS, &two), 0);
    check(!rdmsr_faults(MSR_FS_BASE, &value));
    check_eq(value, &two);
    check(wrmsr_faults(MSR_FS_BASE, NONCANONICAL));
    check_eq(this_cpu()->last.regs.vector, VEC_GP);
    check_eq(fs_word(), 222);
    check(wrmsr_faults(MSR_GS_BASE, NONCANONICAL));
    check(wrmsr_faults(MSR_GS_SHADOW, NONCANONICAL));
}

static void other_msrs(void)
{
    uint64_t value;

    test_case("MSR EFER");
    check(!rdmsr_faults(MSR_EFER, &value));
    check_eq(value & 0x500, 0x500);
    test_case("MSR PAT: the layout of public/xen.h");
    check(!rdmsr_faults(MSR_PAT, &value));
    check_eq(value & 0xffffffffffff, 0x050100070406);
    test_case("an MSR that does not exist");
    check(rdmsr_faults(0x12345678, &value));
    check_eq(this_cpu()->last.regs.vector, VEC_GP);
    check_eq(this_cpu()->last.regs.error, 0);
    check(wrmsr_faults(0x12345678, 1));
}

/* ---- control registers ---- */

#define CR_READ(n, value) PROBE_ASM("mov %%cr" #n ", %0", "=r"(value), "r"(0))
#define CR_WRITE(n, value) PROBE_ASM("mov %0, %%cr" #n, , "r"(value))

static void control_registers(void)
{
    uint64_t cr0 = 0, cr3 = 0, cr4 = 0, cr2 = 0;

    test_case("control registers read");
    check(!CR_READ(0, cr0));
    check_eq(cr0 & 0x80000001, 0x80000001);
    check(!(cr0 & 8));
    check(!CR_READ(3, cr3));
    check_eq(cr3 / PAGE_BYTES, mfn_of((void *)start_info->pt_base));
    check(!CR_READ(4, cr4));
    check(cr4 & 0x20);     /* PAE */
    check(!(cr4 & 0x2000)); /* VMXE */
    check(probe_read((void *)0x123456789000));
    check(!CR_READ(2, cr2));
    check_eq(cr2, 0x123456789000);

    test_case("control registers written as they are");
    check(!CR_WRITE(0, cr0));
    check(!CR_WRITE(3, cr3));
    check(!CR_WRITE(4, cr4));

    test_case("cr3 that is no page table");
    check(CR_WRITE(3, mfn_of(start_info) * PAGE_BYTES));
    check_eq(this_cpu()->last.regs.vector, VEC_GP);
    test_case("cr0 without paging");
    check(CR_WRITE(0, cr0 & ~0x80000000UL));
    check_eq(this_cpu()->last.regs.vector, VEC_GP);
    check(!CR_READ(3, cr0));
    check_eq(cr0, cr3);
}

/* ---- ports ---- */

static long set_iopl(unsigned int level)
{
    struct physdev_set_iopl iopl = { .iopl = level };

    return hyp_physdev_op(PHYSDEVOP_set_iopl, &iopl);
}

#define PORT_PAGE 0x81 /* a page register of the DMA controller: a byte that keeps its value */
#define PORT_PCI_ADDRESS 0xcf8
#define PORT_PCI_DATA 0xcfc

static void ports_at_level_1(void)
{
    uint8_t bytes[3] = { 0x21, 0x43, 0x65 }, got[2] = { 0, 0 };
    const uint8_t *from = bytes;
    uint8_t *to = got;
    uint64_t count = 3;
    uint32_t value = 0;

    test_case("ports, I/O privilege level 1");
    check_eq(set_iopl(1), 0);
    check(!PROBE_ASM("outb %%al, %%dx", , PROBE_ARGS("a"(0x5a), "d"(PORT_PAGE))));
    check(!PROBE_ASM("inb %%dx, %%al", "=a"(value), "d"(PORT_PAGE)));
    check_eq(value & 0xff, 0x5a);
    check(!PROBE_ASM("outb %%al, $0x81", , "a"(0x77)));
    check(!PROBE_ASM("inb $0x81, %%al", "=a"(value), "d"(0)));
    check_eq(value & 0xff, 0x77);
    check(!PROBE_ASM("outl %%eax, %%dx", , PROBE_ARGS("a"(0x80000000), "d"(PORT_PCI_ADDRESS))));
    check(!PROBE_ASM("inl %%dx, %%eax", "=a"(value), "d"(PORT_PCI_DATA)));
    check(value != 0 && value != 0xffffffff);
    check((value & 0xffff) == 0x8086);
    value = 0xaaaaaaaa;
    check(!PROBE_ASM("inw %%dx, %%ax", "+a"(value), "d"(PORT_PCI_DATA)));
    check_eq(value, 0xaaaa8086);
    value = 0xaaaaaaaa;
    check(!PROBE_ASM("inb %%dx, %%al", "+a"(value), "d"(PORT_PCI_DATA + 1)));
    check_eq(value, 0xaaaaaa80);
    check(!PROBE_ASM("rep outsb", PROBE_ARGS("+S"(from), "+c"(count)), "d"(PORT_PAGE)));
    check_eq(count, 0);
    check_eq(from, bytes + 3);
    count = 2;
    check(!PROBE_ASM("rep insb", PROBE_ARGS("+D"(to), "+c"(count)), "d"(PORT_PAGE)));
    check_eq(got[0], 0x65);
    check_eq(got[1], 0x65);
}

SNIPPET(in_port, "", "inb $0x81, %al");

static void port_privilege(void)
{
    for (unsigned int level = 0; level < 4; level++)
        for (unsigned int user = 0; user < 2; user++) {
            bool allowed = user ? level == 3 : level >= 1;
            struct exception e;

            test_case("port read at level %u in %s mode", level, user ? "user" : "kernel");
            check_eq(set_iopl(level), 0);
            e = run(user ? regs_user(in_port_code) : regs_kernel(in_port_code));
            check_eq(e.regs.vector, allowed ? VEC_UD : VEC_GP);
            check_eq(e.regs.error, 0);
            check_eq(e.regs.rip, allowed ? in_port_after : in_port_at);
        }
    check_eq(set_iopl(1), 0);
}

static void port_bitmap(void)
{
    static uint8_t bitmap[8192];
    struct physdev_set_iobitmap op = { .nr_ports = 65536 };
    struct exception e;

    test_case("port bitmap for user mode");
    memset(bitmap, 0xff, sizeof(bitmap));
    set_xen_guest_handle(op.bitmap, bitmap);
    check_eq(hyp_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    e = run(regs_user(in_port_code));
    check_eq(e.regs.vector, VEC_GP);
    bitmap[PORT_PAGE / 8] &= (uint8_t)~(1 << PORT_PAGE % 8);
    e = run(regs_user(in_port_code));
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rip, in_port_after);
    op.nr_ports = 0;
    check_eq(hyp_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    e = run(regs_user(in_port_code));
    check_eq(e.regs.vector, VEC_GP);
    op.nr_ports = 65537;
    check_eq(hyp_physdev_op(PHYSDEVOP_set_iobitmap, &op), -XEN_EINVAL);
}

static void hypervisor_ports(void)
{
    uint32_t value = 0;

    test_case("the hypervisor's interrupt controller is not there");
    check(!PROBE_ASM("inb %%dx, %%al", "=a"(value), "d"(0x21)));
    check_eq(value & 0xff, 0xff);
}

/*
 * ---- single instructions ----
 * invlpg and invd of a kernel: there are hypercalls for it, so either is right.
 */

SNIPPET(op_hlt, "", "hlt");
SNIPPET(op_cli, "", "cli");
SNIPPET(op_sti, "", "sti");
SNIPPET(op_wbinvd, "", "wbinvd");
SNIPPET(op_invd, "", "invd");
SNIPPET(op_clts, "", "clts");
SNIPPET(op_rdmsr, "mov $0xc0000080, %ecx", "rdmsr");
SNIPPET(op_wrmsr, "mov $0xc0000100, %ecx", "wrmsr");
SNIPPET(op_cr0, "", "mov %cr0, %rsi");
SNIPPET(op_cr3, "", "mov %cr3, %rsi");
SNIPPET(op_set_cr3, "", "mov %rsi, %cr3");
SNIPPET(op_dr7, "", "mov %dr7, %rsi");
SNIPPET(op_invlpg, "", "invlpg (%rsp)");
SNIPPET(op_lgdt, "", "lgdt (%rsp)");
SNIPPET(op_lidt, "", "lidt (%rsp)");
SNIPPET(op_ltr, "", "ltr %si");
SNIPPET(op_swapgs, "", "swapgs");
SNIPPET(op_sysret, "", "sysretq");
SNIPPET(op_rdtsc, "", "rdtsc");

static const struct {
    const char *name;
    const uint8_t *code, *at, *after;
    enum { NO, YES, EITHER } kernel_may, user_may;
} plain[] = {
#define PLAIN(n, k, u) { #n, op_##n##_code, op_##n##_at, op_##n##_after, k, u }
    PLAIN(hlt, NO, NO),    PLAIN(wbinvd, YES, NO), PLAIN(clts, YES, NO),
    PLAIN(rdmsr, YES, NO),   PLAIN(wrmsr, YES, NO), PLAIN(cr0, YES, NO),
    PLAIN(cr3, YES, NO),     PLAIN(set_cr3, NO, NO), PLAIN(dr7, YES, NO),
    PLAIN(invlpg, EITHER, NO),  PLAIN(lgdt, NO, NO),  PLAIN(lidt, NO, NO),
    PLAIN(ltr, NO, NO),    PLAIN(swapgs, NO, NO), PLAIN(sysret, NO, NO),
    PLAIN(rdtsc, YES, YES),    PLAIN(invd, EITHER, NO),   PLAIN(cli, YES, NO),
    PLAIN(sti, YES, NO),
};

static void plain_instructions(void)
{
    for (unsigned int i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        for (unsigned int user = 0; user < 2; user++) {
            unsigned int may = user ? plain[i].user_may : plain[i].kernel_may;
            struct exception e;

            test_case("%s in %s mode", plain[i].name, user ? "user" : "kernel");
            e = run(user ? regs_user(plain[i].code) : regs_kernel(plain[i].code));
            if (may == EITHER)
                may = e.regs.vector == VEC_UD ? YES : NO;
            check_eq(e.regs.vector, may ? VEC_UD : VEC_GP);
            check_eq(e.regs.error, 0);
            check_eq(e.regs.rip, may ? plain[i].after : plain[i].at);
            this_cpu()->info->evtchn_upcall_mask = 1;
        }
}

void test_main(void)
{
    user_mode_init();
    forced_cpuid();
    forced_cpuid_in_user_mode();
    base_registers();
    other_msrs();
    control_registers();
    ports_at_level_1();
    port_privilege();
    port_bitmap();
    hypervisor_ports();
    plain_instructions();
}
