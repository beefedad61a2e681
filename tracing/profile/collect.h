/* SPDX-License-Identifier: MIT */
/*
 * From records profile_sample and profile_word to samples with names.
 */
#ifndef TRACING_PROFILE_COLLECT_H
#define TRACING_PROFILE_COLLECT_H

#include "../reader/reader.h"
#include "../symbols/user.h"
#include "kernel.h"
#include "profile.h"
#include "public/radon.h"

#define COLLECT_CPUS  256u
#define COLLECT_WORDS 1100u     /* of a sample's stack */
#define COLLECT_USERS 64u

/* A sample whose words still come in. */
struct collecting {
    bool open;
    uint64_t tsc, rip, rsp, rbp, hv_rip, user_top, handler;
    uint16_t domain;
    uint32_t vcpu, mode, entry, missed;
    struct stack_word word[COLLECT_WORDS];
    uint32_t nr_words;
    uint64_t caller[COLLECT_USERS];
    uint32_t nr_callers;
    uint64_t task[4];
};

struct collector {
    struct profile *profile;
    const struct kernel *kernel;        /* of domain 0 */
    const struct symtab *hypervisor;
    struct user_symbols *users;
    /* The name of a fast handler, written to name, false if it is not known; NULL: of none. */
    bool (*handler_name)(void *ctx, uint32_t id, char name[RADON_FAST_NAME_BYTES]);
    void *ctx;
    struct collecting *cpu[COLLECT_CPUS];
    uint64_t lost;                      /* records, as the hypervisor counted them */
    uint64_t how[STACK_HOWS];           /* samples */
    uint64_t idle, unknown_users;       /* samples; user addresses of processes that were gone */
    bool failed;                        /* out of memory once */
};

/* What task_words of struct radon_profile_control are to be: pid and tgid, and comm. */
void collect_task_words(const struct kernel *k, uint32_t words[4]);

/* The next record of a CPU. */
void collect_record(struct collector *c, unsigned int cpu, const struct trace_record *rec);
/* All have come. */
void collect_end(struct collector *c);

#endif
