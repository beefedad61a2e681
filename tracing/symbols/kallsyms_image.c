/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* memmem */
#include "kallsyms_image.h"

#include <errno.h>
#include <string.h>

#define TOKENS        256u
#define MARKED        256u      /* symbols from one marker to the next */
#define NAME_MAX_CHARS 512u
#define SYMBOLS_MAX   (4u << 20)

struct tables {
    const uint8_t *image;
    size_t bytes;
    size_t tokens, token_index; /* places in the image */
    size_t markers, nr_markers;
    size_t names;
    uint32_t nr;
    uint64_t base;
    size_t offsets;
};

static uint32_t u16_at(const struct tables *t, size_t at)
{
    uint16_t v;

    memcpy(&v, t->image + at, sizeof(v));
    return v;
}

static uint32_t u32_at(const struct tables *t, size_t at)
{
    uint32_t v;

    memcpy(&v, t->image + at, sizeof(v));
    return v;
}

static size_t up(size_t at)
{
    return (at + 7) & ~(size_t)7;
}

/* ------------------------------------------------------------------ finding them */

/*
 * The tokens around `digits`, where the tokens "0" to "9" are, each its own character as they are in every
 * kernel; they are checked against the index behind them.
 */
static bool find_tokens(struct tables *t, size_t digits)
{
    size_t at = digits, first;

    for (unsigned int i = '0'; i < TOKENS; i++) {
        const uint8_t *end = memchr(t->image + at, 0, t->bytes - at);

        if (!end)
            return false;
        at = (size_t)(end - t->image) + 1;
    }
    t->token_index = up(at);
    if (t->token_index + 2 * TOKENS > t->bytes || u16_at(t, t->token_index))
        return false;
    first = u16_at(t, t->token_index + 2 * '0');
    if (first > digits)
        return false;
    t->tokens = digits - first;
    for (unsigned int i = 1; i < TOKENS; i++) {
        size_t token = t->tokens + u16_at(t, t->token_index + 2 * i);

        if (token <= t->tokens || token >= at || t->image[token - 1])
            return false;
    }
    return t->tokens % 8 == 0;
}

/* Whether nr markers end, but for padding, before `end`: they begin with 0 and rise. */
static bool markers_before(struct tables *t, size_t end, size_t nr)
{
    size_t at = end - up(4 * nr);

    if (nr < 2 || up(4 * nr) > end || u32_at(t, at))
        return false;
    for (size_t i = 1; i < nr; i++)
        if (u32_at(t, at + 4 * i) <= u32_at(t, at + 4 * i - 4))
            return false;
    t->markers = at;
    t->nr_markers = nr;
    return true;
}

/*
 * Between markers and tokens there may be a table with 3 bytes for each symbol: of how many, its size
 * says but for a few, and so how many markers there are.
 */
static bool find_markers(struct tables *t)
{
    for (size_t nr = 2; 4 * nr <= t->tokens && nr <= SYMBOLS_MAX / MARKED; nr++)
        if (markers_before(t, t->tokens, nr))
            return true;
    for (size_t gap = 8; gap <= t->tokens && gap <= 3 * SYMBOLS_MAX; gap += 8) {
        size_t most = (gap / 3 + MARKED - 1) / MARKED, least = ((gap - 7) / 3 + MARKED - 1) / MARKED;

        if (markers_before(t, t->tokens - gap, most) ||
            (least != most && markers_before(t, t->tokens - gap, least)))
            return true;
    }
    return false;
}

/* The bytes of the name at *at, in *length, *at moved to them; false at the image's end. */
static bool name_length(const struct tables *t, size_t *at, uint32_t *length)
{
    if (*at + 2 > t->bytes)
        return false;
    *length = t->image[(*at)++];
    if (*length & 0x80)
        *length = (*length & 0x7f) | (uint32_t)t->image[(*at)++] << 7;
    return *length <= t->bytes - *at;
}

/* Whether names begin there: the first 256 end where the second marker says. */
static bool names_at(const struct tables *t, size_t names)
{
    size_t at = names;
    uint32_t length;

    for (unsigned int i = 0; i < MARKED; i++) {
        if (!name_length(t, &at, &length) || !length)
            return false;
        at += length;
    }
    return at - names == u32_at(t, t->markers + 4);
}

/* Names lie before the markers, and right before them their number, which the markers bound. */
static bool find_names(struct tables *t)
{
    uint32_t last = u32_at(t, t->markers + 4 * (t->nr_markers - 1));
    size_t most = (size_t)last + MARKED * NAME_MAX_CHARS;

    for (size_t back = up(last); back <= most && back + 16 <= t->markers; back += 8) {
        size_t names = t->markers - back;
        uint32_t nr = u32_at(t, names - 8);

        if (u32_at(t, names - 4) || nr <= (t->nr_markers - 1) * MARKED ||
            nr > t->nr_markers * MARKED || !names_at(t, names) ||
            names < 16 + up(4 * (size_t)nr))
            continue;
        t->names = names;
        t->nr = nr;
        memcpy(&t->base, t->image + names - 16, sizeof(t->base));
        t->offsets = names - 16 - up(4 * (size_t)nr);
        return true;
    }
    return false;
}

static bool find_tables(struct tables *t)
{
    static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
    const uint8_t *at = t->image;

    while ((at = memmem(at, t->bytes - (size_t)(at - t->image), digits, sizeof(digits)))) {
        if (find_tokens(t, (size_t)(at - t->image)) && find_markers(t) && find_names(t))
            return true;
        at++;
    }
    return false;
}

/* ------------------------------------------------------------------ reading them */

/* The name at *at with its tokens' texts in their places, *at moved behind it. */
static bool expand(const struct tables *t, size_t *at, char text[NAME_MAX_CHARS + 1])
{
    uint32_t length, n = 0;

    if (!name_length(t, at, &length))
        return false;
    for (; length--; (*at)++) {
        size_t token = t->tokens + u16_at(t, t->token_index + 2u * t->image[*at]);

        for (; t->image[token]; token++) {
            if (n == NAME_MAX_CHARS)
                return false;
            text[n++] = (char)t->image[token];
        }
    }
    text[n] = '\0';
    return n > 1;
}

static uint64_t address_of(const struct tables *t, uint32_t i)
{
    int32_t offset = (int32_t)u32_at(t, t->offsets + 4 * (size_t)i);

    return offset >= 0 ? (uint64_t)offset : t->base - 1 - (uint64_t)(int64_t)offset;
}

long kallsyms_image_read(struct symtab *t, const uint8_t *image, size_t bytes)
{
    struct tables found = { .image = image, .bytes = bytes };
    char text[NAME_MAX_CHARS + 1];
    size_t at;

    if (!find_tables(&found))
        return -ENODATA;
    at = found.names;
    for (uint32_t i = 0; i < found.nr; i++) {
        uint64_t address = address_of(&found, i);

        if (!expand(&found, &at, text))
            return -ENODATA;
        if (!symtab_add(t, address, 0, text + 1, NULL, address && strchr("tTwW", *text)))
            return -ENOMEM;
    }
    symtab_sort(t);
    return found.nr;
}
