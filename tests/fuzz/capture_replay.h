/* SPDX-License-Identifier: MIT */
/* A handler in the place of an entry that was recorded, on the memory that the capture has. */
#ifndef FUZZ_CAPTURE_REPLAY_H
#define FUZZ_CAPTURE_REPLAY_H

#include <stdbool.h>

#include "run.h"
#include "synth.h"

enum replayed {
    REPLAY_UNCLEAR, /* the capture contradicts itself where nobody looks, or the time decides, or it is of a kernel
                       with pointers to its own stack */
    REPLAY_PASSED,
    REPLAY_SAME,    /* registers and memory are as the capture has them behind the entry */
    REPLAY_DIFFERS, /* a defect: *what says where */
};

enum replayed capture_replay(const struct fast_program *program, const struct synth_capture *capture,
                             char what[128]);

/* Whether both have the same instructions where both have been. */
bool capture_same_code(const struct synth_capture *a, const struct synth_capture *b);

/* Memory as a capture had it before the entry; false: not all of it was recorded. */
void capture_remember(const struct synth_capture *capture);
bool capture_read(uint64_t address, void *buffer, size_t n);

#endif
