/* SPDX-License-Identifier: MIT */
/*
 * Stepping through the guest kernel, one instruction at a time, by the trap flag.  The guest must not
 * see it but for time (rule 13): the flag is taken out of what PUSHF and SYSCALL show, put back after
 * POPF, and whatever else could tell ends the occurrence before it does.
 *
 * All of this runs on the CPU of the vCPU that is stepping, with its full frame.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/x86.h"

#include "capture.h"
#include "operand.h"

#define TF ((uint64_t)X86_EFLAGS_TF)
#define DR6_BS (1UL << 14)
#define DR6_HITS 0xfUL
#define DR7_ENABLES 0xffUL

static void take_regs(struct radon_regs *to, const struct cpu_user_regs *regs)
{
    *to = (struct radon_regs){
        .rax = regs->rax, .rcx = regs->rcx, .rdx = regs->rdx, .rbx = regs->rbx,
        .rsp = regs->rsp, .rbp = regs->rbp, .rsi = regs->rsi, .rdi = regs->rdi,
        .r8 = regs->r8, .r9 = regs->r9, .r10 = regs->r10, .r11 = regs->r11,
        .r12 = regs->r12, .r13 = regs->r13, .r14 = regs->r14, .r15 = regs->r15,
        .rip = regs->rip, .rflags = regs->rflags & ~TF,
        .fs_base = rdmsr(MSR_FS_BASE), .gs_base = rdmsr(MSR_GS_BASE),
    };
}

/* ------------------------------------------------------------------ one step */

/* Of the guest's memory, or of the machine-to-physical table, which is the hypervisor's but shown. */
static bool peek(struct vcpu *v, uint64_t address, uint8_t to[16])
{
    uint64_t first = (address - RO_M2P_BASE) / 8;

    if (address < RO_M2P_BASE || first + 1 >= max_mfn || address & 7)
        return guest_peek(v, address, to, 16) == 16;
    for (unsigned int i = 0; i < 2; i++) {
        uint64_t gpfn = get_gpfn(MFN(first + i));

        memcpy(to + 8 * i, &gpfn, 8);
    }
    return true;
}

/* What the step's instruction left in memory, and on to the buffer. */
static bool end_of_step(struct vcpu *v)
{
    struct radon_capture_step *step = &v->fast->step;

    if (step->flags & RADON_STEP_MEM &&
        peek(v, step->mem_address, step->mem_after))
        step->flags |= RADON_STEP_MEM_AFTER;
    if (!capture_append(v->fast->stepping, step, sizeof(*step)))
        return false;
    v->fast->stepping->head.steps++;
    return true;
}

static void read_operands(struct vcpu *v, struct radon_capture_step *step, const struct operand *op)
{
    if (op->mem) {
        step->mem_address = op->address;
        if (peek(v, op->address, step->mem_before))
            step->flags |= RADON_STEP_MEM;
    }
    if (op->mem2) {
        step->mem2_address = op->address2;
        if (peek(v, op->address2, step->mem2_before))
            step->flags |= RADON_STEP_MEM2;
    }
}

/* The instruction at regs is the next; false: it cannot be stepped unseen. */
static bool next_step(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct radon_capture_step *step = &v->fast->step;
    struct operand op;
    unsigned int n;

    memset(step, 0, sizeof(*step));
    take_regs(&step->regs, regs);
    n = (unsigned int)guest_peek(v, regs->rip, step->bytes, sizeof(step->bytes));
    operand_decode(step->bytes, n, &step->regs, &op);
    step->flags = n << RADON_STEP_BYTES_SHIFT;
    read_operands(v, step, &op);
    v->fast->special = op.special;
    if (op.special == OPERAND_UNSEEN)
        return false;
    /* POPF of a trap flag: the guest uses it itself. */
    if (op.special == OPERAND_POPF && (!(step->flags & RADON_STEP_MEM) || step->mem_before[1] & 1))
        return false;
    regs->rflags |= TF;
    return true;
}

static bool hide_pushed_flag(const struct cpu_user_regs *regs)
{
    uint64_t pushed;

    return get_guest_u64(regs->rsp, &pushed) && put_guest_u64(regs->rsp, pushed & ~TF);
}

/* ------------------------------------------------------------------ beginning and end */

/* Over, for whatever reason; regs: the frame that is about to be left or bounced with. */
static void finish(struct vcpu *v, struct cpu_user_regs *regs, enum radon_capture_end end)
{
    struct capture *c = v->fast->stepping;

    regs->rflags &= ~TF;
    if (regs->entry_vector == ENTRY_VECTOR_NONE && end != RADON_CAPTURE_DONE)
        regs->r11 &= ~TF; /* SYSCALL put the flags there */
    v->fast->stepping = NULL;
    capture_finish(c, end, end != RADON_CAPTURE_EVENT);
    capture_refresh(v);
}

