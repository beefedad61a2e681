/* SPDX-License-Identifier: MIT */
#include "sites.h"

#include <string.h>

/* More rows than the hypervisor keeps of a CPU, so that one answer has them all. */
#define ROOM 8192u
#define ANSWERS_MAX 1024u /* of one CPU: more, and the hypervisor's numbers lead nowhere */

bool sites_open(struct sites *s, struct xen *x, unsigned int cpus)
{
    *s = (struct sites){ .x = x, .room = ROOM, .cpus = cpus, .before = { .get_only = 1 } };
    s->rows = xen_buffer(x, ROOM * sizeof(*s->rows));
    if (s->rows && radon_call(x, RADON_SITES_CONTROL, &s->before, sizeof(s->before), "hot sites"))
        return true;
    xen_buffer_free(s->rows, ROOM * sizeof(*s->rows));
    s->rows = NULL;
    return false;
}

static bool control(struct sites *s, uint32_t mode, uint32_t period)
{
    struct radon_sites_control c = { .mode = mode, .period = period };

    return radon_call(s->x, RADON_SITES_CONTROL, &c, sizeof(c), "setting the mode of hot sites");
}

void sites_close(struct sites *s)
{
    /* Exact before: of a program that was killed in the middle.  It must not stay on. */
    if (s->changed)
        control(s, s->before.mode == RADON_SITES_EXACT ? RADON_SITES_SAMPLED : s->before.mode,
                s->before.period);
    s->changed = false;
    xen_buffer_free(s->rows, ROOM * sizeof(*s->rows));
    s->rows = NULL;
}

bool sites_set(struct sites *s, enum radon_sites_mode mode, uint32_t period)
{
    if (!control(s, mode, period))
        return false;
    s->changed = true;
    return true;
}

static bool add_rows(struct sites *s, unsigned int cpu, uint32_t n, uint32_t period,
                     struct stat_table *t, struct sites_answer *answer)
{
    for (uint32_t i = 0; i < n; i++)
        if (!stat_add_site(t, (int32_t)cpu, &s->rows[i], period, &answer->bad))
            return xen_fail(s->x, "out of memory");
    return true;
}

/* One answer about a CPU, from row `*first` on; *left says how many come behind it. */
static bool read_some(struct sites *s, struct radon_sites_read *op, struct stat_table *t,
                      struct sites_answer *answer)
{
    uint32_t period;

    op->rows = (uintptr_t)s->rows;
    op->room = s->room;
    if (!radon_call(s->x, RADON_SITES_READ, op, sizeof(*op), "reading hot sites"))
        return false;
    if (op->room > s->room)
        return xen_fail(s->x, "reading hot sites: an answer of %u rows where there is room for %u",
                        op->room, s->room);
    if (op->mode > RADON_SITES_EXACT || (op->mode == RADON_SITES_SAMPLED && !op->period))
        return xen_fail(s->x, "reading hot sites: mode %u, period %u", op->mode, op->period);
    period = op->mode == RADON_SITES_SAMPLED ? op->period : 1;
    answer->mode = op->mode;
    answer->period = period;
    if (op->since < answer->since)
        answer->since = op->since;
    return add_rows(s, op->cpu, op->room, period, t, answer);
}

static bool read_cpu(struct sites *s, unsigned int cpu, uint16_t domain, bool reset,
                     struct stat_table *t, struct sites_answer *answer)
{
    uint32_t first = 0;

    for (unsigned int i = 0; i < ANSWERS_MAX; i++) {
        struct radon_sites_read op = {
            .domain = domain,
            .flags = reset ? RADON_SITES_RESET : 0,
            .cpu = cpu,
            .first = first,
        };

        if (!read_some(s, &op, t, answer))
            return false;
        if (!i)
            answer->entries += op.entries;
        if (!op.first)
            return true;
        if (!op.room)
            return xen_fail(s->x, "reading hot sites: %u rows are left, and none comes", op.first);
        first = reset ? 0 : first + op.room;
    }
    return xen_fail(s->x, "reading hot sites: no end of rows on CPU %u", cpu);
}

bool sites_read(struct sites *s, uint16_t domain, bool reset, struct stat_table *t,
                struct sites_answer *answer)
{
    *answer = (struct sites_answer){ .since = UINT64_MAX };
    for (unsigned int cpu = 0; cpu < s->cpus; cpu++)
        if (!read_cpu(s, cpu, domain, reset, t, answer))
            return false;
    return true;
}
