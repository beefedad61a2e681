/* SPDX-License-Identifier: MIT */
/*
 * A profile: samples, each a stack of frames, and what is to be said about how they were taken.
 *
 * The file that it is kept in is text, one thing a line, fields separated by tabs (docs/profile.md):
 * names are in it, so that it can be read on any machine.
 */
#ifndef TRACING_PROFILE_H
#define TRACING_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROFILE_MAGIC "radon-profile 1"
#define PROFILE_DEPTH 256       /* frames of a stack that are kept */

enum frame_kind {
    FRAME_TASK,                 /* the root: a program's name */
    FRAME_USER,
    FRAME_KERNEL,
    FRAME_HYPERVISOR,
    FRAME_HANDLER,              /* a fast handler */
    FRAME_IDLE,
    FRAME_KINDS,
};

/* How a sample's stack was found. */
enum stack_how {
    STACK_USER,                 /* the user's, by frame pointers */
    STACK_ORC,                  /* the guest kernel's, by its ORC tables, to the end */
    STACK_PARTIAL,              /* by ORC tables, which ended before the stack did */
    STACK_LEAF,                 /* where it was, and the first word that may be a caller */
    STACK_IDLE,
    STACK_HOWS,
};

/* One letter each, in the file; and words for people. */
extern const char frame_letters[FRAME_KINDS + 1];
extern const char *const stack_how_names[STACK_HOWS];
extern const char *const stack_how_texts[STACK_HOWS];

struct frame {
    enum frame_kind kind;
    const char *name, *module;
};

struct sample {
    uint64_t tsc, rip;
    uint32_t cpu, vcpu, pid, tid, weight;
    uint16_t domain;
    enum stack_how how;
    uint32_t nr, first;         /* its frames: stack[first], the root, and so on */
};

struct meta {
    char *key, *value;
};

struct profile {
    struct frame *frame;
    size_t nr_frames, room_frames;
    struct sample *sample;
    size_t nr_samples, room_samples;
    uint32_t *stack;            /* numbers of frames */
    size_t nr_stack, room_stack;
    struct meta *meta;
    size_t nr_meta;
    uint32_t *hash;             /* of frames: numbers + 1; twice as many as there is room */
    size_t hash_size;
    uint64_t defects;           /* lines that could not be read */
};

/* All zeros is an empty profile. */
void profile_free(struct profile *p);

/* The number of that frame, a new one if need be; UINT32_MAX when out of memory.  Names are copied. */
uint32_t profile_frame(struct profile *p, enum frame_kind kind, const char *name,
                       const char *module);
/* Add a sample whose frames, root first, are these; false when out of memory. */
bool profile_add(struct profile *p, const struct sample *s, const uint32_t *frames, uint32_t nr);
/* Say something of the whole; a key may be there once.  False when out of memory. */
__attribute__((format(printf, 3, 4))) bool profile_say(struct profile *p, const char *key,
                                                       const char *format, ...);
/* What was said, or NULL. */
const char *profile_said(const struct profile *p, const char *key);

static inline const struct frame *profile_at(const struct profile *p, const struct sample *s,
                                             uint32_t depth)
{
    return &p->frame[p->stack[s->first + depth]];
}

/* False when it could not be written; errno says why. */
bool profile_write(const struct profile *p, FILE *f);

/* What is wrong with a line; number counts from 1, offset is in bytes. */
typedef void profile_defect_fn(void *ctx, uint64_t line, uint64_t offset, const char *what);

/*
 * Read a recording, or stacks in folded form (a;b;c N).  What cannot be read is given to `defect`
 * and counted.  False: not such a file at all, or out of memory.
 */
bool profile_read(struct profile *p, FILE *f, profile_defect_fn *defect, void *ctx);

#endif
