/* SPDX-License-Identifier: MIT */
/*
 * When samples are taken: by NMIs of the PIT, or where there is no such thing by a timer of each CPU;
 * or by NMIs of each CPU's performance counter, every so many events.
 *
 * The hypervisor runs with interrupts off, so a timer that falls due inside of it fires on the first
 * instruction of the guest behind it.  Where that instruction can only be reached from the hypervisor,
 * or hardly otherwise, the sample is given to the entry that has just ended (profile_judge_guest()):
 *   - behind a hypercall's SYSCALL: that hypercall;
 *   - at the guest kernel's system call, exception or event callback: the bounce to it.
 * What is left to the guest although it is not its own: the iret hypercall, to the user instruction it
 * returns to, and emulated instructions, to the one behind them.
 *
 * An NMI comes anywhere.  It notes what it found and asks for an interrupt, which comes when the
 * hypervisor lets it, at the latest on the first instruction of the guest behind; there the guest's
 * memory can be read and the sample is recorded.
 */
#include "trace/profile_int.h"

#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/fast.h"
#include "hv/lib.h"
#include "hv/pit_nmi.h"
#include "hv/pmu.h"
#include "hv/radon_op.h"
#include "hv/sched.h"
#include "hv/symbols.h"
#include "hv/traps.h"
#include "hv/vcpu.h"
#include "hv/x86.h"

#define HZ_MAX          10000u
#define STACK_WORDS_MAX 1024u
#define USER_FRAMES_MAX 64u
#define TASK_BYTES_MAX  65536u
#define NS_PER_S        1000000000u

uint32_t profile_generation;

static spinlock_t control_lock;
static struct radon_profile_control newest; /* under control_lock */
static bool by_nmi;                         /* NMIs are the PIT's */

static struct profile_cpu {
    struct radon_profile_control wanted;    /* what this CPU samples by */
    struct timer timer;
    uint32_t random;
    /* By NMIs: what the last one found, until it is recorded. */
    bool full, of_guest, of_user, has_frame;
    struct vcpu *vcpu;
    struct caught caught;
} per_cpu[NR_CPUS];

const struct radon_profile_control *profile_wanted(void)
{
    return &per_cpu[this_cpu()->id].wanted;
}

/* The frame of v's guest, if v is current and has one; `interrupted` is an interrupt's. */
static const struct cpu_user_regs *guest_frame(struct vcpu *v,
                                               const struct cpu_user_regs *interrupted)
{
    return guest_mode(interrupted) ? interrupted : vcpu_regs(v);
}

/* ------------------------------------------------------------------ NMIs */

static void note(struct cpu *cpu, const struct cpu_user_regs *regs)
{
    struct profile_cpu *p = &per_cpu[cpu->id];

    if (READ_ONCE(p->full)) { /* the same entry goes on */
        p->caught.missed++;
        return;
    }
    p->vcpu = cpu->curr;
    p->caught = (struct caught){ .hv_rip = guest_mode(regs) ? 0 : regs->rip };
    p->caught.handler = fast_at(p->caught.hv_rip);
    p->of_guest = guest_mode(regs);
    p->of_user = !vcpu_in_kernel(p->vcpu); /* so iret was not what it found, but at its last step */
    p->has_frame = !p->of_guest && !p->vcpu->is_idle &&
                   profile_judge_entry(p->vcpu, regs->rsp, &p->caught.verdict);
    barrier();
    WRITE_ONCE(p->full, true);
    apic_send_self(VECTOR_EVENT_CHECK);
}

bool profile_nmi(struct cpu *cpu, const struct cpu_user_regs *regs)
{
    switch (pmu_nmi(cpu->id)) {
    case PMU_OVERFLOW:
        note(cpu, regs);
        pmu_go_on(cpu->id);
        return true;
    case PMU_LATE:
        return true;
    case PMU_NOT_MINE:
        break;
    }
    if (pit_nmi_trial())
        return true;
    if (!READ_ONCE(by_nmi))
        return false;
    note(cpu, regs);
    return true;
}

/* The entry that an NMI found on the way in or out, by where the guest is now. */
static struct verdict judge_ended(const struct vcpu *v, const struct cpu_user_regs *regs,
                                  bool of_user)
{
    struct verdict verdict = profile_judge_guest(v, regs);

    if (verdict.mode == RADON_PROFILE_USER) /* only a fast handler and iret lead there */
        verdict.entry = of_user ? RADON_SITE_SYSCALL
                                : RADON_SITE_HYPERCALL | __HYPERVISOR_iret << 8;
    verdict.mode = RADON_PROFILE_HYPERVISOR;
    return verdict;
}

