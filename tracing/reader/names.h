/* SPDX-License-Identifier: MIT */
/* Names for values and for events of Xen's classes. */
#ifndef TRACING_NAMES_H
#define TRACING_NAMES_H

#include "catalogue.h"

extern const char *const trace_vector_names[TRACE_VECTORS];     /* NULL: reserved */
extern const char *const trace_runstate_names[TRACE_RUNSTATES];
/* Events that people do not call by the catalogue's name. */
extern const char *const trace_event_labels[TRACE_EVENTS];

#endif
