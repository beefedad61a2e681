/* SPDX-License-Identifier: MIT */
/*
 * Running a handler at an entry: context in, code, effects and registers out.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/trace.h"
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
    /* The rest of what is odd concerns how the guest kernel is entered. */
    uint32_t odd = vcpu_in_kernel(v) ? HOT_ODD_NMI | HOT_ODD_DEBUG : 0x00ff0000;

    return (regs->rflags & refused) || !is_canonical(regs->rip) || !guest_range_ok(regs->rip, 1) ||
           (v->dr[7] & DR7_ENABLES) || v->nmi_pending || (v->hot->flags & odd) ||
           !code_is_64bit(regs->cs);
}

#define FIELD(name) (1u << FAST_FIELD_##name)
#define REGISTERS                                                                                  \
    (FIELD(rax) | FIELD(rbx) | FIELD(rcx) | FIELD(rdx) | FIELD(rsi) | FIELD(rdi) | FIELD(rbp) |    \
     FIELD(r8) | FIELD(r9) | FIELD(r10) | FIELD(r11) | FIELD(r12) | FIELD(r13) | FIELD(r14) |      \
     FIELD(r15))

static void fill_registers(struct fast_ctx *ctx, const struct cpu_user_regs *regs)
{
    ctx->rax = regs->rax;
    ctx->rbx = regs->rbx;
    ctx->rcx = regs->rcx;
    ctx->rdx = regs->rdx;
    ctx->rsi = regs->rsi;
    ctx->rdi = regs->rdi;
    ctx->rbp = regs->rbp;
    ctx->r8 = regs->r8;
    ctx->r9 = regs->r9;
    ctx->r10 = regs->r10;
    ctx->r11 = regs->r11;
    ctx->r12 = regs->r12;
    ctx->r13 = regs->r13;
    ctx->r14 = regs->r14;
    ctx->r15 = regs->r15;
}

/* The fields that are wanted, and those that take no time. */
static void fill_ctx(struct fast_ctx *ctx, const struct cpu_user_regs *regs, struct vcpu *v,
                     uint32_t wanted)
{
    bool kernel = vcpu_in_kernel(v);

    if (wanted & REGISTERS)
        fill_registers(ctx, regs);
    ctx->rsp = regs->rsp;
    ctx->rip = regs->rip;
    ctx->rflags = regs->rflags;
    ctx->cs = kernel ? regs->cs & ~3u : regs->cs;
    ctx->ss = regs->ss;
    if (wanted & FIELD(fs_base))
        ctx->fs_base = rdmsr(MSR_FS_BASE);
    if (kernel || wanted & FIELD(gs_base))
        ctx->gs_base = rdmsr(MSR_GS_BASE);
    ctx->kernel_gs = kernel ? ctx->gs_base : rdmsr(MSR_SHADOW_GS_BASE);
    ctx->kernel_sp = kernel ? regs->rsp & ~15UL : v->hot->kernel_sp;
}

/* What h may have written. */
static void take_ctx(const struct fast_handler *h, const struct fast_ctx *ctx,
                     struct cpu_user_regs *regs)
{
    regs->rip = ctx->rip;
    if (!(h->ctx_written & REGISTERS))
        return;
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
    case FAST_STOP_BUDGET:
        return RADON_FAST_PASS_BUDGET;
    default:
        return RADON_FAST_PASS_FULL;
    }
}

/*
 * The verifier has bounded the instructions of a run, but not what a load takes: of a device's memory, or
 * where the machine is slow.  After an overrun every run is timed, until one keeps to the budget; the
 * last of RADON_FAST_OVERRUNS in a row passes, and there is none after it.
 */
static __attribute__((noinline)) void overran(struct fast_handler *h, struct fast_cpu *w)
{
    struct fast_counts *count = &h->counts[this_cpu()->id];
    uint32_t passed = (int32_t)count->left > 0 ? count->step - count->left : count->step;

    count->to_compared = count->to_compared > passed ? count->to_compared - passed : 1;
    count->to_timed = count->step = count->left = 1;
    if (++h->overruns < RADON_FAST_OVERRUNS)
        return;
    w->run.stop = FAST_STOP_BUDGET;
    spin_lock(&h->fd->lock);
    fast_retire(h, RADON_FAST_BUDGET);
    spin_unlock(&h->fd->lock);
}

static void check_budget(struct fast_handler *h, struct fast_cpu *w)
{
    if (unlikely(w->cycles > h->info.longest))
        h->info.longest = w->cycles; /* where CPUs race, one of them */
    if (unlikely(w->cycles > h->info.budget))
        overran(h, w);
    else
        h->overruns = 0;
}

/* False: it passes.  What it staged is not looked at, or, with `take`, done if that is possible at once. */
static bool run_program(struct fast_handler *h, struct fast_cpu *w, bool take)
{
    uint64_t start, r0;

    fast_run_init(&w->run, &w->ctx, &fast_env, &w->world);
    w->world.nr_proved = 0;
    start = rdtsc();
    r0 = h->lean ? fast_run_lean(h, w, take) : fast_call(h->code, &w->run, take);
    w->cycles = rdtsc() - start;
    check_budget(h, w);
    /* An instruction pointer that the guest may not have is found before anything is done. */
    if (!is_canonical(w->ctx.rip) || !guest_range_ok(w->ctx.rip, 1))
        r0 = FAST_PASS;
    return !w->run.stop && r0 == FAST_DONE;
}

enum fast_outcome fast_try(struct fast_handler *h, struct fast_cpu *w)
{
    return run_program(h, w, false) && fast_prove(&w->run) ? FAST_DONE : FAST_PASS;
}

