/* SPDX-License-Identifier: MIT */
/* The hot-site tables of the hypervisor that this program runs on (public/radon.h, "hot sites"). */
#ifndef TRACING_STAT_SITES_H
#define TRACING_STAT_SITES_H

#include "../xen/xen.h"
#include "table.h"

struct sites {
    struct xen *x;
    struct radon_site *rows; /* buffer of one answer */
    uint32_t room;
    unsigned int cpus;
    struct radon_sites_control before; /* how it was when we came */
    bool changed;
};

struct sites_answer {
    uint32_t mode, period; /* enum radon_sites_mode */
    uint64_t since;        /* TSC: the oldest that the tables have */
    uint64_t entries;      /* of all domains and CPUs, where the hypervisor counts them */
    uint64_t bad;          /* rows that made no sense */
};

bool sites_open(struct sites *s, struct xen *x, unsigned int cpus);
/* Back to the mode that was before sites_set(), if it was called (never to exact); frees the
 * buffer. */
void sites_close(struct sites *s);

/* Begin anew in that mode; period 0: as it is. */
bool sites_set(struct sites *s, enum radon_sites_mode mode, uint32_t period);

/*
 * Add the rows of a domain (or RADON_DOMID_ANY) on all CPUs to t; with reset they begin at 0 again.
 * False with x->error.
 */
bool sites_read(struct sites *s, uint16_t domain, bool reset, struct stat_table *t,
                struct sites_answer *answer);

#endif
