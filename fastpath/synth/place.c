/* SPDX-License-Identifier: MIT */
/* Where an address lies, as far as the path and its captures tell; guards that keep it there. */
#include <string.h>

#include "code.h"
#include "memory.h"
#include "run.h"

#define STACK_BYTES 16384  /* of a kernel stack: Linux's THREAD_SIZE on x86-64 */
#define STACK_SYM_MAX 8192 /* bound on what is subtracted from the stack pointer at run time */
#define LOWER_HALF (1ull << 47)
#define M2P_START 0xffff800000000000ull /* MACH2PHYS_VIRT_START, public/arch-x86/xen-x86_64.h */
#define M2P_BYTES (1ull << 38)          /* to MACH2PHYS_VIRT_END */

/* The capture's pointer led into the entry's own stack: it must do so again, to the same place. */
static bool pointer_into_stack(struct work *w, struct state *st, struct place *p)
{
    node_id distance = g_op(&w->graph, N_SUB, p->address, w->sp);
    uint64_t value, any = 0;

    FOR_CAPTURES(i, st->captures)
    {
        concrete_value(w, i, distance, &value);
        any |= 0 - value <= STACK_BYTES;
    }
    if (!any)
        return true;
    if (!concrete_agreed(w, st->captures, distance, &value)) {
        refuse(w, SYNTH_STACK_ALIAS, "a pointer led into the stack in some captures only");
        return false;
    }
    guard(w, st, g_op(&w->graph, N_EQ, p->address, g_op_imm(&w->graph, N_ADD, w->sp, value)));
    p->region = IN_STACK;
    p->base = w->sp;
    p->off = (int64_t)value;
    return true;
}

static uint64_t user_end(const struct work *w)
{
    return w->in->user_end ? w->in->user_end : LOWER_HALF;
}

/* User memory by the captures: held there by a guard on the base. */
static void user_guard(struct work *w, struct state *st, const struct place *p)
{
    bool base = p->off >= 0 && (uint64_t)p->off < user_end(w) / 2;

    guard(w, st, g_op_imm(&w->graph, N_ULT, base ? p->base : p->address, user_end(w)));
}

/*
 * An address in the machine-to-physical table: base + 8 * frame, where the base is a pointer that the
 * kernel keeps, which a guard holds to be what the ABI says.
 */
static bool m2p_place(struct work *w, struct state *st, struct place *p)
{
    const struct node *sum = g_node(&w->graph, p->address);
    uint64_t value;
    node_id rest;

    FOR_CAPTURES(i, st->captures)
        if (!concrete_value(w, i, p->address, &value) || value - M2P_START >= M2P_BYTES)
            return false;
    if (sum->op == N_ADD && concrete_agreed(w, st->captures, sum->a, &value) && value == M2P_START)
        rest = pin(w, st, sum->a) ? sum->b : 0;
    else if (sum->op == N_ADD && concrete_agreed(w, st->captures, sum->b, &value) &&
             value == M2P_START)
        rest = pin(w, st, sum->b) ? sum->a : 0;
    else
        rest = g_op_imm(&w->graph, N_SUB, p->address, M2P_START);
    /* Aligned, and not wrapped around: what is shifted out is nothing. */
    guard(w, st, g_op_imm(&w->graph, N_EQ, g_op_imm(&w->graph, N_AND, rest, 7), 0));
    p->region = IN_M2P;
    p->base = g_op_imm(&w->graph, N_SHR, rest, 3);
    p->off = 0;
    return true;
}

/*
 * The kernel's memory by the captures: the base is held there, so that it is not user memory.  The distance
 * counts for nothing: who adds it to a pointer of the last page means no user page by that.
 */
static void kernel_guard(struct work *w, struct state *st, struct place *p)
{
    uint64_t value;

    if (half_of(w, st->captures, p) != ISA_KERNEL)
        return;
    if (g_is_const(&w->graph, p->base, &value))
        return;
    guard(w, st, g_not(&w->graph, g_op_imm(&w->graph, N_ULT, p->base, FAST_GUARD)));
    p->kernel = true;
}

static bool pointer_place(struct work *w, struct state *st, struct place *p)
{
    const struct node *base = g_node(&w->graph, p->base);
    unsigned int user = 0, all = 0;
    uint64_t value;

    if (p->size == 8 && m2p_place(w, st, p))
        return !w->failed;
    if (base->rests & RESTS_STACK) {
        refuse(w, SYNTH_STACK_ESCAPES, "address %s", node_text(w, p->address));
        return false;
    }
    FOR_CAPTURES(i, st->captures)
    {
        if (!concrete_value(w, i, p->address, &value))
            refuse(w, SYNTH_BAD_CAPTURE, "an address without a value");
        user += value < user_end(w);
        all++;
    }
    if (user && user != all) {
        refuse(w, SYNTH_PATHS_DIFFER, "user memory in some captures, the kernel's in others");
        return false;
    }
    if (user) {
        p->region = IN_USER;
        user_guard(w, st, p);
        return !w->failed;
    }
    p->region = IN_POINTER;
    kernel_guard(w, st, p);
    if (base->op == N_LOAD && base->size == 8) {
        int64_t off;

        p->own = g_split(&w->graph, base->a, &off) == w->gs; /* the current task, mostly */
    }
    return pointer_into_stack(w, st, p);
}

bool place_of(struct work *w, struct state *st, node_id address, unsigned int size, struct place *p)
{
    const struct node *base;

    memset(p, 0, sizeof(*p));
    p->address = address;
    p->size = (uint8_t)size;
    p->base = g_split(&w->graph, address, &p->off);
    base = g_node(&w->graph, p->base);
    p->own = true;
    if (!p->base) {
        p->region = IN_ABSOLUTE;
        p->own = false;
    } else if (p->base == w->sp) {
        p->region = IN_STACK;
    } else if (base->op == N_SUB && base->a == w->sp &&
               g_node(&w->graph, base->b)->hi <= STACK_SYM_MAX) {
        p->region = IN_STACK;
        p->sym = base->b;
    } else if (p->base == w->gs) {
        p->region = IN_GS;
        if (w->vcpu_info && p->off == w->vcpu_info + MASK_OFFSET && size == 1)
            p->region = IN_MASK;
    } else {
        p->own = false;
        return pointer_place(w, st, p);
    }
    return true;
}
