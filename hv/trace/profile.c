/* SPDX-License-Identifier: MIT */
/*
 * Timer samples: what a CPU ran when its sampling timer fired.
 *
 * The hypervisor runs with interrupts off, so a timer that falls due inside of it fires on the first
 * instruction of the guest behind it.  Where that instruction can only be reached from the hypervisor,
 * or hardly otherwise, the sample is given to the entry that has just ended:
 *   - behind a hypercall's SYSCALL: that hypercall;
 *   - at the guest kernel's system call, exception or event callback: the bounce to it.
 * What is left to the guest although it is not its own: the iret hypercall, to the user instruction it
 * returns to, and emulated instructions, to the one behind them.  In a preempt_point() the hypervisor
 * is seen as such, with its address.
 */
#include "hv/profile.h"

#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/radon_op.h"
#include "hv/sched.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/vcpu.h"
#include "hv/x86.h"

#define HZ_MAX          10000u
#define STACK_WORDS_MAX 1024u
#define USER_FRAMES_MAX 64u
#define NS_PER_S        1000000000u
#define SYSCALL_BYTES   7 /* mov $number, %eax; syscall */

uint32_t profile_generation;

static spinlock_t control_lock;
static struct radon_profile_control newest; /* under control_lock */

static struct profile_cpu {
    struct radon_profile_control wanted;    /* what this CPU samples by */
    struct timer timer;
    uint32_t random;
} per_cpu[NR_CPUS];

static const struct radon_profile_control *wanted(void)
{
    return &per_cpu[this_cpu()->id].wanted;
}

/* ------------------------------------------------------------------ what ran */

struct verdict {
    enum radon_profile_mode mode;
    uint32_t entry;                         /* enum radon_site_kind | number << 8 */
};

static struct verdict in_hypervisor(enum radon_site_kind kind, uint32_t number)
{
    return (struct verdict){ RADON_PROFILE_HYPERVISOR, (uint32_t)kind | number << 8 };
}

/* The trap whose handler begins at rip; false if none does. */
static bool trap_entered(const struct vcpu *v, uint64_t rip, struct verdict *verdict)
{
    for (unsigned int vector = 0; vector < 32; vector++)
        if (v->traps[vector].address == rip) {
            *verdict = in_hypervisor(vector == X86_PF ? RADON_SITE_PAGE_FAULT : RADON_SITE_TRAP,
                                     vector);
            return true;
        }
    return false;
}

/* The hypercall whose SYSCALL is right before rip; false if there is none. */
static bool hypercall_left(uint64_t rip, struct verdict *verdict)
{
    uint8_t insn[SYSCALL_BYTES]; /* b8 number 0f 05 */

    if (!copy_from_guest(insn, rip - SYSCALL_BYTES, SYSCALL_BYTES) || insn[0] != 0xb8 ||
        insn[5] != 0x0f || insn[6] != 0x05)
        return false;
    *verdict = in_hypervisor(RADON_SITE_HYPERCALL, insn[1] | insn[2] << 8u);
    return true;
}

/* What the tick that found the guest at regs is put down to. */
static struct verdict judge_guest(const struct vcpu *v, const struct cpu_user_regs *regs)
{
    struct verdict verdict = { RADON_PROFILE_KERNEL, 0 };

    if (!vcpu_in_kernel(v))
        return (struct verdict){ RADON_PROFILE_USER, 0 };
    if (regs->rip == v->hot->syscall_rip)
        return in_hypervisor(RADON_SITE_SYSCALL, 0);
    if (regs->rip == v->event_cb.address)
        return in_hypervisor(RADON_SITE_INTERRUPT, 0);
    if (!trap_entered(v, regs->rip, &verdict))
        hypercall_left(regs->rip, &verdict);
    return verdict;
}

/* The tick found the hypervisor itself, where v's entry let interrupts in. */
static struct verdict judge_entry(const struct cpu_user_regs *entry)
{
    uint32_t vector = entry->entry_vector;

