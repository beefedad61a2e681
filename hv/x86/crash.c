/* SPDX-License-Identifier: MIT */
/*
 * The end: registers and backtraces of the hypervisor and of guests that misbehave.
 */
#include <stdarg.h>

#include "hv/asm.h"
#include "hv/console.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sched.h"
#include "hv/symbols.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/vcpu.h"
#include "hv/x86.h"

void show_registers(const struct cpu_user_regs *regs)
{
    printk("  rip %04x:%016lx  rsp %04x:%016lx  rflags %08lx\n", regs->cs, regs->rip, regs->ss,
           regs->rsp, regs->rflags);
    printk("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", regs->rax, regs->rbx, regs->rcx,
           regs->rdx);
    printk("  rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", regs->rsi, regs->rdi, regs->rbp,
           regs->r8);
    printk("  r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", regs->r9, regs->r10, regs->r11,
           regs->r12);
    printk("  r13 %016lx  r14 %016lx  r15 %016lx  cr3 %016lx\n", regs->r13, regs->r14, regs->r15,
           read_cr3());
}

/*
 * The hypervisor is built without frame pointers: every word on the stack that points into text.
 * After an overflow rsp is in the guard, where nothing can be read.
 */
void show_hv_backtrace(const struct cpu_user_regs *regs)
{
    uint64_t end = (regs->rsp | (STACK_BLOCK - 1)) + 1, offset;
    uint64_t at = MAX(ROUND_UP(regs->rsp, 8UL), end - STACK_SIZE);
    const char *name = symbol_lookup(regs->rip, &offset);

    printk("  backtrace (return addresses on the stack):\n");
    if (name)
        printk("    %s+0x%lx\n", name, offset);
    for (unsigned int shown = 0; at < end && shown < 24; at += 8) {
        uint64_t word = *(uint64_t *)at;

        name = symbol_lookup(word, &offset);
        if (name && offset) {
            printk("    %s+0x%lx\n", name, offset);
            shown++;
        }
    }
}

void panic(const char *fmt, ...)
{
    char text[256];
    va_list ap;

    cli();
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printk("\n");
    printk("*** panic: %s ***\n", text);
    machine_halt(true);
}

/* Port of QEMU's isa-debug-exit as `radon run` adds it (debug_exit=); elsewhere nothing listens. */
uint16_t debug_exit_port = 0xf4;

void machine_halt(bool failure)
{
    cli();
    if (failure) {
        trace_dump();
        printk("*** radon stops ***\n");
        if (debug_exit_port)
            outl(debug_exit_port, 0x2a);
    }
    machine_reset();
}

void machine_stop(void)
{
    cli();
    if (debug_exit_port)
        outl(debug_exit_port, 0);
    for (;;)
        __asm__ volatile("hlt");
}

void machine_reset(void)
{
    cli();
    /* Keyboard controller, then the reset control register of PC chipsets, then a triple fault. */
    for (unsigned int i = 0; i < 10000 && (inb(0x64) & 2); i++)
        cpu_relax();
    outb(0x64, 0xfe);
    outb(0xcf9, 6);
    struct { uint16_t limit; uint64_t base; } __packed none = { 0, 0 };
    __asm__ volatile("lidt %0; int3" ::"m"(none));
    for (;;)
        __asm__ volatile("hlt");
}

/* ------------------------------------------------------------------ guests */

static void show_guest_stack(struct vcpu *v, uint64_t sp)
{
    printk("  guest stack at %016lx:\n", sp);
    for (unsigned int line = 0; line < 6; line++) {
        uint64_t w[4];

        if (guest_peek(v, sp + line * 32, w, sizeof(w)) != sizeof(w))
            break;
        printk("    %016lx %016lx %016lx %016lx\n", w[0], w[1], w[2], w[3]);
    }
}

void vcpu_show(struct vcpu *v)
{
    const struct cpu_user_regs *regs =
        (void *)((char *)v->hot - offsetof(struct cpu_user_regs, es));

    printk("domain %u vCPU %u: guest %s mode, kernel cr3 %lx, user cr3 %lx, upcall mask %u pending %u\n",
           v->domain->id, v->id, vcpu_in_kernel(v) ? "kernel" : "user", v->hot->kernel_cr3,
           v->hot->user_cr3, v->hot->info->evtchn_upcall_mask, v->hot->info->evtchn_upcall_pending);
    show_registers(regs);
    if (vcpu_in_kernel(v))
        show_guest_stack(v, regs->rsp);
}

static void crash(struct domain *d, const char *text)
{
    struct vcpu *culprit = current()->domain == d ? current() : d->vcpu[0];

    trace_domain_crash(trace_vcpu_number(culprit), vcpu_regs(culprit)->rip);
    trace_domain_crashed(d); /* before what follows is printed: other CPUs go on meanwhile */
    printk("domain %u crashed: %s\n", d->id, text);
    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        if (d->vcpu[i] && d->vcpu[i]->initialised)
            vcpu_show(d->vcpu[i]);
    domain_shutdown(d, SHUTDOWN_crash);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    crash(d, text);
}

void domain_crash_current(const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    crash(current()->domain, text);
    for (;;)
        schedule(); /* a vCPU of a domain that is shut down is never chosen again */
}
