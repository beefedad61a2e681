/* SPDX-License-Identifier: MIT */
/* What a handler did beside what the guest kernel did, or its machine code beside the interpreter: equal, or evidence. */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/x86.h"

#include "shadow.h"

/* ------------------------------------------------------------------ machine code and interpreter */

/* Whether the time stamp has a part in what the instruction stores, or in the way to it: each run has its own. */
static bool is_tainted(const struct fast_handler *h, uint32_t insn)
{
    for (uint32_t i = 0; i < h->nr_tainted; i++)
        if (h->tainted[i] == insn)
            return true;
    return false;
}

bool shadow_same_staged(const struct fast_handler *h, const struct shadow *s, const struct fast_run *jit,
                        uint32_t i)
{
    const struct fast_staged *a = &s->oracle.staged[i], *b = &jit->staged[i];

    return a->address == b->address && a->size == b->size && (a->size || a->old == b->old) &&
           (a->value == b->value || is_tainted(h, s->oracle.staged_by[i]));
}

/* ------------------------------------------------------------------ the guest kernel */

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

static bool same_store(const struct shadow *s, uint32_t i, uint64_t *now)
{
    const struct fast_staged *t = &s->oracle.staged[i];

    if (!t->size)
        return entry_as_wanted(t, now);
    return peek(t->address, t->size, now) && *now == expected(&s->oracle, i);
}

static uint32_t compare_stores(const struct shadow *s)
{
    uint64_t now;

    for (uint32_t i = 0; i < s->oracle.nr_staged; i++)
        if (!same_store(s, i, &now))
            return 1u << 31;
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

uint32_t shadow_compare(const struct shadow *s, const struct cpu_user_regs *regs, bool *changed)
{
    uint64_t now;

    *changed = changed_read(s, 0, &now) < s->nr_reads;
    return compare_regs(&s->after, regs) | compare_stores(s);
}

/* ------------------------------------------------------------------ evidence */

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

void shadow_keep_engines(struct fast_handler *h, const struct shadow *s, const struct fast_run *jit)
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
        e->store[i].address = jit->staged[i].address;
        e->store[i].size = jit->staged[i].size;
        e->store[i].handler = jit->staged[i].value;
        e->store[i].guest = s->oracle.staged[i].value;
        e->store[i].differs = !shadow_same_staged(h, s, jit, i);
        e->differs |= e->store[i].differs ? 1u << 31 : 0;
    }
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

void shadow_keep_evidence(struct fast_handler *h, const struct shadow *s, const struct cpu_user_regs *regs,
                          uint32_t differs)
{
    struct radon_fast_evidence *e = evidence_of(h, s);

    if (!e)
        return;
    e->differs = differs;
    keep_guest_regs(e->guest, regs);
    e->nr_stores = MIN(s->oracle.nr_staged, RADON_FAST_EVIDENCE_STORES);
    for (uint32_t i = 0; i < e->nr_stores; i++) {
        const struct fast_staged *t = &s->oracle.staged[i];

        e->store[i].address = t->address; /* of a page-table entry: its machine address */
        e->store[i].size = t->size;
        e->store[i].handler = t->size ? expected(&s->oracle, i) : t->value;
        e->store[i].differs = !same_store(s, i, &e->store[i].guest);
    }
    keep_reads(e, s);
}
