/* SPDX-License-Identifier: MIT */
/* What a run of radon-stat found, and how it is shown. */
#ifndef TRACING_STAT_RESULT_H
#define TRACING_STAT_RESULT_H

#include <stdio.h>

#include "table.h"

enum stat_source { STAT_EXACT, STAT_SAMPLED, STAT_RECORDING };

struct stat_result {
    enum stat_source source;
    const char *recording;                      /* its file, or NULL */
    uint32_t period;                            /* one entry in so many was seen */
    unsigned int cpus;                          /* 0: not known */
    uint64_t tsc_hz;                            /* 0: not known; times are in cycles then */
    uint64_t cycles;                            /* how long */
    uint64_t lost_records;                      /* of a recording, as it says itself */
    uint64_t bad;                               /* rows or places that made no sense */
    bool complete;                              /* nothing is missing in the counts */
    struct stat_table level[STAT_LEVELS];       /* sorted */
};

enum stat_format { STAT_TEXT, STAT_JSON, STAT_CSV };

struct stat_view {
    enum stat_format format;
    unsigned int top;     /* rows of each table in text; 0: all */
    unsigned int columns; /* of a terminal; 0: no limit */
    bool colour;
};

void stat_print(FILE *out, const struct stat_result *result, const struct stat_view *view);

/* ------------------------------------------------------------------ one row, in words */

#define STAT_FIELDS_MAX 40
struct stat_field {
    const char *name; /* with its unit */
    bool is_text;
    char value[160]; /* "" : not known */
};

/* The fields of a row, the same ones for every row: how many.  sums: of the events. */
unsigned int stat_fields(const struct stat_result *result, const struct stat_row *row,
                         enum stat_level level, const struct stat_sums *sums,
                         struct stat_field fields[STAT_FIELDS_MAX]);

#endif
