/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, version 1.
 */
#ifndef HV_GRANT_H
#define HV_GRANT_H

#include "hv/types.h"

struct domain;

/* Frames of grant entries a domain may have (512 entries each). */
#define GRANT_MAX_FRAMES 64

/* Make d->gt with one frame; -XEN_ENOMEM. */
int grant_table_init(struct domain *d);
/* Drop every mapping that d made of other domains' grants, in steps; 0 = done. */
uint64_t grant_table_release_maps(struct domain *d, uint64_t max_steps);
/* Free d->gt; no vCPU of d runs, and its mappings are released. */
void grant_table_destroy(struct domain *d);
/* Frame number idx of d's grant table (XENMAPSPACE_grant_table, setup_table); grows it. */
int grant_table_frame(struct domain *d, uint32_t idx, mfn_t *mfn);

long do_grant_table_op(unsigned long cmd, unsigned long uop, unsigned long count,
                       unsigned long a4, unsigned long a5, unsigned long a6);

#endif
