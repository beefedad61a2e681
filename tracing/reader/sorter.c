/* SPDX-License-Identifier: MIT */
#include "sorter.h"

#include <stdlib.h>

void sorter_init(struct sorter *s, uint64_t window, size_t limit)
{
    *s = (struct sorter){ .window = window, .limit = limit };
}

void sorter_free(struct sorter *s)
{
    free(s->heap);
}

static bool before(const struct held *a, const struct held *b)
{
    return a->rec.tsc != b->rec.tsc ? a->rec.tsc < b->rec.tsc : a->order < b->order;
}

bool sorter_add(struct sorter *s, const struct trace_record *rec)
{
    struct held new = { s->order++, *rec };
    size_t i = s->nr;

    if (s->nr == s->room) {
        size_t room = s->room ? 2 * s->room : 1024;
        struct held *more = realloc(s->heap, room * sizeof(*more));

        if (!more)
            return false;
        s->heap = more;
        s->room = room;
    }
    if (rec->tsc > s->newest)
        s->newest = rec->tsc;
    for (s->nr++; i && before(&new, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = new;
    return true;
}

/* Take the first out: the last one goes down from its place. */
static void remove_first(struct sorter *s)
{
    struct held *last = &s->heap[--s->nr];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < s->nr) {
        if (child + 1 < s->nr && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = *last;
}

bool sorter_take(struct sorter *s, bool all, struct trace_record *rec)
{
    if (!s->nr)
        return false;
    if (!all && s->nr <= s->limit && s->heap[0].rec.tsc + s->window > s->newest)
        return false;
    *rec = s->heap[0].rec;
    remove_first(s);
    return true;
}
