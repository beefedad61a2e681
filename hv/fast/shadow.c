/* SPDX-License-Identifier: MIT */
/*
 * Handlers beside the guest kernel (rule 14).  At the entry the handler runs and what it would do is
 * kept; the guest kernel does the work; at its return to user mode in the same task both are
 * compared: every register, every location that the handler would store to, and, since a store that
 * it lacks would not be seen otherwise, every location that it read.  Time stands still meanwhile (shadow_time.c).
 *
 * Verdicts: agree; disagree; void, when anything came in between that may have changed memory or
 * registers by itself: an upcall, an exception, another task or vCPU.  Void never counts.
 *
 * A comparison belongs to the vCPU and touches nothing of others' but the handler, under fd->lock.
 */
#include "hv/asm.h"
#include "hv/trace.h"
#include "hv/x86.h"

#include "interp.h"

#include "capture.h"
#include "shadow.h"

enum { VERDICT_AGREE, VERDICT_DISAGREE, VERDICT_VOID }; /* tracing/types.def */

/* ------------------------------------------------------------------ the run */

static bool note_load(void *world, uint64_t address, unsigned int size, uint64_t *value)
{
    struct fast_world *w = world;
    struct shadow *s = container_of(w, struct shadow, world);

    if (!fast_env.load(world, address, size, value))
        return false;
    if (s->nr_reads == SHADOW_READS) {
        s->too_many_reads = 1;
        return true;
    }
    s->reads[s->nr_reads].address = address;
    s->reads[s->nr_reads].value = *value;
    s->reads[s->nr_reads++].size = size;
    return true;
}

/* One time stamp, for the interpreter and then for the guest kernel. */
static uint64_t time_of_run(void *world)
{
    return container_of((struct fast_world *)world, struct shadow, world)->tsc;
}

/* The interpreter on the same entry; false: it and the machine code do not agree. */
static bool interpret(struct fast_handler *h, struct shadow *s, const struct fast_run *jit)
{
    struct fast_env env = fast_env;
    uint64_t r0;

    env.load = note_load;
    env.tsc = time_of_run;
    s->tsc = rdtsc();
    s->nr_reads = s->too_many_reads = 0;
    s->world.v = current();
    s->interpreted = s->before;
    fast_run_init(&s->oracle, &s->interpreted, &env, &s->world);
    r0 = fast_interpret(&h->program, &s->oracle, FAST_MAX_INSNS);
    s->path = s->oracle.path;
    if (r0 != FAST_DONE || s->oracle.stop || s->oracle.nr_staged != jit->nr_staged)
        return false;
    for (uint32_t i = 0; i < jit->nr_staged; i++)
        if (!shadow_same_staged(h, s, jit, i))
            return false;
    return memcmp(&s->interpreted, &s->after, sizeof(s->after)) == 0;
}

/* differs: as in struct radon_fast_evidence; 0: the interpreter did something else. */
static void disagree(struct fast_handler *h, const struct shadow *s, uint32_t differs)
{
    h->info.disagreed++;
    trace_fast_shadow(h->info.id, VERDICT_DISAGREE);
    trace_fast_disagree(h->info.id, differs, s->oracle.nr_staged, s->before.rip);
    fast_retire(h, RADON_FAST_DISAGREED);
}

static void count_void(struct fast_handler *h)
{
    h->info.voided++;
    trace_fast_shadow(h->info.id, VERDICT_VOID);
}

/*
 * Machine code and interpreter did not do the same.  Where other vCPUs run, one of them may have
 * written what both read: that says nothing.
 */
static void engines_differ(struct fast_handler *h, const struct shadow *s, const struct fast_run *jit)
{
    spin_lock(&h->fd->lock);
    if (fast_many_vcpus(h->fd->domain)) {
        count_void(h);
    } else {
        shadow_keep_engines(h, s, jit);
        disagree(h, s, h->evidence ? h->evidence->differs : 0);
    }
    spin_unlock(&h->fd->lock);
}

#define TRIES 3u /* the time stamp may send one of two runs another way */

