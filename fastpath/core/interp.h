/* SPDX-License-Identifier: MIT */
/*
 * The interpreter: the oracle that the JIT is held against.  It trusts nobody: every access is
 * checked again while it runs, and one that the verifier should have refused stops the run
 * (FAST_STOP_ESCAPE).
 */
#ifndef FASTPATH_INTERP_H
#define FASTPATH_INTERP_H

#include "run.h"

/*
 * Runs the program from its first instruction, at most `budget` instructions.  Returns r0, to be
 * handed to fast_finish(); 0 when the run stopped, run->stop then says why.
 */
uint64_t fast_interpret(const struct fast_program *program, struct fast_run *run, uint32_t budget);

#endif
