/* SPDX-License-Identifier: MIT */
/*
 * Makes a recording that has every event of the catalogue, by the writer that the tools use.
 *
 *     make_recording FILE [--rounds N] [--no-header] [--epoch NS] [--pace NS] [--lost-behind N]
 *
 * In each round CPUs 0 and 1 record each event once, hypercalls with every number of arguments, and one
 * loss.  CPU i stamps its records 1000 + 10 k + i.  --epoch: the header says that TSC 0 was that many
 * nanoseconds after 1970.  --lost-behind: so many records were lost behind the last.  --pace: waits that long behind each round, and stamps records with the
 * time since the program began, for those who follow a FIFO.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../tracing/reader/catalogue.h"
#include "../../tracing/reader/writer.h"

#define CPUS 2
#define TSC_HZ UINT64_C(2000000000)
#define NS_PER_S UINT64_C(1000000000)

struct making {
    struct trace_writer w;
    uint64_t tsc[CPUS];
    uint64_t pace_ns;
    struct timespec began;
    uint32_t bytes[1 << 16];
    size_t words;
};

static uint64_t since_began_ns(const struct making *m)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)(now.tv_sec - m->began.tv_sec) * NS_PER_S + (uint64_t)now.tv_nsec -
           (uint64_t)m->began.tv_nsec;
}

static uint64_t stamp(struct making *m, unsigned int cpu)
{
    uint64_t now = m->pace_ns ? since_began_ns(m) * (TSC_HZ / NS_PER_S) : 0;

    m->tsc[cpu] = now > m->tsc[cpu] ? now : m->tsc[cpu] + 10;
    return m->tsc[cpu];
}

static void put_raw(struct making *m, unsigned int cpu, uint32_t event, const uint32_t *data,
                    unsigned int words)
{
    uint64_t tsc = stamp(m, cpu);
    uint32_t *p = m->bytes + m->words;

    p[0] = event | words << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG;
    p[1] = (uint32_t)tsc;
    p[2] = (uint32_t)(tsc >> 32);
    memcpy(p + 3, data, 4 * words);
    m->words += 3 + words;
}

/* Values that tell fields and rounds apart. */
static void put_event(struct making *m, unsigned int cpu, unsigned int ev, uint64_t round)
{
    uint64_t values[TRACE_FIELDS_MAX];

    for (unsigned int i = 0; i < TRACE_FIELDS_MAX; i++)
        values[i] = 1 + i + round % 4;
    m->words += trace_make_record(m->bytes + m->words, stamp(m, cpu), ev, values) / 4;
}

static void put_call(struct making *m, unsigned int cpu, uint32_t event, uint32_t nr,
                     unsigned int nr_args)
{
    uint32_t data[TRACE_EXTRA_MAX] = { nr };
    unsigned int n = 1;

    for (unsigned int i = 0; i < nr_args && n + 1 < TRACE_EXTRA_MAX; i++) {
        bool wide = i % 2;

        data[0] |= (uint32_t)(wide ? TRC_PV_HYPERCALL_V2_ARG_64(i) : TRC_PV_HYPERCALL_V2_ARG_32(i));
        data[n++] = i;
        if (wide)
            data[n++] = 0xffff8000u + i;
    }
    put_raw(m, cpu, event, data, n);
}

static void put_round(struct making *m, unsigned int cpu, uint64_t round)
{
    uint32_t who = 7u << 16 | cpu, lost[4] = { 5, 7u | cpu << 16, 0, 0 };
    uint64_t since;

    put_raw(m, cpu, TRC_SCHED_RUNSTATE_CHANGE | 1u << 8, &who, 1);
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        if (trace_events[ev].nr_fields)
            put_event(m, cpu, ev, round);
    for (uint32_t nr = 0; nr < TRACE_HYPERCALLS + 1; nr++) {
        unsigned int args = nr < TRACE_HYPERCALLS ? trace_calls[nr].nr_args : 3;

        put_call(m, cpu, TRC_PV_HYPERCALL_V2, nr, args);
        put_call(m, cpu, TRC_PV_HYPERCALL_SUBCALL, nr, args);
    }
    put_call(m, cpu, TRC_PV_HYPERCALL_V2, 12, 2);       /* the one that returns */
    put_event(m, cpu, TRACE_EV_exit_hypercall, round);
    since = m->tsc[cpu] + 3;
    memcpy(lost + 2, &since, sizeof(since));
    put_raw(m, cpu, TRC_LOST_RECORDS, lost, 4);
    put_raw(m, cpu, TRC_HVM_VMENTRY, &who, 1);                  /* not in the catalogue */
    put_raw(m, cpu, TRC_PV_PAGE_FAULT | TRC_64_FLAG, &who, 1);  /* too few words */
    put_raw(m, cpu, TRC_SCHED_RUNSTATE_CHANGE | 1u << 4, &who, 1);
}

static bool write_round(struct making *m, unsigned int cpu, uint64_t round)
{
    /* In two parts, as a ring's end makes them. */
    struct iovec parts[2];

    m->words = 0;
    put_round(m, cpu, round);
    parts[0] = (struct iovec){ m->bytes, 4 * (m->words / 2) };
    parts[1] = (struct iovec){ m->bytes + m->words / 2, 4 * (m->words - m->words / 2) };
    return trace_writer_chunk(&m->w, cpu, parts, 2);
}

static int usage(void)
{
    fprintf(stderr, "usage: make_recording FILE [--rounds N] [--no-header] [--epoch NS] [--pace NS] "
                    "[--lost-behind N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct making m;
    struct trace_meta meta = { .tsc_hz = TSC_HZ, .clock = TRACE_CLOCK_MACHINE, .nr_cpus = CPUS,
                               .revision = "test" };
    uint64_t rounds = 1, lost = 0, behind = 0;
    bool header = true;

    if (argc < 2)
        return usage();
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--no-header"))
            header = false;
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            rounds = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--epoch") && i + 1 < argc)
            meta.epoch_ns = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--lost-behind") && i + 1 < argc)
            behind = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--pace") && i + 1 < argc)
            m.pace_ns = strtoull(argv[++i], NULL, 0);
        else
            return usage();
    }
    clock_gettime(CLOCK_REALTIME, &m.began);
    if (m.pace_ns)
        meta.epoch_ns = (uint64_t)m.began.tv_sec * NS_PER_S + (uint64_t)m.began.tv_nsec;
    for (unsigned int cpu = 0; cpu < CPUS; cpu++)
        m.tsc[cpu] = 1000 + cpu;
    trace_writer_init(&m.w, open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0666));
    if (header)
        trace_writer_meta(&m.w, &meta);
    for (uint64_t round = 0; round < rounds; round++) {
        for (unsigned int cpu = 0; cpu < CPUS; cpu++, lost += 5)
            write_round(&m, cpu, round);
        if (m.pace_ns)
            nanosleep(&(struct timespec){ (time_t)(m.pace_ns / NS_PER_S),
                                          (long)(m.pace_ns % NS_PER_S) }, NULL);
    }
    meta.lost_full = lost + behind;
    meta.flags = TRACE_META_END;
    if (header)
        trace_writer_meta(&m.w, &meta);
    if (m.w.error || close(m.w.fd)) {
        fprintf(stderr, "make_recording: %s: %s\n", argv[1], strerror(m.w.error));
        return 1;
    }
    return 0;
}
