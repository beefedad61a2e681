/* SPDX-License-Identifier: MIT */
/* What place.c, record.c and memory.c share.  Private to fastpath/synth. */
#ifndef SYNTH_MEMORY_H
#define SYNTH_MEMORY_H

#include "work.h"

#define MASK_OFFSET 1 /* of evtchn_upcall_mask in struct vcpu_info */

/* Fills *p; false: refused.  May add guards. */
bool place_of(struct work *w, struct state *st, node_id address, unsigned int size,
              struct place *p);

/* What the capture recorded there at this step, before or after the instruction. */
bool recorded(const struct work *w, unsigned int capture, bool after, uint64_t address,
              unsigned int size, uint64_t *value);
/* Refuses unless a value that the path knows is the one that was read, or stored. */
void check_recorded(struct work *w, struct state *st, const struct place *p, node_id value);
void check_stored(struct work *w, struct state *st, const struct place *p, node_id value);
/* The value of a new load is what was recorded; refuses when nothing was. */
void bind_recorded(struct work *w, struct state *st, const struct place *p, node_id value);

#endif
