/* SPDX-License-Identifier: MIT */
/* The tables of hot sites, between who writes (sites.c) and who controls and reads (sites_op.c). */
#ifndef HV_TRACE_SITES_INT_H
#define HV_TRACE_SITES_INT_H

#include "hv/config.h"
#include "hv/sites.h"

struct site_table {
    uint64_t since; /* TSC */
    struct site_row *rows; /* SITE_ROWS */
};

extern struct site_table site_tables[NR_CPUS];

struct site_row *sites_find_in(struct site_row *rows, uint64_t key, uint64_t address);
/* The sum of the bins. */
uint64_t sites_count(const uint32_t bins[RADON_SITE_BINS]);

#endif
