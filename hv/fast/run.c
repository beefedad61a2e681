/* SPDX-License-Identifier: MIT */
/*
 * Running a handler at an entry: context in, code, effects and registers out.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/x86.h"

#include "fast_int.h"

struct fast_cpu *fast_this_cpu(void)
{
    return fast_work_of(this_cpu()->id);
}

#define DR7_ENABLES 0xffUL
#define LAR_LONG (1u << 21)

static bool code_is_64bit(uint16_t cs)
{
    uint32_t rights = 0;

    if (cs == FLAT_RING3_CS64)
        return true;
    __asm__("lar %1, %0" : "+r"(rights) : "r"((uint32_t)cs) : "cc");
    return rights & LAR_LONG;
}

/* Rule 8: nonzero if this entry is the guest kernel's. */
uint32_t fast_refuse_state(const struct cpu_user_regs *regs, const struct vcpu *v, bool exception)
{
    uint64_t refused = FAST_REFUSED_FLAGS | (exception ? 0 : X86_EFLAGS_RF); /* faults set RF */

    return (regs->rflags & refused) || !is_canonical(regs->rip) || !guest_range_ok(regs->rip, 1) ||
           (v->dr[7] & DR7_ENABLES) || v->nmi_pending || (v->hot->flags & 0x00ff0000) ||
           !code_is_64bit(regs->cs);
}

void fast_fill_ctx(struct fast_ctx *ctx, const struct cpu_user_regs *regs, struct vcpu *v)
{
    bool kernel = vcpu_in_kernel(v);

    ctx->rax = regs->rax;
    ctx->rbx = regs->rbx;
    ctx->rcx = regs->rcx;
    ctx->rdx = regs->rdx;
    ctx->rsi = regs->rsi;
    ctx->rdi = regs->rdi;
    ctx->rbp = regs->rbp;
    ctx->rsp = regs->rsp;
    ctx->r8 = regs->r8;
    ctx->r9 = regs->r9;
    ctx->r10 = regs->r10;
    ctx->r11 = regs->r11;
    ctx->r12 = regs->r12;
    ctx->r13 = regs->r13;
    ctx->r14 = regs->r14;
    ctx->r15 = regs->r15;
    ctx->rip = regs->rip;
    ctx->rflags = regs->rflags;
    ctx->cs = kernel ? regs->cs & ~3u : regs->cs;
    ctx->ss = regs->ss;
    ctx->fs_base = rdmsr(MSR_FS_BASE);
    ctx->gs_base = rdmsr(MSR_GS_BASE);
    ctx->kernel_gs = kernel ? ctx->gs_base : rdmsr(MSR_SHADOW_GS_BASE);
    ctx->kernel_sp = kernel ? regs->rsp & ~15UL : v->hot->kernel_sp;
}

static void take_ctx(const struct fast_ctx *ctx, struct cpu_user_regs *regs)
{
    regs->rax = ctx->rax;
    regs->rbx = ctx->rbx;
    regs->rcx = ctx->rcx;
    regs->rdx = ctx->rdx;
    regs->rsi = ctx->rsi;
    regs->rdi = ctx->rdi;
    regs->rbp = ctx->rbp;
    regs->r8 = ctx->r8;
    regs->r9 = ctx->r9;
    regs->r10 = ctx->r10;
    regs->r11 = ctx->r11;
    regs->r12 = ctx->r12;
    regs->r13 = ctx->r13;
    regs->r14 = ctx->r14;
    regs->r15 = ctx->r15;
    regs->rip = ctx->rip;
}

enum radon_fast_pass fast_pass_of(const struct fast_run *run)
{
    switch (run->stop) {
    case FAST_STOP_NONE:
        return RADON_FAST_PASS_CHOSEN;
    case FAST_STOP_LOAD:
        return RADON_FAST_PASS_LOAD;
    case FAST_STOP_STORE:
        return RADON_FAST_PASS_STORE;
    case FAST_STOP_PT:
        return RADON_FAST_PASS_PT;
    default:
        return RADON_FAST_PASS_FULL;
    }
}

enum fast_outcome fast_try(struct fast_handler *h, struct fast_cpu *w)
{
    uint64_t r0;

