/* SPDX-License-Identifier: MIT */
/* Recording: in domain 0, as root. */
#ifndef TRACING_PROFILE_RECORD_H
#define TRACING_PROFILE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct pmu_event;

struct record_options {
    const char *output;
    const char *domain;         /* name, number or "all" */
    unsigned int hz;
    const struct pmu_event *event; /* in place of hz; NULL: none */
    unsigned int period;        /* events to a sample */
    double seconds;             /* 0: until the command ends, or an interrupt */
    bool timer;                 /* the CPUs' timers, not NMIs */
    char **command;             /* NULL: none */
    const char *version;
};

/* The exit status: the command's, or 1 if it could not be recorded. */
int record(const struct record_options *o);

#endif
