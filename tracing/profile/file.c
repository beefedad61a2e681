/* SPDX-License-Identifier: MIT */
/*
 * The file of a profile: a first line with the magic, then lines
 *   meta KEY VALUE
 *   frame NUMBER KIND NAME MODULE          numbers count from 0, in order
 *   sample TSC CPU DOMAIN VCPU PID TID WEIGHT HOW RIP FRAME,FRAME,...
 *   end SAMPLES                            the last; without it the file is not whole
 * with tabs in between.  RIP and TSC are hexadecimal.
 */
#include "profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 12

/* ------------------------------------------------------------------ writing */

static void write_sample(const struct profile *p, const struct sample *s, FILE *f)
{
    fprintf(f, "sample\t%" PRIx64 "\t%u\t%u\t%u\t%u\t%u\t%u\t%s\t%" PRIx64 "\t", s->tsc, s->cpu,
            s->domain, s->vcpu, s->pid, s->tid, s->weight, stack_how_names[s->how], s->rip);
    for (uint32_t i = 0; i < s->nr; i++)
        fprintf(f, i ? ",%u" : "%u", p->stack[s->first + i]);
    fputc('\n', f);
}

bool profile_write(const struct profile *p, FILE *f)
{
    fputs(PROFILE_MAGIC "\n", f);
    for (size_t i = 0; i < p->nr_meta; i++)
        fprintf(f, "meta\t%s\t%s\n", p->meta[i].key, p->meta[i].value);
    for (size_t i = 0; i < p->nr_frames; i++)
        fprintf(f, "frame\t%zu\t%c\t%s\t%s\n", i, frame_letters[p->frame[i].kind],
                p->frame[i].name, p->frame[i].module);
    for (size_t i = 0; i < p->nr_samples; i++)
        write_sample(p, &p->sample[i], f);
    fprintf(f, "end\t%zu\n", p->nr_samples);
    return !fflush(f) && !ferror(f);
}

/* ------------------------------------------------------------------ reading */

struct reading {
    struct profile *p;
    profile_defect_fn *defect;
    void *ctx;
    uint64_t line, offset;
    bool ended, no_memory;
    uint32_t *number;           /* frames of the file: their numbers here */
    size_t nr_numbers, room;
};

static void bad(struct reading *r, const char *what)
{
    r->p->defects++;
    r->defect(r->ctx, r->line, r->offset, what);
}

static bool number_of(const char *s, int base, uint64_t max, uint64_t *n)
{
    char *end;

    errno = 0;
    *n = strtoull(s, &end, base);
    return *s && *s != '-' && *s != '+' && *s != ' ' && !*end && !errno && *n <= max;
}

static void read_frame(struct reading *r, char **field, unsigned int nr)
{
    const char *letter = nr == 5 && strlen(field[2]) == 1 ? strchr(frame_letters, *field[2]) : NULL;
    uint64_t n;

    if (!letter || !number_of(field[1], 10, UINT32_MAX - 1, &n) || n != r->nr_numbers) {
        bad(r, "no frame, or not the next one");
        return;
    }
    if (r->nr_numbers == r->room) {
        size_t room = r->room ? 2 * r->room : 256;
        uint32_t *bigger = realloc(r->number, room * sizeof(*bigger));

        if (!bigger) {
            r->no_memory = true;
            return;
        }
        r->number = bigger;
        r->room = room;
    }
    n = profile_frame(r->p, (enum frame_kind)(letter - frame_letters), field[3], field[4]);
    r->no_memory = n == UINT32_MAX;
    if (!r->no_memory)
        r->number[r->nr_numbers++] = (uint32_t)n;
}

