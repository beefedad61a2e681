/* SPDX-License-Identifier: MIT */
/*
 * Captures in a fuzzer's input (capture_form.py writes them).  A record is what it differs by from the one before: a
 * step from the step before it, the first from the registers at the entry, mem_after from mem_before, the registers
 * after the entry from those before.  Behind the first capture these differences themselves are given as they differ
 * from its own: another run of the same code takes few bytes, and a changed instruction is one in both.
 *
 * A word: a byte, its number in the lower six bits and log2 of the difference's size above, then the difference.
 * Numbers that a record does not have are passed over; 63: the record ends, and behind it comes another step,
 * or with 1 above another capture.
 */
#ifndef FUZZ_CAPTURE_FORM_H
#define FUZZ_CAPTURE_FORM_H

#include <stddef.h>
#include <stdint.h>

/* A file as RADON_CAPTURE_READ gives it, of *bytes bytes; the caller frees it. */
void *captures_of_form(const uint8_t *data, size_t size, size_t *bytes);

#endif
