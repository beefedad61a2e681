/* SPDX-License-Identifier: MIT */
/*
 * Counting records by row, domain and vCPU.
 *
 * Only changes of runstate and lost-records records say whose they are.  Every other record belongs
 * to the vCPU that runs there by the records before it on the same CPU; before the first of them to
 * nobody (`unknown`).
 */
#ifndef TRACING_COUNTS_H
#define TRACING_COUNTS_H

#include "catalogue.h"

#define COUNTS_VCPUS_MAX 1024   /* told apart; further ones share `others` */

/* A vCPU at one end of the time that the recording covers. */
struct runstate_edge {
    uint64_t tsc;
    unsigned int state;
};

struct vcpu_counts {
    uint16_t domain, vcpu;
    uint64_t count[TRACE_ROWS];
    /* Cycles in each state, the times before the first and after the last change left out. */
    uint64_t cycles[TRACE_RUNSTATES];
    uint64_t entered[TRACE_RUNSTATES], left[TRACE_RUNSTATES];
    struct runstate_edge first, last;   /* state before the first change, after the last */
    bool any_change;
};

struct counts {
    struct vcpu_counts *vcpus[COUNTS_VCPUS_MAX];
    unsigned int nr_vcpus;
    struct vcpu_counts unknown, others;
    struct vcpu_counts *current[TRACE_CPUS_MAX];
    uint64_t total[TRACE_ROWS];
    uint64_t records, lost;
    uint64_t first_tsc, last_tsc;
    bool any_tsc;
    uint16_t index[2 * COUNTS_VCPUS_MAX];       /* hash: place in vcpus[] + 1 */
};

/* Zeroed memory of the program's size; NULL when there is none. */
struct counts *counts_new(void);
void counts_free(struct counts *c);

/* Count one record; false when memory is out. */
bool counts_add(struct counts *c, const struct trace_record *rec);

/* Sort c->vcpus by domain and vCPU.  Nothing may be added afterwards. */
void counts_sort(struct counts *c);

/* Whether v's cycles are to be believed: every state that was entered was left, in turn. */
bool counts_cycles_known(const struct counts *c, const struct vcpu_counts *v);

/* The sum of a kind's rows, [first, end). */
uint64_t counts_sum(const uint64_t *count, unsigned int first, unsigned int end);

/* The kind that a row is of: its rows are [*first, *end); shares are of their sum. */
void counts_kind(unsigned int row, unsigned int *first, unsigned int *end);

#endif
