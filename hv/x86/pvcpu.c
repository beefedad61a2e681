/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls about the virtual processor: trap table, callbacks, stacks, segment bases, debug
 * registers; and the state that goes with a vCPU from CPU to CPU.
 */
#include "hv/pvcpu.h"

#include "hv/asm.h"
#include "hv/cpuid.h"
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/pci.h"
#include "hv/percpu.h"
#include "hv/sites.h"
#include "hv/x86.h"

uint64_t pv_cr4(uint64_t value)
{
    uint64_t seen = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;

    /* Of what the guest asks for only these have an effect that it sees (TSD, DE, OSXSAVE). */
    seen |= value & (X86_CR4_TSD | X86_CR4_DE);
    if (features.xsave)
        seen |= value & X86_CR4_OSXSAVE;
    return seen;
}

/* ------------------------------------------------------------------ traps and callbacks */

static bool code_address_ok(uint64_t va)
{
    return is_canonical(va) && guest_range_ok(va, 1);
}

void pv_set_trap(struct vcpu *v, unsigned int vector, struct guest_trap t)
{
    fast_guest_changed(v->domain, RADON_FAST_GUEST_STATE);
    v->traps[vector] = t;
    if (vector == X86_PF)
        v->hot->page_fault_rip = TI_GET_IF(&t) ? t.address : 0;
}

long do_set_trap_table(HCALL_ARGS1(table))
{
    struct vcpu *v = current();
    struct trap_info t;

    if (!table) {
        memset(v->traps, 0, sizeof(v->traps));
        v->hot->page_fault_rip = 0;
        return 0;
    }
    for (unsigned int i = 0; i < 257; i++, table += sizeof(t)) {
        if (!copy_from_guest(&t, table, 1))
            return -XEN_EFAULT;
        if (!t.address)
            return 0;
        if (!code_address_ok(t.address))
            return -XEN_EINVAL;
        pv_set_trap(v, t.vector, (struct guest_trap){ t.address, t.cs, t.flags });
        if (t.vector == X86_NMI && !v->id) /* the same handler by another name, as Linux does it */
            v->nmi_cb.address = t.address;
    }
    return -XEN_EINVAL;
}

static void set_syscall_callback(struct vcpu *v, uint64_t address, bool mask)
{
    fast_guest_changed(v->domain, RADON_FAST_GUEST_STATE);
    v->hot->syscall_rip = address;
    v->syscall_masks_events = mask;
    if (address && mask)
        hot_clear_odd(v->hot, HOT_ODD_SYSCALL);
    else
        hot_set_odd(v->hot, HOT_ODD_SYSCALL);
}

static struct callback *callback_slot(struct vcpu *v, unsigned int type)
{
    switch (type) {
    case CALLBACKTYPE_event:
        return &v->event_cb;
    case CALLBACKTYPE_failsafe:
        return &v->failsafe_cb;
    case CALLBACKTYPE_nmi:
        return &v->nmi_cb;
    case CALLBACKTYPE_syscall32:
        return &v->syscall32_cb;
    case CALLBACKTYPE_sysenter:
        return &v->sysenter_cb;
    }
    return NULL;
}

static long register_callback(struct vcpu *v, unsigned int type, unsigned int flags,
                              uint64_t address)
{
    struct callback *cb = callback_slot(v, type);

    if (address && !code_address_ok(address))
        return -XEN_EINVAL;
    if (type == CALLBACKTYPE_syscall) {
        set_syscall_callback(v, address, flags & CALLBACKF_mask_events);
        return 0;
    }
    if (type == CALLBACKTYPE_sysenter_deprecated)
        cb = &v->sysenter_cb;
    if (!cb)
        return -XEN_ENOSYS;
    if (type == CALLBACKTYPE_nmi && v != v->domain->vcpu[0])
        return -XEN_EINVAL;
    fast_guest_changed(v->domain, RADON_FAST_GUEST_STATE);
    *cb = (struct callback){ address, flags & CALLBACKF_mask_events };
    return 0;
}

long do_callback_op(HCALL_ARGS2(cmd, arg))
{
    struct callback_register reg;
    struct callback_unregister unreg;

    switch (cmd) {
    case CALLBACKOP_register:
        if (!copy_from_guest(&reg, arg, 1))
            return -XEN_EFAULT;
        return register_callback(current(), reg.type, reg.flags, reg.address);
    case CALLBACKOP_unregister:
        if (!copy_from_guest(&unreg, arg, 1))
            return -XEN_EFAULT;
        if (unreg.type == CALLBACKTYPE_event || unreg.type == CALLBACKTYPE_failsafe ||
            unreg.type == CALLBACKTYPE_syscall)
            return -XEN_EINVAL;
        return register_callback(current(), unreg.type, 0, 0);
    }
    return -XEN_ENOSYS;
}

