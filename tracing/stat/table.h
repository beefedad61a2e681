/* SPDX-License-Identifier: MIT */
/*
 * What is known of a run: rows (domain, vCPU or CPU, kind, number, address), each with the costs of
 * the entries there; added up over what the user does not want to see apart.
 */
#ifndef TRACING_STAT_TABLE_H
#define TRACING_STAT_TABLE_H

#include <stddef.h>

#include "histogram.h"

#define STAT_ANY (-1) /* all of them together, or not known */

/* What a table of a result has rows of. */
enum stat_level {
    STAT_EVENTS,   /* what entered: by kind and number */
    STAT_ROUTINES, /* the same entries by where they came from */
    STAT_PARTS,    /* operations of hypercalls, entries of multicalls: they are in the hypercalls' rows */
    STAT_LEVELS,
};

struct stat_key {
    int32_t domain, cpu, vcpu; /* or STAT_ANY */
    uint8_t kind;              /* enum radon_site_kind */
    bool overflow;             /* of rows that found no place in the hypervisor's table */
    uint32_t number;
    uint64_t address; /* 0: not known */
};

struct stat_row {
    struct stat_key key;
    const char *routine;      /* guest symbol around address, NULL without */
    uint64_t name_at;         /* of save.c, while it reads */
    uint64_t count;           /* entries; cost.n of them have a known cost */
    uint64_t samples;         /* what was really seen of them */
    struct histogram cost;    /* entry to return to the guest, cycles */
    struct histogram to_iret; /* entry to the guest kernel's iret */
};

struct stat_table {
    struct stat_row *row;
    size_t nr, room;
    uint32_t *index; /* hash: place in row[] + 1; 2 * room places */
};

/* The row of key, made if it is not there; NULL when memory is out.  Valid until the next one is
 * made. */
struct stat_row *stat_row(struct stat_table *t, const struct stat_key *key);

/*
 * Add a row of the hypervisor's, of that CPU; counts are multiplied by `period` (1: exact).  False
 * when memory is out.  A row whose kind makes no sense is left out, and *bad counts it.
 */
bool stat_add_site(struct stat_table *t, int32_t cpu, const struct radon_site *site,
                   uint32_t period, uint64_t *bad);

/* Add one row's counts and costs to another one. */
void stat_row_merge(struct stat_row *to, const struct stat_row *from);

/* What rows of the result are apart by, besides their level's. */
struct stat_by {
    bool domain, cpu, vcpu;
};

/* Add up the rows of `from` that are of the level in `to`, which is empty; false when memory is out. */
bool stat_group(struct stat_table *to, const struct stat_table *from, const struct stat_by *by,
                enum stat_level level);

enum stat_order { STAT_BY_TOTAL, STAT_BY_COUNT, STAT_BY_MAX, STAT_BY_NAME };

/* Sort rows; no row can be found or made afterwards. */
void stat_sort(struct stat_table *t, enum stat_order order);

/* Sums over a table's rows. */
struct stat_sums {
    uint64_t count, total;
    uint64_t kind_count[RADON_SITE_KINDS], kind_total[RADON_SITE_KINDS];
    uint64_t overflow; /* entries that have no row of their own */
};
void stat_sum(const struct stat_table *t, struct stat_sums *s);

void stat_free(struct stat_table *t);

#endif
