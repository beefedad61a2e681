/* SPDX-License-Identifier: MIT */
/* What became of the handlers that the daemon made: shadow, active, retired. */
#include "prof.h"

#include "ops.h"

const struct radon_fast_info *watch_find(const struct prof *p, uint32_t id)
{
    for (unsigned int i = 0; i < p->nr_list; i++)
        if (p->list[i].id == id)
            return &p->list[i];
    return NULL;
}

static uint64_t guard_passes(const struct radon_fast_info *h)
{
    return h->passes[RADON_FAST_PASS_CHOSEN] + h->passes[RADON_FAST_PASS_LOAD] +
           h->passes[RADON_FAST_PASS_STORE];
}

#define GAIN_HITS 4096u
#define EARLY_NS 10000000000ull /* a handler that lives so long was worth making */

/* Out of the hypervisor's list: nothing more can be learnt of it. */
static void drop(struct prof *p, struct candidate *c)
{
    if (c->handler)
        hv_control(p->backend, c->handler, RADON_FAST_RETIRED);
    for (unsigned int i = 0; i < p->nr_list; i++)
        if (p->list[i].id == c->handler)
            p->list[i].state = RADON_FAST_RETIRED; /* it is nobody else's, for the rest of the tick */
    c->handler = 0;
    c->kept = c->second_look = false;
    if (p->capturing == c) {
        hv_capture_stop(p->backend, c->capture);
        p->capturing = NULL;
    }
    record_forget(c);
}

/* ------------------------------------------------------------------ ends */

static void rest_for_good(struct prof *p, struct candidate *c)
{
    c->retry_at = UINT64_MAX;
    prof_stage(p, c, STAGE_RESTING);
}

static void retired(struct prof *p, struct candidate *c, const struct radon_fast_info *h)
{
    unsigned int reason = h->reason;
    bool early = p->now_ns - c->since_ns < EARLY_NS;

    if (reason == RADON_FAST_DISAGREED) {
        keep_evidence(p, c, h);
        c->disagreements++;
    }
    prof_log(p, DECIDED_retire, c, "hypervisor", fast_reason_name(reason), h->id, "%s; %llu hits",
             fast_reason_text(reason), (unsigned long long)h->hits);
    drop(p, c);
    c->retired = early ? c->retired + 1 : 1;
    if (reason == RADON_FAST_REMOVED || reason == RADON_FAST_REPLACED ||
        reason == RADON_FAST_BUDGET || c->disagreements >= p->policy.disagreements)
        rest_for_good(p, c);
    else
        prof_rest(p, c, reason == RADON_FAST_DISAGREED ? 1 : 0);
}

static void vanished(struct prof *p, struct candidate *c)
{
    prof_log(p, DECIDED_retire, c, "hypervisor", fast_reason_name(RADON_FAST_REMOVED), c->handler,
             "removed by hand");
    c->handler = 0;
    drop(p, c);
    rest_for_good(p, c);
}

/* ------------------------------------------------------------------ shadow */

/* Comparing costs much more than a run: one that passes nearly always is not worth it. */
static bool hardly_hits(const struct prof *p, const struct radon_fast_info *h)
{
    uint64_t compared = h->agreed + h->disagreed + h->voided, passes = guard_passes(h);

    return !h->activated && compared + passes >= p->policy.judge_runs &&
           compared * 100 < (compared + passes) * p->policy.hit_percent;
}

#define RARE 128u

/*
 * A way through the handler that is less than one run in RARE, and was met by chance, keeps the others from
 * being used: each must agree as often as the policy says.
 */
static bool waits_for_rare(const struct candidate *c, const struct radon_fast_info *h)
{
    return h->agreed_in_row < h->agreements &&
           h->agreed - c->first_agreed >= (uint64_t)RARE * h->agreements;
}

/* Made again of other occurrences, of which that way is hardly one. */
static void without_rare(struct prof *p, struct candidate *c, const struct radon_fast_info *h)
{
    prof_decide(p, DECIDED_retire, c, WHY_RARE_PATH, "%llu agreed, %u of one path",
                (unsigned long long)h->agreed, h->agreed_in_row);
    drop(p, c);
    prof_rest(p, c, c->rarer++ < PROF_ROUNDS ? 0 : 1);
}

static void in_shadow(struct prof *p, struct candidate *c, const struct radon_fast_info *h)
{
    if (h->state == RADON_FAST_ACTIVE) {
        prof_log(p, DECIDED_activate, c, "hypervisor", why_name(WHY_AGREED), h->id,
                 "%llu compared, %llu void; %.3f s after it was found hot; %.0f cycles an entry before",
                 (unsigned long long)h->agreed, (unsigned long long)h->voided,
                 c->hot_ns ? (double)(p->now_ns - c->hot_ns) / 1e9 : 0.0, c->entry_cycles);
        c->hot_ns = 0;
        c->first_hits = h->hits;
        c->first_cycles = h->cycles;
        prof_stage(p, c, STAGE_ACTIVE);
        return;
    }
    if (hardly_hits(p, h)) {
        prof_decide(p, DECIDED_retire, c, WHY_LOW_HITS, "%llu of its runs passed, %llu agreed",
                    (unsigned long long)guard_passes(h), (unsigned long long)h->agreed);
        drop(p, c);
        prof_rest(p, c, 2);
        return;
    }
    if (waits_for_rare(c, h)) {
        without_rare(p, c, h);
        return;
    }
    /* One that is asked for no longer may wait. */
    if (p->now_ns - c->since_ns < (uint64_t)p->policy.shadow_ms * 1000000 || !rank_is_hot(p, c))
        return;
    prof_decide(p, DECIDED_retire, c, WHY_NO_AGREEMENT, "%llu agreed, %llu void, %llu passed",
                (unsigned long long)h->agreed, (unsigned long long)h->voided,
                (unsigned long long)guard_passes(h));
    drop(p, c);
    prof_rest(p, c, 1);
}

