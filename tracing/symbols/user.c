/* SPDX-License-Identifier: MIT */
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMES_MAX 32 /* that a process is noted: code of no file must not make us do it forever */

struct file {
    char *path;
    int status;                 /* of elf_symbols_read() */
    struct elf_symbols symbols;
};

struct process {
    uint32_t pid;
    uint32_t like;              /* of the same name, for one that was gone; else 0 */
    char comm[16];
    struct process_maps maps;
};

struct user_symbols {
    struct process *process;    /* the newest last; a pid may be there more than once */
    size_t nr_processes;
    struct file **file;
    size_t nr_files;
};

struct user_symbols *user_symbols_new(void)
{
    return calloc(1, sizeof(struct user_symbols));
}

void user_symbols_free(struct user_symbols *u)
{
    for (size_t i = 0; i < u->nr_processes; i++)
        process_maps_free(&u->process[i].maps);
    for (size_t i = 0; i < u->nr_files; i++) {
        elf_symbols_free(&u->file[i]->symbols);
        free(u->file[i]->path);
        free(u->file[i]);
    }
    free(u->process);
    free(u->file);
    free(u);
}

/* The process of that name that was noted last; 0 if there is none. */
static uint32_t find_name(const struct user_symbols *u, const char comm[16])
{
    for (size_t i = u->nr_processes; i--;)
        if (!u->process[i].like && !memcmp(u->process[i].comm, comm, 16))
            return u->process[i].pid;
    return 0;
}

int user_symbols_note(struct user_symbols *u, uint32_t pid, const char comm[16])
{
    struct process p = { .pid = pid }, *bigger;
    char path[32];
    int rc;

    for (size_t i = 0, times = 0; i < u->nr_processes; i++)
        if (u->process[i].pid == pid && ++times == TIMES_MAX)
            return -EAGAIN;
    memcpy(p.comm, comm, sizeof(p.comm));
    snprintf(path, sizeof(path), "/proc/%u/maps", pid);
    rc = process_maps_read(&p.maps, path);
    if (!rc && !p.maps.nr) /* a zombie has a file, and nothing in it */
        rc = -ENOENT;
    if (rc)
        p.like = find_name(u, comm);
    if (rc && !p.like)
        return rc;
    bigger = realloc(u->process, (u->nr_processes + 1) * sizeof(*bigger));
    if (!bigger) {
        process_maps_free(&p.maps);
        return -ENOMEM;
    }
    u->process = bigger;
    u->process[u->nr_processes++] = p;
    return rc;
}

/* What pid had mapped there when it was noted under that name; NULL comm: under any. */
static const struct mapping *find_own(const struct user_symbols *u, uint32_t pid,
                                      const char *comm, uint64_t address)
{
    const struct mapping *map = NULL;

    for (size_t i = u->nr_processes; i-- && !map;) {
        const struct process *p = &u->process[i];

        if (p->pid == pid && !p->like && (!comm || !memcmp(p->comm, comm, sizeof(p->comm))))
            map = process_maps_find(&p->maps, address);
    }
    return map;
}

static const struct mapping *find(const struct user_symbols *u, uint32_t pid, const char comm[16],
                                  uint64_t address)
{
    const struct mapping *map = find_own(u, pid, comm, address);

    for (size_t i = u->nr_processes; i-- && !map;)
        if (u->process[i].pid == pid && u->process[i].like)
            map = find_own(u, u->process[i].like, comm, address);
    return map;
}

bool user_symbols_knows(const struct user_symbols *u, uint32_t pid, const char comm[16],
                        uint64_t address)
{
    return find(u, pid, comm, address) != NULL;
}

/* The symbols of that file, read when it is asked for first; NULL without memory. */
static struct file *file_of(struct user_symbols *u, const char *path)
{
    struct file **bigger, *f;

    for (size_t i = 0; i < u->nr_files; i++)
        if (!strcmp(u->file[i]->path, path))
            return u->file[i];
    bigger = realloc(u->file, (u->nr_files + 1) * sizeof(*bigger));
    if (!bigger)
        return NULL;
    u->file = bigger;
    f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->path = strdup(path);
    if (!f->path) {
        free(f);
        return NULL;
    }
    f->status = elf_symbols_read(&f->symbols, path);
    u->file[u->nr_files++] = f;
    return f;
}

bool user_symbols_lookup(struct user_symbols *u, uint32_t pid, const char comm[16],
                         uint64_t address, struct symbol_hit *hit)
{
    const struct mapping *map = find(u, pid, comm, address);
    struct file *f;
    uint64_t offset;

    if (!map)
        return false;
    offset = address - map->start + map->offset;
    f = map->path[0] == '/' ? file_of(u, map->path) : NULL;
    if (!f || f->status || !elf_symbols_lookup(&f->symbols, offset, hit))
        *hit = (struct symbol_hit){ .name = "", .address = address - offset, .offset = offset };
    hit->module = strrchr(map->path, '/') ? strrchr(map->path, '/') + 1 : map->path;
    return true;
}

bool user_symbols_code(const struct user_symbols *u, uint32_t pid, const char comm[16],
                       uint64_t address, void *bytes, size_t n)
{
    const struct mapping *map = find(u, pid, comm, address);
    int fd = map && map->path[0] == '/' ? open(map->path, O_RDONLY | O_CLOEXEC) : -1;
    bool ok;

    if (fd < 0)
        return false;
    ok = pread(fd, bytes, n, (off_t)(address - map->start + map->offset)) == (ssize_t)n;
    close(fd);
    return ok;
}
