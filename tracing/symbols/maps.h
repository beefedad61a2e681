/* SPDX-License-Identifier: MIT */
/*
 * What a process has mapped to be executed: /proc/PID/maps.
 */
#ifndef TRACING_MAPS_H
#define TRACING_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
    uint64_t start, end, offset; /* offset: of start, in the file */
    char *path;                  /* "[vdso]" and such are no files; "" is nobody's */
};

struct process_maps {
    struct mapping *list;
    size_t nr;
};

/* Read the executable mappings of such a file; 0 or a negative errno. */
int process_maps_read(struct process_maps *m, const char *file);
void process_maps_free(struct process_maps *m);

/* The mapping around address, or NULL. */
const struct mapping *process_maps_find(const struct process_maps *m, uint64_t address);

#endif