/* ------------------------------------------------------------------ active */

static void look_again(struct prof *p, struct candidate *c, unsigned int percent)
{
    if (p->capturing)
        return;
    prof_log(p, DECIDED_recapture, c, "policy", why_name(WHY_PATHS), c->handler,
             "%u %% of its runs pass", percent);
    c->second_look = true;
    record_begin(p, c);
}

/* Cycles of a hit, or 0: cycles are of one in 499, so many hits tell. */
static double hit_cycles(const struct candidate *c, const struct radon_fast_info *h)
{
    uint64_t hits = h->hits - c->first_hits;

    return hits ? (double)(h->cycles - c->first_cycles) / (double)hits : 0;
}

/*
 * Whether a hit takes too much of what an entry took before.  Both are of the whole entry, until user
 * mode goes on.
 */
static bool no_gain(struct prof *p, struct candidate *c, const struct radon_fast_info *h)
{
    uint64_t hits = h->hits - c->first_hits;
    double each = hit_cycles(c, h);

    if (!p->policy.gain_percent || c->entry_cycles <= 0 || hits < GAIN_HITS ||
        each <= c->entry_cycles * (100 - p->policy.gain_percent) / 100)
        return false;
    prof_decide(p, DECIDED_retire, c, WHY_NO_GAIN, "%.0f cycles a hit, %.0f before", each,
                c->entry_cycles);
    drop(p, c);
    rest_for_good(p, c);
    return true;
}

/* Whether what its hits save is less than what its passes take, each as much as a hit at most. */
static bool passes_take_more(const struct prof *p, const struct candidate *c,
                             const struct radon_fast_info *h, uint64_t hits, uint64_t passes)
{
    double each = hit_cycles(c, h);

    return p->policy.gain_percent && c->entry_cycles > 0 && each > 0 &&
           (double)hits * (c->entry_cycles - each) < (double)passes * each;
}

/* What it did since it was judged last. */
static void judge(struct prof *p, struct candidate *c, const struct radon_fast_info *h)
{
    uint64_t hits = h->hits - c->judged_hits, passes = guard_passes(h) - c->judged_passes;
    unsigned int percent;

    if (hits + passes < p->policy.judge_runs)
        return;
    percent = (unsigned int)(passes * 100 / (hits + passes));
    c->judged_hits = h->hits;
    c->judged_passes = guard_passes(h);
    if (no_gain(p, c, h))
        return;
    if (percent > 100 - p->policy.hit_percent || (c->kept && passes_take_more(p, c, h, hits, passes))) {
        bool looked = c->kept || c->rounds > 1;

        prof_decide(p, DECIDED_retire, c, WHY_LOW_HITS, "%u %% of its runs pass", percent);
        drop(p, c);
        /* Another thing is done now than what was recorded: it is looked at soon, if it was not yet. */
        c->retired += !looked;
        prof_rest(p, c, looked);
    } else if (percent > p->policy.pass_percent && !c->kept) {
        if (c->rounds && c->rounds < p->policy.rounds && c->rounds < PROF_ROUNDS) {
            look_again(p, c, percent);
        } else {
            c->kept = true;
            prof_log(p, DECIDED_keep, c, "policy", why_name(WHY_ENOUGH_PASSES), h->id,
                     "%u %% of its runs pass", percent);
        }
    } else {
        c->failures = 0;
    }
}

/* A comparison found a way through it that was never compared. */
static void compared_again(struct prof *p, struct candidate *c, const struct radon_fast_info *h)
{
    c->first_agreed = h->agreed;
    prof_stage(p, c, STAGE_SHADOW);
    prof_decide(p, DECIDED_shadow, c, WHY_NEW_PATH, "after %llu hits", (unsigned long long)h->hits);
}

static void watch(struct prof *p, struct candidate *c)
{
    const struct radon_fast_info *h = watch_find(p, c->handler);

    if (!h)
        vanished(p, c);
    else if (h->state == RADON_FAST_RETIRED)
        retired(p, c, h);
    else if (h->state == RADON_FAST_DISABLED)
        return; /* by hand; theirs to enable */
    else if (c->stage == STAGE_SHADOW)
        in_shadow(p, c, h);
    else if (c->stage == STAGE_ACTIVE && h->state == RADON_FAST_SHADOW)
        compared_again(p, c, h);
    else if (c->stage == STAGE_ACTIVE && h->state == RADON_FAST_ACTIVE)
        judge(p, c, h);
}

void watch_handlers(struct prof *p)
{
    for (unsigned int i = 0; i < p->nr; i++)
        if (p->candidate[i].handler)
            watch(p, &p->candidate[i]);
}
