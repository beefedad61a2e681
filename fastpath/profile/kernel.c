/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracing/symbols/kallsyms.h"

#define PAGE 4096u
#define KEPT_PAGES 512u
#define MOST_SEGMENTS 64u

struct segment {
    uint64_t start, bytes, offset; /* guest virtual; in the file */
};

struct range {
    uint64_t start, end;
};

struct page {
    uint64_t address; /* 0: nothing here */
    uint8_t bytes[PAGE];
};

struct kernel {
    struct prof_kernel view; /* first: the same address */
    int core;
    struct segment segment[MOST_SEGMENTS];
    unsigned int segments;
    struct range fixed[2];   /* text; read-only data: what the hypervisor can watch */
    struct symtab symbols;
    uint64_t generation;     /* of the modules, when the symbols were read */
    struct page *page;       /* KEPT_PAGES, by address */
};

/* ------------------------------------------------------------------ /proc/kcore */

static bool read_at(int fd, void *out, size_t n, uint64_t at)
{
    for (size_t got = 0; got < n;) {
        ssize_t some = pread(fd, (char *)out + got, n - got, (off_t)(at + got));

        if (some <= 0)
            return false;
        got += (size_t)some;
    }
    return true;
}

static bool read_segments(struct kernel *k)
{
    Elf64_Ehdr head;
    Elf64_Phdr part;

    if (!read_at(k->core, &head, sizeof(head), 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(part))
        return false;
    for (unsigned int i = 0; i < head.e_phnum && k->segments < MOST_SEGMENTS; i++) {
        if (!read_at(k->core, &part, sizeof(part), head.e_phoff + i * sizeof(part)))
            return false;
        if (part.p_type == PT_LOAD)
            k->segment[k->segments++] = (struct segment){ part.p_vaddr, part.p_memsz,
                                                          part.p_offset };
    }
    return k->segments;
}

static const struct page *page_at(struct kernel *k, uint64_t address)
{
    struct page *page = &k->page[address / PAGE % KEPT_PAGES];

    if (page->address == address)
        return page;
    page->address = 0;
    for (unsigned int i = 0; i < k->segments; i++) {
        const struct segment *s = &k->segment[i];

        if (address >= s->start && address - s->start < s->bytes &&
            read_at(k->core, page->bytes, PAGE, s->offset + (address - s->start))) {
            page->address = address;
            return page;
        }
    }
    return NULL;
}

static bool is_fixed(const struct kernel *k, uint64_t address, size_t n)
{
    for (unsigned int i = 0; i < 2; i++)
        if (address >= k->fixed[i].start && address < k->fixed[i].end &&
            n <= k->fixed[i].end - address)
            return true;
    return false;
}

static bool ro_read(void *arg, uint64_t address, void *buffer, size_t n)
{
    struct kernel *k = arg;
    uint8_t *to = buffer;

    if (!is_fixed(k, address, n))
        return false;
    while (n) {
        const struct page *page = page_at(k, address & ~(uint64_t)(PAGE - 1));
        size_t at = address % PAGE, some = n < PAGE - at ? n : PAGE - at;

        if (!page)
            return false;
        memcpy(to, page->bytes + at, some);
        to += some;
        address += some;
        n -= some;
    }
    return true;
}

static void refresh(void *arg)
{
    struct kernel *k = arg;

    for (unsigned int i = 0; i < KEPT_PAGES; i++)
        k->page[i].address = 0;
}

/* ------------------------------------------------------------------ symbols */

static const char *symbol(void *arg, uint64_t address, uint64_t *offset)
{
    struct kernel *k = arg;
    uint64_t generation = kallsyms_generation(MODULES_FILE);
    struct symbol_hit hit;

    if (generation != k->generation) {
        symtab_free(&k->symbols);
        k->symbols = (struct symtab){ 0 };
        kallsyms_read(&k->symbols, KALLSYMS_FILE);
        k->generation = generation;
    }
    if (!symtab_lookup(&k->symbols, address, &hit))
        return NULL;
    *offset = hit.offset;
    return hit.name;
}

/* The range between two symbols, of whole pages; empty without them. */
static struct range between(const struct kernel *k, const char *from, const char *to)
{
    struct range r;

    if (!symtab_find(&k->symbols, from, &r.start) || !symtab_find(&k->symbols, to, &r.end) ||
        r.end < r.start)
        return (struct range){ 0 };
    r.start = (r.start + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    r.end &= ~(uint64_t)(PAGE - 1);
    return r;
}

static bool read_symbols(struct kernel *k, char *error, size_t size)
{
    uint64_t info;
    int rc = kallsyms_read(&k->symbols, KALLSYMS_FILE);

    if (rc) {
        snprintf(error, size, "%s: %s", KALLSYMS_FILE, strerror(-rc));
        return false;
    }
    k->generation = kallsyms_generation(MODULES_FILE);
    k->fixed[0] = between(k, "_stext", "_etext");
    k->fixed[1] = between(k, "__start_rodata", "__end_rodata");
    if (symtab_find(&k->symbols, "xen_vcpu_info", &info))
        k->view.vcpu_info = (int64_t)info;
    return true;
}

/* ------------------------------------------------------------------ begin and end */

struct prof_kernel *kernel_open(char *error, size_t size)
{
    struct kernel *k = calloc(1, sizeof(*k));

    if (!k || !(k->page = calloc(KEPT_PAGES, sizeof(*k->page)))) {
        free(k);
        snprintf(error, size, "out of memory");
        return NULL;
    }
    k->view = (struct prof_kernel){ .arg = k, .refresh = refresh, .ro_read = ro_read,
                                    .symbol = symbol };
    k->core = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    if (k->core < 0) {
        snprintf(error, size, "/proc/kcore: %s", strerror(errno));
    } else if (!read_segments(k)) {
        snprintf(error, size, "/proc/kcore: no core file of 64 bits");
    } else if (read_symbols(k, error, size)) {
        return &k->view;
    }
    kernel_close(&k->view);
    return NULL;
}

void kernel_close(struct prof_kernel *view)
{
    struct kernel *k = view ? view->arg : NULL;

    if (!k)
        return;
    if (k->core >= 0)
        close(k->core);
    symtab_free(&k->symbols);
    free(k->page);
    free(k);
}
