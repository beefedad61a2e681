/* SPDX-License-Identifier: MIT */
/* How the guest kernel is entered and left: registers and frames of the bounce and of the iret. */
#include <string.h>

#include "work.h"

/* Per-CPU code that unmasks events and looks whether one is pending: that is where the mask lies.
 */
void entry_vcpu_info(struct work *w)
{
    const struct synth_capture *c = &w->capture[0];

    if (w->in->vcpu_info) {
        w->vcpu_info = w->in->vcpu_info;
        return;
    }
    if (c->head->vcpu_info) {
        w->vcpu_info = (int64_t)(c->head->vcpu_info - c->head->kernel_gs);
        return;
    }
    for (uint32_t i = 0; i + 1 < c->head->steps; i++) {
        /* movb $0, %gs:mask (65 c6 04 25); testb $0xff, %gs:mask - 1 (65 f6 04 25). */
        static const uint8_t store[] = { 0x65, 0xc6, 0x04, 0x25 },
                             test[] = { 0x65, 0xf6, 0x04, 0x25 };
        const uint8_t *a = c->step[i].bytes, *b = c->step[i + 1].bytes;
        int32_t mask, pending;

        if (memcmp(a, store, 4) || memcmp(b, test, 4) || a[8] != 0 || b[8] != 0xff)
            continue;
        memcpy(&mask, a + 4, 4);
        memcpy(&pending, b + 4, 4);
        if (mask == pending + 1) {
            w->vcpu_info = pending;
            return;
        }
    }
}

/* Registers at the kernel's entry point: user mode's, but for rsp and what the bounce destroys. */
void entry_registers(struct work *w, struct state *st)
{
    static const uint32_t field[NR_REGS] = {
#define AT(name) offsetof(struct fast_ctx, name)
        AT(rax), AT(rcx), AT(rdx), AT(rbx), 0,       AT(rbp), AT(rsi), AT(rdi),
        AT(r8),  AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15)
#undef AT
    };
    uint64_t have, want;

    for (unsigned int r = 0; r < NR_REGS; r++) {
        bool same = field[r] != 0;

        FOR_CAPTURES(i, st->captures)
        {
            memcpy(&have, (const char *)&step_of(w, i, 0)->regs + 8 * r, 8);
            same = same && have == concrete_input(w, i, field[r]);
        }
        if (r == RSP) {
            st->reg[r] = g_op_imm(&w->graph, N_ADD, w->sp, 0 - 8ull * w->entry_words);
        } else if (same && r == RAX && w->attach_kind == FAST_ATTACH_SYSCALL) {
            st->reg[r] = g_const(&w->graph, w->attach_number); /* what it is attached to */
        } else if (same) {
            st->reg[r] = g_input(&w->graph, field[r]);
        } else {
            st->reg[r] = g_unknown(&w->graph, 8);
            FOR_CAPTURES(i, st->captures)
            {
                memcpy(&have, (const char *)&step_of(w, i, 0)->regs + 8 * r, 8);
                concrete_bind(w, i, st->reg[r], have);
            }
        }
    }
    FOR_CAPTURES(i, st->captures)
    if ((w->capture[i].head->kernel_sp & 15) || !concrete_value(w, i, st->reg[RSP], &want) ||
        want != step_of(w, i, 0)->regs.rsp)
        refuse(w, SYNTH_ENTRY_FRAME, "rsp %#llx, the kernel's stack starts at %#llx",
               (unsigned long long)step_of(w, i, 0)->regs.rsp,
               (unsigned long long)w->capture[i].head->kernel_sp);
}

/* The iret hypercall's frame (struct iret_context): back to where the entry came from. */
bool entry_return(struct work *w, struct state *st)
{
    enum { RAX_AT, R11_AT, RCX_AT, FLAGS_AT, RIP_AT, CS_AT, RFLAGS_AT, RSP_AT, SS_AT, WORDS };
    static const uint32_t fixed[WORDS] = { [RIP_AT] = offsetof(struct fast_ctx, rip),
                                           [RFLAGS_AT] = offsetof(struct fast_ctx, rflags),
                                           [RSP_AT] = offsetof(struct fast_ctx, rsp) };
    static const uint32_t selector[2] = { offsetof(struct fast_ctx, cs),
                                          offsetof(struct fast_ctx, ss) };
    struct segment *s = st->segment;
    node_id word[WORDS], sp = st->reg[RSP];
    uint64_t number, flags, value;

    for (unsigned int i = 0; i < WORDS && !w->failed; i++) {
        word[i] = memory_load(w, st, g_op_imm(&w->graph, N_ADD, sp, 8 * i), 8);
        if (fixed[i] && word[i] != g_input(&w->graph, fixed[i]))
            refuse(w, SYNTH_RETURN_STATE, "frame word %u is %s", i, node_text(w, word[i]));
        if ((i == CS_AT || i == SS_AT) && word[i] != g_input(&w->graph, selector[i == SS_AT]) &&
            !g_is_const(&w->graph, word[i], &number) && !w->failed &&
            !concrete_agreed(w, st->captures, word[i], &number))
            refuse(w, SYNTH_RETURN_STATE, "selector");
    }
    if (w->failed)
        return false;
    if (!g_is_const(&w->graph, word[FLAGS_AT], &flags) || (flags & ~0x100ull))
        refuse(w, SYNTH_RETURN_STATE, "iret with flags %s", node_text(w, word[FLAGS_AT]));
    for (unsigned int r = 0; r < NR_REGS; r++)
        s->final[r] = st->reg[r];
    s->final[RAX] = word[RAX_AT];
    /* VGCF_in_syscall: they are not restored, and hold what SYSRET takes from them. */
    s->final[RCX] = flags ? word[RIP_AT] : word[RCX_AT];
    s->final[R11] = flags ? word[RFLAGS_AT] : word[R11_AT];
    s->final[RSP] = word[RSP_AT];
    FOR_CAPTURES(i, st->captures)
    {
        const struct radon_regs *after = &w->capture[i].head->after;

        for (unsigned int r = 0; r < NR_REGS; r++) {
            memcpy(&number, (const char *)after + 8 * r, 8);
            if (!concrete_value(w, i, s->final[r], &value) || value != number)
                refuse(w, SYNTH_DISAGREES,
                       "register %u after the return is %#llx, the path says %#llx", r,
                       (unsigned long long)number, (unsigned long long)value);
        }
    }
    if (!st->masked)
        explain_at(w, w->at, "events are not masked at the iret; it unmasks them anyway");
    s->returns = true;
    s->at = w->at;
    w->out->paths++;
    return !w->failed;
}
