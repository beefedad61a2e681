/* SPDX-License-Identifier: MIT */
/* What the hypervisor counts of handlers, by system call, and which calls are wanted for that. */
#include "endure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fastpath/core/program.h"
#include "tracing/xen/xen.h"

#define ROOM 128 /* handlers in one list */
#define HANDLERS 65536
#define NUMBERS 512

static struct xen x;
static struct radon_fast_info *list, *seen; /* seen: by number, as it was last */
static uint32_t ids; /* numbers below that were seen */
static struct counted of_call[NUMBERS], of_others;

void count_begin(uint32_t period)
{
    struct radon_fast_oracle op = { .domain = RADON_DOMID_SELF, .period = period };

    seen = calloc(HANDLERS, sizeof(*seen));
    if (!seen || !xen_open(&x) || !(list = xen_buffer(&x, ROOM * sizeof(*list))) ||
        !radon_call(&x, RADON_FAST_ORACLE, &op, sizeof(op), "oracle")) {
        fprintf(stderr, "endure: %s\n", x.error);
        exit(2);
    }
}

static void read_list(void)
{
    struct radon_fast_list op = { .domain = RADON_DOMID_SELF, .info = (uint64_t)(uintptr_t)list };

    /* Those that are in the list no more cannot be active. */
    for (uint32_t i = 0; i < ids; i++)
        seen[i].state = seen[i].state == RADON_FAST_ACTIVE ? RADON_FAST_DISABLED : seen[i].state;
    do {
        op.room = ROOM;
        if (!radon_call(&x, RADON_FAST_LIST, &op, sizeof(op), "list")) {
            fprintf(stderr, "endure: %s\n", x.error);
            exit(2);
        }
        for (uint32_t i = 0; i < op.room; i++) {
            op.first_id = list[i].id + 1;
            if (list[i].id >= HANDLERS)
                continue;
            seen[list[i].id] = list[i];
            ids = op.first_id > ids ? op.first_id : ids;
        }
    } while (op.room == ROOM);
}

static void add(struct counted *to, const struct radon_fast_info *h)
{
    to->handlers += h->activated != 0;
    to->active += h->state == RADON_FAST_ACTIVE && h->hits > 0;
    to->hits += h->hits;
    to->agreed += h->agreed;
    to->disagreed += h->disagreed;
    to->voided += h->voided;
    to->vcpus += h->state == RADON_FAST_RETIRED && h->reason == RADON_FAST_VCPUS;
    to->text += h->state == RADON_FAST_RETIRED && h->reason == RADON_FAST_TEXT_CHANGED;
}

/* The fewest hits of a system call that this one makes; all must have handlers. */
static bool handled(const struct known_call *c, uint64_t *hits)
{
    *hits = UINT64_MAX;
    for (unsigned int i = 0; i < c->nr; i++) {
        const struct counted *n = &of_call[c->makes[i].number];

        if (!n->active)
            return false;
        *hits = n->hits < *hits ? n->hits : *hits;
    }
    return true;
}

static void put(struct call_set *set, unsigned int *nr, unsigned int call)
{
    set->call[(*nr)++] = (unsigned char)call;
}

#define SETTLED 30 /* looks without a call more that has a handler */

/* A change of vCPUs begins it anew. */
static bool settled(unsigned int n)
{
    static unsigned int most, since;

    since = n > most || 2 * n < most ? 0 : since + 1;
    most = since ? most : n;
    return since > SETTLED;
}

static void want(struct wanted *wanted)
{
    uint64_t hits, sum = 0;
    unsigned int n = 0, behind = 0;

    for (unsigned int i = 0; i < KNOWN_CALLS; i++) {
        if (handled(&known_call[i], &hits)) {
            sum += hits;
            put(&wanted->handled, &n, i);
        }
    }
    for (unsigned int i = 0; i < KNOWN_CALLS; i++)
        if (handled(&known_call[i], &hits) && hits <= sum / n)
            put(&wanted->behind, &behind, i);
    wanted->handled.nr = n;
    wanted->behind.nr = behind;
    wanted->settled = settled(n);
}

struct counted count_look(struct wanted *wanted)
{
    struct counted all = { 0 };

    read_list();
    of_others = all;
    for (unsigned int i = 0; i < NUMBERS; i++)
        of_call[i] = all;
    for (uint32_t i = 0; i < ids; i++) {
        const struct radon_fast_info *h = &seen[i];
        bool call = h->attach_kind == FAST_ATTACH_SYSCALL && h->attach_number < NUMBERS;

        add(&all, h);
        if (h->id)
            add(call ? &of_call[h->attach_number] : &of_others, h);
    }
    want(wanted);
    return all;
}

static void tell(const char *name, const struct counted *c, const char *end)
{
    printf("\"%s\": {\"handlers\": %u, \"handled\": %" PRIu64 ", \"compared\": %" PRIu64
           ", \"disagreed\": %" PRIu64 ", \"void\": %" PRIu64 "}%s",
           name, c->handlers, c->hits, c->agreed + c->disagreed, c->disagreed, c->voided, end);
}

void count_tell(void)
{
    struct counted others = of_others;

    for (unsigned int i = 0; i < KNOWN_CALLS; i++) {
        for (unsigned int j = 0; j < known_call[i].nr; j++) {
            struct counted *c = &of_call[known_call[i].makes[j].number];

            tell(known_call[i].makes[j].name, c, ", ");
            *c = (struct counted){ 0 };
        }
    }
    for (unsigned int i = 0; i < NUMBERS; i++) {
        others.handlers += of_call[i].handlers;
        others.hits += of_call[i].hits;
        others.agreed += of_call[i].agreed;
        others.disagreed += of_call[i].disagreed;
        others.voided += of_call[i].voided;
    }
    tell("others", &others, "");
}
