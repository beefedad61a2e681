/* SPDX-License-Identifier: MIT */
/* Compares the decoder's verdict on a byte string with Zydis's: for test_decode and fuzz_decode. */
#ifndef TESTS_DECODE_ORACLE_H
#define TESTS_DECODE_ORACLE_H

#include "../../hv/x86/decode.h"

/*
 * Decodes `bytes` (readable: exactly `avail`) both ways. NULL if they agree, else what differs. The
 * decoder's own verdict goes to *rc, and its instruction to *insn if that is X86_DECODE_OK.
 *
 * Where the decoder accepts, Zydis must accept too and agree on length, operation, operand and
 * address sizes, LOCK, registers, memory operand and immediate. Where the decoder refuses, Zydis
 * must refuse too or have found something that is not wanted; decode_oracle.c lists what is.
 */
const char *decode_oracle(const uint8_t *bytes, unsigned int avail, enum x86_mode mode,
                          enum x86_decode_rc *rc, struct x86_insn *insn);

/*
 * Every shorter piece of an accepted instruction must be TRUNCATED, and what follows it must not
 * matter. NULL or what is wrong. Reads `avail` bytes.
 */
const char *decode_oracle_pieces(const uint8_t *bytes, unsigned int avail, enum x86_mode mode,
                                 const struct x86_insn *insn);

#endif
