/* SPDX-License-Identifier: MIT */
/*
 * radon_op's calls for fast handlers, capture and hot sites, with types (hv/include/public/radon.h).
 * They return 0 or a negative errno.  What they allocate is freed by free().
 */
#ifndef PROFILE_OPS_H
#define PROFILE_OPS_H

#include "backend.h"

/* A sentence for a negative errno of these calls. */
const char *hv_error(int rc);

/* Handlers of a domain, or of all: *list has *n of them, in the order of their numbers. */
int hv_list(const struct prof_backend *b, uint16_t domain, struct radon_fast_info **list,
            unsigned int *n);
int hv_find(const struct prof_backend *b, uint32_t id, struct radon_fast_info *info);
/* A part of a handler, of at most `most` bytes. */
int hv_read(const struct prof_backend *b, uint32_t id, enum radon_fast_part part, size_t most,
            void **out, size_t *bytes);
int hv_control(const struct prof_backend *b, uint32_t id, enum radon_fast_state state);
/* One run in *period is compared with the guest kernel; get: only ask. */
int hv_oracle(const struct prof_backend *b, uint16_t domain, bool get, uint32_t *period);
/* get: only ask. */
int hv_switch(const struct prof_backend *b, uint16_t domain, bool get, bool *on);

#define OP_TEXT_BYTES 2048u

struct hv_install {
    uint16_t domain;
    uint32_t flags, agreements;
    uint64_t budget; /* cycles; 0: the hypervisor's own choice */
    const void *program;
    uint32_t program_bytes;
    const struct radon_fast_watch *watches;
    uint32_t nr_watches;
    const uint32_t *tainted;
    uint32_t nr_tainted;
    /* Written: */
    uint32_t id, refusal, instruction, verify_ns;
    char text[OP_TEXT_BYTES]; /* the verdict, when refused */
};
int hv_install(const struct prof_backend *b, struct hv_install *in);

int hv_capture_start(const struct prof_backend *b, struct radon_capture_start *start);
int hv_capture_stop(const struct prof_backend *b, uint32_t id);
/* What there is of it: bytes, whether it is over, complete occurrences. */
int hv_capture_state(const struct prof_backend *b, uint32_t id, struct radon_capture_read *state);
int hv_capture_read(const struct prof_backend *b, uint32_t id, void **out, size_t *bytes);

/* Rows of all CPUs, one behind the other; *period: a row's counts stand for so many times more. */
int hv_sites(const struct prof_backend *b, uint16_t domain, unsigned int cpus,
             struct radon_site **rows, unsigned int *n, uint32_t *period, uint64_t *since);

#endif
