/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *frame_mark(enum frame_kind kind)
{
    return kind == FRAME_KERNEL ? "_[k]" : kind == FRAME_HYPERVISOR ? "_[h]"
           : kind == FRAME_HANDLER ? "_[f]" : "";
}

struct node *tree_new(void)
{
    struct node *root = calloc(1, sizeof(*root));

    if (root)
        root->name = root->module = "";
    return root;
}

void tree_free(struct node *n)
{
    while (n) {
        struct node *next = n->next;

        tree_free(n->child);
        free(n);
        n = next;
    }
}

static int compare(const struct node *n, const struct frame *f)
{
    int order = strcmp(n->name, f->name);

    return order ? order : (int)n->kind - (int)f->kind;
}

/* The child of that frame, made if it is not there; NULL without memory. */
static struct node *child_of(struct node *parent, const struct frame *f)
{
    struct node **at = &parent->child, *n;

    while (*at && compare(*at, f) < 0)
        at = &(*at)->next;
    if (*at && !compare(*at, f))
        return *at;
    n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->kind = f->kind;
    n->name = f->name;
    n->module = f->module;
    n->next = *at;
    return *at = n;
}

bool tree_add(struct node *root, const struct profile *p, unsigned int side, bool idle)
{
    for (size_t i = 0; i < p->nr_samples; i++) {
        const struct sample *s = &p->sample[i];
        struct node *n = root;

        if (s->how == STACK_IDLE && !idle)
            continue;
        n->total[side] += s->weight;
        for (uint32_t depth = 0; depth < s->nr; depth++) {
            n = child_of(n, profile_at(p, s, depth));
            if (!n)
                return false;
            n->total[side] += s->weight;
        }
        n->self[side] += s->weight;
    }
    return true;
}

unsigned int tree_depth(const struct node *root)
{
    unsigned int deepest = 0;

    for (const struct node *n = root->child; n; n = n->next) {
        unsigned int d = 1 + tree_depth(n);

        if (d > deepest)
            deepest = d;
    }
    return deepest;
}

struct path {
    const struct node *node;
    const struct path *up;
};

static void print_path(const struct path *p, FILE *f)
{
    if (p->up && p->up->up) {
        print_path(p->up, f);
        fputc(';', f);
    }
    fputs(p->node->name, f);
    fputs(frame_mark(p->node->kind), f);
}

static void fold(const struct path *p, unsigned int sides, FILE *f)
{
    const struct node *n = p->node;

    if (p->up && (n->self[0] || (sides == 2 && n->self[1]))) {
        print_path(p, f);
        fprintf(f, " %" PRIu64, n->self[0]);
        if (sides == 2)
            fprintf(f, " %" PRIu64, n->self[1]);
        fputc('\n', f);
    }
    for (const struct node *c = n->child; c; c = c->next)
        fold(&(struct path){ c, p }, sides, f);
}

void tree_fold(const struct node *root, unsigned int sides, FILE *f)
{
    fold(&(struct path){ root, NULL }, sides, f);
}
