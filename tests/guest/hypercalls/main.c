/* SPDX-License-Identifier: MIT */
/*
 * hypercalls: every call answers good arguments with what it promises and bad ones with an errno.
 *
 * Promised (the public header of each call): an unknown number or sub-operation is -ENOSYS; a
 * pointer that cannot be read or written, or that points into the hypervisor, is -EFAULT and
 * harms nobody; values out of range are refused; registers other than rax, rcx and r11 survive.
 * Why: arguments are the widest surface that a guest can push against.
 * Varied: number, sub-operation, pointer (unmapped, non-canonical, in the hypervisor, in the M2P,
 * read-only), values. Checked: the result; for good calls also the effect.
 */
#include "ktest.h"
#include "pages.h"
#include "probe.h"
#include "snippet.h"

const char ktest_name[] = "hypercalls";

#define UNMAPPED 0x0000123456789000UL
#define NONCANONICAL 0x0000800000000000UL
#define HYPERVISOR 0xffff830000000000UL
#define CROSSES 0xffff7ffffffffff8UL /* the last words below the hypervisor's range */

static const uint64_t bad_pointers[] = {
    UNMAPPED, NONCANONICAL, HYPERVISOR, 0xffff82d080200000UL, CROSSES, 0,
};

static uint8_t readonly[PAGE_BYTES] __attribute__((aligned(4096)));

/* ---- numbers ---- */

static void unknown_numbers(void)
{
    static const uint64_t numbers[] = { 11, 43, 47, 56, 63, 64, 127, 128, 4096, 1UL << 31,
                                        1UL << 63, ~0UL };

    for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        test_case("hypercall number %lu", numbers[i]);
        check_eq(hypercall_raw(numbers[i], UNMAPPED, HYPERVISOR, NONCANONICAL), -XEN_ENOSYS);
    }
}

SNIPPET(version_call, "mov $17, %eax\n mov $0, %edi\n mov $0, %esi\n syscall\n", "ud2");

static void registers_survive(void)
{
    struct ktest_regs regs = regs_kernel(version_call_code), want = regs;
    struct exception e = run(regs);

    test_case("registers after a hypercall");
    want.vector = VEC_UD;
    want.rip = (uint64_t)version_call_at;
    want.rax = 4 << 16 | 17;
    want.rcx = e.regs.rcx;
    want.r11 = e.regs.r11;
    want.rdi = want.rsi = 0;
    check_regs(&e.regs, &want);
}

/* ---- pointers ---- */

struct pointer_row {
    const char *name;
    unsigned int number;
    unsigned int at;       /* which argument is the pointer, from 0 */
    uint64_t args[4];
    bool zero_is_good;     /* a null handle means something to this call */
    bool counts;           /* may answer the number of extents done: none */
    bool optional;         /* may not be there at all */
};

