/* SPDX-License-Identifier: MIT */
/*
 * Time during a comparison.  The guest kernel reads the time stamp counter later than the handler did, and may then
 * not only store other times but go another way; so both are given one: RDTSC traps (CR4.TSD) and gives what the
 * interpreter had.  A processor whose counter is slow does that too.  Whoever waits for time to pass gets the
 * counter back after some looks at it, and so does whoever comes in between; that comparison is void.
 *
 * What the guest kernel computes time from (struct vcpu_time_info) is written once, before its vCPU runs
 * (hv/x86/time.c): never later than the time that is held.
 */
#include "hv/asm.h"
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/x86.h"

#include "shadow.h"

#define MOST_READS 64u

void shadow_hold_time(struct shadow *s)
{
    s->time_reads = 0;
    s->time_held = true;
    write_cr4(read_cr4() | X86_CR4_TSD);
}

void shadow_let_time_go(struct shadow *s)
{
    if (!s->time_held)
        return;
    s->time_held = false;
    write_cr4(read_cr4() & ~X86_CR4_TSD);
}

/* RDTSCP gives the CPU's number as well, and none of the programs that synthesis makes has it. */
static bool reads_time(struct vcpu *v, uint64_t rip, bool *plain)
{
    uint8_t insn[3] = { 0 };
    uint64_t n = guest_peek(v, rip, insn, sizeof(insn));

    *plain = n >= 2 && insn[0] == 0x0f && insn[1] == 0x31;
    return *plain || (n == 3 && insn[0] == 0x0f && insn[1] == 0x01 && insn[2] == 0xf9);
}

bool shadow_time_read(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    struct shadow *s = v->fast && v->fast->shadow_busy ? v->fast->shadow : NULL;
    bool plain;

    if (!s || !s->time_held || regs->error_code || !reads_time(v, regs->rip, &plain))
        return false;
    if (!plain || ++s->time_reads > MOST_READS || regs->rflags & X86_EFLAGS_TF) {
        shadow_void(v); /* the processor's, when it is done again */
        return true;
    }
    regs->rax = (uint32_t)s->tsc;
    regs->rdx = s->tsc >> 32;
    regs->rip += 2;
    return true;
}
