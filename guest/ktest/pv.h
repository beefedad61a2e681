/* SPDX-License-Identifier: MIT */
/* Hypercalls. Arguments and results are those of the public headers; errors are negative errno. */
#ifndef KTEST_PV_H
#define KTEST_PV_H

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <stdint.h>

#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/xen.h>

extern uint8_t hypercall_page[4096];

/* Any hypercall, by the stub of its number in the hypercall page. */
static inline long hypercall5(unsigned int number, unsigned long a1, unsigned long a2,
                              unsigned long a3, unsigned long a4, unsigned long a5)
{
    register unsigned long r10 asm("r10") = a4;
    register unsigned long r8 asm("r8") = a5;
    uint8_t *stub = hypercall_page + 32UL * number;
    long ret;

    asm volatile("call *%[stub]"
                 : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                 : [stub] "rm"(stub)
                 : "rcx", "r11", "memory");
    return ret;
}

/* Any hypercall number at all, by the instruction itself. */
static inline long hypercall_raw(unsigned long number, unsigned long a1, unsigned long a2,
                                 unsigned long a3)
{
    long ret;

    asm volatile("syscall"
                 : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3)
                 : "0"(number)
                 : "rcx", "r11", "r8", "r9", "r10", "memory");
    return ret;
}

#define HC_ARG(x) ((unsigned long)(x))
#define HC_1(n, a) hypercall5(n, HC_ARG(a), 0, 0, 0, 0)
#define HC_2(n, a, b) hypercall5(n, HC_ARG(a), HC_ARG(b), 0, 0, 0)
#define HC_3(n, a, b, c) hypercall5(n, HC_ARG(a), HC_ARG(b), HC_ARG(c), 0, 0)
#define HC_4(n, a, b, c, d) hypercall5(n, HC_ARG(a), HC_ARG(b), HC_ARG(c), HC_ARG(d), 0)

#define hyp_set_trap_table(t) HC_1(__HYPERVISOR_set_trap_table, t)
#define hyp_mmu_update(r, n, done, dom) HC_4(__HYPERVISOR_mmu_update, r, n, done, dom)
#define hyp_set_gdt(frames, n) HC_2(__HYPERVISOR_set_gdt, frames, n)
#define hyp_stack_switch(ss, sp) HC_2(__HYPERVISOR_stack_switch, ss, sp)
#define hyp_fpu_taskswitch(set) HC_1(__HYPERVISOR_fpu_taskswitch, set)
#define hyp_set_debugreg(r, v) HC_2(__HYPERVISOR_set_debugreg, r, v)
#define hyp_get_debugreg(r) HC_1(__HYPERVISOR_get_debugreg, r)
#define hyp_update_descriptor(ma, d) HC_2(__HYPERVISOR_update_descriptor, ma, d)
#define hyp_memory_op(c, p) HC_2(__HYPERVISOR_memory_op, c, p)
#define hyp_multicall(l, n) HC_2(__HYPERVISOR_multicall, l, n)
#define hyp_update_va_mapping(va, v, f) HC_3(__HYPERVISOR_update_va_mapping, va, v, f)
#define hyp_set_timer_op(t) HC_1(__HYPERVISOR_set_timer_op, t)
#define hyp_xen_version(c, p) HC_2(__HYPERVISOR_xen_version, c, p)
#define hyp_console_io(c, n, p) HC_3(__HYPERVISOR_console_io, c, n, p)
#define hyp_grant_table_op(c, p, n) HC_3(__HYPERVISOR_grant_table_op, c, p, n)
#define hyp_vm_assist(c, t) HC_2(__HYPERVISOR_vm_assist, c, t)
#define hyp_vcpu_op(c, v, p) HC_3(__HYPERVISOR_vcpu_op, c, v, p)
#define hyp_set_segment_base(w, b) HC_2(__HYPERVISOR_set_segment_base, w, b)
#define hyp_mmuext_op(o, n, done, dom) HC_4(__HYPERVISOR_mmuext_op, o, n, done, dom)
#define hyp_sched_op(c, p) HC_2(__HYPERVISOR_sched_op, c, p)
#define hyp_callback_op(c, p) HC_2(__HYPERVISOR_callback_op, c, p)
#define hyp_event_channel_op(c, p) HC_2(__HYPERVISOR_event_channel_op, c, p)
#define hyp_physdev_op(c, p) HC_2(__HYPERVISOR_physdev_op, c, p)

#endif