static const struct pointer_row pointer_rows[] = {
    { "set_trap_table", __HYPERVISOR_set_trap_table, 0, { 0 }, .zero_is_good = true },
    { "mmu_update", __HYPERVISOR_mmu_update, 0, { 0, 1, 0, DOMID_SELF } },
    { "mmuext_op", __HYPERVISOR_mmuext_op, 0, { 0, 1, 0, DOMID_SELF } },
    { "set_gdt", __HYPERVISOR_set_gdt, 0, { 0, 512 } },
    { "multicall", __HYPERVISOR_multicall, 0, { 0, 1 } },
    { "console_io write", __HYPERVISOR_console_io, 2, { CONSOLEIO_write, 4, 0 } },
    { "xen_version extraversion", __HYPERVISOR_xen_version, 1, { XENVER_extraversion } },
    { "xen_version compile_info", __HYPERVISOR_xen_version, 1, { XENVER_compile_info } },
    { "xen_version capabilities", __HYPERVISOR_xen_version, 1, { XENVER_capabilities } },
    { "xen_version changeset", __HYPERVISOR_xen_version, 1, { XENVER_changeset } },
    { "xen_version platform_parameters", __HYPERVISOR_xen_version, 1,
      { XENVER_platform_parameters } },
    { "xen_version features", __HYPERVISOR_xen_version, 1, { XENVER_get_features } },
    { "xen_version guest_handle", __HYPERVISOR_xen_version, 1, { XENVER_guest_handle } },
    { "memory_op decrease", __HYPERVISOR_memory_op, 1, { XENMEM_decrease_reservation },
      .counts = true },
    { "memory_op populate", __HYPERVISOR_memory_op, 1, { XENMEM_populate_physmap },
      .counts = true },
    { "memory_op exchange", __HYPERVISOR_memory_op, 1, { XENMEM_exchange } },
    { "memory_op machphys_mapping", __HYPERVISOR_memory_op, 1, { XENMEM_machphys_mapping } },
    { "memory_op machine_memory_map", __HYPERVISOR_memory_op, 1, { XENMEM_machine_memory_map } },
    { "sched_op shutdown", __HYPERVISOR_sched_op, 1, { SCHEDOP_shutdown } },
    { "sched_op poll", __HYPERVISOR_sched_op, 1, { SCHEDOP_poll } },
    { "callback_op register", __HYPERVISOR_callback_op, 1, { CALLBACKOP_register } },
    { "event_channel_op bind_virq", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_bind_virq } },
    { "event_channel_op bind_ipi", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_bind_ipi } },
    { "event_channel_op alloc_unbound", __HYPERVISOR_event_channel_op, 1,
      { EVTCHNOP_alloc_unbound } },
    { "event_channel_op close", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_close } },
    { "event_channel_op send", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_send } },
    { "event_channel_op status", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_status } },
    { "physdev_op set_iopl", __HYPERVISOR_physdev_op, 1, { PHYSDEVOP_set_iopl } },
    { "physdev_op map_pirq", __HYPERVISOR_physdev_op, 1, { PHYSDEVOP_map_pirq } },
    { "physdev_op setup_gsi", __HYPERVISOR_physdev_op, 1, { PHYSDEVOP_setup_gsi } },
    { "physdev_op apic_read", __HYPERVISOR_physdev_op, 1, { PHYSDEVOP_apic_read } },
    { "grant_table_op query_size", __HYPERVISOR_grant_table_op, 1,
      { GNTTABOP_query_size, 0, 1 } },
    { "grant_table_op setup_table", __HYPERVISOR_grant_table_op, 1,
      { GNTTABOP_setup_table, 0, 1 } },
    { "vcpu_op runstate", __HYPERVISOR_vcpu_op, 2, { VCPUOP_get_runstate_info, 0 } },
    { "vcpu_op singleshot", __HYPERVISOR_vcpu_op, 2, { VCPUOP_set_singleshot_timer, 0 } },
    { "platform_op", __HYPERVISOR_platform_op, 0, { 0 } },
    { "sysctl", __HYPERVISOR_sysctl, 0, { 0 }, .optional = true },
    { "domctl", __HYPERVISOR_domctl, 0, { 0 }, .optional = true },
};

static void bad_pointer_calls(void)
{
    for (unsigned int i = 0; i < sizeof(pointer_rows) / sizeof(pointer_rows[0]); i++) {
        const struct pointer_row *row = &pointer_rows[i];
        unsigned int count = sizeof(bad_pointers) / sizeof(bad_pointers[0]) - row->zero_is_good;

        for (unsigned int p = 0; p < count; p++) {
            long result;
            uint64_t a[4] = { row->args[0], row->args[1], row->args[2], row->args[3] };

            a[row->at] = bad_pointers[p];
            test_case("%s at %p", row->name, (void *)bad_pointers[p]);
            result = hypercall5(row->number, a[0], a[1], a[2], a[3], 0);
            if (!(row->counts && result == 0) && !(row->optional && result == -XEN_ENOSYS))
                check_eq(result, -XEN_EFAULT);
        }
    }
    trap_table_reset(); /* a failed set_trap_table may have emptied it */
}

