/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder's newest records on the console, when the machine ends by a defect: lines
 * that a program turns back into a recording (docs/tracing.md, "On the console").
 *
 * No lock is taken and nothing is waited for: other CPUs may stand anywhere.
 */
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "trace/rings.h"

#define DUMP_BYTES 16384u /* of each CPU: at most so many, whole pages */
#define LINE_BYTES 48u

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base 64 (RFC 4648) of n bytes, a multiple of 3 but in the last line. */
static void encode(char *out, const uint8_t *in, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 3) {
        uint32_t left = n - i, v = (uint32_t)in[i] << 16;

        v |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        v |= left > 2 ? in[i + 2] : 0;
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[v & 63] : '=';
    }
    *out = 0;
}

static uint32_t dump_piece(uint32_t cpu, uint32_t offset, const uint8_t *at, uint32_t bytes)
{
    char line[LINE_BYTES / 3 * 4 + 1];

    for (uint32_t i = 0, n; i < bytes; i += n) {
        n = MIN(bytes - i, LINE_BYTES);
        encode(line, at + i, n);
        printk("trace-dump cpu %u offset %u %s\n", cpu, offset + i, line);
    }
    return offset + bytes;
}

static void dump_cpu(uint32_t cpu)
{
    struct trace_pieces kept = trace_ring_kept(&cpus[cpu]->trace[TRACE_RING_OWN]);
    uint32_t offset = 0;

    /* Older pages are left out; each page begins with a record. */
    for (int i = 0; i < 2; i++)
        while (kept.bytes[0] + kept.bytes[1] > DUMP_BYTES && kept.bytes[i] >= TRACE_FLIGHT_PAGE) {
            kept.at[i] += TRACE_FLIGHT_PAGE;
            kept.bytes[i] -= TRACE_FLIGHT_PAGE;
        }
    for (int i = 0; i < 2; i++)
        offset = dump_piece(cpu, offset, kept.at[i], kept.bytes[i]);
    printk("trace-dump cpu %u end %u\n", cpu, offset);
}

void trace_dump(void)
{
    const struct radon_trace_control *own = &trace_wanted.own;
    static bool done;

    if (done || !(own->flags & RADON_TRACE_DUMP_ON_PANIC) ||
        (own->mode != RADON_TRACE_FLIGHT && !trace_stopped_by))
        return;
    done = true;
    trace_wanted.own.mode = RADON_TRACE_OFF;
    for (unsigned int e = 0; e < NR_TRACE_EVENTS; e++)
        __atomic_and_fetch(&trace_on[e], (uint8_t)~TRACE_TO_OWN, __ATOMIC_RELAXED);
    printk("trace-dump begin 1 cpus %u tsc_khz %lu\n", nr_cpus, (unsigned long)tsc_khz);
    if (trace_stopped_by)
        printk("trace-dump stopped by domain %u\n", trace_stopped_by - 1);
    for (uint32_t cpu = 0; cpu < nr_cpus; cpu++)
        dump_cpu(cpu);
    printk("trace-dump end\n");
}
