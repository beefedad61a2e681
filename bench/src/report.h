/* SPDX-License-Identifier: MIT */
/* What rbench prints, as text or as one JSON object a line. */
#ifndef RADON_BENCH_REPORT_H
#define RADON_BENCH_REPORT_H

#include "bench.h"

/* The kernel, its clock, and where files are made. */
void report_environment(const struct settings *set, bool json);

/* One row: its samples and event counts, or why it failed. Returns when the terminal has it. */
void report_row(const struct row *row, const struct result *out, bool json);

/* The list of rows. */
void report_list(bool json);

/* The value of sample i in the row's unit. */
double sample_value(const struct row *row, const struct result *out, unsigned i);

/* The median of all samples (the mean of the middle two when their number is even). */
double median_value(const struct row *row, const struct result *out);

#endif
