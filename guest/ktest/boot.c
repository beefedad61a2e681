/* SPDX-License-Identifier: MIT */
/* From _start to test_main(), and entries from the hypervisor. */
#include "ktest.h"
#include "pages.h"

struct start_info *start_info;
volatile struct shared_info *shared_info;
void (*ktest_event_hook)(struct ktest_regs *regs);
volatile unsigned long ktest_event_count[4096];

extern uint8_t ktest_stacks[KTEST_MAX_CPUS][KTEST_STACK_BYTES];
extern uint64_t ktest_failsafe_segments[4];
extern const struct {
    uint64_t from, to;
} ktest_extable_start[], ktest_extable_end[];

void ktest_start(struct start_info *si);
uint64_t ktest_trap(struct ktest_regs *regs);
void ktest_enter_iret(struct ktest_regs *regs, uint64_t *save);
void ktest_enter_native(struct ktest_regs *regs, uint64_t *save);

/* Stands for vcpu_info until shared_info is mapped; its page then maps shared_info. */
static uint8_t shared_page[PAGE_BYTES] __attribute__((aligned(4096)));

struct ktest_cpu *cpu_of(unsigned int id)
{
    return (struct ktest_cpu *)ktest_stacks[id];
}

struct ktest_cpu *this_cpu(void)
{
    uint64_t rsp;

    asm volatile("mov %%rsp, %0" : "=r"(rsp));
    return (struct ktest_cpu *)(rsp & ~(KTEST_STACK_BYTES - 1UL));
}

bool cpu_is_amd(void)
{
    uint32_t a = 0, b, c = 0, d;

    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b == 0x68747541; /* "Auth" */
}

uint64_t cpu_stack_top(unsigned int id)
{
    return (uint64_t)ktest_stacks[id] + KTEST_STACK_BYTES - 16;
}

uint64_t cpu_entry_stack_top(unsigned int id)
{
    return (uint64_t)ktest_stacks[id] + KTEST_ENTRY_STACK_TOP;
}

static void handle_event(struct ktest_cpu *cpu, struct ktest_regs *regs)
{
    volatile struct vcpu_info *info = cpu->info;
    uint64_t selector;

    if (ktest_event_hook)
        ktest_event_hook(regs);
    /* Clear the flag before looking, so that an event raised meanwhile is not lost. */
    info->evtchn_upcall_pending = 0;
    selector = __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (unsigned int word = 0; word < 64; word++) {
        uint64_t bits;

        if (!(selector >> word & 1))
            continue;
        bits = shared_info->evtchn_pending[word] & ~shared_info->evtchn_mask[word];
        __atomic_and_fetch(&shared_info->evtchn_pending[word], ~bits, __ATOMIC_SEQ_CST);
        for (unsigned int bit = 0; bit < 64; bit++)
            if (bits >> bit & 1)
                ktest_event_count[word * 64 + bit]++;
    }
}

void events_enable(void)
{
    volatile struct vcpu_info *info = this_cpu()->info;

    info->evtchn_upcall_mask = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    /* Whatever came while masked is delivered by any hypercall that returns unmasked. */
    if (info->evtchn_upcall_pending)
        hyp_xen_version(XENVER_version, 0);
}

