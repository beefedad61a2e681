/* SPDX-License-Identifier: MIT */
/*
 * What a recording says about itself: the header that Radon's programs write in front of xentrace's
 * chunks, and again behind them with what is known only then.  xentrace writes none.
 *
 * In the file: three words (TRACE_META_HEAD, TRACE_META_VERSION, a number of bytes), then so many bytes,
 * of which the first are struct trace_meta.  Everything is little-endian.  A later version may append;
 * a reader takes what it knows.
 */
#ifndef TRACING_META_H
#define TRACING_META_H

#include <stdint.h>

#include <xen/trace.h>

#include "public/radon.h"

#define TRACE_META_EVENT (RADON_TRC_TOOL + 0xff)
#define TRACE_META_HEAD (TRACE_META_EVENT | 2u << TRACE_EXTRA_SHIFT)
#define TRACE_META_VERSION 1u
#define TRACE_META_BYTES_MAX 4096u

enum trace_clock {
    TRACE_CLOCK_UNKNOWN = 0,
    TRACE_CLOCK_MACHINE = 1,            /* real time, of a processor or of an emulator */
    TRACE_CLOCK_INSTRUCTIONS = 2,       /* --clock instr: one instruction is one nanosecond */
};

#define TRACE_META_END 1u               /* written behind the last chunk: the counts are final */
#define TRACE_META_FLIGHT 2u            /* of a flight recorder: the oldest records are missing */

struct trace_meta {
    uint64_t tsc_hz;                    /* 0: unknown */
    uint64_t tsc, system_ns;            /* at one moment: TSC and system time (pvclock) */
    uint64_t epoch_ns;                  /* and wall-clock time, since 1970; 0: unknown */
    uint64_t lost_full, lost_cpu;       /* records lost since the recording began, as in
                                           struct radon_trace_state */
    uint64_t lost_reader;               /* records that the program could not keep */
    uint64_t events[RADON_TRACE_EVENTS / 64];   /* what was wanted; all 0: unknown */
    uint32_t clock;                     /* enum trace_clock */
    uint32_t nr_cpus;
    uint32_t flags;                     /* TRACE_META_* */
    uint32_t reserved;
    char revision[64];                  /* of the hypervisor; zero-ended */
};

_Static_assert(sizeof(struct trace_meta) == 168, "as in every recording");

#endif
