/* SPDX-License-Identifier: MIT */
/* radon-handler log: what radon-prof decided. */
#include "handler.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static const struct table_column columns[] = {
    { "time_ns", NULL, false },
    { "uptime_ns", NULL, false },
    { "domain", NULL, false },
    { "what", NULL, true },
    { "point", NULL, true },
    { "address", NULL, true },
    { "by", NULL, true },
    { "reason", NULL, true },
    { "handler", NULL, false },
    { "text", NULL, true },
};

static void row(struct table *t, const struct log_entry *e)
{
    char point[FAST_POINT_TEXT];

    table_number(t, e->time_ns);
    table_number(t, e->uptime_ns);
    table_number(t, e->point.domain);
    table_text(t, decision_name(e->decision));
    table_text(t, e->point.kind ? fast_point_text(&e->point, point) : "-");
    table_hex(t, e->point.address);
    table_text(t, e->by);
    table_text(t, e->reason);
    if (e->handler)
        table_number(t, e->handler);
    else
        table_unknown(t);
    table_text(t, e->text);
}

/* All whole lines that there are; how many were none of the log. */
static unsigned int read_lines(FILE *f, const struct handler_options *o, struct table *t)
{
    static char line[8192];
    struct log_entry e;
    unsigned int bad = 0;

    while (fgets(line, sizeof(line), f)) {
        if (!log_parse(line, &e))
            bad++;
        else if (o->format == TABLE_TEXT)
            log_print(stdout, &e);
        else
            row(t, &e);
    }
    return bad;
}

int handler_log(const struct handler_options *o)
{
    const char *path = o->log ? o->log : PROF_FOLDER "/" LOG_NAME;
    struct table t;
    unsigned int bad;
    FILE *f;

    if (o->follow && o->format != TABLE_TEXT)
        return handler_misuse("--follow is for text");
    f = fopen(path, "re");
    if (!f)
        return handler_fail("%s: %s%s", path, strerror(errno),
                            errno == ENOENT ? " (radon-prof writes it)" : "");
    table_init(&t, o->format, "radon-handler-log", columns, sizeof(columns) / sizeof(columns[0]));
    bad = read_lines(f, o, &t);
    while (o->follow && !fflush(stdout)) {
        usleep(200000);
        clearerr(f);
        bad += read_lines(f, o, &t);
    }
    fclose(f);
    if (bad)
        handler_fail("%s: %u lines are none of radon-prof", path, bad);
    if (o->format == TABLE_TEXT)
        return fflush(stdout) ? EXIT_FAILED : bad ? EXIT_FAILED : EXIT_DONE;
    return table_print(&t, stdout, !bad, bad, NULL) && !bad ? EXIT_DONE : EXIT_FAILED;
}
