/* SPDX-License-Identifier: MIT */
/*
 * The parts of memory_op.
 */
#ifndef HV_MM_MEMORY_OP_H
#define HV_MM_MEMORY_OP_H

#include "mm_int.h"

/* The domain that an argument names and the caller may manage; NULL. */
struct domain *memory_op_domain(struct domain *caller, uint32_t id);

/* XENMEM_increase_reservation, _decrease_reservation, _populate_physmap: extents done. */
long op_change_reservation(struct domain *caller, unsigned long cmd, unsigned long arg);
long op_exchange(struct domain *caller, unsigned long arg);
long op_acquire_resource(struct domain *caller, unsigned long arg);

#endif
