/* SPDX-License-Identifier: MIT */
/*
 * Handlers beside the guest kernel (rule 14).  At the entry the handler runs and what it would do is
 * kept; the guest kernel does the work; at its return to user mode in the same task both are
 * compared: every register, every location that the handler would store to, and, since a store that
 * it lacks would not be seen otherwise, every location that it read.
 *
 * Verdicts: agree; disagree; void, when anything came in between that may have changed memory or
 * registers by itself: an upcall, an exception, another task or vCPU.  Void never counts.
 *
 * A comparison belongs to the vCPU and touches nothing of others' but the handler, under fd->lock.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/trace.h"
#include "hv/x86.h"

#include "interp.h"

#include "capture.h"

#define MAX_READS 256u

enum { VERDICT_AGREE, VERDICT_DISAGREE, VERDICT_VOID }; /* tracing/types.def */

struct shadow {
    uint32_t id;                  /* the handler's, which may be gone */
    bool bounced;                 /* the entry itself has been given to the guest kernel */
    bool voided;
    uint32_t path;
    uint32_t nr_reads;
    uint32_t too_many_reads;
    uint64_t kernel_sp;
    struct fast_ctx before, after, interpreted;
    struct fast_run oracle;       /* the interpreter's run: staged effects, and who staged them */
    struct fast_world world;
    struct { uint64_t address, value; uint32_t size; } reads[MAX_READS];
};

/* ------------------------------------------------------------------ the run */

static bool note_load(void *world, uint64_t address, unsigned int size, uint64_t *value)
{
    struct fast_world *w = world;
    struct shadow *s = container_of(w, struct shadow, world);

    if (!fast_env.load(world, address, size, value))
        return false;
    if (s->nr_reads == MAX_READS) {
        s->too_many_reads = 1;
        return true;
    }
    s->reads[s->nr_reads].address = address;
    s->reads[s->nr_reads].value = *value;
    s->reads[s->nr_reads++].size = size;
    return true;
}

/* Whether the time stamp has a part in what the instruction stores: in the value, or in the way to it. */
enum taint { TAINT_NONE, TAINT_WAY, TAINT_VALUE };

static enum taint taint_of(const struct fast_handler *h, uint32_t insn)
{
    for (uint32_t i = 0; i < h->nr_tainted; i++)
        if ((h->tainted[i] & ~RADON_FAST_TAINT_WAY) == insn)
            return h->tainted[i] & RADON_FAST_TAINT_WAY ? TAINT_WAY : TAINT_VALUE;
    return TAINT_NONE;
}

/* The interpreter on the same entry; false: it and the machine code do not agree. */
static bool interpret(struct fast_handler *h, struct shadow *s, const struct fast_run *jit)
{
    struct fast_env env = fast_env;
    uint64_t r0;

    env.load = note_load;
    s->nr_reads = s->too_many_reads = 0;
    s->world.v = current();
    s->interpreted = s->before;
    fast_run_init(&s->oracle, &s->interpreted, &env, &s->world);
    r0 = fast_interpret(&h->program, &s->oracle, FAST_MAX_INSNS);
    s->path = s->oracle.path;
    if (r0 != FAST_DONE || s->oracle.stop || s->oracle.nr_staged != jit->nr_staged)
        return false;
    for (uint32_t i = 0; i < jit->nr_staged; i++) {
        const struct fast_staged *a = &s->oracle.staged[i], *b = &jit->staged[i];

        if (a->address != b->address || a->size != b->size || (!a->size && a->old != b->old) ||
            (a->value != b->value && !taint_of(h, s->oracle.staged_by[i])))
            return false;
    }
    return memcmp(&s->interpreted, &s->after, sizeof(s->after)) == 0;
}

static void keep_regs(uint64_t to[24], const struct fast_ctx *c)
{
    const uint64_t r[] = { c->rax, c->rcx, c->rdx, c->rbx, c->rsp, c->rbp, c->rsi, c->rdi, c->r8,
                           c->r9, c->r10, c->r11, c->r12, c->r13, c->r14, c->r15, c->rip,
                           c->rflags, c->fs_base, c->gs_base };

    memset(to, 0, 24 * sizeof(*to));
    memcpy(to, r, sizeof(r));
}

/* Emptied, but for what every disagreement has; NULL without memory. */
static struct radon_fast_evidence *evidence_of(struct fast_handler *h, const struct shadow *s)
{
    struct radon_fast_evidence *e = h->evidence ? h->evidence : hv_alloc(sizeof(*e));

    h->evidence = e;
    if (!e)
        return NULL;
    memset(e, 0, sizeof(*e));
    e->id = h->info.id;
    keep_regs(e->before, &s->before);
    keep_regs(e->handler, &s->after);
    return e;
}