/* Page-table updates were looked at, and perhaps done. */
static void end_updates(struct fast_world *w)
{
    if (w->nr_pt_done && vcpu_in_kernel(w->v))
        write_cr3(w->v->hot->kernel_cr3);
    fast_pt_end(w);
}

/*
 * The guest kernel's tables are loaded.  DONE: all effects are taken, but for the registers and the
 * TLB, which the load of the user's tables flushes.
 */
static enum fast_outcome run_active(struct fast_handler *h, struct fast_cpu *w)
{
    /* As assembly runs it, so that it takes as long; but one that is about to overrun may have to pass. */
    bool done = run_program(h, w, !h->overruns);

    if (done && w->run.nr_staged) {
        uint64_t start = rdtsc();

        w->world.first_page = h->first_page;
        done = fast_take(&w->run, &w->world);
        w->cycles += rdtsc() - start;
    }
    if (w->world.tables_locked)
        end_updates(&w->world);
    return done ? FAST_DONE : FAST_PASS;
}

/* What is due at one run in `period`; *to: in how many, `passed` runs ago. */
static bool is_due(uint32_t *to, uint32_t passed, uint32_t period)
{
    bool due = *to <= passed;

    *to = due ? period : *to - passed;
    return due;
}

/* What is done with this run, beside running it. */
struct due {
    bool timed, compared;
};

/* Counts it; fast_entry.S, which counts too, sends those here for which something is due. */
static struct due count_run(struct fast_handler *h, struct fast_counts *count)
{
    uint32_t oracle = h->fd->oracle;
    struct due due = { .compared = h->state == RADON_FAST_SHADOW };

    if ((int32_t)count->left > 0 && (int32_t)--count->left > 0)
        return due;
    due.timed = is_due(&count->to_timed, count->step, FAST_TIMED);
    due.compared |= is_due(&count->to_compared, count->step, oracle ? oracle : FAST_SELDOM) &&
                    oracle && h->oracle;
    count->step = MIN(count->to_timed, count->to_compared);
    count->step = count->left = MIN(count->step, hot()->site_period); /* samples of sites are among them */
    return due;
}

void fast_count_pass(struct fast_handler *h, enum radon_fast_pass why)
{
    h->counts[this_cpu()->id].passes[why]++;
    trace_fast_pass(h->info.id, h->info.attach_kind, h->info.attach_number, h->info.attach_address,
                    why);
}

/* start: of the entry, as far as C knows. */
static void count_hit(struct fast_handler *h, const struct fast_cpu *w, bool timed, uint64_t start)
{
    struct fast_counts *count = &h->counts[this_cpu()->id];

    count->hits++;
    if (timed)
        count->cycles += FAST_TIMED * (h->lean ? fast_lean_cycles(h, w->cycles, w->run.nr_staged ? 2 : 1)
                                               : rdtsc() - start);
    trace_fast_hit(h->info.id, h->info.attach_kind, h->info.attach_number, h->info.attach_address,
                   (uint32_t)MIN(w->cycles, 0xffffffffUL));
}

/* The guest kernel's tables are loaded, the context is filled. */
static bool run(struct fast_handler *h, struct fast_cpu *w, struct due due, uint64_t start)
{
    if (due.compared) {
        if (!vcpu_in_kernel(w->world.v)) /* how the guest kernel's own entries end is not seen */
            shadow_run(h, w);
        return false;
    }
    if (run_active(h, w) != FAST_DONE) {
        fast_count_pass(h, fast_pass_of(&w->run));
        return false;
    }
    count_hit(h, w, due.timed, start);
    return true;
}

static bool attempt(struct fast_handler *h, struct cpu_user_regs *regs, uint32_t error_code,
                    uint64_t cr2, bool exception)
{
    struct vcpu *v = current();
    struct fast_cpu *w = fast_this_cpu();
    bool user = !vcpu_in_kernel(v), done;
    uint64_t start = rdtsc();
    struct due due;

    if (!w)
        return false;
    w->to_c.left = 0;
    if (h->state != RADON_FAST_ACTIVE && h->state != RADON_FAST_SHADOW)
        return false;
    if (fast_refuse_state(regs, v, exception)) {
        fast_count_pass(h, RADON_FAST_PASS_STATE);
        return false;
    }
    due = count_run(h, &h->counts[this_cpu()->id]);
    /* A comparison is of all registers, and lean code is called with them. */
    fill_ctx(&w->ctx, regs, v, due.compared || h->lean ? ~0u : h->ctx_read | h->ctx_written);
    w->ctx.kind = h->info.attach_kind;
    w->ctx.number = h->info.attach_number;
    w->ctx.error_code = error_code;
    w->ctx.cr2 = cr2;
    w->world.v = v;
    if (user)
        write_cr3(v->hot->kernel_cr3);
    done = run(h, w, due, start);
    w->run.stop = FAST_STOP_NONE; /* as runs from assembly begin */
    if (user)
        write_cr3(v->hot->user_cr3);
    if (done)
        take_ctx(h, &w->ctx, regs);
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

bool fast_hypercall(struct cpu_user_regs *regs)
{
    const struct fast_domain *fd = current()->domain->fast;
    struct fast_handler *h = READ_ONCE(fd->hypercalls[regs->rax]);
    uint64_t number = regs->rax;

    if (!h || !attempt(h, regs, 0, 0, false))
        return false;
    hot()->scratch = regs->rax;
    regs->rax = number; /* for who records the end of it */
    return true;
}
