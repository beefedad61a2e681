/* SPDX-License-Identifier: MIT */
/* What is done at all, the order of it (order.c), and where each value is used in it. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

static bool is_comparison(const struct node *n)
{
    return n->op == N_EQ || n->op == N_ULT || n->op == N_SLT;
}

void as_comparison(struct work *w, node_id truth, struct item *out)
{
    const struct graph *g = &w->graph;
    const struct node *n = g_node(g, truth), *a, *b;
    uint64_t imm;

    out->sense = true;
    out->width = 64;
    while (n->op == N_EQ && g_is_const(g, n->b, &imm) && imm == 0 && g_is_truth(g, n->a) &&
           is_comparison(g_node(g, n->a))) {
        out->sense = !out->sense;
        n = g_node(g, n->a);
    }
    if (!is_comparison(n)) { /* some other truth: not 0 */
        out->compare = OP_JNE;
        out->a = truth;
        out->b = 0;
        return;
    }
    out->a = n->a;
    out->b = n->b;
    a = g_node(g, n->a);
    b = g_node(g, n->b);
    out->compare = n->op == N_EQ ? OP_JEQ : n->op == N_ULT ? OP_JLT : OP_JSLT;
    if (n->op == N_EQ && b->op == N_CONST && b->imm == 0 && a->op == N_AND) {
        out->compare = OP_JSET;
        out->sense = !out->sense;
        out->a = a->a;
        out->b = a->b;
    } else if (n->op == N_SLT && a->op == N_SEXT32 && b->op == N_SEXT32) {
        out->width = 32;
        out->a = a->a;
        out->b = b->a;
    } else if (n->op == N_SLT && a->op == N_SEXT32 && b->op == N_CONST && fits_imm(b->imm)) {
        out->width = 32;
        out->a = a->a;
    }
    if (fits_32(g, out->a) && fits_32(g, out->b) && out->compare != OP_JSLT)
        out->width = 32; /* constants of 32 bits fit as immediates then */
}

/* ------------------------------------------------------------------ what is needed at all */

static void need(struct code *c, node_id a)
{
    c->needed[a] = 1;
}

static void need_truth(struct code *c, node_id truth)
{
    struct item i = { 0 };

    as_comparison(c->w, truth, &i);
    need(c, i.a);
    need(c, i.b);
}

static void need_segment(struct code *c, const struct segment *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct effect *e = &s->effect[i];

        if (e->dead) {
            continue;
        } else if (e->kind == E_GUARD) {
            need_truth(c, e->value);
        } else if (e->kind == E_STORE) {
            need(c, e->place.address);
            need(c, e->value);
        } else if (e->kind == E_LOAD && e->kept) {
            need(c, e->value);
        } else if (e->kind == E_PT) {
            need(c, e->ptr);
            need(c, e->value);
            need(c, e->original);
        }
    }
    for (unsigned int r = 0; r < NR_REGS && s->returns; r++)
        need(c, s->final[r]);
    if (s->branch)
        need_truth(c, s->branch);
    need_segment(c, s->child[0]);
    need_segment(c, s->child[1]);
}

static void need_operands(struct code *c)
{
    for (node_id i = c->w->graph.n - 1; i > 0; i--) {
        const struct node *n = g_node(&c->w->graph, i);

        if (c->needed[i]) {
            if (n->op == N_ITE)
                need_truth(c, n->a);
            else
                need(c, n->a);
            need(c, n->b);
            need(c, n->c);
        }
    }
}

/* ------------------------------------------------------------------ uses */

static void count_uses(struct code *c)
{
    uint32_t n = c->w->graph.n, total = 0;
    uint32_t *start = c->use_start;

    for (int fill = 0; fill < 2; fill++) {
        for (uint32_t i = 0; i < c->n; i++) {
            const struct item *item = &c->item[i];
            const node_id used[4] = { item->a, item->b, item->c, item->d };

            for (int j = 0; j < 4; j++) {
                bool before = !used[j];

                for (int k = 0; k < j; k++)
                    before |= used[k] == used[j];
                if (before)
                    continue;
                if (fill)
                    c->use[start[used[j]]++] = i;
                else
                    start[used[j] + 1]++;
            }
        }
        if (!fill) {
            for (uint32_t k = 0; k < n; k++)
                start[k + 1] += start[k];
            total = start[n];
            c->use = malloc((total + 1) * sizeof(*c->use));
            if (!c->use) {
                refuse(c->w, SYNTH_NO_MEMORY, "uses");
                return;
            }
        }
    }
    memmove(start + 1, start, n * sizeof(*start)); /* filling moved each to the next one's start */
    start[0] = 0;
}

uint32_t next_use(const struct code *c, node_id a, uint32_t at, uint32_t end)
{
    for (uint32_t i = c->use_start[a]; i < c->use_start[a + 1]; i++)
        if (c->use[i] > at)
            return c->use[i] < end ? c->use[i] : UINT32_MAX;
    return UINT32_MAX;
}

/* What is needed, anew: nodes may have come since. */
static bool need_all(struct code *c)
{
    free(c->needed);
    c->needed = calloc(c->w->graph.n, 1);
    if (!c->needed) {
        refuse(c->w, SYNTH_NO_MEMORY, "schedule");
        return false;
    }
    need_segment(c, c->w->root);
    need_operands(c);
    return true;
}

/* The effects as they are to be, and what of them is needed. */
static bool settle(struct code *c)
{
    known_arguments(c->w);
    assume_guards(c->w);
    if (c->w->failed || !need_all(c))
        return false;
    delay_stores(c, c->w->root);
    align_guards(c);
    merge_guards(c->w, c->w->root);
    if (c->w->failed || !need_all(c))
        return false;
    imply_guards(c, c->w->root);
    choose_near(c, c->w->root);
    choose_negated(c);
    explain_effects(c->w, c->w->root, 0);
    return need_all(c);
}

bool schedule(struct code *c)
{
    uint32_t n;

    if (!settle(c))
        return false;
    n = c->w->graph.n;
    c->emitted = calloc(n + 64, 1);
    c->use_start = calloc(n + 2, sizeof(*c->use_start));
    if (!c->emitted || !c->use_start) {
        refuse(c->w, SYNTH_NO_MEMORY, "schedule");
        return false;
    }
    order_items(c, c->w->root);
    if (!c->w->failed)
        count_uses(c);
    return !c->w->failed;
}