/* The list of frames; how many, or -1. */
static int read_stack(const struct reading *r, char *text, uint32_t stack[PROFILE_DEPTH])
{
    int nr = 0;
    char *save;

    for (char *s = strtok_r(text, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
        uint64_t n;

        if (nr == PROFILE_DEPTH || !number_of(s, 10, UINT32_MAX, &n) || n >= r->nr_numbers)
            return -1;
        stack[nr++] = r->number[n];
    }
    return nr;
}

static void read_sample(struct reading *r, char **field, unsigned int nr)
{
    static const uint64_t max[] = { UINT64_MAX, UINT32_MAX, UINT16_MAX, UINT32_MAX,
                                    UINT32_MAX, UINT32_MAX, UINT32_MAX };
    uint64_t n[7], rip;
    uint32_t stack[PROFILE_DEPTH];
    unsigned int how = 0;
    struct sample s;
    int depth;

    for (unsigned int i = 0; nr == 11 && i < 7; i++)
        if (!number_of(field[i + 1], i ? 10 : 16, max[i], &n[i]))
            nr = 0;
    while (nr == 11 && how < STACK_HOWS && strcmp(field[8], stack_how_names[how]))
        how++;
    if (nr != 11 || how == STACK_HOWS || !number_of(field[9], 16, UINT64_MAX, &rip)) {
        bad(r, "no sample");
        return;
    }
    depth = read_stack(r, field[10], stack);
    if (depth < 1) {
        bad(r, "a sample whose frames are not there");
        return;
    }
    s = (struct sample){ .tsc = n[0], .cpu = (uint32_t)n[1], .domain = (uint16_t)n[2],
                         .vcpu = (uint32_t)n[3], .pid = (uint32_t)n[4], .tid = (uint32_t)n[5],
                         .weight = (uint32_t)n[6], .how = (enum stack_how)how, .rip = rip };
    r->no_memory = !profile_add(r->p, &s, stack, (uint32_t)depth);
}

static void read_end(struct reading *r, char **field, unsigned int nr)
{
    uint64_t n;

    r->ended = true;
    if (nr != 2 || !number_of(field[1], 10, UINT64_MAX, &n))
        bad(r, "no number of samples");
    else if (n != r->p->nr_samples)
        bad(r, "samples are missing");
}

static void read_line(struct reading *r, char *line)
{
    char *field[FIELDS_MAX];
    unsigned int nr = 0;

    for (char *s = line; s && nr < FIELDS_MAX; nr++) {
        field[nr] = s;
        s = strchr(s, '\t');
        if (s)
            *s++ = '\0';
    }
    if (r->ended)
        bad(r, "behind the end");
    else if (!strcmp(field[0], "sample"))
        read_sample(r, field, nr);
    else if (!strcmp(field[0], "frame"))
        read_frame(r, field, nr);
    else if (!strcmp(field[0], "meta") && nr == 3)
        r->no_memory = !profile_say(r->p, field[1], "%s", field[2]);
    else if (!strcmp(field[0], "end"))
        read_end(r, field, nr);
    else
        bad(r, "no such line");
}

/* ------------------------------------------------------------------ folded stacks */

/* The kind of a frame in folded form: FlameGraph's marks, see fold.c. */
static enum frame_kind kind_of_mark(char *name, bool root)
{
    static const struct { char mark[5]; enum frame_kind kind; } marks[] = {
        { "_[k]", FRAME_KERNEL }, { "_[h]", FRAME_HYPERVISOR }, { "_[f]", FRAME_HANDLER },
        { "_[i]", FRAME_IDLE },
    };
    size_t length = strlen(name);

    for (unsigned int i = 0; length > 4 && i < sizeof(marks) / sizeof(*marks); i++)
        if (!strcmp(name + length - 4, marks[i].mark)) {
            name[length - 4] = '\0';
            return marks[i].kind;
        }
    return root ? FRAME_TASK : FRAME_USER;
}

/* "a;b;c N" */
static void read_folded(struct reading *r, char *line)
{
    char *space = strrchr(line, ' '), *save;
    uint32_t stack[PROFILE_DEPTH], nr = 0;
    struct sample s = { .how = STACK_USER };
    uint64_t n;

    if (!space || !number_of(space + 1, 10, UINT32_MAX, &n)) {
        bad(r, "no stack with a number behind it");
        return;
    }
    *space = '\0';
    for (char *f = strtok_r(line, ";", &save); f && nr < PROFILE_DEPTH;
         f = strtok_r(NULL, ";", &save)) {
        enum frame_kind kind = kind_of_mark(f, !nr);

        stack[nr] = profile_frame(r->p, kind, f, "");
        r->no_memory = r->no_memory || stack[nr++] == UINT32_MAX;
    }
    s.weight = (uint32_t)n;
    if (!nr)
        bad(r, "an empty stack");
    else if (!r->no_memory)
        r->no_memory = !profile_add(r->p, &s, stack, nr);
}

bool profile_read(struct profile *p, FILE *f, profile_defect_fn *defect, void *ctx)
{
    struct reading r = { .p = p, .defect = defect, .ctx = ctx };
    bool folded = false, whole = true;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    while (!r.no_memory && (n = getline(&line, &room, f)) >= 0) {
        r.line++;
        whole = n && line[n - 1] == '\n';
        if (whole)
            line[n - 1] = '\0';
        if (memchr(line, '\0', (size_t)n - whole))
            bad(&r, "a zero byte");
        else if (r.line == 1 && strcmp(line, PROFILE_MAGIC))
            read_folded(&r, (folded = true, line));
        else if (folded && *line)
            read_folded(&r, line);
        else if (!folded && r.line > 1)
            read_line(&r, line);
        r.offset += (uint64_t)n;
    }
    if (!folded && !r.ended && r.line && !r.no_memory)
        bad(&r, "the file ends here, and is not whole");
    free(line);
    free(r.number);
    return r.line && !r.no_memory && !ferror(f) && p->nr_samples + !folded;
}
