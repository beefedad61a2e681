/* SPDX-License-Identifier: MIT */
/*
 * radon-prof: finds what of a domain's kernel is worth a fast handler, makes it, watches it
 * (docs/radon-prof.md).  prof_tick() does all that is due and says when to come again; it never waits.
 *
 * One candidate is one attach point:
 *
 *   WAITING --hot--> CAPTURING --> (synthesis) --> SHADOW --agreed--> ACTIVE
 *      ^                |              |              |                 | passes too often
 *      +----- RESTING <-+--------------+--------------+-----------------+--> CAPTURING
 *
 * RESTING: left alone until `retry_at`; for good after too many failures.
 */
#ifndef PROFILE_PROF_H
#define PROFILE_PROF_H

#include "backend.h"
#include "log.h"
#include "names.h"
#include "policy.h"

#include "fastpath/synth/synth.h"

#define PROF_ROUNDS 5u

enum stage { STAGE_WAITING, STAGE_CAPTURING, STAGE_SHADOW, STAGE_ACTIVE, STAGE_RESTING };

struct candidate {
    struct fast_point point;
    enum stage stage;
    /* Of the hot sites, in samples: as read last time, and with a share of the time before. */
    struct seen { uint64_t samples, cost, shorts, looks, time; } seen, tick; /* tick: of the answer that is read */
    double samples, cost;   /* faded sums over the last ticks, of what saw more */
    double timed, timed_cost; /* of entries that were timed alone */
    double timed_short;     /* of those, such that can be recorded whole */
    double share_ppm;       /* of a CPU's time */
    double entry_cycles;    /* of one entry until user mode goes on, by the guest kernel, as seen last */

    uint64_t since_ns;      /* when the stage began */
    uint64_t hot_ns;        /* when it was first found hot; 0 after it is active */
    uint64_t retry_at;      /* RESTING; UINT64_MAX: for good */
    unsigned int failures, disagreements;
    bool shared;            /* synthesis refused it while the domain had several vCPUs */
    unsigned int retired;   /* times, for no fault of its own, not long after it was made */
    unsigned int hot_ticks; /* one after the other */

    uint32_t capture;       /* CAPTURING */
    bool second_look;       /* of an active handler */
    void *blob[PROF_ROUNDS];
    size_t blob_bytes[PROF_ROUNDS];
    unsigned int rounds;    /* blobs */
    unsigned int rarer;     /* handlers that waited for a path that is hardly ever taken */

    uint32_t handler;       /* SHADOW, ACTIVE (CAPTURING with second_look); 0: none */
    unsigned int paths;     /* of its program */
    uint64_t first_agreed;  /* when it was found in shadow */
    uint64_t judged_hits, judged_passes;  /* when it was judged last */
    uint64_t first_hits, first_cycles;    /* when it was found active: of shadow */
    bool kept;              /* passes often, and more captures did not help */
};

/* Guest memory and symbols of a domain, for synthesis; any of them may be NULL. */
struct prof_kernel {
    void *arg;
    void (*refresh)(void *arg); /* before a synthesis: what was read before may be old */
    bool (*ro_read)(void *arg, uint64_t address, void *buffer, size_t n);
    const char *(*symbol)(void *arg, uint64_t address, uint64_t *offset);
    int64_t vcpu_info;
};

struct prof {
    const struct prof_backend *backend;
    struct policy policy;
    struct log *log;
    uint16_t domain;
    bool dry_run;
    const char *folder;     /* for what is kept of handlers; NULL: nowhere */
    int (*synth)(const struct synth_input *in, struct synth_output *out);
    void (*synth_free)(struct synth_output *out);
    const struct prof_kernel *kernel; /* of that domain; NULL: nothing is known of it */

    struct candidate *candidate;
    unsigned int nr, room;
    uint32_t *index;        /* hash of points: place in candidate[] + 1; 2 * room places */
    struct candidate *capturing;  /* one at a time */
    struct radon_fast_info *list; /* handlers of the domain, of this tick */
    unsigned int nr_list;
    uint64_t now_ns, tsc, tsc_hz;
    uint64_t ranked_ns, ranked_tsc; /* when the hot sites were read last; 0: never */
    double cycles;          /* faded, as the candidates' costs */
    double iret_cycles;     /* of one iret */
    uint32_t period;        /* of the samples in the hot sites */
    double cycles_each;     /* an instruction, by what was recorded; 0: not known yet */
    unsigned int short_bins; /* of the histograms: what seen.shorts has */
    unsigned int cpus;
    bool off;               /* was switched off when last looked at */
    bool busy;              /* a candidate is on its way */
    unsigned int quiet;     /* ticks since something changed */
    char error[160];        /* why prof_tick() failed */
};

/*
 * All fields of the first group are set; the rest is zero.  Takes over the handlers that a daemon
 * before it made (folder).  False: p->error.
 */
bool prof_begin(struct prof *p);
/* Do what is due; *wait_ms: until the next one.  False: p->error, and it may be tried again. */
bool prof_tick(struct prof *p, unsigned int *wait_ms);
/* Whether nothing that is hot now is on its way: every one has a handler, or a reason. */
bool prof_settled(const struct prof *p);
/* Remove what it made, if so asked, and free everything. */
void prof_end(struct prof *p, bool remove);

/* ------------------------------------------------------------------ between the files of it */

/* rank.c: reads the hot sites; candidates and their shares. */
bool rank_update(struct prof *p);
bool rank_is_hot(const struct prof *p, const struct candidate *c);
/* Hardly an entry is short enough to be recorded, as far as it is known how long an instruction takes. */
bool rank_is_long(const struct prof *p, const struct candidate *c);
/* About how long it is from one entry to the next, while it is as hot as now. */
double rank_interval_ns(const struct prof *p, const struct candidate *c);
/* The costliest one that may be captured now, or NULL. */
struct candidate *rank_best(struct prof *p);
/* The candidate of a point, made if need be; NULL: out of memory.  Pointers to others are void. */
struct candidate *rank_find(struct prof *p, const struct fast_point *point);

/* record.c: the captures. */
void record_begin(struct prof *p, struct candidate *c);
void record_progress(struct prof *p);
void record_forget(struct candidate *c);

/* make.c: captures become a handler in shadow. */
void make_handler(struct prof *p, struct candidate *c);

/* watch.c: what became of the handlers. */
void watch_handlers(struct prof *p);
const struct radon_fast_info *watch_find(const struct prof *p, uint32_t id);

/* keep.c: files about handlers in p->folder. */
void keep_handler(const struct prof *p, const struct candidate *c, const struct synth_output *out);
void keep_evidence(const struct prof *p, const struct candidate *c, const struct radon_fast_info *info);
void keep_refusal(const struct prof *p, const struct candidate *c, const char *text);
/* Whether the daemon made this handler, as far as the folder says. */
bool keep_is_ours(const struct prof *p, const struct radon_fast_info *info);

/* prof.c */
__attribute__((format(printf, 7, 8))) void prof_log(struct prof *p, enum decision what,
                                                    const struct candidate *c, const char *by,
                                                    const char *reason, uint32_t handler,
                                                    const char *format, ...);
__attribute__((format(printf, 5, 6))) void prof_decide(struct prof *p, enum decision what,
                                                       const struct candidate *c, enum why why,
                                                       const char *format, ...);
/* What the time is; false: p->error. */
bool prof_now(struct prof *p);
void prof_stage(struct prof *p, struct candidate *c, enum stage stage);
/* Rest for a while, longer with each failure; for good after policy.failures. */
void prof_rest(struct prof *p, struct candidate *c, unsigned int failures);

#endif
