/* SPDX-License-Identifier: MIT */
/*
 * What a sample says: what ran, and the words that its names will come from.
 */
#include "trace/profile_int.h"

#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/x86.h"

/* ------------------------------------------------------------------ what ran */

static bool is_user_address(uint64_t va)
{
    return va && va < 1ul << 47;
}

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

/*
 * The hypercall whose SYSCALL is right before rip; false if there is none.  Its number stands before
 * SYSCALL in a hypercall page; where the guest kernel has a stub of its own it is not known.
 */
static bool hypercall_left(uint64_t rip, struct verdict *verdict)
{
    uint8_t insn[7]; /* b8 number 0f 05: mov $number, %eax; syscall */

    if (!copy_from_guest(insn, rip - sizeof(insn), sizeof(insn)) || insn[5] != 0x0f ||
        insn[6] != 0x05)
        return false;
    *verdict = in_hypervisor(RADON_SITE_HYPERCALL,
                             insn[0] == 0xb8 ? insn[1] | (uint32_t)insn[2] << 8
                                             : RADON_PROFILE_NO_NUMBER);
    return true;
}

struct verdict profile_judge_guest(const struct vcpu *v, const struct cpu_user_regs *regs)
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

/* Whether what lies there may be a frame: lean paths use that part of the stack for other things. */
static bool is_frame(const struct cpu_user_regs *entry)
{
    const uint64_t *cs = (const void *)((const char *)entry + offsetof(struct cpu_user_regs, cs));
    const uint64_t flags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;

    return (*cs & ~0xfffcul) == 3 && (entry->rflags & flags) == flags && entry->rflags >> 22 == 0 &&
           (entry->entry_vector == ~0u || entry->entry_vector < 256);
}

bool profile_judge_entry(const struct vcpu *v, uint64_t hv_rsp, struct verdict *verdict)
{
    const struct cpu_user_regs *entry = (const void *)((const char *)v->hot -
                                                       offsetof(struct cpu_user_regs, es));
    uint32_t vector = entry->entry_vector;

    if (hv_rsp > (uint64_t)&entry->rax || hv_rsp < ((uint64_t)v->hot & ~(STACK_BLOCK - 1ul)))
        return false; /* not pushed yet, or popped again, or the stack is still the guest's */
    if (!is_frame(entry))
        return false;
    if (vector == ~0u && is_user_address(entry->rip))
        *verdict = in_hypervisor(RADON_SITE_SYSCALL, (uint16_t)entry->rax);
    else if (vector == ~0u)
        *verdict = in_hypervisor(RADON_SITE_HYPERCALL, (uint16_t)entry->rax);
    else if (vector >= 32)
        *verdict = in_hypervisor(RADON_SITE_INTERRUPT, vector);
    else
        *verdict = in_hypervisor(vector == X86_PF ? RADON_SITE_PAGE_FAULT : RADON_SITE_TRAP, vector);
    return true;
}

/* ------------------------------------------------------------------ words */

static void put_word(enum radon_profile_word kind, uint32_t where, uint64_t word)
{
    trace_profile_word((uint32_t)kind | where << 8, word);
}

/* The end of the stack that rsp is on: as far as it is searched. */
static uint64_t stack_end(const struct vcpu *v, uint64_t rsp)
{
    uint64_t end = rsp + profile_wanted()->stack_words * 8ul, top = v->hot->kernel_sp;

    return top > rsp && top < end ? top : end;
}

static void put_stack(const struct vcpu *v, uint64_t rsp)
{
    uint64_t words[32], end = stack_end(v, rsp);

    for (uint64_t at = rsp; at < end; at += sizeof(words)) {
        size_t want = MIN(end - at, sizeof(words)) & ~7ul;
        size_t got = want - copy_from_guest_va(words, at, want);

        for (size_t i = 0; i < got / 8; i++)
            if ((words[i] >= profile_wanted()->text_start && words[i] < profile_wanted()->text_end) ||
                (words[i] >= rsp && words[i] <= end))
                put_word(RADON_PROFILE_STACK, (uint32_t)(at + 8 * i - rsp), words[i]);
        if (got < sizeof(words))
            break;
    }
}

static void put_task(const struct vcpu *v)
{
    uint64_t base = rdmsr(vcpu_in_kernel(v) ? MSR_GS_BASE : MSR_SHADOW_GS_BASE), task, word;

    if (!profile_wanted()->task || !get_guest_u64(base + profile_wanted()->task, &task))
        return;
    for (uint32_t i = 0; i < ARRAY_SIZE(profile_wanted()->task_words); i++)
        if (profile_wanted()->task_words[i] && get_guest_u64(task + profile_wanted()->task_words[i] - 1, &word))
            put_word(RADON_PROFILE_TASK, i, word);
}

/* The return addresses that frame pointers lead to, and what may be one on top of the stack. */
static void put_callers(uint64_t rip, uint64_t rsp, uint64_t rbp)
{
    uint64_t frame[2]; /* the caller's rbp, the return address */

    if (!profile_wanted()->user_frames || !is_user_address(rip))
        return;
    put_word(RADON_PROFILE_CALLER, 0, rip);
    if (is_user_address(rsp) && get_guest_u64(rsp, &frame[0]) && is_user_address(frame[0]))
        put_word(RADON_PROFILE_USER_TOP, 0, frame[0]);
    for (uint32_t i = 1; i < profile_wanted()->user_frames; i++) {
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
    uint64_t top = v->hot->kernel_sp & ~15ul, rip, rsp, rbp = 0;

    if (!get_guest_u64(top - 40, &rip) || !get_guest_u64(top - 16, &rsp))
        return;
    if (profile_wanted()->user_rbp && !get_guest_u64(top - profile_wanted()->user_rbp, &rbp))
        return;
    put_callers(rip, rsp, rbp);
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
        put_callers(regs->rip, regs->rsp, regs->rbp);
        write_cr3(v->hot->user_cr3);
    }
}

void profile_put(const struct caught *c, const struct vcpu *v, const struct cpu_user_regs *regs)
{
    if (profile_wanted()->domain != RADON_DOMID_ANY && (v->is_idle || v->domain->id != profile_wanted()->domain))
        return;
    trace_profile_sample(regs ? regs->rip : 0, regs ? regs->rsp : 0,
                         (uint32_t)v->domain->id << 16 | v->id, c->verdict.mode,
                         c->verdict.entry);
    if (c->hv_rip)
        put_word(RADON_PROFILE_HV_RIP, 0, c->hv_rip);
    if (c->handler)
        put_word(RADON_PROFILE_HANDLER, 0, c->handler);
    if (c->missed)
        put_word(RADON_PROFILE_MISSED, 0, c->missed);
    if (!regs || v->is_idle)
        return;
    put_word(RADON_PROFILE_RBP, 0, regs->rbp);
    put_guest(v, regs);
}
