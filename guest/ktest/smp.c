/* SPDX-License-Identifier: MIT */
/* Further vCPUs of a test kernel. */
#include "smp.h"

#include "event.h"
#include "pages.h"

static struct vcpu_guest_context context;

struct vcpu_guest_context *smp_context(unsigned int id, void (*code)(void))
{
    struct vcpu_guest_context *c = &context;

    memset(c, 0, sizeof(*c));
    cpu_of(id)->id = id;
    cpu_of(id)->info = &shared_info->vcpu_info[id];
    cpu_of(id)->info->evtchn_upcall_mask = 1;
    c->flags = VGCF_IN_KERNEL;
    c->user_regs.rip = (uint64_t)code;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.rsp = cpu_stack_top(id) - 8; /* as behind a call */
    for (unsigned int v = 0; v < 256; v++) {
        c->trap_ctxt[v].vector = (uint8_t)v;
        c->trap_ctxt[v].cs = FLAT_KERNEL_CS;
        c->trap_ctxt[v].address = (uint64_t)ktest_vector_entries[v];
    }
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = cpu_entry_stack_top(id);
    c->ctrlreg[3] = xen_pfn_to_cr3(mfn_of((void *)start_info->pt_base));
    c->event_callback_eip = (uint64_t)ktest_event_entry;
    c->failsafe_callback_eip = (uint64_t)ktest_failsafe_entry;
    c->syscall_callback_eip = (uint64_t)ktest_syscall_entry;
    return c;
}

long smp_start(unsigned int id, void (*code)(void))
{
    long result = hyp_vcpu_op(VCPUOP_initialise, id, smp_context(id, code));

    return result ? result : hyp_vcpu_op(VCPUOP_up, id, 0);
}

/* The mailbox: work is set by vCPU 0 and cleared by the worker, after result. */
static struct {
    long (*volatile work)(void);
    volatile long result;
} mailbox[KTEST_MAX_CPUS];

void smp_worker(void)
{
    unsigned int id = this_cpu()->id;

    events_enable();
    for (;;) {
        long (*work)(void) = mailbox[id].work;

        if (work) {
            mailbox[id].result = work();
            __atomic_store_n(&mailbox[id].work, (long (*)(void))0, __ATOMIC_SEQ_CST);
        }
        asm volatile("pause");
    }
}

void smp_run(unsigned int id, long (*work)(void))
{
    __atomic_store_n(&mailbox[id].work, work, __ATOMIC_SEQ_CST);
}

long smp_wait(unsigned int id)
{
    return wait_for(!mailbox[id].work, 5000000000UL) ? mailbox[id].result : -1;
}
