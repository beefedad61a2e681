/* SPDX-License-Identifier: MIT */
/*
 * The hypercall table, and the calls about the hypervisor itself: version, multicall, vm_assist.
 */
#include "hv/asm.h"
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "public/radon.h"
#include "hv/lib.h"
#include "hv/domain.h"
#include "hv/sites.h"
#include "hv/trace.h"
#include "hv/vcpu.h"
#include "hv/version.h"

static long not_there(HCALL_ARGS1(a1_))
{
    (void)a1_;
    return -XEN_ENOSYS;
}

/* Rows of the table override the default. */
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
const hypercall_fn hypercall_table[NR_HYPERCALLS] = {
    [0 ... NR_HYPERCALLS - 1] = not_there,
#define HYPERCALL(nr, name, handler, nargs, doc) [nr] = handler,
#include "public/hypercalls.def"
#undef HYPERCALL
};
#pragma GCC diagnostic pop

#define HYPERCALL(nr, name, handler, nargs, doc) \
    _Static_assert(nr == __HYPERVISOR_##name && nr < NR_HYPERCALLS, "number of " #name);
#undef __HYPERVISOR_sched_op_compat
#undef __HYPERVISOR_event_channel_op_compat
#undef __HYPERVISOR_physdev_op_compat
#define __HYPERVISOR_sched_op_compat 6
#define __HYPERVISOR_event_channel_op_compat 16
#define __HYPERVISOR_physdev_op_compat 19
#define __HYPERVISOR_mca __HYPERVISOR_arch_0
#define __HYPERVISOR_radon_op RADON_HYPERCALL
#include "public/hypercalls.def"
#undef HYPERCALL

const char *hypercall_name(unsigned int number)
{
    static const char *const names[NR_HYPERCALLS] = {
#define HYPERCALL(nr, name, handler, nargs, doc) [nr] = #name,
#include "public/hypercalls.def"
#undef HYPERCALL
    };

    return number < NR_HYPERCALLS ? names[number] : NULL;
}

long do_iret_in_multicall(HCALL_ARGS1(a1_))
{
    (void)a1_;
    return -XEN_ENOSYS;
}

/* Entries done between two looks for interrupts and other vCPUs. */
#define MULTICALL_BATCH 32

static long call_by_number(unsigned long op, const uint64_t a[6])
{
    return op < NR_HYPERCALLS ? hypercall_table[op](a[0], a[1], a[2], a[3], a[4], a[5])
                              : -XEN_ENOSYS;
}

/* timed: a constant, so that what times entries is not in the way of those that are not. */
static inline __attribute__((always_inline)) long multicall(uint64_t list, unsigned long count, bool timed)
{
    const struct vcpu_hot *h = hot();
    struct multicall_entry call;

    for (unsigned long i = 0; i < count; i++, list += sizeof(call)) {
        uint64_t begun = 0;

        if (!copy_from_guest(&call, list, 1))
            return -XEN_EFAULT;
        if (timed)
            begun = rdtsc();
        if (trace_is_on(TRACE_EV_pv_subcall))
            trace_subcall(call.op, call.args);
        call.result = (xen_ulong_t)call_by_number(call.op, call.args);
        trace_exit_subcall((uint32_t)call.op, (int64_t)call.result);
        if (!put_guest_u64(list + offsetof(struct multicall_entry, result), call.result))
            return -XEN_EFAULT;
        if (timed)
            sites_add_part_here(h, rdtsc() - begun,
                                SITE_PART(RADON_SITE_SUBCALL, sites_call_number(h, call.op, call.args[0])));
        if (i % MULTICALL_BATCH == MULTICALL_BATCH - 1)
            preempt_point();
    }
    return 0;
}

long do_multicall(HCALL_ARGS2(list, count))
{
    return unlikely(sites_timed(hot())) ? multicall(list, count, true) : multicall(list, count, false);
}

/* ------------------------------------------------------------------ version */

static long get_features(uint64_t arg)
{
    xen_feature_info_t fi;
    struct domain *d = current()->domain;

    if (!copy_from_guest(&fi, arg, 1))
        return -XEN_EFAULT;
    if (fi.submap_idx != 0)
        return -XEN_EINVAL;
    fi.submap = 1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_mmu_pt_update_preserve_ad |
                1u << XENFEAT_highmem_assist | 1u << XENFEAT_gnttab_map_avail_bits |
                1u << XENFEAT_memory_op_vnode_supported;
    if (d->privileged)
        fi.submap |= 1u << XENFEAT_dom0;
    return copy_to_guest(arg, &fi, 1) ? 0 : -XEN_EFAULT;
}

static long put_text(uint64_t arg, const char *text, size_t size)
{
    char buf[1024] = { 0 };

    strlcpy(buf, text, sizeof(buf));
    return copy_to_guest_va(arg, buf, MIN(size, sizeof(buf))) ? -XEN_EFAULT : 0;
}

long do_xen_version(HCALL_ARGS2(cmd, arg))
{
    switch (cmd) {
    case XENVER_version:
        return XEN_MAJOR << 16 | XEN_MINOR;
    case XENVER_extraversion:
        return put_text(arg, XEN_EXTRAVERSION_TEXT, sizeof(xen_extraversion_t));
    case XENVER_compile_info: {
        xen_compile_info_t info = { .compiler = "C compiler", .compile_by = "radon",
                                    .compile_domain = "", .compile_date = "" };

        strlcpy(info.compiler, __VERSION__, sizeof(info.compiler));
        return copy_to_guest(arg, &info, 1) ? 0 : -XEN_EFAULT;
    }
    case XENVER_capabilities:
        return put_text(arg, "xen-3.0-x86_64 ", sizeof(xen_capabilities_info_t));
    case XENVER_changeset:
        return put_text(arg, "radon", sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters: {
        xen_platform_parameters_t p = { .virt_start = HYPERVISOR_VIRT_START };

        return copy_to_guest(arg, &p, 1) ? 0 : -XEN_EFAULT;
    }
    case XENVER_get_features:
        return get_features(arg);
    case XENVER_pagesize:
        return PAGE_SIZE;
    case XENVER_guest_handle:
        return copy_to_guest_va(arg, (xen_domain_handle_t){ 0 }, sizeof(xen_domain_handle_t))
                   ? -XEN_EFAULT : 0;
    case XENVER_commandline:
        return put_text(arg, hv_cmdline, sizeof(xen_commandline_t));
    case XENVER_build_id:
        return -XEN_ENODATA;
    }
    return -XEN_ENOSYS;
}

/* ------------------------------------------------------------------ vm_assist */

#define ASSISTS_PV64                                                                               \
    (1UL << VMASST_TYPE_writable_pagetables | 1UL << VMASST_TYPE_architectural_iopl |              \
     1UL << VMASST_TYPE_runstate_update_flag)

long do_vm_assist(HCALL_ARGS2(cmd, type))
{
    struct domain *d = current()->domain;

    if (type >= 64 || !(ASSISTS_PV64 & (1UL << type)))
        return -XEN_EINVAL;
    switch (cmd) {
    case VMASST_CMD_enable:
        fast_guest_changed(d, RADON_FAST_GUEST_STATE);
        d->vm_assist |= 1UL << type;
        for (unsigned int i = 0; type == VMASST_TYPE_architectural_iopl && i < d->nr_vcpus; i++)
            if (d->vcpu[i])
                hot_set_odd(d->vcpu[i]->hot, HOT_ODD_IOPL);
        return 0;
    case VMASST_CMD_disable:
        fast_guest_changed(d, RADON_FAST_GUEST_STATE);
        d->vm_assist &= ~(1UL << type); /* the lean paths stay closed: correct, only slower */
        return 0;
    }
    return -XEN_ENOSYS;
}
