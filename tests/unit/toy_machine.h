/* SPDX-License-Identifier: MIT */
/* A toy machine on which emul_privop executes one instruction; its callbacks note what they saw. */
#ifndef TESTS_TOY_MACHINE_H
#define TESTS_TOY_MACHINE_H

#include "../../hv/x86/emul.h"

#define RIP 0x1000u
#define DATA 0x8000u        /* address of `data`; beyond it is not mapped */
#define DATA_BYTES 256u

/* What the callbacks read, and a note of what they were told. */
struct toy {
    struct emul_ctxt ctxt;
    struct cpu_user_regs regs;
    uint8_t code[16];
    unsigned int code_bytes;
    uint8_t data[DATA_BYTES];
    struct emul_segment seg[X86_SEG_COUNT];
    enum emul_rc port_verdict;
    unsigned int nr_in, nr_out;
    unsigned int out_limit; /* writes after this many are refused; 0: none is */
    uint16_t last_port;
    unsigned int last_bytes;
    uint32_t out[512];
    uint64_t cr[16], dr[8], msr, xcr;
    uint32_t msr_nr, xcr_nr, pmc_nr;
    uint64_t written_base;
    enum x86_seg written_seg;
    uint64_t invalidated;
    int interrupts, discarded, halts, swaps;    /* -1 or 0 before */
};

extern const struct emul_ops toy_ops;
extern const struct emul_ops toy_fetch_only;    /* every other callback is missing */

/* A machine about to execute `code`; every register holds a known number. Freed by free(). */
struct toy *new_toy(const char *code, unsigned int n);
#define NEW(code) new_toy(code, sizeof(code) - 1)

/* Runs the instruction to its end, and RIP must have moved past it. */
void toy_execute(struct toy *t);

/* Runs it, and it must raise this exception, with an error code, at its own address. */
void toy_expect_exception(struct toy *t, uint8_t vector, uint32_t error_code);

#endif
