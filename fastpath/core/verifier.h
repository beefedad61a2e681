/* SPDX-License-Identifier: MIT */
/*
 * The verifier: decides whether a program may run.  One pass over the instructions in order, which
 * is enough because jumps go forward only: when an instruction is looked at, every path to it has
 * been followed, and their states are joined.  Time and space are linear in the program.
 */
#ifndef FASTPATH_VERIFIER_H
#define FASTPATH_VERIFIER_H

#include <stdbool.h>

#include "isa.h"
#include "program.h"
#include "run.h"

#define FAST_MAX_TARGETS 128u /* jump targets ahead at any one place */
#define FAST_MAX_PATH 32u
#define FAST_NO_REG 0xffu

/* What a register holds on every path to here. */
enum verify_type { REG_UNWRITTEN = 0, REG_NUMBER, REG_CTX, REG_FRAME, REG_MIXED };

struct verify_reg {
    uint64_t min, max; /* REG_NUMBER: bounds, unsigned */
    int32_t off;       /* REG_CTX, REG_FRAME: distance from the start of the context, from r10 */
    uint16_t join_at;  /* the merge that made it what it is, and the edge that did: for the path */
    uint16_t join_via;
    uint8_t type;
};

/* Eight bytes of the stack. */
struct verify_slot {
    uint8_t type;    /* REG_NUMBER: bytes; REG_CTX, REG_FRAME: a whole pointer */
    uint8_t written; /* bit per byte */
    int16_t off;
};

struct verify_state {
    struct verify_reg reg[ISA_REGS];
    struct verify_slot slot[FAST_STACK_BYTES / 8];
    uint32_t cost;   /* of the costliest path */
    uint16_t staged; /* effects, on the path with most */
    bool pt_staged;  /* a page-table update, on some path */
};

/* Work memory of one verification, the caller's; its contents do not matter before or after. */
struct verify_space {
    struct verify_state now;
    struct verify_state ahead[FAST_MAX_TARGETS];
    uint8_t slot_of[FAST_MAX_INSNS]; /* 1 + index into ahead[] of the state that waits here */
    uint8_t in_use[FAST_MAX_TARGETS];
    uint8_t second_half[FAST_MAX_INSNS]; /* of lddw */
    uint16_t came_from[FAST_MAX_INSNS];
};

/* The fields of struct fast_ctx, in the order of ctx_fields.def: bits of fast_verdict's masks. */
enum fast_field {
#define CTX_FIELD(name, attach) FAST_FIELD_##name,
#include "ctx_fields.def"
    FAST_NR_FIELDS
};

struct fast_step {
    uint16_t insn;
    bool taken; /* the branch there was taken */
};

struct fast_verdict {
    enum fast_refusal_id id; /* FAST_OK: accepted */
    /* Accepted: */
    uint32_t cost;   /* bound on a run, in instructions, helpers weighted */
    uint32_t staged; /* bound on staged effects */
    uint32_t ctx_read, ctx_written; /* 1 << enum fast_field: what some path reads, writes */
    /* Refused: */
    uint32_t insn;         /* index of the instruction */
    uint8_t reg;           /* the register it is about, or FAST_NO_REG */
    bool has_path;         /* false: about the instruction as such, however one gets there */
    uint32_t path_dropped; /* steps at the start of the path that had no room below */
    uint32_t path_steps;
    struct fast_step path[FAST_MAX_PATH]; /* branches on one way there, in order */
};

/*
 * Verifies `program` (as program_parse left it).  Returns true when accepted.  Never reads outside
 * the program, never writes outside *space and *verdict; no time depends on values in the program
 * but its length.
 */
bool fast_verify(const struct fast_program *program, struct verify_space *space,
                 struct fast_verdict *verdict);

/* The verdict for people: several lines into text[size]. Returns its length without the zero byte.
 */
unsigned int fast_verdict_text(const struct fast_program *program,
                               const struct fast_verdict *verdict, char *text, unsigned int size);

#endif
