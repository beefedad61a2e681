/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "table.h"

static const struct {
    const char *name, *meaning;
} decisions[] = {
#define DECISION(name, meaning) { #name, meaning },
#include "decisions.def"
};

static const struct {
    const char *name, *meaning, *advice;
} whys[] = {
#define WHY(name, meaning, advice) { #name, meaning, advice },
#include "decisions.def"
};

const char *decision_name(unsigned int decision)
{
    return decision < NR_DECISIONS ? decisions[decision].name : "unknown";
}

const char *decision_meaning(unsigned int decision)
{
    return decision < NR_DECISIONS ? decisions[decision].meaning : "unknown";
}

const char *why_name(enum why why)
{
    return why < NR_WHYS ? whys[why].name : "unknown";
}

const char *why_meaning(enum why why)
{
    return why < NR_WHYS ? whys[why].meaning : "";
}

const char *why_advice(enum why why)
{
    return why < NR_WHYS ? whys[why].advice : "";
}

enum why why_find(const char *name)
{
    unsigned int i = 0;

    while (i < NR_WHYS && strcmp(whys[i].name, name))
        i++;
    return (enum why)i;
}

/* ------------------------------------------------------------------ write */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

bool log_open(struct log *l, const char *path, uint64_t limit, bool echo)
{
    struct stat st = { 0 };

    *l = (struct log){ .limit = limit, .echo = echo };
    if (!path)
        return true;
    snprintf(l->path, sizeof(l->path), "%s", path);
    l->file = fopen(path, "ae");
    if (!l->file)
        return false;
    l->written = fstat(fileno(l->file), &st) ? 0 : (uint64_t)st.st_size;
    if (!S_ISREG(st.st_mode))
        l->limit = UINT64_MAX; /* a device keeps its name */
    return true;
}

void log_close(struct log *l)
{
    if (l->file)
        fclose(l->file);
    l->file = NULL;
}

/* The log becomes FILE.1, in place of the one before, and a new one is begun. */
static void rotate(struct log *l)
{
    char old[sizeof(l->path) + 2];

    snprintf(old, sizeof(old), "%s.1", l->path);
    fclose(l->file);
    rename(l->path, old);
    l->file = fopen(l->path, "we");
    l->written = 0;
}

static void print_line(FILE *out, const struct log_entry *e)
{
    fprintf(out, "{\"time_ns\":%" PRIu64 ",\"uptime_ns\":%" PRIu64 ",\"what\":\"%s\",\"domain\":%u,",
            e->time_ns, e->uptime_ns, decision_name(e->decision), e->point.domain);
    fprintf(out, "\"kind\":%u,\"number\":%u,\"address\":\"0x%" PRIx64 "\",\"handler\":%u,",
            e->point.kind, e->point.number, e->point.address, e->handler);
    fprintf(out, "\"by\":\"%s\",\"reason\":\"%s\",\"text\":", e->by, e->reason);
    json_string(out, e->text);
    fputs("}\n", out);
}

void log_write(struct log *l, struct log_entry *e)
{
    if (!e->time_ns) {
        e->time_ns = clock_ns(CLOCK_REALTIME);
        e->uptime_ns = clock_ns(CLOCK_BOOTTIME);
    }
    if (l->echo)
        log_print(stderr, e);
    if (l->hook)
        l->hook(l->hook_ctx, e);
    if (l->file && l->written > l->limit)
        rotate(l);
    if (!l->file)
        return;
    print_line(l->file, e);
    fflush(l->file);
    l->written = (uint64_t)ftell(l->file);
}

/* ------------------------------------------------------------------ read */

/* What stands behind "key": in a line that print_line() wrote. */
static const char *value_of(const char *line, const char *key)
{
    char pattern[32];
    const char *at;

    snprintf(pattern, sizeof(pattern), "\"%s\":", key);
    at = strstr(line, pattern);
    return at ? at + strlen(pattern) : NULL;
}

static bool number_of(const char *line, const char *key, uint64_t *value)
{
    const char *at = value_of(line, key);
    char *end;

    if (!at)
        return false;
    at += *at == '"';
    errno = 0;
    *value = strtoull(at, &end, 0);
    return end != at && !errno;
}

static bool text_of(const char *line, const char *key, char *out, size_t room)
{
    const char *at = value_of(line, key);
    unsigned int code;
    size_t n = 0;

    if (!at || *at++ != '"')
        return false;
    for (; *at && *at != '"'; at++) {
        char c = *at;

        if (c == '\\' && at[1] == 'u' && strspn(at + 2, "0123456789abcdefABCDEF") >= 4 &&
            sscanf(at + 2, "%4x", &code) == 1) {
            c = (char)code;
            at += 5;
        } else if (c == '\\' && at[1]) {
            c = *++at == 'n' ? '\n' : *at;
        }
        if (n + 1 < room)
            out[n++] = c;
    }
    out[n] = 0;
    return *at == '"';
}

bool log_parse(const char *line, struct log_entry *e)
{
    uint64_t domain, kind, number, handler;
    char what[24];

    memset(e, 0, sizeof(*e));
    if (!number_of(line, "time_ns", &e->time_ns) || !number_of(line, "uptime_ns", &e->uptime_ns) ||
        !number_of(line, "domain", &domain) || !number_of(line, "kind", &kind) ||
        !number_of(line, "number", &number) || !number_of(line, "address", &e->point.address) ||
        !number_of(line, "handler", &handler) || !text_of(line, "what", what, sizeof(what)) ||
        !text_of(line, "by", e->by, sizeof(e->by)) ||
        !text_of(line, "reason", e->reason, sizeof(e->reason)) ||
        !text_of(line, "text", e->text, sizeof(e->text)))
        return false;
    e->point.domain = (uint16_t)domain;
    e->point.kind = (uint32_t)kind;
    e->point.number = (uint32_t)number;
    e->handler = (uint32_t)handler;
    while (e->decision < NR_DECISIONS && strcmp(what, decisions[e->decision].name))
        e->decision++;
    return e->decision < NR_DECISIONS;
}

void log_print(FILE *out, const struct log_entry *e)
{
    char point[FAST_POINT_TEXT];

    fprintf(out, "%10.3f  d%-3u %-10s %-28s %-12s %-16s", (double)e->uptime_ns / 1e9,
            e->point.domain, decision_name(e->decision),
            e->point.kind ? fast_point_text(&e->point, point) : "-", e->by, e->reason);
    if (e->handler)
        fprintf(out, " #%u", e->handler);
    fprintf(out, "%s%s\n", *e->text ? " " : "", e->text);
}
