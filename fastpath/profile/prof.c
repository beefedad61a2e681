/* SPDX-License-Identifier: MIT */
#include "prof.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"

#define BUSY_MS 20u        /* between ticks while a candidate is on its way */
#define LONGEST_REST_MS 60000u
#define QUIET_TICKS 10u

/* ------------------------------------------------------------------ decisions */

static void write_entry(struct prof *p, enum decision what, const struct candidate *c,
                        const char *by, const char *reason, uint32_t handler, const char *format,
                        va_list args)
{
    struct log_entry e = { .decision = what, .handler = handler };

    e.point.domain = p->domain;
    if (c)
        e.point = c->point;
    snprintf(e.by, sizeof(e.by), "%s", by);
    snprintf(e.reason, sizeof(e.reason), "%s", reason);
    vsnprintf(e.text, sizeof(e.text), format, args);
    log_write(p->log, &e);
    p->quiet = 0;
}

void prof_log(struct prof *p, enum decision what, const struct candidate *c, const char *by,
              const char *reason, uint32_t handler, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_entry(p, what, c, by, reason, handler, format, args);
    va_end(args);
}

void prof_decide(struct prof *p, enum decision what, const struct candidate *c, enum why why,
                 const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    prof_log(p, what, c, "policy", why_name(why), c ? c->handler : 0, "%s%s%s", why_meaning(why),
             *text ? ": " : "", text);
}

void prof_stage(struct prof *p, struct candidate *c, enum stage stage)
{
    c->stage = stage;
    c->since_ns = p->now_ns;
    if (stage == STAGE_RESTING)
        c->hot_ns = 0;
}

void prof_rest(struct prof *p, struct candidate *c, unsigned int failures)
{
    uint64_t ms = failures ? p->policy.retry_ms : p->policy.again_ms;
    unsigned int times = failures ? c->failures + failures : c->retired;

    c->failures += failures;
    c->second_look = false;
    for (unsigned int i = 1; i < times && ms < LONGEST_REST_MS; i++)
        ms *= 2;
    ms = ms < LONGEST_REST_MS ? ms : LONGEST_REST_MS;
    c->retry_at = c->failures >= p->policy.failures ? UINT64_MAX : p->now_ns + ms * 1000000;
    record_forget(c);
    prof_stage(p, c, STAGE_RESTING);
}

/* ------------------------------------------------------------------ one tick */

static bool failed(struct prof *p, const char *what, int rc)
{
    snprintf(p->error, sizeof(p->error), "%s: %s", what, hv_error(rc));
    return false;
}

bool prof_now(struct prof *p)
{
    struct radon_info info = { 0 };
    int rc = p->backend->op(p->backend->ctx, RADON_INFO, &info, sizeof(info));

    if (rc)
        return failed(p, "asking the hypervisor", rc);
    p->tsc = info.tsc;
    p->tsc_hz = info.tsc_hz;
    p->now_ns = info.system_ns;
    p->cpus = info.nr_cpus;
    return true;
}

static bool look_around(struct prof *p)
{
    int rc;

    if (!prof_now(p))
        return false;
    free(p->list);
    rc = hv_list(p->backend, p->domain, &p->list, &p->nr_list);
    return rc ? failed(p, "listing handlers", rc) : true;
}

/* What could not be made with several vCPUs (rules 3 and 4) is tried anew when there is one. */
static void look_at_vcpus(struct prof *p)
{
    bool any = false;

    for (unsigned int i = 0; i < p->nr; i++)
        any |= p->candidate[i].shared;
    if (!any || p->backend->vcpus(p->backend->ctx, p->domain) != 1)
        return;
    for (unsigned int i = 0; i < p->nr; i++) {
        struct candidate *c = &p->candidate[i];

        if (c->shared && c->stage == STAGE_RESTING) {
            c->failures = 0;
            prof_stage(p, c, STAGE_WAITING);
        }
        c->shared = false;
    }
}