    if (vector == ~0u)
        return in_hypervisor(RADON_SITE_HYPERCALL, (uint16_t)entry->rax);
    if (vector >= 32)
        return in_hypervisor(RADON_SITE_INTERRUPT, vector);
    return in_hypervisor(vector == X86_PF ? RADON_SITE_PAGE_FAULT : RADON_SITE_TRAP, vector);
}

/* ------------------------------------------------------------------ words */

static void put_word(enum radon_profile_word kind, uint32_t where, uint64_t word)
{
    trace_profile_word((uint32_t)kind | where << 8, word);
}

/* The end of the stack that rsp is on: as far as it is searched. */
static uint64_t stack_end(const struct vcpu *v, uint64_t rsp)
{
    uint64_t end = rsp + wanted()->stack_words * 8ul, top = v->hot->kernel_sp;

    return top > rsp && top < end ? top : end;
}

static void put_stack(const struct vcpu *v, uint64_t rsp)
{
    uint64_t words[32], end = stack_end(v, rsp);

    for (uint64_t at = rsp; at < end; at += sizeof(words)) {
        size_t want = MIN(end - at, sizeof(words)) & ~7ul;
        size_t got = want - copy_from_guest_va(words, at, want);

        for (size_t i = 0; i < got / 8; i++)
            if ((words[i] >= wanted()->text_start && words[i] < wanted()->text_end) ||
                (words[i] >= rsp && words[i] <= end))
                put_word(RADON_PROFILE_STACK, (uint32_t)(at + 8 * i - rsp), words[i]);
        if (got < sizeof(words))
            break;
    }
}

static void put_task(const struct vcpu *v)
{
    uint64_t base = rdmsr(vcpu_in_kernel(v) ? MSR_GS_BASE : MSR_SHADOW_GS_BASE), task, word;

    if (!wanted()->task || !get_guest_u64(base + wanted()->task, &task))
        return;
    for (uint32_t i = 0; i < ARRAY_SIZE(wanted()->task_words); i++)
        if (wanted()->task_words[i] && get_guest_u64(task + wanted()->task_words[i] - 1, &word))
            put_word(RADON_PROFILE_TASK, i, word);
}

static bool is_user_address(uint64_t va)
{
    return va && va < 1ul << 47;
}

/* The return addresses that frame pointers lead to. */
static void put_callers(uint64_t rip, uint64_t rbp)
{
    uint64_t frame[2]; /* the caller's rbp, the return address */

    if (!wanted()->user_frames || !is_user_address(rip))
        return;
    put_word(RADON_PROFILE_CALLER, 0, rip);
    for (uint32_t i = 1; i < wanted()->user_frames; i++) {
        if (!is_user_address(rbp) || rbp % 8 || !copy_from_guest(frame, rbp, 2) ||
            !is_user_address(frame[1]))
            break;
        put_word(RADON_PROFILE_CALLER, i, frame[1]);
        if (frame[0] <= rbp)
            break;
        rbp = frame[0];
    }
}

/* Where the user was when it entered the guest kernel: the frame on top of that one's stack. */
static void put_callers_of_kernel(const struct vcpu *v)
{
    uint64_t top = v->hot->kernel_sp & ~15ul, rip, rbp = 0;

    if (!get_guest_u64(top - 40, &rip))
        return;
    if (wanted()->user_rbp && !get_guest_u64(top - wanted()->user_rbp, &rbp))
        return;
    put_callers(rip, rbp);
}

/* ------------------------------------------------------------------ a sample */

/* Guest memory is read through the guest kernel's tables, which have the user's in them, too. */
static void put_guest(const struct vcpu *v, const struct cpu_user_regs *regs)
{
    bool kernel = vcpu_in_kernel(v);

    if (!kernel)
        write_cr3(v->hot->kernel_cr3);
    put_task(v);
    if (kernel) {
        put_stack(v, regs->rsp);
        put_callers_of_kernel(v);
    } else {
        put_callers(regs->rip, regs->rbp);
        write_cr3(v->hot->user_cr3);
    }
}

