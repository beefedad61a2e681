/* SPDX-License-Identifier: MIT */
#include "btf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/btf.h>

#define FILE_MAX_BYTES (64u << 20)
#define NESTING_MAX    16
#define LOOKS_MAX      65536u /* at members for one name; circles of structures would take without end */

static int read_file(struct btf *b, const char *file)
{
    FILE *f = fopen(file, "re");
    size_t room = 0;
    uint8_t *whole;

    if (!f)
        return -errno;
    while (!feof(f) && !ferror(f) && b->nr_bytes < FILE_MAX_BYTES) {
        if (b->nr_bytes == room) {
            uint8_t *bigger = realloc(b->bytes, room = room ? 2 * room : 1u << 20);

            if (!bigger)
                break;
            b->bytes = bigger;
        }
        b->nr_bytes += fread(b->bytes + b->nr_bytes, 1, room - b->nr_bytes, f);
    }
    fclose(f);
    if (!b->nr_bytes)
        return -ENOEXEC;
    whole = realloc(b->bytes, b->nr_bytes); /* no more than there is: a sanitizer sees who reads on */
    if (whole)
        b->bytes = whole;
    return 0;
}

/* What follows the head of a type, in bytes; -1: no kind that is known. */
static int64_t tail_bytes(const struct btf_type *t)
{
    uint32_t n = BTF_INFO_VLEN(t->info);

    switch (BTF_INFO_KIND(t->info)) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
        return 4;
    case BTF_KIND_ARRAY:
        return sizeof(struct btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
        return n * (int64_t)sizeof(struct btf_member);
    case BTF_KIND_ENUM:
        return n * (int64_t)sizeof(struct btf_enum);
    case BTF_KIND_ENUM64:
        return n * 12;
    case BTF_KIND_FUNC_PROTO:
        return n * (int64_t)sizeof(struct btf_param);
    case BTF_KIND_DATASEC:
        return n * (int64_t)sizeof(struct btf_var_secinfo);
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG:
        return 0;
    }
    return -1;
}

/* Note where each type is. */
static int index_types(struct btf *b)
{
    size_t bytes = (size_t)(b->types_end - b->types), room = bytes / sizeof(struct btf_type) + 2;
    size_t at = 0;

    b->type_at = calloc(room, sizeof(*b->type_at));
    if (!b->type_at)
        return -ENOMEM;
    for (b->nr_types = 1; at + sizeof(struct btf_type) <= bytes; b->nr_types++) {
        struct btf_type t;
        int64_t tail;

        memcpy(&t, b->types + at, sizeof(t));
        tail = tail_bytes(&t);
        if (tail < 0 || sizeof(t) + (size_t)tail > bytes - at)
            return -ENOEXEC;
        b->type_at[b->nr_types] = (uint32_t)at;
        at += sizeof(t) + (size_t)tail;
    }
    return 0;
}

int btf_read(struct btf *b, const char *file)
{
    struct btf_header h;
    int rc;

    *b = (struct btf){ 0 };
    rc = read_file(b, file);
    if (!rc)
        rc = -ENOEXEC;
    if (b->nr_bytes >= sizeof(h)) {
        memcpy(&h, b->bytes, sizeof(h));
        if (h.magic == BTF_MAGIC && h.hdr_len <= b->nr_bytes &&
            (uint64_t)h.hdr_len + h.type_off + h.type_len <= b->nr_bytes &&
            (uint64_t)h.hdr_len + h.str_off + h.str_len <= b->nr_bytes && h.str_len &&
            !b->bytes[h.hdr_len + h.str_off + h.str_len - 1]) {
            b->types = b->bytes + h.hdr_len + h.type_off;
            b->types_end = b->types + h.type_len;
            b->strings = (const char *)b->bytes + h.hdr_len + h.str_off;
            b->string_bytes = h.str_len;
            rc = index_types(b);
        }
    }
    if (rc)
        btf_free(b);
    return rc;
}

void btf_free(struct btf *b)
{
    free(b->bytes);
    free(b->type_at);
    *b = (struct btf){ 0 };
}

static const char *text_at(const struct btf *b, uint32_t at)
{
    return at < b->string_bytes ? b->strings + at : "";
}

static bool type_of(const struct btf *b, uint32_t id, struct btf_type *t)
{
    if (!id || id >= b->nr_types)
        return false;
    memcpy(t, b->types + b->type_at[id], sizeof(*t));
    return true;
}

/* A structure or union behind const, volatile and typedef; 0 if it is none. */
static uint32_t plain(const struct btf *b, uint32_t id, struct btf_type *t)
{
    for (unsigned int i = 0; i < NESTING_MAX && type_of(b, id, t); i++) {
        uint32_t kind = BTF_INFO_KIND(t->info);

        if (kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION)
            return id;
        if (kind != BTF_KIND_CONST && kind != BTF_KIND_VOLATILE && kind != BTF_KIND_TYPEDEF)
            return 0;
        id = t->type;
    }
    return 0;
}

/* Offset of `member` ("x.y": y of x) in type id, in bits; -1: not there. `looks` are left. */
static int64_t find(const struct btf *b, uint32_t id, const char *member, unsigned int nesting,
                    uint32_t *looks)
{
    size_t n = strcspn(member, ".");
    struct btf_type t;

    id = nesting < NESTING_MAX ? plain(b, id, &t) : 0;
    if (!id)
        return -1;
    for (uint32_t i = 0; i < BTF_INFO_VLEN(t.info) && *looks; i++) {
        struct btf_member m;
        const char *name;
        int64_t bits, more = -1;

        --*looks;
        memcpy(&m, b->types + b->type_at[id] + sizeof(t) + i * sizeof(m), sizeof(m));
        bits = BTF_INFO_KFLAG(t.info) ? m.offset & 0xffffff : m.offset;
        name = text_at(b, m.name_off);
        if (!*name) /* its members are ours */
            more = find(b, m.type, member, nesting + 1, looks);
        else if (strlen(name) == n && !strncmp(name, member, n))
            more = member[n] ? find(b, m.type, member + n + 1, nesting + 1, looks) : 0;
        if (more >= 0)
            return bits + more;
    }
    return -1;
}

int64_t btf_offset(const struct btf *b, const char *structure, const char *member)
{
    struct btf_type t;

    for (uint32_t id = 1; type_of(b, id, &t); id++)
        if (BTF_INFO_KIND(t.info) == BTF_KIND_STRUCT &&
            !strcmp(text_at(b, t.name_off), structure)) {
            uint32_t looks = LOOKS_MAX;
            int64_t bits = find(b, id, member, 0, &looks);

            return bits < 0 ? -1 : bits / 8;
        }
    return -1;
}
