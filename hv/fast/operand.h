/* SPDX-License-Identifier: MIT */
/*
 * Which memory an instruction of 64-bit code touches: enough for a capture, which records sixteen
 * bytes there.  What an instruction does is not decoded here (fastpath/synth does that).
 */
#ifndef HV_FAST_OPERAND_H
#define HV_FAST_OPERAND_H

#include <stdbool.h>
#include <stdint.h>

#include "public/radon.h"

/* What matters for stepping. */
enum operand_special {
    OPERAND_PLAIN = 0,
    OPERAND_PUSHF,
    OPERAND_POPF,
    OPERAND_SYSCALL,
    OPERAND_UNSEEN, /* cannot be stepped unseen: MOV SS, IRET, INT1, ... */
};

struct operand {
    bool mem, mem2;
    uint64_t address, address2;
    uint8_t special; /* enum operand_special */
};

/*
 * The instruction at regs->rip, of which `n` of `bytes` could be read.  Pure: touches nothing but its
 * arguments.
 */
void operand_decode(const uint8_t *bytes, unsigned int n, const struct radon_regs *regs,
                    struct operand *out);

#endif