static void readonly_results(void)
{
    /* as a multicall: a harmless call, since it may be done before its result is stored */
    *(uint64_t *)readonly = __HYPERVISOR_xen_version;
    ktest_require(page_readonly(readonly) == 0);
    expect(hyp_xen_version(XENVER_extraversion, readonly), -XEN_EFAULT);
    expect(hyp_vcpu_op(VCPUOP_get_runstate_info, 0, readonly), -XEN_EFAULT);
    expect(hyp_multicall(readonly, 1), -XEN_EFAULT);
}

/* ---- one call after the other ---- */

/* Toolstack calls check the interface version first, where they exist. */
static void other_version(const char *name, long result)
{
    test_case("%s of another interface version", name);
    check(result == -XEN_EACCES || result == -XEN_ENOSYS);
}

static void unknown_suboperations(void)
{
    uint64_t block[32] = { 0 };

    expect(hyp_xen_version(99, block), -XEN_ENOSYS);
    expect(hyp_console_io(99, 0, block), -XEN_ENOSYS);
    expect(hyp_memory_op(63, block), -XEN_ENOSYS);
    expect(hyp_sched_op(99, block), -XEN_ENOSYS);
    expect(hyp_callback_op(99, block), -XEN_ENOSYS);
    expect(hyp_event_channel_op(99, block), -XEN_ENOSYS);
    expect(hyp_physdev_op(99, block), -XEN_ENOSYS);
    expect(hyp_grant_table_op(99, block, 1), -XEN_ENOSYS);
    expect(hyp_vcpu_op(99, 0, block), -XEN_ENOSYS);
    expect_error(hyp_vm_assist(99, 0));
    expect(mmuext(99, 0, 0), -XEN_ENOSYS);
    other_version("sysctl", HC_1(__HYPERVISOR_sysctl, block));
    other_version("domctl", HC_1(__HYPERVISOR_domctl, block));
    expect(HC_1(__HYPERVISOR_platform_op, block), -XEN_EACCES);
}

static void multicall(void)
{
    static struct xen_feature_info features;
    struct multicall_entry list[4] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
        { .op = 63 },
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_get_features, HYPERVISOR } },
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_get_features, (uint64_t)&features } },
    };

    test_case("multicall: results in the entries, one failure stops nothing");
    check_eq(hyp_multicall(list, 4), 0);
    check_eq(list[0].result, 4 << 16 | 17);
    check_eq(list[1].result, -XEN_ENOSYS);
    check_eq(list[2].result, -XEN_EFAULT);
    check_eq(list[3].result, 0);
    check(features.submap != 0);
    expect(hyp_multicall(list, 0), 0);
}

static void debug_registers(void)
{
    expect(hyp_set_debugreg(0, test_case), 0);
    expect(hyp_get_debugreg(0), (long)test_case);
    expect(hyp_set_debugreg(0, HYPERVISOR), -XEN_EPERM);
    expect(hyp_set_debugreg(0, NONCANONICAL), -XEN_EPERM);
    expect(hyp_get_debugreg(0), (long)test_case);
    expect(hyp_set_debugreg(0, 0), 0);
    expect_error(hyp_set_debugreg(8, 0));
    expect_error(hyp_get_debugreg(8));
    expect_error(hyp_set_debugreg(7, 1UL << 32));
    expect(hyp_set_debugreg(7, 0), 0);
}

/* A watchpoint set by hypercall fires as #DB in the guest, and DR6 says which. */
static void watchpoint(void)
{
    static volatile uint64_t watched;
    struct exception e;

    test_case("a write watchpoint fires");
    check_eq(hyp_set_debugreg(0, &watched), 0);
    check_eq(hyp_set_debugreg(7, 0x000d0001), 0);
    PROBE_ASM("movq $5, %0\n 3: nop\n" EXTABLE(3b, 3b), "=m"(watched), "r"(0));
    e = this_cpu()->last;
    check_eq(hyp_set_debugreg(7, 0), 0);
    check_eq(e.regs.vector, VEC_DB);
    check_eq(watched, 5);
    check_eq(hyp_get_debugreg(6) & 0xf, 1);
    check_eq(hyp_set_debugreg(6, 0xffff0ff0), 0);
    check_eq(hyp_set_debugreg(0, 0), 0);
}

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

