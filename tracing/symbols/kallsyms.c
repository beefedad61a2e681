/* SPDX-License-Identifier: MIT */
#include "kallsyms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 1024

/* Add what one line says; false when out of memory.  Lines that say nothing are passed over. */
static bool add_line(struct symtab *t, char *line, bool *seen_address)
{
    char *end, *save, *name, *module;
    uint64_t address = strtoull(line, &end, 16);
    char type;

    if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ')
        return true;
    type = end[1];
    name = strtok_r(end + 3, " \t\n", &save);
    if (!name)
        return true;
    module = strtok_r(NULL, " \t\n[]", &save);
    if (address)
        *seen_address = true;
    return symtab_add(t, address, 0, name, module, address && strchr("tTwW", type));
}

int kallsyms_read(struct symtab *t, const char *file)
{
    size_t before = t->nr_code + t->nr_data;
    char line[LINE_MAX_BYTES];
    bool seen_address = false, ok = true;
    FILE *f = fopen(file, "re");

    if (!f)
        return -errno;
    while (ok && fgets(line, sizeof(line), f))
        ok = add_line(t, line, &seen_address);
    if (ferror(f)) {
        fclose(f);
        return -EIO;
    }
    fclose(f);
    if (!ok)
        return -ENOMEM;
    if (t->nr_code + t->nr_data == before)
        return -ENODATA;
    if (!seen_address)
        return -EPERM;
    symtab_sort(t);
    return 0;
}

uint64_t kallsyms_generation(const char *modules_file)
{
    /* Name and address of each line, not its use count: FNV-1a. */
    uint64_t hash = 0xcbf29ce484222325ull;
    char line[LINE_MAX_BYTES];
    FILE *f = fopen(modules_file, "re");

    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f)) {
        char *save, *word = strtok_r(line, " \n", &save);

        for (unsigned int column = 0; word; column++, word = strtok_r(NULL, " \n", &save))
            for (char *c = word; (column == 0 || column == 5) && *c; c++)
                hash = (hash ^ (uint8_t)*c) * 0x100000001b3ull;
    }
    fclose(f);
    return hash;
}
