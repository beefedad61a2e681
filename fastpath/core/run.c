/* SPDX-License-Identifier: MIT */
#include "run.h"

/* Bytes of staged stores that lie in [address, address + size) replace those of `value`. */
static uint64_t overlay(const struct fast_run *run, uint64_t address, unsigned int size,
                        uint64_t value)
{
    for (unsigned int i = 0; i < run->nr_staged; i++) {
        const struct fast_staged *s = &run->staged[i];

        /* Distance as an unsigned number: also right where an address wraps around. */
        if (address - s->address + size - 1 >= (uint64_t)s->size + size - 1)
            continue;
        for (unsigned int b = 0; b < s->size; b++) {
            uint64_t at = s->address + b - address;

            if (at < size) {
                value &= ~(0xffull << (8 * at));
                value |= (s->value >> (8 * b) & 0xff) << (8 * at);
            }
        }
    }
    return value;
}

static uint64_t load(struct fast_run *run, uint64_t address, unsigned int size)
{
    uint64_t value = 0;

    if (!run->env->load(run->world, address, size, &value)) {
        run->stop = FAST_STOP_LOAD;
        return 0;
    }
    return run->nr_staged ? overlay(run, address, size, value) : value;
}

static uint64_t stage(struct fast_run *run, uint64_t address, unsigned int size, uint64_t value,
                      uint64_t old)
{
    struct fast_staged *s;

    if (run->nr_staged >= FAST_MAX_STAGED) {
        run->stop = FAST_STOP_FULL;
        return 0;
    }
    run->staged_by[run->nr_staged] = run->at;
    s = &run->staged[run->nr_staged++];
    s->address = address;
    s->value = size && size < 8 ? value & ((1ull << (8 * size)) - 1) : value;
    s->old = old;
    s->size = size;
    s->reserved = 0;
    return 0;
}

#define LOAD_HELPER(bits)                                                                          \
    static uint64_t load##bits(struct fast_run *run, uint64_t a1, uint64_t a2, uint64_t a3)        \
    {                                                                                              \
        (void)a2;                                                                                  \
        (void)a3;                                                                                  \
        return load(run, a1, bits / 8);                                                            \
    }
#define STORE_HELPER(bits)                                                                         \
    static uint64_t store##bits(struct fast_run *run, uint64_t a1, uint64_t a2, uint64_t a3)       \
    {                                                                                              \
        (void)a3;                                                                                  \
        return stage(run, a1, bits / 8, a2, 0);                                                    \
    }
LOAD_HELPER(8)
LOAD_HELPER(16)
LOAD_HELPER(32)
LOAD_HELPER(64)
STORE_HELPER(8)
STORE_HELPER(16)
STORE_HELPER(32)
STORE_HELPER(64)

static uint64_t pt_update(struct fast_run *run, uint64_t ptr, uint64_t old, uint64_t new)
{
    return stage(run, ptr, 0, new, old);
}

static uint64_t tsc(struct fast_run *run, uint64_t a1, uint64_t a2, uint64_t a3)
{
    (void)a1;
    (void)a2;
    (void)a3;
    return run->env->tsc(run->world);
}

static uint64_t m2p(struct fast_run *run, uint64_t a1, uint64_t a2, uint64_t a3)
{
    uint64_t gpfn = 0;

    (void)a2;
    (void)a3;
    if (!run->env->m2p(run->world, a1, &gpfn))
        run->stop = FAST_STOP_LOAD;
    return gpfn;
}

const fast_helper_fn fast_helper_table[FAST_NR_HELPERS] = {
#define HELPER(number, name, args, ret, attach, cost, flags) [number] = name,
#include "helpers.def"
};

static bool prove_last(struct fast_run *run)
{
    const struct fast_staged *s = &run->staged[run->nr_staged - 1];

    if (!run->env->may_update_pt(run->world, s->address, s->old, s->value))
        run->stop = FAST_STOP_PT;
    return !run->stop;
}

static void commit_last(struct fast_run *run)
{
    const struct fast_staged *s = &run->staged[run->nr_staged - 1];

    run->env->update_pt(run->world, s->address, s->value);
}

void fast_run_init(struct fast_run *run, struct fast_ctx *ctx, const struct fast_env *env,
                   void *world)
{
    run->helpers = fast_helper_table;
    run->ctx = ctx;
    run->stop = FAST_STOP_NONE;
    run->nr_staged = 0;
    run->at = run->path = 0;
    run->env = env;
    run->world = world;
    run->no_address = FAST_NO_ADDRESS;
    run->guard = FAST_GUARD;
    run->user_end = FAST_USER_END;
    run->prove_last = prove_last;
    run->commit_last = commit_last;
}

bool fast_prove(struct fast_run *run)
{
    for (unsigned int i = 0; i < run->nr_staged; i++) {
        const struct fast_staged *s = &run->staged[i];

        if (s->size && !run->env->may_store(run->world, s->address, s->size))
            run->stop = FAST_STOP_STORE;
        else if (!s->size && !run->env->may_update_pt(run->world, s->address, s->old, s->value))
            run->stop = FAST_STOP_PT;
        if (run->stop)
            return false;
    }
    return true;
}

void fast_commit(struct fast_run *run)
{
    for (unsigned int i = 0; i < run->nr_staged; i++) {
        const struct fast_staged *s = &run->staged[i];

        if (s->size)
            run->env->store(run->world, s->address, s->size, s->value);
        else
            run->env->update_pt(run->world, s->address, s->value);
    }
}

enum fast_outcome fast_finish(struct fast_run *run, uint64_t r0)
{
    if (run->stop || r0 != FAST_DONE || !fast_prove(run))
        return FAST_PASS;
    /* ---- point of no return: nothing below can fail ---- */
    fast_commit(run);
    return FAST_DONE;
}

const char *fast_stop_name(enum fast_stop stop)
{
    static const char *const names[FAST_NR_STOPS] = {
        [FAST_STOP_NONE] = "none",     [FAST_STOP_LOAD] = "load", [FAST_STOP_STORE] = "store",
        [FAST_STOP_PT] = "pt",         [FAST_STOP_FULL] = "full", [FAST_STOP_BUDGET] = "budget",
        [FAST_STOP_ESCAPE] = "escape", [FAST_STOP_UNTAKEN] = "untaken",
    };
    return (unsigned int)stop < FAST_NR_STOPS ? names[stop] : "unknown";
}
