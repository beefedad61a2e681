/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own functions, one by one through XENPF_get_symbol (public/platform.h).
 */
#ifndef TRACING_HVSYMS_H
#define TRACING_HVSYMS_H

#include "symtab.h"

/*
 * A platform_op hypercall on *op (struct xen_platform_op), which is in memory that the hypervisor can
 * use for the time of the call, as is what it points to: 0 or a negative errno.
 */
typedef int hv_platform_op(void *ctx, void *op);

#define HV_SYMBOLS_MEMORY 1024u

/*
 * Add them to t and sort it: 0, or the negative errno of the call that failed.  `memory` is
 * HV_SYMBOLS_MEMORY bytes, 8-aligned, that the hypervisor can use (locked; privcmd's).
 */
int hv_symbols_read(struct symtab *t, hv_platform_op *call, void *ctx, void *memory);

#endif