void events_disable(void)
{
    this_cpu()->info->evtchn_upcall_mask = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void record(struct ktest_cpu *cpu, const struct ktest_regs *regs)
{
    struct exception *e = &cpu->last;

    e->regs = *regs;
    e->regs.cs &= 0xffff;
    e->saved_mask = (uint8_t)(regs->cs >> 32);
    e->cr2 = cpu->info->arch.cr2;
    e->upcall_mask = cpu->info->evtchn_upcall_mask;
    e->frame = (uint64_t)(regs + 1);
    memcpy(e->segments, ktest_failsafe_segments, sizeof(e->segments));
}

static void unexpected(const struct ktest_cpu *cpu, const struct ktest_regs *r)
{
    printk("ktest: unexpected entry 0x%lx error 0x%lx on vCPU %u, cr2 %016lx\n"
           "ktest: rip %016lx cs %04lx rflags %08lx rsp %016lx ss %04lx\n"
           "ktest: rax %016lx rbx %016lx rcx %016lx rdx %016lx rsi %016lx rdi %016lx\n",
           r->vector, r->error, cpu->id, cpu->info->arch.cr2, r->rip, r->cs, r->rflags, r->rsp,
           r->ss, r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi);
    ktest_finish(KTEST_FAILURE, "unexpected entry");
}

/* from: entry.S; returns 0 to resume at *regs, or the stack pointer that run() saved */
uint64_t ktest_trap(struct ktest_regs *regs)
{
    struct ktest_cpu *cpu = this_cpu();
    uint64_t resume = cpu->resume;

    if (regs->vector == VEC_EVENT) {
        handle_event(cpu, regs);
        return 0;
    }
    record(cpu, regs);
    for (unsigned int i = 0; ktest_extable_start + i < ktest_extable_end; i++)
        if (regs->rip == ktest_extable_start[i].from && regs->vector < 256) {
            cpu->fixups++;
            regs->rip = ktest_extable_start[i].to;
            return 0;
        }
    if (!resume)
        unexpected(cpu, regs);
    cpu->resume = 0;
    return resume;
}

static struct exception enter(const struct ktest_regs *regs, bool native)
{
    struct ktest_cpu *cpu = this_cpu();

    cpu->enter = *regs;
    if (native) {
        ((uint64_t *)regs->rsp)[-1] = regs->rip;
        ((uint64_t *)regs->rsp)[-2] = regs->rflags;
        ktest_enter_native(&cpu->enter, &cpu->resume);
        return cpu->last;
    }
    ktest_enter_iret(&cpu->enter, &cpu->resume);
    return cpu->last;
}

struct exception run(struct ktest_regs regs)
{
    /* TF by popf would trap one instruction early, before regs.rip is reached */
    return enter(&regs, (regs.cs & 3) == 0 && !(regs.rflags & RFLAGS_TF));
}

struct exception run_iret(struct ktest_regs regs)
{
    return enter(&regs, false);
}

long trap_set(unsigned int vector, unsigned int flags, uint64_t address)
{
    struct trap_info table[2] = {
        { .vector = (uint8_t)vector, .flags = (uint8_t)flags, .cs = FLAT_KERNEL_CS,
          .address = address },
    };

    return hyp_set_trap_table(table);
}

void trap_table_reset(void)
{
    for (unsigned int v = 0; v < 256; v++)
        ktest_require(trap_set(v, v == VEC_BP || v == VEC_OF ? 3 : 0,
                               (uint64_t)ktest_vector_entries[v]) == 0);
}

long callback_set(unsigned int type, unsigned int flags, const void *address)
{
    struct callback_register reg = {
        .type = (uint16_t)type, .flags = (uint16_t)flags, .address = (uint64_t)address,
    };

    return hyp_callback_op(CALLBACKOP_register, &reg);
}

static void set_callbacks(void)
{
    ktest_require(callback_set(CALLBACKTYPE_event, 0, ktest_event_entry) == 0);
    ktest_require(callback_set(CALLBACKTYPE_failsafe, 0, ktest_failsafe_entry) == 0);
    ktest_require(callback_set(CALLBACKTYPE_syscall, 0, ktest_syscall_entry) == 0);
    ktest_require(hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(0)) == 0);
}

static void map_shared_info(void)
{
    ktest_require(hyp_update_va_mapping(shared_page, start_info->shared_info | PTE_RW,
                                        UVMF_INVLPG | UVMF_LOCAL) == 0);
    shared_info = (volatile struct shared_info *)shared_page;
    cpu_of(0)->info = &shared_info->vcpu_info[0];
}

/* from: _start, on vCPU 0's stack, upcalls masked */
void ktest_start(struct start_info *si)
{
    start_info = si;
    cpu_of(0)->info = (struct vcpu_info *)shared_page;
    cpu_of(0)->info->evtchn_upcall_mask = 1;
    printk("ktest: test %s\n", ktest_name);
    trap_table_reset();
    set_callbacks();
    map_shared_info();
    test_main();
    ktest_finish(KTEST_SUCCESS, 0);
}