static void segment_bases(void)
{
    static uint64_t here = 1234, there = 5678;

    expect(hyp_set_segment_base(SEGBASE_FS, &here), 0);
    expect((long)fs_word(), 1234);
    expect(hyp_set_segment_base(SEGBASE_GS_KERNEL, &there), 0);
    expect((long)gs_word(), 5678);
    expect(hyp_set_segment_base(SEGBASE_GS_USER, &here), 0);
    expect((long)gs_word(), 5678);
    expect(hyp_set_segment_base(SEGBASE_FS, NONCANONICAL), -XEN_EINVAL);
    expect(hyp_set_segment_base(SEGBASE_GS_KERNEL, NONCANONICAL), -XEN_EINVAL);
    expect((long)fs_word(), 1234);
    expect(hyp_set_segment_base(9, 0), -XEN_EINVAL);
    expect(hyp_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    expect(hyp_set_segment_base(SEGBASE_FS, 0), 0);
}

static void vm_assist(void)
{
    expect(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    expect(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
    expect(hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl), 0);
    expect(hyp_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl), 0);
    expect(hyp_vm_assist(VMASST_CMD_enable, 63), -XEN_EINVAL);
    expect(hyp_vm_assist(VMASST_CMD_enable, 4096), -XEN_EINVAL);
}

static void callbacks(void)
{
    struct callback_unregister un = { .type = CALLBACKTYPE_event };

    expect(callback_set(99, 0, ktest_event_entry), -XEN_ENOSYS);
    expect(callback_set(CALLBACKTYPE_event, 0, (void *)NONCANONICAL), -XEN_EINVAL);
    expect(callback_set(CALLBACKTYPE_nmi, 0, ktest_nmi_entry), 0);
    expect(callback_set(CALLBACKTYPE_sysenter, 0, ktest_sysenter_entry), 0);
    expect(callback_set(CALLBACKTYPE_syscall32, 0, ktest_syscall32_entry), 0);
    expect(hyp_callback_op(CALLBACKOP_unregister, &un), -XEN_EINVAL);
    un.type = CALLBACKTYPE_failsafe;
    expect(hyp_callback_op(CALLBACKOP_unregister, &un), -XEN_EINVAL);
    un.type = CALLBACKTYPE_nmi;
    expect(hyp_callback_op(CALLBACKOP_unregister, &un), 0);
    un.type = 99;
    expect(hyp_callback_op(CALLBACKOP_unregister, &un), -XEN_ENOSYS);
}

static void trap_table(void)
{
    expect(trap_set(5, 0, NONCANONICAL), -XEN_EINVAL);
    expect(trap_set(5, 0, (uint64_t)ktest_vector_entries[5]), 0);
    expect(hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(0)), 0);
}