long do_set_callbacks(HCALL_ARGS3(event, failsafe, syscall))
{
    struct vcpu *v = current();

    if (!code_address_ok(event) || !code_address_ok(failsafe) || !code_address_ok(syscall))
        return -XEN_EINVAL;
    v->event_cb.address = event;
    v->failsafe_cb.address = failsafe;
    set_syscall_callback(v, syscall, v->syscall_masks_events);
    return 0;
}

long do_nmi_op(HCALL_ARGS2(cmd, arg))
{
    struct vcpu *v = current();
    struct xennmi_callback cb;

    switch (cmd) {
    case XENNMI_register_callback:
        if (!copy_from_guest(&cb, arg, 1))
            return -XEN_EFAULT;
        return register_callback(v, CALLBACKTYPE_nmi, 0, cb.handler_address);
    case XENNMI_unregister_callback:
        return register_callback(v, CALLBACKTYPE_nmi, 0, 0);
    }
    return -XEN_ENOSYS;
}

long do_stack_switch(HCALL_ARGS2(ss, sp))
{
    struct vcpu *v = current();

    sites_void_bounce(); /* another task is going to return */
    pv_set_kernel_stack(v, ss, sp);
    return 0;
}

void pv_set_kernel_stack(struct vcpu *v, uint16_t ss, uint64_t sp)
{
    uint64_t frame = (sp & ~15UL) - 7 * 8;

    v->kernel_ss = ss;
    v->hot->kernel_sp = sp;
    /*
     * The lean bounce does not look at the address again, so the hypervisor's range is kept out
     * here; an address there becomes one that faults.
     */
    v->hot->kernel_frame = guest_range_ok(frame - 8, 64) && is_canonical(frame) ? frame : 1UL << 47;
}

void pv_note_kernel_gs(struct vcpu *v, uint64_t base)
{
    v->gs_base_kernel = base;
    if (unlikely(v->hot->flags & HOT_HANDLERS))
        fast_state_changed(v);
}

long do_set_segment_base(HCALL_ARGS2(which, base))
{
    switch (which) {
    case SEGBASE_FS:
    case SEGBASE_GS_USER:
    case SEGBASE_GS_KERNEL:
        if (!is_canonical(base))
            return -XEN_EINVAL;
        if (which == SEGBASE_GS_KERNEL)
            pv_note_kernel_gs(current(), base);
        /* In the guest kernel the user's GS base is the one that SWAPGS would bring in. */
        wrmsr(which == SEGBASE_FS ? MSR_FS_BASE
              : which == SEGBASE_GS_USER ? MSR_SHADOW_GS_BASE : MSR_GS_BASE, base);
        return 0;
    case SEGBASE_GS_USER_SEL: {
        uint16_t sel = base;
        uint64_t kernel = rdmsr(MSR_GS_BASE);

        __asm__ volatile("swapgs\n"
                         "1: mov %0, %%gs\n"
                         "   jmp 3f\n"
                         "2: xor %k0, %k0\n"
                         "   mov %0, %%gs\n"
                         "3: swapgs\n"
                         ".pushsection __ex_table, \"a\"\n.long 1b - ., 2b - .\n.popsection\n"
                         : "+r"(sel) :: "memory");
        wrmsr(MSR_GS_BASE, kernel);
        return 0;
    }
    }
    return -XEN_EINVAL;
}

/* ------------------------------------------------------------------ debug registers */

static void load_debugreg(unsigned int nr, uint64_t v)
{
    switch (nr) {
    case 0: __asm__ volatile("mov %0, %%dr0" ::"r"(v)); break;
    case 1: __asm__ volatile("mov %0, %%dr1" ::"r"(v)); break;
    case 2: __asm__ volatile("mov %0, %%dr2" ::"r"(v)); break;
    case 3: __asm__ volatile("mov %0, %%dr3" ::"r"(v)); break;
    case 6: __asm__ volatile("mov %0, %%dr6" ::"r"(v)); break;
    case 7: __asm__ volatile("mov %0, %%dr7" ::"r"(v)); break;
    }
}

#define DR7_ENABLES 0xffUL

static bool dr7_ok(uint64_t v)
{
    if (v & DR7_ENABLES)
        for (unsigned int i = 0; i < 4; i++)
            if (((v >> (16 + 4 * i)) & 3) == 2) /* I/O breakpoints would be the hypervisor's */
                return false;
    return !(v >> 32);
}