/* What machine code and interpreter staged, one beside the other. */
static void keep_engines(struct fast_handler *h, const struct shadow *s, const struct fast_run *jit)
{
    struct radon_fast_evidence *e = evidence_of(h, s);

    if (!e)
        return;
    e->engines = 1;
    keep_regs(e->guest, &s->interpreted);
    for (unsigned int i = 0; i < 20; i++)
        e->differs |= e->handler[i] != e->guest[i] ? 1u << i : 0;
    e->nr_stores = MIN(MIN(s->oracle.nr_staged, jit->nr_staged), RADON_FAST_EVIDENCE_STORES);
    for (uint32_t i = 0; i < e->nr_stores; i++) {
        const struct fast_staged *a = &jit->staged[i], *b = &s->oracle.staged[i];

        e->store[i].address = a->address;
        e->store[i].size = a->size;
        e->store[i].handler = a->value;
        e->store[i].guest = b->value;
        e->store[i].differs = a->address != b->address || a->size != b->size ||
                              (!a->size && a->old != b->old) ||
                              (a->value != b->value && !taint_of(h, s->oracle.staged_by[i]));
        e->differs |= e->store[i].differs ? 1u << 31 : 0;
    }
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
        keep_engines(h, s, jit);
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
    capture_refresh(current());
}

/* ------------------------------------------------------------------ the comparison */

/* What memory at a staged store holds if all of them were done, in order. */
static uint64_t expected(const struct fast_run *run, uint32_t i)
{
    const struct fast_staged *s = &run->staged[i];
    uint64_t value = s->value;

    for (uint32_t j = i + 1; j < run->nr_staged; j++) {
        const struct fast_staged *later = &run->staged[j];

        for (unsigned int b = 0; b < later->size; b++) {
            uint64_t at = later->address + b - s->address;

            if (at < s->size)
                value = (value & ~(0xffull << 8 * at)) | (later->value >> 8 * b & 0xff) << 8 * at;
        }
    }
    return value;
}

static bool peek(uint64_t address, uint32_t size, uint64_t *value)
{
    *value = 0;
    return guest_peek(current(), address, value, size) == size;
}

/* Bit i: register i of struct radon_regs differs. */
static uint32_t compare_regs(const struct fast_ctx *a, const struct cpu_user_regs *b)
{
    const uint64_t want[] = { a->rax, a->rcx, a->rdx, a->rbx, a->rsp, a->rbp, a->rsi, a->rdi,
                              a->r8, a->r9, a->r10, a->r11, a->r12, a->r13, a->r14, a->r15,
                              a->rip };
    const uint64_t got[] = { b->rax, b->rcx, b->rdx, b->rbx, b->rsp, b->rbp, b->rsi, b->rdi,
                             b->r8, b->r9, b->r10, b->r11, b->r12, b->r13, b->r14, b->r15,
                             b->rip };
    uint32_t differs = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
        differs |= want[i] != got[i] ? 1u << i : 0;
    if ((a->rflags ^ b->rflags) & X86_EFLAGS_FREE)
        differs |= 1u << 17;
    return differs;
}

/* Of the stores that cover the location, the most. */
static enum taint tainted_here(const struct fast_handler *h, const struct shadow *s, uint64_t address,
                               uint32_t size)
{
    enum taint most = TAINT_NONE;

    for (uint32_t i = 0; i < s->oracle.nr_staged; i++) {
        const struct fast_staged *t = &s->oracle.staged[i];

        if (t->size && t->address < address + size && address < t->address + t->size)
            most = MAX(most, taint_of(h, s->oracle.staged_by[i]));
    }
    return most;
}

/* The page-table entry at a machine address: a frame of the domain's own, or there is none. */
static bool peek_entry(uint64_t ptr, uint64_t *entry)
{
    uint64_t mfn = ptr >> PAGE_SHIFT;

    *entry = 0;
    if (mfn >= max_mfn || mfn_to_page(MFN(mfn))->owner != current()->domain)
        return false;
    *entry = READ_ONCE(*(const uint64_t *)paddr_to_virt(ptr & ~7UL));
    return true;
}

/* The entry is what the update was to make of it; the processor may have set A and D since. */
static bool entry_as_wanted(const struct fast_staged *t, uint64_t *entry)
{
    const uint64_t hv = PTE_U | PTE_G, ad = PTE_A | PTE_D;
    uint64_t differ;

    if (!peek_entry(t->address, entry))
        return false;
    differ = *entry ^ t->value;
    if (t->value & PTE_P)
        differ &= ~hv; /* as hv/mm sets them */
    return !(differ & ~ad) && !(t->value & ad & ~*entry);
}

/*
 * *other_way: behind a branch on the time stamp something else was stored.  The guest kernel read it a
 * moment later, and may have gone the other way.
 */
