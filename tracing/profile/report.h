/* SPDX-License-Identifier: MIT */
/* What a profile says, for people and programs. */
#ifndef TRACING_PROFILE_REPORT_H
#define TRACING_PROFILE_REPORT_H

#include "profile.h"

enum report_format { REPORT_TEXT, REPORT_CSV, REPORT_JSON };

struct report {
    enum report_format format;
    bool by_total, idle;        /* sorted by self without; idle samples count */
    unsigned int limit;         /* rows of the text; 0 = all */
    const char *version;        /* of the program */
};

/* One row a function: samples in it, and in it or what it called.  False when out of memory. */
bool report_write(const struct profile *p, const struct report *how, FILE *f);

/* A document for speedscope (www.speedscope.app): the samples in the order of time. */
void speedscope_write(const struct profile *p, const char *name, bool idle, FILE *f);

/* Samples that are not idle, or all. */
uint64_t profile_samples(const struct profile *p, bool idle);

#endif
