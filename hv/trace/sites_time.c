/* SPDX-License-Identifier: MIT */
/*
 * Hot sites by time: while entries are sampled, each CPU that runs a vCPU also looks at times of its own
 * what that vCPU is in.  So a site with few and long entries is found as soon as it has had its time,
 * however few its entries are.
 *
 * When: at intervals that are distributed exponentially, SITE_TICK_NS on average.  Such looks keep step
 * with nothing, and it makes no difference when a CPU that was idle begins anew.  One that falls due
 * while the hypervisor runs comes when it is done, and stands for those that would have come meanwhile.
 *
 * What is seen, at the guest's instruction that the timer interrupts:
 *   - the guest kernel works on an entry of its user's, as long as it is on the stack that it was given
 *     it on: that entry (vcpu_hot.site_given; the place is in the frame on that stack);
 *   - behind a SYSCALL of the guest kernel, where hardly anything but the hypervisor's return leads: the
 *     hypercall.
 * Of other entries nothing is seen.  They have a bounded cost, so that those of 1 % of a second are many,
 * and counting finds them.
 */
#include "trace/sites_int.h"

#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/time.h"
#include "hv/vcpu.h"
#include "hv/x86.h"

#define LN2 45426u      /* 2^16 ln 2 */
#define LOG2_BEND 22513u /* log2(1 + x) is x + 0.3435 x (1 - x) within 1 % */

/* ------------------------------------------------------------------ when */

/* Numbers that do not repeat soon (xorshift, 32 bits: Marsaglia 2003); never 0. */
static uint32_t next_random(struct site_table *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 17;
    t->random ^= t->random << 5;
    return t->random;
}

/* -ln of a number uniform in (0, 1), times the average. */
static uint64_t interval(struct site_table *t)
{
    uint32_t r = next_random(t), zeros = (uint32_t)__builtin_clz(r);
    uint64_t x = (uint32_t)(r << zeros << 1) >> 16; /* r = 2^(31 - zeros) (1 + x / 2^16) */
    uint64_t log2 = ((zeros + 1ul) << 16) - x - ((x * (65536 - x) >> 16) * LOG2_BEND >> 16);

    return (log2 * LN2 >> 16) * SITE_TICK_NS >> 16;
}

static void look(void *arg);

void sites_time_start(struct site_table *t)
{
    if (!sites_by_time())
        return;
    t->asleep = false;
    t->tick = tsc_khz * (SITE_TICK_NS / 1000) / 1000;
    t->timer.fn = look;
    t->timer.arg = t;
    timer_set(&t->timer, now_ns() + interval(t));
}

/* ------------------------------------------------------------------ what */

static void add(struct site_table *t, uint64_t key, uint64_t address, uint64_t time, bool bounced)
{
    struct site_time *to = &t->times[sites_find_in(t, key, address) - t->rows];

    to->time[bounced] += time;
    to->looks[bounced]++;
}

/* Where the guest kernel came from by a hypercall that it stands right behind; false: it does not. */
static bool hypercall_place(const struct cpu_user_regs *regs, uint64_t *address)
{
    uint8_t insn[5]; /* 0f 05: syscall; the stub's tail */

    if (!copy_from_guest(insn, regs->rip - 2, sizeof(insn)) || insn[0] != 0x0f || insn[1] != 0x05)
        return false;
    *address = regs->rip;
    if ((insn[2] | insn[3] << 8 | insn[4] << 16) == HYPERCALL_STUB_TAIL)
        get_guest_u64(regs->rsp + HYPERCALL_STUB_PUSHES, address);
    return true;
}

static uint64_t hypercall_key(const struct vcpu_hot *h, const struct cpu_user_regs *regs)
{
    uint32_t number = h->site_hypercall;

    if (number < NR_HYPERCALLS)
        number = sites_call_number(h, number, regs->rdi);
    return h->site_base | number;
}

/* What the guest kernel was given, as a key without the domain. */
static uint64_t given_key(uint64_t given)
{
    uint32_t vector = (uint32_t)(given >> 32) & ~SITE_GIVEN_HIGH;

    if (!(given & SITE_GIVEN) || vector > 255) /* rax of a system call */
        return (uint32_t)given | (uint64_t)RADON_SITE_SYSCALL << 32;
    if (vector == X86_PF)
        return (given & 31) | (uint64_t)RADON_SITE_PAGE_FAULT << 32;
    return vector | (uint64_t)(vector < 32 || vector == VECTOR_SYSCALL32 ? RADON_SITE_TRAP
                                                                         : RADON_SITE_INTERRUPT) << 32;
}

static void add_given(struct site_table *t, const struct vcpu *v, uint64_t time)
{
    uint64_t given = v->hot->site_given, key = given_key(given), address;

    if (given == SITE_GIVEN_NOTHING)
        return;
    if ((uint8_t)(key >> 32) == RADON_SITE_INTERRUPT)
        address = 0;
    else if (!get_guest_u64(v->hot->kernel_frame + 16, &address)) /* rip, in each kind of frame */
        return;
    add(t, key | site_whose(v), address, time, true);
}

/* The timer's interrupt found `interrupted`: the guest, or the hypervisor in a long hypercall. */
static void look(void *arg)
{
    struct site_table *t = arg;
    struct cpu *cpu = this_cpu();
    struct vcpu *v = cpu->curr;
    uint64_t due = ns_to_tsc(t->timer.deadline), now = rdtsc(), time = t->tick, address;
    const struct cpu_user_regs *regs;

    if (v->is_idle || !sites_by_time()) {
        t->asleep = true;
        return;
    }
    time += now > due ? now - due : 0;
    t->looks++;
    t->looked += time;
    if (vcpu_in_kernel(v)) {
        regs = guest_mode(cpu->interrupted) ? cpu->interrupted : vcpu_regs(v);
        if (hypercall_place(regs, &address))
            add(t, hypercall_key(v->hot, regs), address, time, false);
        add_given(t, v, time);
    }
    timer_set(&t->timer, now_ns() + interval(t));
}