static uint32_t compare_stores(const struct fast_handler *h, const struct shadow *s, bool *other_way)
{
    *other_way = false;
    for (uint32_t i = 0; i < s->oracle.nr_staged; i++) {
        const struct fast_staged *t = &s->oracle.staged[i];
        enum taint taint;
        uint64_t now;

        if (!t->size && !entry_as_wanted(t, &now))
            return 1u << 31;
        taint = t->size ? tainted_here(h, s, t->address, t->size) : TAINT_VALUE;
        if (taint == TAINT_VALUE || (peek(t->address, t->size, &now) && now == expected(&s->oracle, i)))
            continue;
        if (taint == TAINT_NONE)
            return 1u << 31;
        *other_way = true;
    }
    return 0;
}

static bool staged_here(const struct shadow *s, uint64_t address, uint32_t size)
{
    for (uint32_t i = 0; i < s->oracle.nr_staged; i++) {
        const struct fast_staged *t = &s->oracle.staged[i];

        if (t->size && t->address < address + size && address < t->address + t->size)
            return true;
    }
    return false;
}

/* A place, by the guest kernel's own mapping of its page tables, of an entry that was staged. */
static bool entry_here(const struct shadow *s, uint64_t address, uint32_t size)
{
    uint64_t ptr;
    mfn_t mfn;

    if (!guest_va_to_mfn(current(), address, &mfn, NULL))
        return false;
    ptr = mfn_to_paddr(mfn) + (address & (PAGE_SIZE - 1));
    for (uint32_t i = 0; i < s->oracle.nr_staged; i++) {
        const struct fast_staged *t = &s->oracle.staged[i];
        uint64_t at = t->address & ~7UL;

        if (!t->size && at < ptr + size && ptr < at + 8)
            return true;
    }
    return false;
}

/*
 * The first read from the i-th on of what was written since and the handler does not store to; nr_reads:
 * there is none.
 */
static uint32_t changed_read(const struct shadow *s, uint32_t i, uint64_t *now)
{
    for (; i < s->nr_reads; i++) {
        if (staged_here(s, s->reads[i].address, s->reads[i].size))
            continue;
        if ((!peek(s->reads[i].address, s->reads[i].size, now) || *now != s->reads[i].value) &&
            !entry_here(s, s->reads[i].address, s->reads[i].size))
            break;
    }
    return i;
}

static void keep_guest_regs(uint64_t to[24], const struct cpu_user_regs *r)
{
    const uint64_t all[] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi, r->r8,
                             r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip,
                             r->rflags };

    memset(to, 0, 24 * sizeof(*to));
    memcpy(to, all, sizeof(all));
}

static void keep_reads(struct radon_fast_evidence *e, const struct shadow *s)
{
    uint32_t n = 0;
    uint64_t now;

    for (uint32_t i = 0; (i = changed_read(s, i, &now)) < s->nr_reads; i++) {
        if (n == RADON_FAST_EVIDENCE_READS)
            break;
        e->read[n].address = s->reads[i].address;
        e->read[n].size = s->reads[i].size;
        e->read[n].handler = s->reads[i].value;
        e->read[n++].guest = now;
    }
}

static void keep_evidence(struct fast_handler *h, const struct shadow *s,
                          const struct cpu_user_regs *regs, uint32_t differs)
{
    struct radon_fast_evidence *e = evidence_of(h, s);

    if (!e)
        return;
    e->differs = differs;
    keep_guest_regs(e->guest, regs);
    e->nr_stores = MIN(s->oracle.nr_staged, RADON_FAST_EVIDENCE_STORES);
    for (uint32_t i = 0; i < e->nr_stores; i++) {
        const struct fast_staged *t = &s->oracle.staged[i];

        e->store[i].address = t->address;
        e->store[i].size = t->size;
        if (!t->size) { /* a page-table entry, by its machine address */
            e->store[i].handler = t->value;
            e->store[i].differs = !entry_as_wanted(t, &e->store[i].guest);
            continue;
        }
        e->store[i].handler = expected(&s->oracle, i);
        peek(t->address, t->size, &e->store[i].guest);
        e->store[i].differs = e->store[i].handler != e->store[i].guest &&
                              !tainted_here(h, s, t->address, t->size);
    }
    keep_reads(e, s);
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
    uint64_t now;
    bool changed, other_way;

    /* Rule 14: an event that came while the guest kernel had them masked has not been delivered yet. */
    if (s->voided || s->too_many_reads || s->kernel_sp != current()->hot->kernel_sp ||
        current()->hot->info->evtchn_upcall_pending) {
        count_void(h);
        return;
    }
    differs = compare_regs(&s->after, regs) | compare_stores(h, s, &other_way);
    changed = changed_read(s, 0, &now) < s->nr_reads;
    if (changed && fast_many_vcpus(current()->domain)) {
        count_void(h);
    } else if (differs || changed) {
        differs |= changed ? 1u << 30 : 0;
        keep_evidence(h, s, regs, differs);
        disagree(h, s, differs);
    } else if (other_way) {
        count_void(h);
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
        v->fast->shadow->voided = true;
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
    if (v->fast && v->fast->shadow_busy)
        v->fast->shadow->voided = true;
}
