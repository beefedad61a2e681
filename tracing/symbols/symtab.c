/* SPDX-License-Identifier: MIT */
#include "symtab.h"

#include <stdlib.h>
#include <string.h>

void symtab_free(struct symtab *t)
{
    free(t->code);
    free(t->data);
    free(t->text);
    memset(t, 0, sizeof(*t));
}

/* Room for `more` elements of `size` bytes behind the nr that are used; false without memory. */
static bool grow(void **array, size_t nr, size_t more, size_t *room, size_t size)
{
    size_t want = *room ? *room : 256;
    void *bigger;

    if (nr + more <= *room)
        return true;
    while (want < nr + more)
        want *= 2;
    bigger = realloc(*array, want * size);
    if (!bigger)
        return false;
    *array = bigger;
    *room = want;
    return true;
}

/* Where a copy of s is in text; 0 without memory, since text begins with an empty name. */
static uint32_t keep(struct symtab *t, const char *s)
{
    size_t n = strlen(s) + 1, first = t->text_bytes ? 0 : 1;
    uint32_t at;

    if (t->text_bytes + first + n > UINT32_MAX ||
        !grow((void **)&t->text, t->text_bytes, first + n, &t->text_room, 1))
        return 0;
    if (first)
        t->text[t->text_bytes++] = '\0';
    at = (uint32_t)t->text_bytes;
    memcpy(t->text + at, s, n);
    t->text_bytes += n;
    return at;
}

/* Symbols of a module come in a row: its name is kept once. */
static uint32_t keep_module(struct symtab *t, const char *module)
{
    if (!module || !*module)
        return 0;
    if (!t->last_module || strcmp(t->text + t->last_module, module))
        t->last_module = keep(t, module);
    return t->last_module;
}

bool symtab_add(struct symtab *t, uint64_t address, uint64_t size, const char *name,
                const char *module, bool is_code)
{
    struct symbol s = { .address = address, .size = size, .name = keep(t, name) };

    s.module = keep_module(t, module);
    if (!s.name || !grow(is_code ? (void **)&t->code : (void **)&t->data,
                         is_code ? t->nr_code : t->nr_data, 1,
                         is_code ? &t->room_code : &t->room_data, sizeof(s))) {
        t->failed = true;
        return false;
    }
    s.order = (uint32_t)(is_code ? t->nr_code : t->nr_data);
    if (is_code)
        t->code[t->nr_code++] = s;
    else
        t->data[t->nr_data++] = s;
    return true;
}

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void symtab_sort(struct symtab *t)
{
    if (t->nr_code)
        qsort(t->code, t->nr_code, sizeof(*t->code), by_address);
}

bool symtab_lookup(const struct symtab *t, uint64_t address, struct symbol_hit *hit)
{
    size_t low = 0, high = t->nr_code;
    const struct symbol *s;

    while (low < high) { /* the first symbol above address */
        size_t middle = low + (high - low) / 2;

        if (t->code[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return false;
    s = &t->code[low - 1];
    while (s > t->code && s[-1].address == s->address)
        s--;
    if (s->size && address - s->address >= s->size)
        return false;
    hit->name = t->text + s->name;
    hit->module = t->text + s->module;
    hit->address = s->address;
    hit->offset = address - s->address;
    return true;
}

static bool find_in(const struct symtab *t, const struct symbol *list, size_t nr, const char *name,
                    uint64_t *address)
{
    for (size_t i = 0; i < nr; i++)
        if (!list[i].module && !strcmp(t->text + list[i].name, name)) {
            *address = list[i].address;
            return true;
        }
    return false;
}

bool symtab_find(const struct symtab *t, const char *name, uint64_t *address)
{
    return find_in(t, t->code, t->nr_code, name, address) ||
           find_in(t, t->data, t->nr_data, name, address);
}
