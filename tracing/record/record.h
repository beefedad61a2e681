/* SPDX-License-Identifier: MIT */
/* The commands of radon-trace that need the hypervisor (docs/tracing-tools.md); the exit status. */
#ifndef TRACING_RECORD_H
#define TRACING_RECORD_H

#include <stdint.h>

/* argv[0] is the command's own name. */
int run_record(int argc, char **argv);
int run_snapshot(int argc, char **argv);

/* ------------------------------------------------------------------ for both */

enum { RECORD_FAILED = 1, RECORD_USE = 2, RECORD_INCOMPLETE = 5 };

struct record_options {
    const char *output, *events, *domain;
    char **program; /* to run meanwhile, or NULL */
    double seconds; /* 0: until a signal comes */
    uint64_t vcpus;
    uint32_t pages, flags; /* of struct radon_trace_control */
    uint32_t clock;        /* enum trace_clock */
    int xen_rings, strict;
};

/* Parse options: -1, or the exit status to end with.  argv[0] is passed over. */
int record_options(int argc, char **argv, const char *usage, struct record_options *o);
__attribute__((format(printf, 1, 2))) int record_fail(const char *format, ...);
/* Open the output for writing; -1 after a message. */
int record_create(const char *file);

#endif
