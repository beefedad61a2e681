/* SPDX-License-Identifier: MIT */
#include "maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 8192 /* a path of 4096 with every character escaped would not be in use */

void process_maps_free(struct process_maps *m)
{
    for (size_t i = 0; i < m->nr; i++)
        free(m->list[i].path);
    free(m->list);
    *m = (struct process_maps){ 0 };
}

/* "start-end perms offset device inode   path"; false when out of memory. */
static bool add_line(struct process_maps *m, char *line)
{
    struct mapping map, *bigger;
    char permissions[8];
    int path_at = 0;

    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &map.start, &map.end,
               permissions, &map.offset, &path_at) != 4 || !path_at)
        return true;
    if (permissions[2] != 'x')
        return true;
    bigger = realloc(m->list, (m->nr + 1) * sizeof(map));
    if (!bigger)
        return false;
    m->list = bigger;
    map.path = strdup(line + path_at);
    if (!map.path)
        return false;
    m->list[m->nr++] = map;
    return true;
}

int process_maps_read(struct process_maps *m, const char *file)
{
    char line[LINE_MAX_BYTES];
    FILE *f = fopen(file, "re");
    bool ok = true;

    *m = (struct process_maps){ 0 };
    if (!f)
        return -errno;
    while (ok && fgets(line, sizeof(line), f))
        ok = add_line(m, line);
    ok = ok && !ferror(f);
    fclose(f);
    if (!ok)
        process_maps_free(m);
    return ok ? 0 : -ENOMEM;
}

const struct mapping *process_maps_find(const struct process_maps *m, uint64_t address)
{
    for (size_t i = 0; i < m->nr; i++)
        if (address >= m->list[i].start && address < m->list[i].end)
            return &m->list[i];
    return NULL;
}
