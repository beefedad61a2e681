/* SPDX-License-Identifier: MIT */
#ifndef TRACING_TOOL_H
#define TRACING_TOOL_H

#include "../reader/counts.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

/* Defects of a file, the first few kept. */
#define DEFECTS_KEPT 20
struct defects {
    struct trace_defect kept[DEFECTS_KEPT];
    uint64_t nr, skipped;       /* all of them; bytes */
};

struct source {
    const char *name;           /* as the user gave it */
    uint64_t tsc_hz;            /* 0: unknown */
    const struct trace_meta *meta;      /* the recording's last header, or NULL */
};

/* Whether all that happened is in the recording, so far as it can say. */
bool report_is_complete(const struct source *src, const struct counts *c, const struct defects *d);
/* Print what was counted (after counts_sort). */
void print_report(FILE *out, enum format format, const struct source *src, const struct counts *c,
                  const struct defects *d);

/*
 * The dump of a flight recorder in a console's log (-: standard input) as a recording to `out` (-: standard
 * output); the exit status: 0, 1 there is none, 5 a part of it is missing.
 */
int run_console(const char *log, const char *out);

#endif