static void descriptor_tables(void)
{
    uint64_t *table = page_alloc();
    mfn_t frame = mfn_of(table);

    expect(hyp_set_gdt(&frame, 7169), -XEN_EINVAL);
    expect(page_readonly(table), 0);
    expect(hyp_set_gdt(&frame, 512), 0);
    expect(page_writable(table) < 0, 1);
    expect(hyp_set_gdt(&frame, 0), 0);
    expect(page_writable(table), 0);
    expect(hyp_set_gdt(&(mfn_t){ 1UL << 39 }, 512), -XEN_EINVAL);
    expect(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    expect(mmuext(MMUEXT_SET_LDT, (uint64_t)table + 8, 16), -XEN_EINVAL);
    expect(mmuext(MMUEXT_SET_LDT, (uint64_t)table, 8193), -XEN_EINVAL);
    expect(mmuext(MMUEXT_SET_LDT, HYPERVISOR, 16), -XEN_EINVAL);
}

static void local_descriptors(void)
{
    static uint64_t ldt[512] __attribute__((aligned(4096)));
    unsigned int selector = 3 * 8 | 7;
    uint64_t value;

    test_case("LDT: a descriptor in it can be loaded");
    ldt[3] = 0x00cff3000000ffff;
    check_eq(page_readonly(ldt), 0);
    check_eq(mmuext(MMUEXT_SET_LDT, (uint64_t)ldt, 512), 0);
    check(!PROBE_ASM("mov %1, %%es", "=m"(value), "r"(selector)));
    check(page_writable(ldt) < 0);
    check(PROBE_ASM("mov %1, %%es", "=m"(value), "r"(4 * 8 | 7)));
    check_eq(this_cpu()->last.regs.error, 4 * 8 | 4);
    asm volatile("mov %0, %%es" : : "r"(0));
    check_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    check_eq(page_writable(ldt), 0);
}

static void virtual_cpus(void)
{
    struct vcpu_runstate_info state;
    static struct vcpu_guest_context context;

    expect(hyp_vcpu_op(VCPUOP_is_up, 0, 0), 1);
    expect(hyp_vcpu_op(VCPUOP_is_up, 4000, 0), -XEN_ENOENT);
    expect(hyp_vcpu_op(VCPUOP_up, 4000, 0), -XEN_ENOENT);
    expect(hyp_vcpu_op(VCPUOP_up, 0, 0), 0);
    expect(hyp_vcpu_op(VCPUOP_initialise, 0, &context), -XEN_EEXIST);
    expect(hyp_vcpu_op(VCPUOP_get_runstate_info, 0, &state), 0);
    expect(state.state, RUNSTATE_running);
    expect(hyp_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
    expect(hyp_vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0), 0);
}

static void grants(void)
{
    struct gnttab_query_size query = { .dom = DOMID_SELF };
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    xen_pfn_t frame = 0;

    expect(hyp_grant_table_op(GNTTABOP_query_size, &query, 1), 0);
    expect(query.status, GNTST_okay);
    expect(query.max_nr_frames >= 32, 1);
    set_xen_guest_handle(setup.frame_list, &frame);
    expect(hyp_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    expect(setup.status, GNTST_okay);
    expect(frame != 0, 1);
    setup.nr_frames = 100000;
    expect(hyp_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    expect(setup.status < 0, 1);
    expect(hyp_grant_table_op(GNTTABOP_query_size, &query, 0), -XEN_EINVAL);
}

static void memory(void)
{
    struct xen_machphys_mapping mapping;
    domid_t self = DOMID_SELF, nobody = 999;

    expect(hyp_memory_op(XENMEM_machphys_mapping, &mapping), 0);
    expect((long)mapping.v_start, (long)HYPERVISOR_VIRT_START);
    expect(mapping.max_mfn != 0, 1);
    expect(hyp_memory_op(XENMEM_maximum_ram_page, 0) > 0, 1);
    expect(hyp_memory_op(XENMEM_maximum_reservation, &self) >=
           hyp_memory_op(XENMEM_current_reservation, &self), 1);
    expect(hyp_memory_op(XENMEM_current_reservation, &nobody), -XEN_ESRCH);
}

static void va_mapping(void)
{
    expect(hyp_update_va_mapping(UNMAPPED, 0, 0), -XEN_EINVAL);
    expect(hyp_update_va_mapping(NONCANONICAL, 0, 0), -XEN_EINVAL);
}

static void devices(void)
{
    struct physdev_set_iopl iopl = { .iopl = 4 };
    struct physdev_map_pirq pirq = { .domid = DOMID_SELF, .type = 99 };

    expect(hyp_physdev_op(PHYSDEVOP_set_iopl, &iopl), -XEN_EINVAL);
    iopl.iopl = 1;
    expect(hyp_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    expect(hyp_physdev_op(PHYSDEVOP_map_pirq, &pirq), -XEN_EINVAL);
}

void test_main(void)
{
    unknown_numbers();
    registers_survive();
    bad_pointer_calls();
    readonly_results();
    unknown_suboperations();
    multicall();
    debug_registers();
    watchpoint();
    segment_bases();
    vm_assist();
    callbacks();
    trap_table();
    descriptor_tables();
    local_descriptors();
    virtual_cpus();
    grants();
    memory();
    va_mapping();
    devices();
}
