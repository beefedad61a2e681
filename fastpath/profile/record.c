/* SPDX-License-Identifier: MIT */
/* Captures: occurrences of an entry, recorded by the hypervisor. */
#include "prof.h"

#include <errno.h>
#include <stdlib.h>

#include "fastpath/core/program.h"
#include "ops.h"

/*
 * Later rounds look at one occurrence in so many, to meet paths that are not taken twice in a row; and so
 * do those after a path that was met by chance.
 */
static const uint32_t skips[PROF_ROUNDS] = { 0, 6, 30, 100, 300 };

/* How long to wait for the first: of what is hot, many come meanwhile. */
#define NONE_CAME_MS 60u
#define INTERVALS 20.0

void record_forget(struct candidate *c)
{
    for (unsigned int i = 0; i < c->rounds; i++)
        free(c->blob[i]);
    c->rounds = 0;
}

static uint32_t skip_of(const struct candidate *c)
{
    unsigned int round = c->rounds + c->rarer;

    return c->second_look ? 0 : skips[round < PROF_ROUNDS ? round : PROF_ROUNDS - 1];
}

static uint32_t limit_of(const struct prof *p)
{
    uint32_t rounds = p->policy.rounds ? p->policy.rounds : 1;
    uint32_t most = SYNTH_MAX_CAPTURES / rounds;

    return p->policy.occurrences < most ? p->policy.occurrences : most;
}

void record_begin(struct prof *p, struct candidate *c)
{
    struct radon_capture_start start = {
        .domain = c->point.domain,
        .flags = RADON_CAPTURE_OTHERS, /* what is logged of it is no part of it */
        .kind = c->point.kind,
        .number = c->point.number,
        .address = c->point.address,
        .occurrences = limit_of(p),
        .max_steps = p->policy.max_steps,
        .skip = skip_of(c),
        .failures = p->policy.capture_failures,
    };
    int rc;

    if (!c->second_look && rank_is_long(p, c)) {
        prof_decide(p, DECIDED_refuse, c, WHY_LONG, "%.2f %% of a CPU by %.0f timed ones; %u instructions can be recorded",
                    c->share_ppm / 1e4, c->timed, p->policy.max_steps);
        prof_rest(p, c, 3);
        return;
    }
    rc = hv_capture_start(p->backend, &start);

    if (rc == -EBUSY) /* somebody else captures: wait for the next tick */
        return;
    if (rc) {
        prof_decide(p, DECIDED_refuse, c, WHY_CAPTURE_FAILED, "%s", hv_error(rc));
        prof_rest(p, c, 1);
        return;
    }
    c->capture = start.id;
    if (!c->hot_ns)
        c->hot_ns = p->now_ns;
    p->capturing = c;
    prof_stage(p, c, STAGE_CAPTURING);
    prof_decide(p, DECIDED_capture, c, c->second_look ? WHY_PATHS : WHY_HOT,
                "%.2f %% of a CPU, %u occurrences", c->share_ppm / 1e4, start.occurrences);
}

/* How most of those that did not come to an end failed. */
static enum why failure_of(const struct synth_capture *capture, unsigned int n)
{
    static const enum why whys[] = {
        [RADON_CAPTURE_LONG] = WHY_LONG,         [RADON_CAPTURE_EVENT] = WHY_EVENT,
        [RADON_CAPTURE_SWITCHED] = WHY_SWITCHED, [RADON_CAPTURE_TRAP] = WHY_TRAP,
        [RADON_CAPTURE_UNSEEN] = WHY_UNSEEN,
    };
    unsigned int count[RADON_CAPTURE_RUNNING + 1] = { 0 }, most = 0;

    for (unsigned int i = 0; i < n; i++)
        if (capture[i].head->end > RADON_CAPTURE_DONE && capture[i].head->end < RADON_CAPTURE_RUNNING)
            count[capture[i].head->end]++;
    for (unsigned int i = 1; i < RADON_CAPTURE_RUNNING; i++)
        most = count[i] > count[most] ? i : most;
    return most ? whys[most] : WHY_NO_CAPTURE;
}

static unsigned int complete(const struct synth_capture *capture, unsigned int n)
{
    unsigned int done = 0;

    for (unsigned int i = 0; i < n; i++)
        done += capture[i].head->end == RADON_CAPTURE_DONE;
    return done;
}

#define LEARNED 0.25 /* of what differs */

/* How many cycles an instruction takes here, by those that came to their end. */
static void learn_speed(struct prof *p, const struct candidate *c, const struct synth_capture *capture,
                        unsigned int n, unsigned int done)
{
    double steps = 0, each;

    for (unsigned int i = 0; i < n; i++)
        if (capture[i].head->end == RADON_CAPTURE_DONE)
            steps += capture[i].head->steps;
    each = steps > 0 ? c->entry_cycles * done / steps : 0;
    if (each > 0)
        p->cycles_each = p->cycles_each > 0 ? p->cycles_each + LEARNED * (each - p->cycles_each) : each;
}

/* Back to the handler that it has, if it has one, else rest. */
static void give_up(struct prof *p, struct candidate *c, enum why why, unsigned int n)
{
    if (c->second_look) {
        prof_decide(p, DECIDED_keep, c, why, "of %u recorded", n);
        c->kept = true;
        prof_stage(p, c, STAGE_ACTIVE);
        return;
    }
    prof_decide(p, DECIDED_refuse, c, why, "%u recorded, none to its end", n);
    /* These are so the next time, too, and single steps cost the guest time. */
    prof_rest(p, c, why == WHY_LONG || why == WHY_UNSEEN || why == WHY_TRAP ? 3 : 1);
}

static void finish(struct prof *p, struct candidate *c)
{
    struct synth_capture capture[SYNTH_MAX_CAPTURES];
    unsigned int n, done;
    bool bad = false;
    void *blob;
    size_t bytes;
    int rc = hv_capture_read(p->backend, c->capture, &blob, &bytes);

    p->capturing = NULL;
    hv_capture_stop(p->backend, c->capture);
    if (rc) {
        prof_decide(p, DECIDED_refuse, c, WHY_CAPTURE_FAILED, "%s", hv_error(rc));
        prof_rest(p, c, 1);
        return;
    }
    n = synth_split(blob, bytes, capture, SYNTH_MAX_CAPTURES, &bad);
    done = complete(capture, n);
    if (!done || bad) {
        enum why why = bad ? WHY_CAPTURE_FAILED : failure_of(capture, n);

        free(blob);
        give_up(p, c, why, n);
        return;
    }
    learn_speed(p, c, capture, n, done);
    c->blob[c->rounds] = blob;
    c->blob_bytes[c->rounds++] = bytes;
    make_handler(p, c);
}

/* How long to wait: what does not come soon was another program's, or the program does other things now. */
static uint64_t limit_ns(const struct prof *p, const struct candidate *c,
                         const struct radon_capture_read *state)
{
    double limit = p->policy.capture_ms * 1e6, soon = NONE_CAME_MS * 1e6;

    if (state->total)
        return (uint64_t)limit;
    soon += INTERVALS * (skip_of(c) + 1) * rank_interval_ns(p, c);
    return (uint64_t)(soon < limit ? soon : limit);
}

void record_progress(struct prof *p)
{
    struct candidate *c = p->capturing;
    struct radon_capture_read state;
    int rc;

    if (!c)
        return;
    rc = hv_capture_state(p->backend, c->capture, &state);
    if (!rc && !state.state && p->now_ns - c->since_ns < limit_ns(p, c, &state))
        return;
    if (!rc && !state.state)
        hv_capture_stop(p->backend, c->capture);
    finish(p, c);
}
