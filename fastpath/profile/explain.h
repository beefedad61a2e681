/* SPDX-License-Identifier: MIT */
/* Of each entry of a domain: handled, or the one reason why not. */
#ifndef PROFILE_EXPLAIN_H
#define PROFILE_EXPLAIN_H

#include "backend.h"
#include "log.h"
#include "names.h"

struct explained {
    uint8_t kind;            /* enum radon_site_kind */
    bool overflow;
    uint32_t number;
    uint64_t address;        /* 0 for system calls: all that make it together */
    struct fast_point point; /* kind 0: nothing can be attached */
    uint64_t count, bounced; /* entries, estimated from samples; of them to the guest kernel */
    uint64_t cycles;         /* entry to the guest kernel's iret where that is known, else to return */
    double share_ppm;        /* of a CPU's time */
    const char *verdict;     /* "handled", "shadow", "not handled" */
    char by[16], reason[40], text[400];
    uint32_t handler;        /* 0: none */
    uint64_t hits, passes;
};

struct explanation {
    struct explained *row;   /* costliest first */
    unsigned int nr;
    uint64_t cycles;         /* how long the tables were filled */
};

/*
 * Of a domain.  log: lines of the daemon's log, or NULL; daemon: whether it runs.  0 or a negative errno.
 */
int explain(const struct prof_backend *b, uint16_t domain, FILE *log, bool daemon,
            struct explanation *out);
void explain_free(struct explanation *e);
/* "syscall:read", "hypercall:sched_op/1", "page_fault:0x7f...". */
const char *explained_name(const struct explained *row, char text[FAST_POINT_TEXT]);

#endif
