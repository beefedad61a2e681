/* SPDX-License-Identifier: MIT */
/*
 * The samples of a profile as a tree of frames: what folded stacks and flame graphs show.
 */
#ifndef TRACING_PROFILE_TREE_H
#define TRACING_PROFILE_TREE_H

#include "profile.h"

#define TREE_SIDES 2            /* profiles that are compared */

struct node {
    enum frame_kind kind;
    const char *name, *module;          /* the profile's */
    uint64_t self[TREE_SIDES], total[TREE_SIDES]; /* samples */
    struct node *child, *next;          /* children by name */
};

/* An empty tree; NULL without memory. */
struct node *tree_new(void);
void tree_free(struct node *root);
/* Add the samples of p, idle ones only if so, to one side; false when out of memory. */
bool tree_add(struct node *root, const struct profile *p, unsigned int side, bool idle);
/* Frames from the root to the farthest leaf, without `root` itself. */
unsigned int tree_depth(const struct node *root);

/*
 * Folded stacks: a;b;c N, and with two sides a;b;c N1 N2.  Marks say what a frame is: _[k] guest
 * kernel, _[h] hypervisor, _[f] fast handler.
 */
void tree_fold(const struct node *root, unsigned int sides, FILE *f);
/* The mark of a kind, or "". */
const char *frame_mark(enum frame_kind kind);

#endif
