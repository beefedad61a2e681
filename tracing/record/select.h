/* SPDX-License-Identifier: MIT */
/*
 * Which events a user wants, by name: "hypercall:*", "trap:page_fault", "hypercall:sched_op",
 * "grant".
 *
 * The hypervisor chooses by event of the catalogue; what is finer (one hypercall of all) is chosen
 * here, record by record.
 */
#ifndef TRACING_SELECT_H
#define TRACING_SELECT_H

#include "../reader/catalogue.h"

struct selection {
    uint64_t events[RADON_TRACE_EVENTS / 64]; /* what the hypervisor is asked for */
    bool partly;                              /* records are to be looked at one by one */
    bool whole[TRACE_EVENTS];                 /* events that are wanted without a look */
    bool row[TRACE_ROWS];                     /* the others: rows that are wanted */
};

/* Every event. */
void select_all(struct selection *s);

/*
 * Names with commas between them, each of an event, a kind or a row, with the wildcards of a shell;
 * one with - in front takes away from what stands before it.  False when one means nothing: it is
 * written to bad.  Changes of runstate are wanted too unless they are taken away: they say who ran.
 */
bool select_parse(struct selection *s, const char *names, char bad[TRACE_NAME_MAX]);

/* Whether that record is wanted, of those that the hypervisor was asked for. */
bool select_wants(const struct selection *s, const struct trace_record *rec);
/* Whether it is wanted, of all that there are. */
bool select_shows(const struct selection *s, const struct trace_record *rec);

#endif
