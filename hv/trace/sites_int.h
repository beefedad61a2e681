/* SPDX-License-Identifier: MIT */
/* The tables of hot sites, between who writes (sites.c) and who controls and reads (sites_op.c). */
#ifndef HV_TRACE_SITES_INT_H
#define HV_TRACE_SITES_INT_H

#include "hv/config.h"
#include "hv/domain.h"
#include "hv/sites.h"

/* Looks at what a vCPU was in (sites_time.c) that found a row's site: [1] after it was bounced. */
struct site_time {
    uint64_t time[2];  /* that they stand for, in cycles */
    uint32_t looks[2];
};

struct site_table {
    uint64_t since; /* TSC */
    struct site_row *rows;   /* SITE_ROWS */
    struct site_time *times; /* of the same rows */
    /* Looks, all of them, and their timer.  asleep: it is not set. */
    uint64_t looks, looked;
    uint64_t tick; /* cycles from one to the next, on average */
    struct timer timer;
    uint32_t random;
    bool asleep;
};

#define SITE_TICK_NS 1000000u

#define SITE_VCPU_SHIFT 41
_Static_assert(MAX_VCPUS <= 1 << (48 - SITE_VCPU_SHIFT), "there is room for it in a key");

/* The bits of a key that are the same for all of a vCPU's. */
static inline uint64_t site_whose(const struct vcpu *v)
{
    return (uint64_t)v->domain->id << 48 | (uint64_t)v->id << SITE_VCPU_SHIFT;
}

extern struct site_table site_tables[NR_CPUS];

struct site_row *sites_find_in(struct site_table *t, uint64_t key, uint64_t address);
/* Whether sites are looked for by time as well, in the mode as it is. */
bool sites_by_time(void);
/* This CPU's table: set its timer, if that is wanted. */
void sites_time_start(struct site_table *t);
/* The sum of the bins. */
uint64_t sites_count(const uint32_t bins[RADON_SITE_BINS]);

#endif
