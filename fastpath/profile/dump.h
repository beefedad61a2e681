/* SPDX-License-Identifier: MIT */
/* A handler for people: its instructions, and below each the machine code that it became. */
#ifndef PROFILE_DUMP_H
#define PROFILE_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fastpath/core/program.h"

/*
 * program: as program_parse() left it.  code: what the hypervisor runs; NULL: what this build's JIT
 * makes of it.  address: where code lies, for branch targets; 0: offsets.  Where code is not what
 * this build's JIT makes, the two are printed one behind the other.  False: out of memory.
 */
bool handler_dump(FILE *out, const struct fast_program *program, const void *code,
                  size_t code_bytes, uint64_t address);
/* The instructions alone. */
bool handler_dump_program(FILE *out, const struct fast_program *program);

#endif
