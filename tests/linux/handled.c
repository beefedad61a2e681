/* SPDX-License-Identifier: MIT */
#include "handled.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tracing/xen/xen.h"

#define WAIT_S 6 /* one handler is there within a second */
#define AT_ONCE 1000

static struct xen x;
static struct radon_fast_info *list;

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stdout, format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    exit(1);
}

bool handled_open(void)
{
    return xen_open(&x) && (list = xen_buffer(&x, RADON_FAST_MAX_HANDLERS * sizeof(*list))) != NULL;
}

static struct handled find(bool (*is)(const struct radon_fast_info *f, long what), long what)
{
    struct radon_fast_list op = { .domain = RADON_DOMID_SELF,
                                  .room = RADON_FAST_MAX_HANDLERS,
                                  .info = (uintptr_t)list };
    struct handled found = { 0 };

    if (!radon_call(&x, RADON_FAST_LIST, &op, sizeof(op), "list"))
        die("%s", x.error);
    for (uint32_t i = 0; i < op.room; i++) {
        const struct radon_fast_info *f = &list[i];

        if (!is(f, what) || f->id < found.id)
            continue;
        found = (struct handled){ f->id, f->state, f->reason, .hits = f->hits,
                                  .compared = f->agreed + f->disagreed + f->voided };
        for (unsigned int p = 0; p < RADON_FAST_NR_PASSES; p++)
            found.passes += f->passes[p];
        if (f->disagreed && f->activated) /* before that it is what comparing is for */
            die("handler %u, %s, disagreed when it was in use", f->id, f->name);
    }
    return found;
}

static bool is_of_call(const struct radon_fast_info *f, long number)
{
    return f->attach_kind == 1 && f->attach_number == (uint32_t)number;
}

static bool is_id(const struct radon_fast_info *f, long id)
{
    return f->id == (uint32_t)id;
}

struct handled handled_by(long number)
{
    return find(is_of_call, number);
}

struct handled handled_of(uint32_t id)
{
    return find(is_id, id);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

unsigned int handled_wait_many(const struct call *c, unsigned int n, unsigned int least)
{
    double until = seconds() + WAIT_S;
    unsigned int active = 0;

    while (seconds() < until) {
        active = 0;
        for (unsigned int k = 0; k < n; k++) {
            struct handled before = handled_by(c[k].number);

            for (int i = 0; i < AT_ONCE; i++)
                if (!c[k].make())
                    die("%s: wrong while it is made hot", c[k].name);
            active += before.id && handled_of(before.id).hits > before.hits;
        }
        if (active >= least)
            return active;
    }
    for (unsigned int k = 0; k < n; k++) {
        struct handled h = handled_by(c[k].number);

        printf("%s: handler %u state %u hits %lu passes %lu compared %lu\n", c[k].name, h.id,
               h.state, (unsigned long)h.hits, (unsigned long)h.passes, (unsigned long)h.compared);
    }
    die("%u of %u calls are handled after %d s", active, n, WAIT_S);
}

struct handled handled_wait(const struct call *c)
{
    struct handled h;

    do { /* retired in between: the next one */
        handled_wait_many(c, 1, 1);
        h = handled_by(c->number);
    } while (h.state != RADON_FAST_ACTIVE);
    return h;
}

uint64_t handled_runs(const struct handled *before, const struct handled *now)
{
    return now->hits - before->hits + (now->passes - before->passes) +
           (now->compared - before->compared);
}