bool step_wanted(const struct cpu_user_regs *regs, uint32_t kind, uint32_t number, uint64_t address,
                 uint32_t error_code, uint64_t cr2)
{
    struct vcpu *v = current();
    struct capture *c = v->domain->fast->capture;
    struct vcpu *none = NULL;

    if (!c || !v->fast || !c->running || v->fast->stepping || vcpu_in_kernel(v) || c->want.kind != kind ||
        c->want.number != number || c->want.address != address || (regs->rflags & TF) ||
        (v->dr[7] & DR7_ENABLES) || c->asker == v->hot->kernel_sp)
        return false;
    if (c->to_skip) {
        c->to_skip--;
        return false;
    }
    if (!__atomic_compare_exchange_n(&c->on, &none, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false;
    c->at = c->bytes;
    c->attempts++;
    c->head = (struct radon_capture_head){
        .magic = RADON_CAPTURE_MAGIC, .domain = v->domain->id, .vcpu = (uint16_t)v->id,
        .kind = kind, .number = number, .address = address, .end = RADON_CAPTURE_RUNNING,
        .error_code = error_code, .cr2 = cr2, .kernel_gs = rdmsr(MSR_SHADOW_GS_BASE),
        .kernel_sp = v->hot->kernel_sp, .tsc_start = rdtsc(),
    };
    c->head.cs = regs->cs;
    c->head.ss = regs->ss;
    take_regs(&c->head.before, regs);
    return true;
}

void step_begin(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    struct capture *c = v->domain->fast->capture;

    v->fast->stepping = c;
    v->fast->step_void = RADON_CAPTURE_RUNNING;
    capture_refresh(v);
    if (!vcpu_in_kernel(v)) /* the entry was dealt with in the hypervisor */
        finish(v, regs, RADON_CAPTURE_EVENT);
    else if (!capture_append(c, &c->head, sizeof(c->head)))
        finish(v, regs, RADON_CAPTURE_EVENT);
    else if (!next_step(v, regs))
        finish(v, regs, RADON_CAPTURE_UNSEEN);
}

void step_end(struct cpu_user_regs *regs, enum radon_capture_end end)
{
    struct vcpu *v = current();

    if (v->fast && v->fast->stepping)
        finish(v, regs, end);
}

/* ------------------------------------------------------------------ events on the way */

/* What ends the occurrence at this place, or RADON_CAPTURE_RUNNING. */
static enum radon_capture_end ending(const struct vcpu *v)
{
    const struct capture *c = v->fast->stepping;

    if (!c->running)
        return RADON_CAPTURE_EVENT;
    if (v->fast->step_void != RADON_CAPTURE_RUNNING)
        return v->fast->step_void;
    if (v->hot->kernel_sp != c->head.kernel_sp)
        return RADON_CAPTURE_SWITCHED;
    return c->head.steps >= c->want.max_steps ? RADON_CAPTURE_LONG : RADON_CAPTURE_RUNNING;
}

static void advance(struct vcpu *v, struct cpu_user_regs *regs)
{
    enum radon_capture_end end;

    if (!end_of_step(v)) {
        finish(v, regs, RADON_CAPTURE_LONG);
        return;
    }
    end = ending(v);
    if (end == RADON_CAPTURE_RUNNING && !next_step(v, regs))
        end = RADON_CAPTURE_UNSEEN;
    if (end != RADON_CAPTURE_RUNNING)
        finish(v, regs, end);
}

bool step_debug(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    uint64_t dr6;

    if (!v->fast || !v->fast->stepping)
        return false;
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    if (!(dr6 & DR6_BS) || (dr6 & DR6_HITS) || !vcpu_in_kernel(v)) {
        finish(v, regs, RADON_CAPTURE_TRAP);
        return false;
    }
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0UL));
    regs->rflags &= ~TF;
    if (v->fast->special == OPERAND_PUSHF && !hide_pushed_flag(regs))
        finish(v, regs, RADON_CAPTURE_UNSEEN);
    else
        advance(v, regs);
    return true;
}

void step_exit(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();

    if (!v->fast || !v->fast->stepping)
        return;
    if (!vcpu_in_kernel(v)) {
        finish(v, regs, RADON_CAPTURE_TRAP);
    } else if (regs->entry_vector == ENTRY_VECTOR_NONE && v->fast->special == OPERAND_SYSCALL &&
               regs->rip == v->fast->step.regs.rip + 2) {
        regs->r11 &= ~TF;
        regs->rflags &= ~TF;
        advance(v, regs);
    } else if (v->fast->step_void != RADON_CAPTURE_RUNNING) {
        finish(v, regs, v->fast->step_void);
    }
}

void step_iret(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    struct capture *c;

    if (!v->fast || !v->fast->stepping)
        return;
    c = v->fast->stepping;
    if (vcpu_in_kernel(v) || v->hot->kernel_sp != c->head.kernel_sp) {
        finish(v, regs, vcpu_in_kernel(v) ? RADON_CAPTURE_TRAP : RADON_CAPTURE_SWITCHED);
        return;
    }
    take_regs(&c->head.after, regs);
    if (!end_of_step(v) || v->fast->step_void != RADON_CAPTURE_RUNNING)
        finish(v, regs, v->fast->step_void != RADON_CAPTURE_RUNNING ? v->fast->step_void
                                                                    : RADON_CAPTURE_LONG);
    else
        finish(v, regs, RADON_CAPTURE_DONE);
}

void step_descheduled(struct vcpu *v)
{
    if (v->fast && v->fast->stepping)
        v->fast->step_void = RADON_CAPTURE_SWITCHED;
}
