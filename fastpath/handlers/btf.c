/* SPDX-License-Identifier: MIT */
#include "btf.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0xeb9fu
#define MOST_TYPES (1u << 22)
#define DEPTH 32u /* of anonymous structures, of typedefs: more is a circle */
#define LOOKS (1u << 16) /* at members for one name; circles of structures would take without end */

struct head {
    uint16_t magic;
    uint8_t version, flags;
    uint32_t head_bytes, types_at, types_bytes, strings_at, strings_bytes;
};

struct type {
    uint32_t name, info, size; /* size: or the number of another type */
};

struct member {
    uint32_t name, type, offset;
};

struct variable { /* of a section */
    uint32_t type, offset, size;
};

enum kind { INT = 1, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC,
            FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64, KINDS };

static unsigned int kind_of(const struct type *t)
{
    return t->info >> 24 & 0x1f;
}

static uint32_t items(const struct type *t)
{
    return t->info & 0xffff;
}

static size_t size_of_type(const struct type *t)
{
    static const uint8_t fixed[KINDS] = { [INT] = 4, [ARRAY] = 12, [VAR] = 4, [DECL_TAG] = 4 };
    static const uint8_t each[KINDS] = { [STRUCT] = 12, [UNION] = 12, [ENUM] = 8, [FUNC_PROTO] = 8,
                                         [DATASEC] = 12, [ENUM64] = 12 };
    unsigned int kind = kind_of(t);

    return kind && kind < KINDS ? sizeof(*t) + fixed[kind] + (size_t)each[kind] * items(t) : 0;
}

static const struct type *type_number(const struct btf *b, uint32_t id)
{
    return id && id < b->nr ? (const struct type *)(b->types + b->offset[id]) : NULL;
}

static const char *name_at(const struct btf *b, uint32_t at)
{
    return at < b->strings_bytes ? b->strings + at : "";
}

/* ------------------------------------------------------------------ open */

static bool fail(char *error, size_t size, const char *what, const char *which)
{
    snprintf(error, size, "%s%s%s", which, *which ? ": " : "", what);
    return false;
}

/* The section .BTF of an ELF file; false: it has none. */
static bool find_section(const uint8_t **at, size_t *size)
{
    const Elf64_Ehdr *head = (const void *)*at;
    const Elf64_Shdr *s, *names;

    if (*size < sizeof(*head) || head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_shoff % 8 ||
        head->e_shentsize != sizeof(*s) || head->e_shoff > *size ||
        head->e_shnum > (*size - head->e_shoff) / sizeof(*s) || head->e_shstrndx >= head->e_shnum)
        return false;
    s = (const void *)(*at + head->e_shoff);
    names = &s[head->e_shstrndx];
    if (names->sh_offset > *size || names->sh_size > *size - names->sh_offset)
        return false;
    for (unsigned int i = 0; i < head->e_shnum; i++) {
        if (s[i].sh_name >= names->sh_size || names->sh_size - s[i].sh_name < 5 ||
            memcmp(*at + names->sh_offset + s[i].sh_name, ".BTF", 5) || s[i].sh_offset > *size ||
            s[i].sh_size > *size - s[i].sh_offset)
            continue;
        *size = s[i].sh_size;
        *at += s[i].sh_offset;
        return true;
    }
    return false;
}

/* Where each type begins: each must lie inside. */
static bool number_types(struct btf *b)
{
    size_t at = 0, bytes, most = b->types_bytes / sizeof(struct type) + 1;

    b->nr = 1;
    b->offsets = most <= MOST_TYPES ? calloc(most, sizeof(*b->offsets)) : NULL;
    for (; b->offsets && at < b->types_bytes; at += bytes) {
        if (b->types_bytes - at < sizeof(struct type))
            return false;
        bytes = size_of_type((const struct type *)(b->types + at));
        if (!bytes || bytes > b->types_bytes - at)
            return false;
        b->offsets[b->nr++] = (uint32_t)at;
    }
    b->offset = b->offsets;
    return b->offsets;
}

bool btf_open(struct btf *b, const void *file, size_t size, char *error, size_t error_size)
{
    const uint8_t *at = file;
    const struct head *head;

    memset(b, 0, sizeof(*b));
    if (size >= SELFMAG && !memcmp(at, ELFMAG, SELFMAG) && !find_section(&at, &size))
        return fail(error, error_size, "the ELF file has no section .BTF", "");
    head = (const void *)at;
    if (size < sizeof(*head) || (uintptr_t)at % 4 || head->magic != MAGIC || head->version != 1)
        return fail(error, error_size, "neither BTF nor an ELF file with it", "");
    if (head->head_bytes < sizeof(*head) || head->head_bytes > size || head->types_at % 4 ||
        head->head_bytes % 4)
        return fail(error, error_size, "the head of the BTF makes no sense", "");
    size -= head->head_bytes;
    at += head->head_bytes;
    if (head->types_at > size || head->types_bytes > size - head->types_at ||
        head->strings_at > size || head->strings_bytes > size - head->strings_at ||
        !head->strings_bytes || at[head->strings_at + head->strings_bytes - 1])
        return fail(error, error_size, "the BTF is cut short", "");
    b->types = at + head->types_at;
    b->types_bytes = head->types_bytes;
    b->strings = (const char *)at + head->strings_at;
    b->strings_bytes = head->strings_bytes;
    if (number_types(b))
        return true;
    btf_close(b);
    return fail(error, error_size, "the types of the BTF make no sense", "");
}

