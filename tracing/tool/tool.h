/* SPDX-License-Identifier: MIT */
#ifndef TRACING_TOOL_H
#define TRACING_TOOL_H

#include "../reader/counts.h"
#include "../reader/sorter.h"

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

/* ------------------------------------------------------------------ Chrome's trace format */

struct exported_vcpu {
    uint32_t who;               /* domain << 16 | vCPU */
    bool in_state, in_call;
    unsigned int state;
    uint64_t since;             /* TSC: in that state */
    struct trace_record call;   /* the hypercall that it is in */
};

struct exporting {
    FILE *out;
    uint64_t tsc_hz, first, last;
    bool started, any;
    struct sorter sorter;
    struct exported_vcpu *vcpus;
    unsigned int nr_vcpus;
    uint32_t runs[TRACE_CPUS_MAX];      /* who runs on each CPU */
};

void exporting_init(struct exporting *e, FILE *out, uint64_t tsc_hz);
/* One record; false when memory is out, or the output cannot be written.  ctx: struct exporting. */
bool export_record(void *ctx, const struct trace_record *rec);
/* Write what is left, and the end; false as above. */
bool exporting_end(struct exporting *e);

#endif
