/* SPDX-License-Identifier: MIT */
/*
 * A change to a recording makes it one that no processor made, and synthesis refuses it at the next step.  This
 * puts what the refusal tells of into the recording, so that the change is followed further.
 */
#ifndef FUZZ_CAPTURE_AGREE_H
#define FUZZ_CAPTURE_AGREE_H

#include <stdbool.h>

#include "synth.h"

/* False: the refusal tells nothing that could be put right. */
bool capture_agree(const struct synth_capture *capture, unsigned int nr, const struct synth_output *refused);

#endif