void btf_close(struct btf *b)
{
    free(b->offsets);
    memset(b, 0, sizeof(*b));
}

/* ------------------------------------------------------------------ find */

/* The type behind typedefs and qualifiers. */
static const struct type *plain(const struct btf *b, uint32_t id)
{
    const struct type *t = type_number(b, id);

    for (unsigned int i = 0; t && i < DEPTH; i++) {
        unsigned int kind = kind_of(t);

        if (kind != TYPEDEF && kind != VOLATILE && kind != CONST && kind != RESTRICT &&
            kind != TYPE_TAG)
            return t;
        t = type_number(b, t->size);
    }
    return NULL;
}

static uint64_t bytes_of(const struct btf *b, uint32_t id, unsigned int depth)
{
    const struct type *t = plain(b, id);
    const uint32_t *array;

    if (!t || depth == DEPTH)
        return 0;
    switch (kind_of(t)) {
    case PTR:
        return 8;
    case ARRAY: /* element type, index type, count */
        array = (const uint32_t *)(t + 1);
        return bytes_of(b, array[0], depth + 1) * array[2];
    case INT:
    case STRUCT:
    case UNION:
    case ENUM:
    case FLOAT:
    case ENUM64:
        return t->size;
    }
    return 0;
}

static bool is_name(const char *s, const char *name, size_t n)
{
    return strlen(s) == n && !memcmp(s, name, n);
}

struct search {
    const struct btf *b;
    const char *name;
    size_t n; /* characters of name */
    uint32_t left; /* looks */
    struct btf_place *place;
};

/* The member of that name, also in anonymous members; adds to the place's offset. */
static const struct member *find_member(struct search *s, const struct type *t, unsigned int depth)
{
    const struct member *m = (const struct member *)(t + 1);
    const struct btf *b = s->b;
    struct btf_place *place = s->place;

    if (depth == DEPTH || (kind_of(t) != STRUCT && kind_of(t) != UNION))
        return NULL;
    for (uint32_t i = 0; i < items(t) && s->left; i++) {
        const char *own = name_at(b, m[i].name);
        uint32_t bit = t->info >> 31 ? m[i].offset & 0xffffff : m[i].offset;
        const struct member *inner;
        const struct type *type;

        s->left--;
        if (*own && !is_name(own, s->name, s->n))
            continue;
        if (*own) {
            place->offset += bit / 8;
            place->bits = t->info >> 31 && m[i].offset >> 24;
            return &m[i];
        }
        type = plain(b, m[i].type);
        inner = type ? find_member(s, type, depth + 1) : NULL;
        if (inner) {
            place->offset += bit / 8;
            return inner;
        }
    }
    return NULL;
}

/* The number of the structure or union of that name; 0: none. */
static uint32_t find_structure(const struct btf *b, const char *name, size_t n)
{
    for (uint32_t id = 1; id < b->nr; id++) {
        const struct type *t = type_number(b, id);

        if ((kind_of(t) == STRUCT || kind_of(t) == UNION) && is_name(name_at(b, t->name), name, n))
            return id;
    }
    return 0;
}

/* The type of a per-CPU variable, and where it lies in the per-CPU area; 0: none. */
static uint32_t find_per_cpu(const struct btf *b, const char *name, size_t n, uint64_t *offset)
{
    for (uint32_t id = 1; id < b->nr; id++) {
        const struct type *t = type_number(b, id);
        const struct variable *v = (const struct variable *)(t + 1);

        if (kind_of(t) != DATASEC || strcmp(name_at(b, t->name), ".data..percpu"))
            continue;
        for (uint32_t i = 0; i < items(t); i++) {
            const struct type *var = type_number(b, v[i].type);

            if (var && kind_of(var) == VAR && is_name(name_at(b, var->name), name, n)) {
                *offset = v[i].offset;
                return var->size;
            }
        }
    }
    return 0;
}

bool btf_find(const struct btf *b, const char *path, struct btf_place *place, char *error,
              size_t error_size)
{
    const char *at = path;
    size_t n = strcspn(at, ".");
    uint32_t id;

    memset(place, 0, sizeof(*place));
    if (is_name("percpu", at, n) && at[n]) {
        at += n + 1;
        n = strcspn(at, ".");
        id = find_per_cpu(b, at, n, &place->offset);
        if (!id)
            return fail(error, error_size, "the kernel has no such per-CPU variable", path);
    } else {
        id = find_structure(b, at, n);
        if (!id)
            return fail(error, error_size, "the kernel has no such structure", path);
    }
    while (at[n]) {
        const struct type *t = plain(b, id);
        struct search s = { .b = b, .left = LOOKS, .place = place };
        const struct member *m;

        at += n + 1;
        s.name = at;
        s.n = n = strcspn(at, ".");
        m = t ? find_member(&s, t, 0) : NULL;
        if (!m)
            return fail(error, error_size, "there is no such member", path);
        id = m->type;
    }
    place->bytes = bytes_of(b, id, 0);
    return true;
}
