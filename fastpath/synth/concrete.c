/* SPDX-License-Identifier: MIT */
/*
 * What each node is worth in each capture.  The lifter compares this with what the capture recorded
 * after every instruction: a mistake in lifting, or somebody else's write, cannot pass unseen.
 */
#include <stdlib.h>
#include <string.h>

#include "work.h"

bool concrete_init(struct work *w)
{
    for (unsigned int i = 0; i < w->nr; i++) {
        w->concrete[i].value = calloc(GRAPH_MAX_NODES, sizeof(uint64_t));
        w->concrete[i].valid = calloc(GRAPH_MAX_NODES, 1);
        w->concrete[i].upto = 1;
        if (!w->concrete[i].value || !w->concrete[i].valid)
            return false;
    }
    return true;
}

void concrete_free(struct work *w)
{
    for (unsigned int i = 0; i < w->nr; i++) {
        free(w->concrete[i].value);
        free(w->concrete[i].valid);
    }
}

uint64_t concrete_input(const struct work *w, unsigned int capture, uint64_t field)
{
    const struct radon_capture_head *h = w->capture[capture].head;

    switch (field) {
#define FIELD(name, value)                                                                         \
    case offsetof(struct fast_ctx, name):                                                          \
        return value;
        FIELD(error_code, h->error_code)
        FIELD(cr2, h->cr2)
        FIELD(rax, h->before.rax)
        FIELD(rbx, h->before.rbx)
        FIELD(rcx, h->before.rcx)
        FIELD(rdx, h->before.rdx)
        FIELD(rsi, h->before.rsi)
        FIELD(rdi, h->before.rdi)
        FIELD(rbp, h->before.rbp)
        FIELD(rsp, h->before.rsp)
        FIELD(r8, h->before.r8)
        FIELD(r9, h->before.r9)
        FIELD(r10, h->before.r10)
        FIELD(r11, h->before.r11)
        FIELD(r12, h->before.r12)
        FIELD(r13, h->before.r13)
        FIELD(r14, h->before.r14)
        FIELD(r15, h->before.r15)
        FIELD(rip, h->before.rip)
        FIELD(rflags, h->before.rflags)
        FIELD(fs_base, h->before.fs_base)
        FIELD(gs_base, h->before.gs_base)
        FIELD(kernel_gs, h->kernel_gs)
        FIELD(kernel_sp, h->kernel_sp)
        FIELD(cs, h->cs)
        FIELD(ss, h->ss)
#undef FIELD
    default:
        return 0;
    }
}

/* Operands are older than what is made of them, so one sweep in order does it. */
static void sweep(struct work *w, unsigned int capture)
{
    struct concrete *c = &w->concrete[capture];

    for (; c->upto < w->graph.n; c->upto++) {
        const struct node *n = g_node(&w->graph, c->upto);

        if (n->op == N_CONST) {
            c->value[c->upto] = n->imm;
        } else if (n->op == N_INPUT) {
            c->value[c->upto] = concrete_input(w, capture, n->imm);
        } else if (n->op == N_LOAD || n->op == N_TSC || n->op == N_UNKNOWN) {
            continue; /* valid when bound */
        } else {
            if ((n->a && !c->valid[n->a]) || (n->b && !c->valid[n->b]) || (n->c && !c->valid[n->c]))
                continue;
            c->value[c->upto] = node_compute((enum node_op)n->op, c->value[n->a], c->value[n->b],
                                             c->value[n->c]);
        }
        c->valid[c->upto] = 1;
    }
}

void concrete_bind(struct work *w, unsigned int capture, node_id a, uint64_t value)
{
    sweep(w, capture);
    w->concrete[capture].value[a] = value;
    w->concrete[capture].valid[a] = 1;
}

bool concrete_value(struct work *w, unsigned int capture, node_id a, uint64_t *value)
{
    sweep(w, capture);
    *value = w->concrete[capture].value[a];
    return w->concrete[capture].valid[a];
}

bool concrete_agreed(struct work *w, uint64_t captures, node_id a, uint64_t *value)
{
    bool first = true;
    uint64_t v;

    FOR_CAPTURES(i, captures)
    {
        if (!concrete_value(w, i, a, &v) || (!first && v != *value))
            return false;
        *value = v;
        first = false;
    }
    return !first;
}