void shadow_run(struct fast_handler *h, struct fast_cpu *w)
{
    struct fast_vcpu *fv = current()->fast;
    enum fast_outcome outcome;
    struct shadow *s;

    if (fv->shadow_busy || fv->stepping)
        return;
    if (!fv->shadow)
        fv->shadow = hv_alloc(sizeof(*fv->shadow));
    s = fv->shadow;
    if (!s)
        return;
    s->before = w->ctx;
    for (unsigned int i = 0;; i++) {
        w->ctx = s->before;
        outcome = fast_try(h, w);
        fast_pt_end(&w->world);
        if (outcome != FAST_DONE) {
            fast_count_pass(h, fast_pass_of(&w->run));
            return;
        }
        s->after = w->ctx;
        if (interpret(h, s, &w->run))
            break;
        if (i + 1 == TRIES) {
            engines_differ(h, s, &w->run);
            return;
        }
    }
    s->id = h->info.id;
    s->bounced = s->voided = false;
    s->kernel_sp = current()->hot->kernel_sp;
    fv->shadow_busy = true;
    shadow_hold_time(s);
    capture_refresh(current());
}

/* ------------------------------------------------------------------ verdicts */

/* The least number of agreements in a row on a way that was seen; a new way begins at none. */
static void count_agreement(struct fast_handler *h, uint32_t path)
{
    uint32_t i = 0, least = ~0u;

    while (i < h->nr_paths && h->paths[i].path != path)
        i++;
    if (i == h->nr_paths && i < FAST_PATHS) {
        h->paths[i].path = path;
        h->paths[i].agreed = 0;
        h->nr_paths++;
        if (h->state == RADON_FAST_ACTIVE) /* a way that was never compared: back to comparing */
            fast_set_state(h, RADON_FAST_SHADOW, RADON_FAST_NO_REASON);
        fast_lean_update(h);
    }
    if (i < FAST_PATHS)
        h->paths[i].agreed++;
    for (uint32_t p = 0; p < h->nr_paths; p++)
        least = MIN(least, h->paths[p].agreed);
    h->info.agreed++;
    trace_fast_shadow(h->info.id, VERDICT_AGREE);
    h->info.agreed_in_row = least;
    if (h->state == RADON_FAST_SHADOW && h->info.agreements && least >= h->info.agreements) {
        h->oracle = true;
        fast_set_state(h, RADON_FAST_ACTIVE, RADON_FAST_NO_REASON);
        fast_lean_update(h);
        h->info.activated = rdtsc();
    }
}

static void judge(struct fast_handler *h, struct shadow *s, const struct cpu_user_regs *regs)
{
    uint32_t differs;
    bool changed;

    /* Rule 14: an event that came while the guest kernel had them masked has not been delivered yet. */
    if (s->voided || s->too_many_reads || s->kernel_sp != current()->hot->kernel_sp ||
        current()->hot->info->evtchn_upcall_pending) {
        count_void(h);
        return;
    }
    differs = shadow_compare(s, regs, &changed);
    if (changed && fast_many_vcpus(current()->domain)) {
        count_void(h);
    } else if (differs || changed) {
        differs |= changed ? 1u << 30 : 0;
        shadow_keep_evidence(h, s, regs, differs);
        disagree(h, s, differs);
    } else {
        count_agreement(h, s->path);
    }
}

/* Over: the verdict, or void without registers. */
static void shadow_over(struct vcpu *v, const struct cpu_user_regs *regs)
{
    struct fast_domain *fd = v->domain->fast;
    struct shadow *s = v->fast->shadow;

    v->fast->shadow_busy = false;
    shadow_let_time_go(s);
    spin_lock(&fd->lock);
    for (struct fast_handler *h = fd->list; h; h = h->next) {
        if (h->info.id != s->id)
            continue;
        if (h->state != RADON_FAST_SHADOW && h->state != RADON_FAST_ACTIVE)
            break;
        s->voided |= !regs;
        judge(h, s, regs);
        break;
    }
    spin_unlock(&fd->lock);
    capture_refresh(v);
}

void shadow_iret(const struct cpu_user_regs *regs)
{
    struct vcpu *v = current();

    if (v->fast && v->fast->shadow_busy && !vcpu_in_kernel(v))
        shadow_over(v, regs);
}

void shadow_bounce(void)
{
    struct vcpu *v = current();

    if (!v->fast || !v->fast->shadow_busy)
        return;
    if (v->fast->shadow->bounced)
        shadow_void(v);
    v->fast->shadow->bounced = true;
}

void shadow_exit(void)
{
    struct vcpu *v = current();

    /* In user mode without the guest kernel's iret: the entry went another way. */
    if (v->fast && v->fast->shadow_busy && !vcpu_in_kernel(v))
        shadow_over(v, NULL);
}

void shadow_void(struct vcpu *v)
{
    if (!v->fast || !v->fast->shadow_busy)
        return;
    v->fast->shadow->voided = true;
    shadow_let_time_go(v->fast->shadow);
}
