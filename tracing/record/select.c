/* SPDX-License-Identifier: MIT */
#include "select.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

static void want_event(struct selection *s, unsigned int ev)
{
    s->events[ev / 64] |= UINT64_C(1) << ev % 64;
    s->whole[ev] = true;
}

void select_all(struct selection *s)
{
    memset(s, 0, sizeof(*s));
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        want_event(s, ev);
}

/* Events of that name or kind; a kind may have ":*" behind it. */
static bool add_events(struct selection *s, const char *name)
{
    uint64_t bits[RADON_TRACE_EVENTS / 64] = { 0 };
    char kind[TRACE_NAME_MAX], label[TRACE_NAME_MAX];
    size_t n = strlen(name);
    bool any = false;

    snprintf(kind, sizeof(kind), "%s", name);
    if (n > 2 && !strcmp(kind + n - 2, ":*"))
        kind[n - 2] = 0;
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++) {
        const char *full = trace_event_label(ev, label);
        size_t k = strlen(kind);
        bool of_kind = !strncmp(full, kind, k) && (!full[k] || full[k] == ':');

        if (!strcmp(kind, "all") || of_kind || !fnmatch(name, full, 0))
            bits[ev / 64] |= UINT64_C(1) << ev % 64;
    }
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        if (bits[ev / 64] >> ev % 64 & 1) {
            want_event(s, ev);
            any = true;
        }
    return any;
}

/* The row itself, or the operations of the hypercall that it is. */
static bool is_row(const char *name, const char *row)
{
    size_t n = strlen(name);

    return !fnmatch(name, row, 0) || (!strncmp(name, row, n) && row[n] == '.');
}

static bool add_rows(struct selection *s, const char *name)
{
    char row_name[TRACE_NAME_MAX];
    bool any = false;

    for (unsigned int row = 0; row < TRACE_ROW_UNKNOWN; row++) {
        int ev = trace_row_event(row);

        if (ev < 0 || !is_row(name, trace_row_name(row, row_name)))
            continue;
        s->events[ev / 64] |= UINT64_C(1) << ev % 64;
        s->row[row] = any = true;
    }
    return any;
}

static bool asks_for(const struct selection *s, unsigned int ev)
{
    return s->events[ev / 64] >> ev % 64 & 1;
}

/* What `s` has of an event, without the rows that `not` has of it. */
static void subtract_rows(struct selection *s, const struct selection * not, unsigned int ev)
{
    for (unsigned int row = 0; row < TRACE_ROW_UNKNOWN; row++)
        if (trace_row_event(row) == (int)ev)
            s->row[row] = (s->whole[ev] || s->row[row]) && !not ->row[row];
    s->whole[ev] = false;
}

static void subtract(struct selection *s, const struct selection * not )
{
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++) {
        if (!asks_for(s, ev) || !asks_for(not, ev))
            continue;
        if (!not ->whole[ev]) {
            subtract_rows(s, not, ev);
            continue;
        }
        s->events[ev / 64] &= ~(UINT64_C(1) << ev % 64);
        s->whole[ev] = false;
        for (unsigned int row = 0; row < TRACE_ROW_UNKNOWN; row++)
            s->row[row] = s->row[row] && trace_row_event(row) != (int)ev;
    }
}

static void find_partly(struct selection *s)
{
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        if (asks_for(s, ev) && !s->whole[ev])
            s->partly = true;
}

/* One name, with - in front for what is not wanted. */
static bool take_name(struct selection *s, const char *name)
{
    struct selection not = { 0 };

    if (*name != '-')
        return add_events(s, name) || add_rows(s, name);
    if (!add_events(&not, name + 1) && !add_rows(&not, name + 1))
        return false;
    subtract(s, &not );
    return true;
}

bool select_parse(struct selection *s, const char *names, char bad[TRACE_NAME_MAX])
{
    memset(s, 0, sizeof(*s));
    want_event(s, TRACE_EV_runstate_change);
    want_event(s, TRACE_EV_lost_records);
    for (const char *at = names;;) {
        size_t n = strcspn(at, ",");

        snprintf(bad, TRACE_NAME_MAX, "%.*s", (int)(n < TRACE_NAME_MAX ? n : TRACE_NAME_MAX - 1),
                 at);
        if (!n || n >= TRACE_NAME_MAX || !take_name(s, bad))
            return false;
        if (!at[n])
            break;
        at += n + 1;
    }
    find_partly(s);
    return true;
}

bool select_wants(const struct selection *s, const struct trace_record *rec)
{
    int ev = trace_event_find(rec->event);

    return ev < 0 || s->whole[ev] || s->row[trace_row_of(rec)];
}

bool select_shows(const struct selection *s, const struct trace_record *rec)
{
    int ev = trace_event_find(rec->event);

    return ev >= 0 && (s->whole[ev] || s->row[trace_row_of(rec)]);
}
