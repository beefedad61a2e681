/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls on the path.  A page-table entry's update becomes the helper's; flushes of the TLB
 * vanish, as the load of the user's page tables behind a run is one.  Everything else is refused.
 *
 * Only the handler of a page fault may do it, and of an entry for user memory (the hypervisor holds
 * it to the table of the address that faulted).  So what lies behind the update on the path, in the
 * kernel's half, does not feel it but at the entry itself, and the update may be the program's last
 * effect.
 */
#include <string.h>

#include "insn.h"
#include "memory.h"

#define HYPERCALL_MMU_UPDATE 1u /* __HYPERVISOR_*, public/xen.h */
#define HYPERCALL_MMUEXT_OP 26u
#define DOMID_SELF_ 0x7ff0u
#define X86_PF_ 14u

enum {
    MMUEXT_TLB_FLUSH_LOCAL_ = 6,
    MMUEXT_INVLPG_LOCAL_,
    MMUEXT_TLB_FLUSH_MULTI_,
    MMUEXT_INVLPG_MULTI_,
    MMUEXT_TLB_FLUSH_ALL_,
    MMUEXT_INVLPG_ALL_
};

static uint64_t after(struct insn *in, unsigned int capture, unsigned int r)
{
    uint64_t value;

    memcpy(&value, (const char *)&step_of(in->w, capture, in->w->step + 1)->regs + 8 * r, 8);
    return value;
}

/* What is in the registers behind it: what was, but for the result and what SYSCALL takes. */
static void leave_registers(struct insn *in)
{
    struct work *w = in->w;

    FOR_CAPTURES(i, in->st->captures)
    {
        if (w->step + 1 >= w->capture[i].head->steps)
            refuse(w, SYNTH_BAD_CAPTURE, "the capture ends at a hypercall");
        else if (after(in, i, RAX))
            refuse(w, SYNTH_HYPERCALL, "which failed with %lld", (long long)after(in, i, RAX));
    }
    if (w->failed)
        return;
    in->st->reg[RAX] = imm(in, 0);
    for (unsigned int r = RCX; r <= R11; r += R11 - RCX) {
        in->st->reg[r] = g_unknown(in->g, 8);
        FOR_CAPTURES(i, in->st->captures)
        concrete_bind(w, i, in->st->reg[r], after(in, i, r));
    }
    flags_undefined(in);
}

/* Whether the low 32 bits of the register are one number in all captures; a guard keeps it. */
static bool argument_is(struct insn *in, unsigned int r, uint32_t number)
{
    uint64_t value;

    return g_is_const(in->g, pin(in->w, in->st, g_low(in->g, in->st->reg[r], 4)), &value) &&
           value == number;
}

static node_id request_word(struct insn *in, unsigned int at)
{
    return memory_load(in->w, in->st, op2i(in, N_ADD, in->st->reg[RDI], at), 8);
}

/* The path's newest reading of the entry: the kernel's place of it is as far into its page. */
static const struct known *find_entry(struct insn *in, node_id ptr)
{
    for (uint32_t k = in->st->nr_known; k-- > 0;) {
        const struct known *known = &in->st->known[k];
        bool same = !known->stored && known->place.region == IN_POINTER && known->place.size == 8;
        uint64_t a, b;

        FOR_CAPTURES(i, in->st->captures)
        same = same && concrete_value(in->w, i, known->place.address, &a) &&
               concrete_value(in->w, i, ptr, &b) && ((a ^ b) & 0xff8) == 0;
        if (same)
            return known;
    }
    return NULL;
}

static void update_entry(struct insn *in, node_id ptr, node_id new)
{
    struct work *w = in->w;
    const struct known *found = find_entry(in, ptr);
    struct effect *e;
    struct place at;
    node_id old;

    if (!found) {
        refuse(w, SYNTH_PT_ENTRY, "%s", node_text(w, ptr));
        return;
    }
    at = found->place;
    old = found->value;
    e = effect_add(w, in->st->segment, E_PT);
    if (!e)
        return;
    e->place = at;
    e->ptr = ptr;
    e->value = new;
    e->original = old;
    explain_at(w, w->at, "page-table entry %s (read as %s) = %s", node_text(w, ptr),
               node_text(w, old), node_text(w, new));
    memory_entry_changes(w, in->st, &at);
}

static void mmu_update(struct insn *in)
{
    node_id ptr, new;

    if (in->w->attach_kind != FAST_ATTACH_EXCEPTION || in->w->attach_number != X86_PF_) {
        refuse(in->w, SYNTH_HYPERCALL, "mmu_update, in other than a page fault");
        return;
    }
    /* One request, nobody wants to know how many were done, and it is the domain's own. */
    if (!argument_is(in, RSI, 1) || !argument_is(in, R10, DOMID_SELF_) ||
        pin(in->w, in->st, in->st->reg[RDX]) != imm(in, 0)) {
        refuse(in->w, SYNTH_HYPERCALL, "mmu_update of more than one entry of its own");
        return;
    }
    ptr = request_word(in, 0);
    new = request_word(in, 8);
    if (!in->w->failed)
        update_entry(in, ptr, new);
}

static void mmuext_op(struct insn *in)
{
    uint64_t op = 0;

    if (!argument_is(in, RSI, 1) || !argument_is(in, R10, DOMID_SELF_) ||
        pin(in->w, in->st, in->st->reg[RDX]) != imm(in, 0) ||
        !g_is_const(in->g, pin(in->w, in->st, g_low(in->g, request_word(in, 0), 4)), &op) ||
        op < MMUEXT_TLB_FLUSH_LOCAL_ || op > MMUEXT_INVLPG_ALL_) {
        refuse(in->w, SYNTH_HYPERCALL, "mmuext_op %llu", (unsigned long long)op);
        return;
    }
    if (op > MMUEXT_INVLPG_LOCAL_) {
        if (!in->w->in->one_vcpu)
            refuse(in->w, SYNTH_HYPERCALL, "a flush of other vCPUs");
        in->w->one_vcpu_used = true;
    }
    explain_at(in->w, in->w->at, "flush: the run's end is one");
}

void hypercall(struct insn *in, uint64_t number)
{
    if (number == HYPERCALL_MMU_UPDATE)
        mmu_update(in);
    else if (number == HYPERCALL_MMUEXT_OP)
        mmuext_op(in);
    else
        refuse(in->w, SYNTH_HYPERCALL, "number %llu", (unsigned long long)number);
    if (!in->w->failed)
        leave_registers(in);
}
