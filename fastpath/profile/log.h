/* SPDX-License-Identifier: MIT */
/*
 * The log of radon-prof: one JSON object a line, one line a decision.
 */
#ifndef PROFILE_LOG_H
#define PROFILE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "names.h"

#define PROF_FOLDER "/run/radon/prof"
#define LOG_NAME "log.jsonl"

enum decision {
#define DECISION(name, meaning) DECIDED_##name,
#include "decisions.def"
    NR_DECISIONS,
};

enum why {
#define WHY(name, meaning, advice) WHY_##name,
#include "decisions.def"
    NR_WHYS,
};

const char *decision_name(unsigned int decision);
const char *decision_meaning(unsigned int decision);
const char *why_name(enum why why);
const char *why_meaning(enum why why);
const char *why_advice(enum why why);
/* A reason code by its name, of this list; NR_WHYS: of another one. */
enum why why_find(const char *name);

struct log_entry {
    uint64_t time_ns;   /* since 1970 */
    uint64_t uptime_ns;
    unsigned int decision;
    struct fast_point point; /* kind 0: about none */
    uint32_t handler;   /* 0: none */
    char by[16];        /* who decided: "policy", "synthesis", "verifier", "hypervisor" */
    char reason[40];
    char text[400];
};

typedef void log_hook(void *ctx, const struct log_entry *e);

struct log {
    FILE *file;
    char path[256];
    uint64_t limit, written; /* bytes */
    bool echo;               /* on standard error, too, for people */
    log_hook *hook;          /* also given each entry, if set */
    void *hook_ctx;
};

/* Goes on behind what is there; false with errno.  path NULL: only to standard error. */
bool log_open(struct log *l, const char *path, uint64_t limit, bool echo);
void log_close(struct log *l);
/* Sets the times when they are 0. */
void log_write(struct log *l, struct log_entry *e);

/* A line of the log; false: it is none. */
bool log_parse(const char *line, struct log_entry *e);
/* For people, with a line end. */
void log_print(FILE *out, const struct log_entry *e);

#endif
