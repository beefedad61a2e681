/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char frame_letters[FRAME_KINDS + 1] = "tukhfi";
const char *const stack_how_names[STACK_HOWS] = {
    [STACK_USER] = "user", [STACK_ORC] = "orc", [STACK_PARTIAL] = "partial",
    [STACK_LEAF] = "leaf", [STACK_IDLE] = "idle",
};
const char *const stack_how_texts[STACK_HOWS] = {
    [STACK_USER] = "user stack by frame pointers",
    [STACK_ORC] = "kernel stack by ORC tables",
    [STACK_PARTIAL] = "kernel stack by ORC tables, not to its end",
    [STACK_LEAF] = "kernel: leaf and caller alone",
    [STACK_IDLE] = "idle",
};

void profile_free(struct profile *p)
{
    for (size_t i = 0; i < p->nr_frames; i++) {
        free((char *)p->frame[i].name);
        free((char *)p->frame[i].module);
    }
    for (size_t i = 0; i < p->nr_meta; i++) {
        free(p->meta[i].key);
        free(p->meta[i].value);
    }
    free(p->frame);
    free(p->sample);
    free(p->stack);
    free(p->meta);
    free(p->hash);
    memset(p, 0, sizeof(*p));
}

/* Room for `more` elements behind nr; false without memory. */
static bool grow(void *array, size_t nr, size_t more, size_t *room, size_t size)
{
    size_t want = *room ? *room : 64;
    void *bigger;

    if (nr + more <= *room)
        return true;
    while (want < nr + more)
        want *= 2;
    bigger = realloc(*(void **)array, want * size);
    if (!bigger)
        return false;
    *(void **)array = bigger;
    *room = want;
    return true;
}

/* ------------------------------------------------------------------ frames */

static size_t hash_of(enum frame_kind kind, const char *name, const char *module)
{
    uint64_t h = 0xcbf29ce484222325ull ^ kind; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
    for (h *= 0x100000001b3ull; *module; module++)
        h = (h ^ (uint8_t)*module) * 0x100000001b3ull;
    return (size_t)(h ^ h >> 32);
}

/* Where the frame is in the hash table, or the empty place for it. */
static uint32_t *hash_place(const struct profile *p, enum frame_kind kind, const char *name,
                            const char *module)
{
    size_t at = hash_of(kind, name, module) % p->hash_size;

    for (;; at = (at + 1) % p->hash_size) {
        const struct frame *f;

        if (!p->hash[at])
            return &p->hash[at];
        f = &p->frame[p->hash[at] - 1];
        if (f->kind == kind && !strcmp(f->name, name) && !strcmp(f->module, module))
            return &p->hash[at];
    }
}

static bool grow_frames(struct profile *p)
{
    if (p->nr_frames < p->room_frames)
        return true;
    if (!grow(&p->frame, p->nr_frames, 1, &p->room_frames, sizeof(*p->frame)))
        return false;
    free(p->hash);
    p->hash_size = 2 * p->room_frames;
    p->hash = calloc(p->hash_size, sizeof(*p->hash));
    if (!p->hash) {
        p->hash_size = p->room_frames = 0;
        return false;
    }
    for (size_t i = 0; i < p->nr_frames; i++)
        *hash_place(p, p->frame[i].kind, p->frame[i].name, p->frame[i].module) = (uint32_t)i + 1;
    return true;
}

/* A copy that can stand in a line of fields: no control characters; ';' separates frames. */
static char *clean_copy(const char *s)
{
    char *copy = strdup(s);

    for (char *c = copy; copy && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
        else if (*c == ';')
            *c = ':';
    return copy;
}

static uint32_t new_frame(struct profile *p, enum frame_kind kind, char *name, char *module)
{
    uint32_t *place;

    if (!name || !module || !grow_frames(p)) {
        free(name);
        free(module);
        return UINT32_MAX;
    }
    place = hash_place(p, kind, name, module);
    if (*place) {
        free(name);
        free(module);
        return *place - 1;
    }
    p->frame[p->nr_frames] = (struct frame){ kind, name, module };
    return (*place = (uint32_t)++p->nr_frames) - 1;
}

uint32_t profile_frame(struct profile *p, enum frame_kind kind, const char *name,
                       const char *module)
{
    if (p->hash_size) {
        uint32_t found = *hash_place(p, kind, name, module);

        if (found)
            return found - 1;
    }
    return new_frame(p, kind, clean_copy(name), clean_copy(module));
}

/* ------------------------------------------------------------------ samples, sayings */

bool profile_add(struct profile *p, const struct sample *s, const uint32_t *frames, uint32_t nr)
{
    struct sample *to;

    if (!grow(&p->sample, p->nr_samples, 1, &p->room_samples, sizeof(*p->sample)) ||
        !grow(&p->stack, p->nr_stack, nr, &p->room_stack, sizeof(*p->stack)))
        return false;
    to = &p->sample[p->nr_samples++];
    *to = *s;
    to->first = (uint32_t)p->nr_stack;
    to->nr = nr;
    memcpy(p->stack + p->nr_stack, frames, nr * sizeof(*frames));
    p->nr_stack += nr;
    return true;
}

bool profile_say(struct profile *p, const char *key, const char *format, ...)
{
    struct meta *bigger = realloc(p->meta, (p->nr_meta + 1) * sizeof(*bigger));
    char text[1024];
    va_list ap;

    if (!bigger)
        return false;
    p->meta = bigger;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    bigger[p->nr_meta] = (struct meta){ clean_copy(key), clean_copy(text) };
    if (!bigger[p->nr_meta].key || !bigger[p->nr_meta].value) {
        free(bigger[p->nr_meta].key);
        free(bigger[p->nr_meta].value);
        return false;
    }
    p->nr_meta++;
    return true;
}

const char *profile_said(const struct profile *p, const char *key)
{
    for (size_t i = 0; i < p->nr_meta; i++)
        if (!strcmp(p->meta[i].key, key))
            return p->meta[i].value;
    return NULL;
}