/* Whether handlers are allowed; says so when that changed. */
static bool allowed(struct prof *p)
{
    bool on = false;

    if (hv_switch(p->backend, p->domain, true, &on))
        on = false;
    if (!on != p->off)
        prof_decide(p, on ? DECIDED_start : DECIDED_stop, NULL, WHY_OFF, "%s",
                    on ? "no longer" : "nothing is installed until they are switched on");
    p->off = !on;
    return on;
}

static unsigned int pause_ms(struct prof *p)
{
    p->busy = p->capturing != NULL;
    for (unsigned int i = 0; i < p->nr; i++)
        p->busy |= p->candidate[i].stage == STAGE_SHADOW && rank_is_hot(p, &p->candidate[i]);
    if (p->busy)
        return BUSY_MS < p->policy.tick_ms ? BUSY_MS : p->policy.tick_ms;
    return p->quiet++ < QUIET_TICKS ? p->policy.tick_ms : p->policy.idle_ms;
}

bool prof_tick(struct prof *p, unsigned int *wait_ms)
{
    bool reads_sites = !p->busy || p->now_ns - p->ranked_ns > (uint64_t)p->policy.tick_ms * 1000000;

    *wait_ms = p->policy.idle_ms;
    if (!look_around(p))
        return false;
    watch_handlers(p);
    record_progress(p);
    if (reads_sites && !rank_update(p))
        return false;
    if (reads_sites)
        look_at_vcpus(p);
    if (!p->capturing && (allowed(p) || p->dry_run)) {
        struct candidate *best = rank_best(p);

        if (best)
            record_begin(p, best);
    }
    *wait_ms = pause_ms(p);
    return true;
}

bool prof_settled(const struct prof *p)
{
    for (unsigned int i = 0; i < p->nr; i++) {
        const struct candidate *c = &p->candidate[i];

        if (c->stage == STAGE_CAPTURING || c->stage == STAGE_SHADOW ||
            (c->stage == STAGE_WAITING && rank_is_hot(p, c)))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ begin and end */

static void adopt(struct prof *p, const struct radon_fast_info *h)
{
    struct fast_point point = { h->domain, h->attach_kind, h->attach_number, h->attach_address };
    struct candidate *c = rank_find(p, &point);

    if (!c)
        return;
    c->handler = h->id;
    c->kept = true; /* its captures are gone: it is left as it is */
    prof_stage(p, c, h->state == RADON_FAST_SHADOW ? STAGE_SHADOW : STAGE_ACTIVE);
    prof_log(p, DECIDED_keep, c, "policy", why_name(WHY_HANDLED), h->id,
             "of a daemon before this one");
}

bool prof_begin(struct prof *p)
{
    if (!look_around(p))
        return false;
    prof_log(p, DECIDED_start, NULL, "policy", why_name(WHY_HOT), 0, "radon-prof watches domain %u%s",
             p->domain, p->dry_run ? ", and installs nothing" : "");
    for (unsigned int i = 0; i < p->nr_list; i++)
        if (p->list[i].state != RADON_FAST_RETIRED && keep_is_ours(p, &p->list[i]))
            adopt(p, &p->list[i]);
    return true;
}

void prof_end(struct prof *p, bool remove)
{
    if (p->capturing)
        hv_capture_stop(p->backend, p->capturing->capture);
    for (unsigned int i = 0; i < p->nr; i++) {
        struct candidate *c = &p->candidate[i];

        if (remove && c->handler)
            hv_control(p->backend, c->handler, RADON_FAST_RETIRED);
        record_forget(c);
    }
    prof_log(p, DECIDED_stop, NULL, "policy", why_name(WHY_HANDLED), 0, "radon-prof ends; %s",
             remove ? "its handlers are removed" : "its handlers stay");
    free(p->candidate);
    free(p->index);
    free(p->list);
    p->index = NULL;
    p->candidate = NULL;
    p->list = NULL;
    p->nr = p->room = p->nr_list = 0;
    p->capturing = NULL;
}
