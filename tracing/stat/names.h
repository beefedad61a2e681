/* SPDX-License-Identifier: MIT */
/* What rows of radon-stat are called: hypercall:sched_op.block, syscall:getppid, trap:debug, ... */
#ifndef TRACING_STAT_NAMES_H
#define TRACING_STAT_NAMES_H

#include "table.h"

#define STAT_NAME_MAX 96

/* The name of what key is about; written to name and returned.  Nothing in it needs quoting. */
const char *stat_name(const struct stat_key *key, char name[STAT_NAME_MAX]);

/* hypercalls, traps, ...: what the rows of a kind are. */
const char *stat_kind_name(uint8_t kind);

#endif
