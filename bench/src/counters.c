/* SPDX-License-Identifier: MIT */
/*
 * Software event counts. Names are resolved by libpfm4; what it or the kernel does not know stays
 * unknown. The counters are inherited: processes that a row forks afterwards are counted with it.
 */
#include "bench.h"

#include <perfmon/pfmlib_perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *const event_names[MAX_EVENTS] = { "PAGE-FAULTS", "CONTEXT-SWITCHES", "CPU-MIGRATIONS",
                                              "MAJOR-FAULTS" };

static int counter_fd[MAX_EVENTS] = { -1, -1, -1, -1 };
static uint64_t start_count[MAX_EVENTS];
static bool start_known[MAX_EVENTS];

static int counter_open(const char *name)
{
    struct perf_event_attr attr;
    pfm_perf_encode_arg_t arg = { .attr = &attr, .size = sizeof(arg) };

    memset(&attr, 0, sizeof(attr));
    if (pfm_get_os_event_encoding(name, PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT, &arg) !=
        PFM_SUCCESS)
        return -1;
    attr.inherit = 1;
    return perf_event_open(&attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void counters_open(void)
{
    if (pfm_initialize() != PFM_SUCCESS)
        return;
    for (int i = 0; i < MAX_EVENTS; i++)
        counter_fd[i] = counter_open(event_names[i]);
}

static bool counter_read(int i, uint64_t *count)
{
    return counter_fd[i] >= 0 && read(counter_fd[i], count, sizeof(*count)) == sizeof(*count);
}

void counters_start(void)
{
    for (int i = 0; i < MAX_EVENTS; i++)
        start_known[i] = counter_read(i, &start_count[i]);
}

void counters_stop(struct result *out, uint64_t ops)
{
    for (int i = 0; i < MAX_EVENTS; i++) {
        uint64_t end = 0;

        out->events[i].known = counter_read(i, &end) && start_known[i];
        out->events[i].count = end - start_count[i];
    }
    out->event_ops = ops;
    out->counted = true;
}
