/* SPDX-License-Identifier: MIT */
/*
 * A capture: what RADON_CAPTURE_START asked for, and what was recorded so far.  capture.c has the
 * commands and the memory, step.c the stepping.
 */
#ifndef HV_FAST_CAPTURE_H
#define HV_FAST_CAPTURE_H

#include "fast_int.h"

#define CAPTURE_MAX_PAGES 8192u /* 32 MiB: of one capture */

struct capture {
    uint32_t id;
    bool running;
    uint32_t done, attempts; /* occurrences: complete ones, all that were begun */
    uint32_t to_skip;
    struct radon_capture_start want;
    uint64_t asker;          /* kernel stack of the task whose entries are left out; 0: none's */
    struct vcpu *on;         /* the vCPU that is stepping, or NULL */
    uint64_t bytes;          /* of finished occurrences */
    uint64_t at;             /* where the next bytes of the one under way go */
    struct radon_capture_head head;
    uint32_t nr_pages;
    uint8_t **page;
};

/* Append; false: there is no room. */
bool capture_append(struct capture *c, const void *from, uint64_t n);
/* The occurrence under way is over; keep: also what an incomplete one has. */
void capture_finish(struct capture *c, enum radon_capture_end end, bool keep);
/* Whether every entry of v must come to C, while it steps or is compared: its HOT_STEP. */
void capture_refresh(struct vcpu *v);

/* What a capture waits for, if it is of that kind: it must come to C, as with a handler; NULL: nothing. */
static inline const struct radon_capture_start *capture_waits(const struct fast_domain *fd, uint32_t kind)
{
    const struct capture *c = READ_ONCE(fd->capture);

    return c && c->running && c->want.kind == kind ? &c->want : NULL;
}

#endif