void profile_take(struct cpu *cpu, const struct cpu_user_regs *interrupted)
{
    struct profile_cpu *p = &per_cpu[cpu->id];
    const struct cpu_user_regs *regs = NULL;
    struct vcpu *v = p->vcpu;
    struct caught c = p->caught;

    if (v->is_idle)
        c = (struct caught){ .verdict = { RADON_PROFILE_IDLE, 0 }, .missed = c.missed };
    else if (v == cpu->curr)
        regs = guest_frame(v, interrupted);
    if (regs && p->of_guest)
        c.verdict.mode = vcpu_in_kernel(v) ? RADON_PROFILE_KERNEL : RADON_PROFILE_USER;
    else if (regs && !p->has_frame)
        c.verdict = judge_ended(v, regs, p->of_user);
    else if (!v->is_idle)
        c.verdict.mode = RADON_PROFILE_HYPERVISOR;
    profile_put(&c, v, regs);
    barrier();
    WRITE_ONCE(p->full, false);
}

bool profile_is_full(const struct cpu *cpu)
{
    return READ_ONCE(per_cpu[cpu->id].full);
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

/* cpu->interrupted is what the timer's interrupt found: the guest, or the hypervisor. */
static void tick(void *arg)
{
    struct cpu *cpu = arg;
    struct profile_cpu *p = &per_cpu[cpu->id];
    const struct cpu_user_regs *at = cpu->interrupted, *regs = NULL;
    uint64_t due = p->timer.deadline;
    struct vcpu *v = cpu->curr;
    struct caught c = { .verdict = { RADON_PROFILE_IDLE, 0 } };

    if (!v->is_idle) {
        regs = guest_frame(v, at);
        c.verdict = profile_judge_guest(v, regs);
        if (!guest_mode(at)) {
            c.hv_rip = at->rip;
            profile_judge_entry(v, at->rsp, &c.verdict);
        }
    }
    profile_put(&c, v, regs);
    set_next(p, due);
}

void profile_start_cpu(struct cpu *cpu)
{
    struct profile_cpu *p = &per_cpu[cpu->id];

    timer_stop(&p->timer);
    pmu_stop(cpu->id);
    spin_lock(&control_lock);
    cpu->profile_generation = profile_generation;
    p->wanted = newest;
    spin_unlock(&control_lock);
    if (p->wanted.source == RADON_PROFILE_PMU)
        pmu_start(cpu->id, p->wanted.event, p->wanted.period);
    if (p->wanted.source != RADON_PROFILE_TIMER)
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
        if (op->task_words[i] > TASK_BYTES_MAX)
            return false;
    return op->hz <= HZ_MAX && op->stack_words <= STACK_WORDS_MAX &&
           op->user_frames <= USER_FRAMES_MAX && op->user_rbp <= PAGE_SIZE &&
           op->user_rbp % 8 == 0 && op->text_start <= op->text_end &&
           op->source <= RADON_PROFILE_PMU;
}

/* Under control_lock: whether what samples are to come from is there; counters are looked for once. */
static int check_source(const struct radon_profile_control *op)
{
    static bool looked;

    if (op->source != RADON_PROFILE_PMU)
        return op->event || op->period ? -XEN_EINVAL : 0;
    if (op->hz)
        return -XEN_EINVAL;
    if (!looked)
        pmu_find();
    looked = true;
    return pmu_check(op->event, op->period);
}

/* Under control_lock: the PIT's NMIs on or off, as op says; what samples will come from. */
static void choose_source(struct radon_profile_control *op)
{
    bool nmi = op->hz && op->source != RADON_PROFILE_TIMER;

    if (by_nmi)
        pit_nmi_stop();
    WRITE_ONCE(by_nmi, true); /* one may be on its way */
    nmi = nmi && pit_nmi_start(op->hz);
    WRITE_ONCE(by_nmi, nmi);
    if (op->source != RADON_PROFILE_PMU)
        op->source = !op->hz ? RADON_PROFILE_ANY : nmi ? RADON_PROFILE_NMI : RADON_PROFILE_TIMER;
}

int radon_profile_control(struct radon_profile_control *op)
{
    int rc;

    if (!is_valid(op))
        return -XEN_EINVAL;
    if (op->domain != RADON_DOMID_ANY && !domain_find(op->domain))
        return -XEN_ESRCH;
    spin_lock(&control_lock);
    rc = check_source(op);
    if (!rc) {
        choose_source(op);
        newest = *op;
        WRITE_ONCE(profile_generation, profile_generation + 1);
    }
    spin_unlock(&control_lock);
    if (rc)
        return rc;
    for (unsigned int i = 0; i < nr_cpus; i++)
        smp_kick_cpu(cpus[i]);
    profile_look(this_cpu());
    return 0;
}
