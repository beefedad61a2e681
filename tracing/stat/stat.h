/* SPDX-License-Identifier: MIT */
/* The parts of radon-stat (docs/stat.md). */
#ifndef TRACING_STAT_H
#define TRACING_STAT_H

#include "../symbols/symtab.h"
#include "result.h"

enum { EXIT_FAILED = 1, EXIT_USE = 2, EXIT_INCOMPLETE = 5 };

enum stat_command { STAT_RUN, STAT_RECORD, STAT_LIVE, STAT_REPORT };

struct stat_options {
    enum stat_command command;
    const char *domain;          /* as the user gave it; NULL: all */
    const char *file, *kallsyms; /* STAT_REPORT: what to read, and symbols for it */
    const char *output;          /* NULL: standard output */
    char **program;              /* to run meanwhile; NULL */
    double seconds, interval;    /* 0: none given */
    bool exact, sampled, strict;
    uint32_t period;
    uint64_t tsc_hz;
    struct stat_by by;
    enum stat_order order;
    struct stat_view view;
};

/* Parse the command line: -1, or the exit status to end with. */
int stat_options(int argc, char **argv, struct stat_options *o);

/* Print to the file or standard output that the user wants; the exit status. */
int stat_finish(const struct stat_options *o, const struct stat_result *r,
                const struct stat_table *raw);

/* From a recording of radon-trace or xentrace, or from a file of stat_save(). */
int stat_report(const struct stat_options *o);

/* ------------------------------------------------------------------ kept counts (save.c) */

/* Write the rows and where they come from; false with errno. */
bool stat_save(FILE *out, const struct stat_result *r, const struct stat_table *rows);

/* Whether a file begins as stat_save()'s do. */
bool stat_is_saved(const void *bytes, size_t n);

struct stat_saved {
    struct stat_result result; /* without tables */
    struct stat_table rows;
    char *names; /* of routines */
};
/*
 * Read one.  Nothing in it is trusted: NULL, or what is wrong.  The caller frees *saved in any case
 * (stat_saved_free()).
 */
const char *stat_load(FILE *in, struct stat_saved *saved);
void stat_saved_free(struct stat_saved *saved);

/* ------------------------------------------------------------------ parts of main.c */

/* Read them, with a message when there are none. */
void stat_read_symbols(struct symtab *symbols, const char *file);
/* The guest symbol of each row's address, where it is known, for those of domain 0's kernel. */
void stat_name_routines(struct stat_table *t, const struct symtab *symbols);

__attribute__((format(printf, 1, 2))) int stat_fail(const char *format, ...);

#endif
