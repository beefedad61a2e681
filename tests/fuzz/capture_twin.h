/* SPDX-License-Identifier: MIT */
/*
 * A second run of what was recorded, on another state: pointers of the first lead elsewhere, to where others do or
 * near it.  That two places may be one is what handlers are guarded against.
 */
#ifndef FUZZ_CAPTURE_TWIN_H
#define FUZZ_CAPTURE_TWIN_H

#include <stddef.h>
#include <stdint.h>

#include "synth.h"

/* A copy of `of` with as many values renamed as choices[size] say; the caller frees its head. */
struct synth_capture capture_twin(const struct synth_capture *of, const uint8_t *choices, size_t size);

#endif