    fast_run_init(&w->run, &w->ctx, &fast_env, &w->world);
    w->world.nr_proved = 0;
    r0 = h->code(&w->run);
    /* An instruction pointer that the guest may not have is found before anything is done. */
    if (!is_canonical(w->ctx.rip) || !guest_range_ok(w->ctx.rip, 1))
        r0 = FAST_PASS;
    return !w->run.stop && r0 == FAST_DONE && fast_prove(&w->run) ? FAST_DONE : FAST_PASS;
}

/*
 * The guest kernel's tables are loaded.  DONE: all effects are taken, but for the registers and the
 * TLB, which the load of the user's tables flushes.
 */
static enum fast_outcome run_active(struct fast_handler *h, struct fast_cpu *w)
{
    enum fast_outcome outcome = fast_try(h, w);

    if (outcome == FAST_DONE) {
        w->world.nr_proved = 0;
        fast_commit(&w->run);
        if (w->world.nr_pt && vcpu_in_kernel(w->world.v))
            write_cr3(w->world.v->hot->kernel_cr3);
    }
    fast_pt_end(&w->world);
    return outcome;
}

/* Whether this run is timed: every FAST_TIMED-th, which fast_entry.S sends here for it. */
static bool is_timed(struct fast_handler *h)
{
    if ((int32_t)h->left > 0 && (int32_t)--h->left > 0)
        return false;
    h->left = FAST_TIMED;
    h->timed++;
    return true;
}

static bool is_compared(const struct fast_handler *h, bool timed)
{
    return h->state == RADON_FAST_SHADOW || (h->oracle && timed && h->timed % FAST_ORACLE == 0);
}

/* How many runs a timed one stands for: those that are compared instead are not timed. */
static uint64_t weight(const struct fast_handler *h)
{
    return h->oracle ? FAST_TIMED * FAST_ORACLE / (FAST_ORACLE - 1) : FAST_TIMED;
}

/* The guest kernel's tables are loaded, the context is filled. */
static bool run(struct fast_handler *h, struct fast_cpu *w, bool user)
{
    struct fast_counts *count = &h->counts[this_cpu()->id];
    bool timed = is_timed(h);
    uint64_t start;

    if (is_compared(h, timed)) {
        if (user) /* how the guest kernel's own entries end is not seen */
            shadow_run(h, w);
        return false;
    }
    start = timed ? rdtsc() : 0;
    if (run_active(h, w) != FAST_DONE) {
        count->passes[fast_pass_of(&w->run)]++;
        return false;
    }
    count->hits++;
    if (timed)
        count->cycles += weight(h) * (rdtsc() - start);
    return true;
}

static bool attempt(struct fast_handler *h, struct cpu_user_regs *regs, uint32_t error_code,
                    uint64_t cr2, bool exception)
{
    struct vcpu *v = current();
    struct fast_cpu *w = fast_this_cpu();
    bool user = !vcpu_in_kernel(v), done;

    if (!w || (h->state != RADON_FAST_ACTIVE && h->state != RADON_FAST_SHADOW))
        return false;
    if (fast_refuse_state(regs, v, exception)) {
        h->counts[this_cpu()->id].passes[RADON_FAST_PASS_STATE]++;
        return false;
    }
    fast_fill_ctx(&w->ctx, regs, v);
    w->ctx.kind = h->info.attach_kind;
    w->ctx.number = h->info.attach_number;
    w->ctx.error_code = error_code;
    w->ctx.cr2 = cr2;
    w->world.v = v;
    if (user)
        write_cr3(v->hot->kernel_cr3);
    done = run(h, w, user);
    if (user)
        write_cr3(v->hot->user_cr3);
    if (done)
        take_ctx(&w->ctx, regs);
    return done;
}

bool fast_syscall(struct cpu_user_regs *regs)
{
    const struct fast_domain *fd = current()->domain->fast;
    struct fast_handler *h;

    if (!fd || regs->rax > FAST_MAX_SYSCALL)
        return false;
    h = READ_ONCE(fd->syscalls[regs->rax]);
    return h && attempt(h, regs, 0, 0, false);
}

bool fast_exception(struct cpu_user_regs *regs, unsigned int vector, uint32_t error_code,
                    uint64_t cr2)
{
    const struct fast_domain *fd = current()->domain->fast;

    for (uint32_t i = 0; fd && i < READ_ONCE(fd->nr_traps); i++) {
        struct fast_handler *h = READ_ONCE(fd->traps[i]);

        if (h && h->info.attach_address == regs->rip && h->info.attach_number == vector)
            return attempt(h, regs, error_code, cr2, true);
    }
    return false;
}
