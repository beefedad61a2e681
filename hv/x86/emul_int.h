/* SPDX-License-Identifier: MIT */
/* Shared by the parts of the privileged-instruction emulator. */
#ifndef HV_X86_EMUL_INT_H
#define HV_X86_EMUL_INT_H

#include "emul.h"

/* Calls a callback that may be missing: a missing one cannot be handled. */
#define EMUL_CALL(ctxt, name, ...)                                                                 \
    ((ctxt)->ops->name ? (ctxt)->ops->name((ctxt), __VA_ARGS__) : EMUL_UNHANDLEABLE)

enum emul_access { EMUL_READ, EMUL_WRITE };

/* Canonical with 48-bit addresses: guests have four levels of page tables. */
bool emul_is_canonical(uint64_t addr);

/*
 * Segmentation: the linear address of `bytes` bytes at `offset` of segment `seg`. 64-bit mode
 * checks that it is canonical, 32-bit mode type and limit; otherwise EMUL_EXCEPTION with #GP(0) or
 * #SS(0).
 */
enum emul_rc emul_linear(struct emul_ctxt *ctxt, enum x86_seg seg, uint64_t offset,
                         unsigned int bytes, enum emul_access access, uint64_t *addr);

/* The decoded instruction's memory operand, checked likewise. */
enum emul_rc emul_operand_linear(struct emul_ctxt *ctxt, unsigned int bytes,
                                 enum emul_access access, uint64_t *addr);

/* IN, OUT, INS, OUTS. A repeated one returns EMUL_RETRY while iterations are left. */
enum emul_rc emul_in(struct emul_ctxt *ctxt);
enum emul_rc emul_out(struct emul_ctxt *ctxt);
enum emul_rc emul_string_io(struct emul_ctxt *ctxt);

#endif