long pv_set_debugreg(struct vcpu *v, unsigned int nr, uint64_t value)
{
    if (nr == 4 || nr == 5)
        nr += 2;
    switch (nr) {
    case 0: case 1: case 2: case 3:
        if (!is_canonical(value) || !guest_range_ok(value, 1))
            return -XEN_EPERM;
        break;
    case 6:
        if (value >> 32)
            return -XEN_EPERM;
        value = (value & ~0x1000UL) | 0xffff0ff0;
        break;
    case 7:
        if (!dr7_ok(value))
            return -XEN_EPERM;
        value = (value & ~0xd800UL & ~(1UL << 13)) | 0x400; /* no GD: it would trap our own use */
        break;
    default:
        return -XEN_EINVAL;
    }
    v->dr[nr] = value;
    if (v->dr[7] & DR7_ENABLES)
        hot_set_odd(v->hot, HOT_ODD_DEBUG);
    else
        hot_clear_odd(v->hot, HOT_ODD_DEBUG);
    if (v == current() && (nr == 7 || (v->dr[7] & DR7_ENABLES) || nr == 6)) {
        if (nr == 7)
            for (unsigned int i = 0; i < 4; i++)
                load_debugreg(i, v->dr[i]);
        load_debugreg(nr, value);
    }
    return 0;
}

uint64_t pv_get_debugreg(const struct vcpu *v, unsigned int nr)
{
    if (nr == 4 || nr == 5)
        nr += 2;
    return v->dr[nr & 7];
}

long do_set_debugreg(HCALL_ARGS2(nr, value))
{
    return nr > 7 ? -XEN_EINVAL : pv_set_debugreg(current(), nr, value);
}

long do_get_debugreg(HCALL_ARGS1(nr))
{
    return nr > 7 ? -XEN_EINVAL : (long)pv_get_debugreg(current(), nr);
}

/* ------------------------------------------------------------------ ports */

uint32_t guest_port_read(struct vcpu *v, uint16_t port, unsigned int bytes)
{
    uint32_t value;

    if ((port & ~7u) == 0xcf8 && pci_io_read(v, port, bytes, &value))
        return value;
    if (!ioport_permitted(v->domain, port, bytes))
        return bytes == 4 ? ~0u : (1u << 8 * bytes) - 1;
    return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

void guest_port_write(struct vcpu *v, uint16_t port, unsigned int bytes, uint32_t value)
{
    if ((port & ~7u) == 0xcf8 && pci_io_write(v, port, bytes, value))
        return;
    if (!ioport_permitted(v->domain, port, bytes))
        return;
    if (bytes == 1)
        outb(port, value);
    else if (bytes == 2)
        outw(port, value);
    else
        outl(port, value);
}

/* ------------------------------------------------------------------ from CPU to CPU */

void pv_save_state(struct vcpu *v)
{
    uint64_t gs = rdmsr(MSR_GS_BASE), shadow = rdmsr(MSR_SHADOW_GS_BASE);
    bool kernel = vcpu_in_kernel(v);

    __asm__ volatile("mov %%ds, %0" : "=r"(v->ds));
    __asm__ volatile("mov %%es, %0" : "=r"(v->es));
    __asm__ volatile("mov %%fs, %0" : "=r"(v->fs));
    __asm__ volatile("mov %%gs, %0" : "=r"(v->gs));
    v->fs_base = rdmsr(MSR_FS_BASE);
    v->gs_base_kernel = kernel ? gs : shadow;
    v->gs_base_user = kernel ? shadow : gs;
    if (v->dr[7] & DR7_ENABLES)
        load_debugreg(7, 0x400);
}

/* A selector that has become invalid loads as null. */
#define LOAD_SELECTOR(reg, sel)                                                                    \
    do {                                                                                           \
        uint16_t s_ = (sel);                                                                       \
        __asm__ volatile("1: mov %0, %%" reg "\n"                                                  \
                         "   jmp 3f\n"                                                             \
                         "2: xor %k0, %k0\n"                                                       \
                         "   mov %0, %%" reg "\n"                                                  \
                         "3:\n"                                                                    \
                         ".pushsection __ex_table, \"a\"\n.long 1b - ., 2b - .\n.popsection\n"     \
                         : "+r"(s_));                                                              \
    } while (0)

void pv_load_state(struct vcpu *v)
{
    bool kernel = vcpu_in_kernel(v);

    LOAD_SELECTOR("ds", v->ds);
    LOAD_SELECTOR("es", v->es);
    LOAD_SELECTOR("fs", v->fs);
    LOAD_SELECTOR("gs", v->gs);
    wrmsr(MSR_FS_BASE, v->fs_base);
    wrmsr(MSR_GS_BASE, kernel ? v->gs_base_kernel : v->gs_base_user);
    wrmsr(MSR_SHADOW_GS_BASE, kernel ? v->gs_base_user : v->gs_base_kernel);
    if (v->dr[7] & DR7_ENABLES) {
        for (unsigned int i = 0; i < 4; i++)
            load_debugreg(i, v->dr[i]);
        load_debugreg(6, v->dr[6]);
        load_debugreg(7, v->dr[7]);
    }
}
