/* SPDX-License-Identifier: MIT */
/*
 * A table of symbols: address to name and offset, name to address.
 *
 * Fill it with symtab_add(), then symtab_sort() once; more may be added and sorted again.  Names are
 * copied.  A symbol without a size reaches to the next one.
 */
#ifndef TRACING_SYMTAB_H
#define TRACING_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    uint64_t address, size;     /* size 0: up to the next symbol */
    uint32_t name, module;      /* offsets in `text`; module 0: none */
    uint32_t order;             /* among those at one address the first that was added counts */
};

struct symtab {
    struct symbol *code;        /* functions: what symtab_lookup() finds */
    size_t nr_code, room_code;
    struct symbol *data;        /* everything else, in the order of adding */
    size_t nr_data, room_data;
    char *text;
    size_t text_bytes, text_room;
    uint32_t last_module;       /* text offset of the module named last */
    bool failed;                /* out of memory once: the table is incomplete */
};

struct symbol_hit {
    const char *name;
    const char *module;         /* "" without */
    uint64_t address, offset;   /* the symbol's, and how far behind it */
};

/* All zeros is an empty table. */
void symtab_free(struct symtab *t);
/* False when out of memory. */
bool symtab_add(struct symtab *t, uint64_t address, uint64_t size, const char *name,
                const char *module, bool is_code);
void symtab_sort(struct symtab *t);

/* The function around address; false if there is none.  hit points into the table. */
bool symtab_lookup(const struct symtab *t, uint64_t address, struct symbol_hit *hit);
/* The address of the first symbol of that name and of no module, code or not. */
bool symtab_find(const struct symtab *t, const char *name, uint64_t *address);

#endif
