/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *meaning;
    uint32_t value, least, most;
    size_t offset;
} rows[] = {
#define POLICY(name, value, least, most, meaning)                                                  \
    { #name, meaning, value, least, most, offsetof(struct policy, name) },
#include "policy.def"
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static uint32_t *field(struct policy *p, unsigned int row)
{
    return (uint32_t *)((char *)p + rows[row].offset);
}

void policy_default(struct policy *p)
{
    memset(p, 0, sizeof(*p));
    for (unsigned int i = 0; i < ROWS; i++)
        *field(p, i) = rows[i].value;
}

static bool exclude(struct policy *p, const char *value, char *error, size_t size)
{
    if (p->nr_exclude == POLICY_EXCLUDED || strlen(value) >= sizeof(p->exclude[0]) || !*value) {
        snprintf(error, size, "exclude: at most %d names of up to 95 characters", POLICY_EXCLUDED);
        return false;
    }
    strcpy(p->exclude[p->nr_exclude++], value);
    return true;
}

bool policy_set(struct policy *p, const char *name, const char *value, char *error, size_t size)
{
    unsigned long n;
    char *end;

    if (!strcmp(name, "exclude"))
        return exclude(p, value, error, size);
    for (unsigned int i = 0; i < ROWS; i++) {
        if (strcmp(name, rows[i].name))
            continue;
        errno = 0;
        n = strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || *end || errno || n < rows[i].least ||
            n > rows[i].most) {
            snprintf(error, size, "%s = %s: a number from %u to %u", name, value, rows[i].least,
                     rows[i].most);
            return false;
        }
        *field(p, i) = (uint32_t)n;
        return true;
    }
    snprintf(error, size, "%s: the policy has no such name", name);
    return false;
}

/* Cuts spaces off both ends. */
static char *trimmed(char *s)
{
    char *end = s + strlen(s);

    while (end > s && strchr(" \t\r\n", end[-1]))
        *--end = 0;
    return s + strspn(s, " \t");
}

static bool set_line(struct policy *p, char *line, char *error, size_t size)
{
    char *value, *hash = strchr(line, '#');

    if (hash)
        *hash = 0;
    line = trimmed(line);
    if (!*line)
        return true;
    value = strchr(line, '=');
    if (!value) {
        snprintf(error, size, "\"name = value\" is expected");
        return false;
    }
    *value++ = 0;
    return policy_set(p, trimmed(line), trimmed(value), error, size);
}

bool policy_read(struct policy *p, const char *path, bool must, char *error, size_t size)
{
    FILE *f = fopen(path, "re");
    char line[512], why[256];
    bool ok = true;

    if (!f) {
        snprintf(error, size, "%s: %s", path, strerror(errno));
        return errno == ENOENT && !must;
    }
    for (unsigned int n = 1; ok && fgets(line, sizeof(line), f); n++) {
        ok = set_line(p, line, why, sizeof(why));
        if (!ok)
            snprintf(error, size, "%s, line %u: %s", path, n, why);
    }
    if (ok && ferror(f)) {
        snprintf(error, size, "%s: %s", path, strerror(errno));
        ok = false;
    }
    fclose(f);
    return ok;
}

void policy_print(FILE *out, const struct policy *p)
{
    for (unsigned int i = 0; i < ROWS; i++)
        fprintf(out, "# %s; %u to %u\n%s = %u\n", rows[i].meaning, rows[i].least, rows[i].most,
                rows[i].name, *field((struct policy *)p, i));
    fprintf(out, "# an attach point that is left alone, as the log names it; any number of lines\n");
    for (unsigned int i = 0; i < p->nr_exclude; i++)
        fprintf(out, "exclude = %s\n", p->exclude[i]);
    if (!p->nr_exclude)
        fprintf(out, "# exclude = syscall:getpid\n");
}