static void put_sample(struct verdict verdict, const struct vcpu *v,
                       const struct cpu_user_regs *regs)
{
    trace_profile_sample(regs->rip, regs->rsp, (uint32_t)v->domain->id << 16 | v->id,
                         verdict.mode, verdict.entry);
}

/* `interrupted` is what the timer's interrupt found: the guest, or the hypervisor. */
static void sample(struct cpu *cpu, const struct cpu_user_regs *interrupted)
{
    struct vcpu *v = cpu->curr;
    const struct cpu_user_regs *regs = vcpu_regs(v);

    if (wanted()->domain != RADON_DOMID_ANY && (v->is_idle || v->domain->id != wanted()->domain))
        return;
    if (v->is_idle) {
        put_sample((struct verdict){ RADON_PROFILE_IDLE, 0 }, v, interrupted);
        return;
    }
    if (guest_mode(interrupted)) {
        put_sample(judge_guest(v, interrupted), v, interrupted);
        put_word(RADON_PROFILE_RBP, 0, interrupted->rbp);
    } else {
        put_sample(judge_entry(regs), v, regs);
        put_word(RADON_PROFILE_HV_RIP, 0, interrupted->rip);
    }
    put_guest(v, regs);
}

/* ------------------------------------------------------------------ the timer */

/* Numbers that do not repeat soon (xorshift, 32 bits: Marsaglia 2003). */
static uint32_t next_random(struct profile_cpu *p)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 17;
    p->random ^= p->random << 5;
    return p->random;
}

static void set_next(struct profile_cpu *p, uint64_t from)
{
    uint32_t period = NS_PER_S / p->wanted.hz;
    uint64_t next = from + period - period / 8 + next_random(p) % (period / 4);

    timer_set(&p->timer, MAX(next, now_ns() + period / 8));
}

static void tick(void *arg)
{
    struct cpu *cpu = arg;
    struct profile_cpu *p = &per_cpu[cpu->id];
    uint64_t due = p->timer.deadline;

    sample(cpu, cpu->interrupted);
    set_next(p, due);
}

void profile_start_cpu(struct cpu *cpu)
{
    struct profile_cpu *p = &per_cpu[cpu->id];

    timer_stop(&p->timer);
    spin_lock(&control_lock);
    cpu->profile_generation = profile_generation;
    p->wanted = newest;
    spin_unlock(&control_lock);
    if (!p->wanted.hz)
        return;
    p->timer.fn = tick;
    p->timer.arg = cpu;
    p->random = 2463534242u + cpu->id; /* any but 0 */
    set_next(p, now_ns());
}

/* ------------------------------------------------------------------ the call */

static bool is_valid(const struct radon_profile_control *op)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(op->task_words); i++)
        if (op->task_words[i] > PAGE_SIZE * 16)
            return false;
    return op->hz <= HZ_MAX && op->stack_words <= STACK_WORDS_MAX &&
           op->user_frames <= USER_FRAMES_MAX && op->user_rbp <= PAGE_SIZE &&
           op->user_rbp % 8 == 0 && op->text_start <= op->text_end;
}

int radon_profile_control(struct radon_profile_control *op)
{
    if (!is_valid(op))
        return -XEN_EINVAL;
    if (op->domain != RADON_DOMID_ANY && !domain_find(op->domain))
        return -XEN_ESRCH;
    spin_lock(&control_lock);
    newest = *op;
    WRITE_ONCE(profile_generation, profile_generation + 1);
    spin_unlock(&control_lock);
    for (unsigned int i = 0; i < nr_cpus; i++)
        smp_kick_cpu(cpus[i]);
    profile_look(this_cpu());
    return 0;
}
