/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "kernel_image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct symbol {
    uint64_t address;
    char *name;
};

struct kernel_image {
    const uint8_t *file;
    size_t bytes;
    struct symbol *symbol;
    size_t nr, room;
};

static int by_address(const void *a, const void *b)
{
    uint64_t x = ((const struct symbol *)a)->address, y = ((const struct symbol *)b)->address;

    return (x > y) - (x < y);
}

static bool read_map(struct kernel_image *k, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[512], name[256], type;
    unsigned long long address;

    if (!f)
        return false;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%llx %c %255s", &address, &type, name) != 3)
            continue;
        if (k->nr == k->room) {
            size_t room = k->room ? 2 * k->room : 65536;
            struct symbol *bigger = realloc(k->symbol, room * sizeof(*bigger));

            if (!bigger)
                break;
            k->symbol = bigger;
            k->room = room;
        }
        k->symbol[k->nr].address = address;
        k->symbol[k->nr].name = strdup(name);
        if (k->symbol[k->nr].name)
            k->nr++;
    }
    fclose(f);
    qsort(k->symbol, k->nr, sizeof(*k->symbol), by_address);
    return true;
}

static bool read_elf(struct kernel_image *k, const char *path)
{
    const Elf64_Ehdr *h;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at;

    if (fd < 0)
        return false;
    errno = ENOEXEC;
    if (fstat(fd, &st) || st.st_size < (off_t)sizeof(*h)) {
        close(fd);
        return false;
    }
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (at == MAP_FAILED)
        return false;
    k->file = at;
    k->bytes = (size_t)st.st_size;
    h = at;
    errno = ENOEXEC;
    return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 && h->e_ident[EI_CLASS] == ELFCLASS64 &&
           h->e_shentsize == sizeof(Elf64_Shdr) && h->e_shoff < k->bytes &&
           h->e_shnum <= (k->bytes - h->e_shoff) / sizeof(Elf64_Shdr) && h->e_shstrndx < h->e_shnum;
}

struct kernel_image *kernel_image_open(const char *elf, const char *map, char *error, size_t size)
{
    struct kernel_image *k = calloc(1, sizeof(*k));

    if (!k) {
        snprintf(error, size, "out of memory");
        return NULL;
    }
    if ((elf && !read_elf(k, elf)) || (map && !read_map(k, map))) {
        snprintf(error, size, "%s: %s", k->file || !elf ? (map ? map : elf) : elf, strerror(errno));
        kernel_image_close(k);
        return NULL;
    }
    return k;
}

void kernel_image_close(struct kernel_image *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->nr; i++)
        free(k->symbol[i].name);
    free(k->symbol);
    if (k->file)
        munmap((void *)(uintptr_t)k->file, k->bytes);
    free(k);
}

/* Linux marks .rodata writable, for what it writes there while it starts: known by name, then. */
static bool is_read_only(const char *name)
{
    return strncmp(name, ".rodata", 7) == 0 || strcmp(name, ".text") == 0 ||
           strcmp(name, ".pci_fixup") == 0 || strncmp(name, "__ksymtab", 9) == 0;
}

/* Variables of .rodata that Linux sets while it starts: the file does not have their values. */
static bool set_at_start(const struct kernel_image *k, uint64_t address)
{
    uint64_t start, end;

    return kernel_image_value(k, "__start_ro_after_init", &start) &&
           kernel_image_value(k, "__end_ro_after_init", &end) && address >= start && address < end;
}

bool kernel_image_read(void *image, uint64_t address, void *buffer, size_t n)
{
    const struct kernel_image *k = image;
    const Elf64_Ehdr *h = (const void *)k->file;
    const Elf64_Shdr *s;

    if (!h || set_at_start(k, address))
        return false;
    s = (const void *)(k->file + h->e_shoff);
    for (unsigned int i = 0; i < h->e_shnum; i++) {
        uint64_t at = address - s[i].sh_addr;
        uint64_t name = s[h->e_shstrndx].sh_offset + s[i].sh_name;

        if (s[i].sh_type != SHT_PROGBITS || !(s[i].sh_flags & SHF_ALLOC) || at >= s[i].sh_size ||
            n > s[i].sh_size - at || s[i].sh_offset > k->bytes ||
            s[i].sh_size > k->bytes - s[i].sh_offset || name + 16 > k->bytes ||
            !is_read_only((const char *)k->file + name))
            continue;
        memcpy(buffer, k->file + s[i].sh_offset + at, n);
        return true;
    }
    return false;
}

const char *kernel_image_symbol(void *image, uint64_t address, uint64_t *offset)
{
    const struct kernel_image *k = image;
    size_t low = 0, high = k->nr;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (k->symbol[middle].address <= address)
            low = middle;
        else
            high = middle;
    }
    if (!k->nr || k->symbol[low].address > address)
        return NULL;
    *offset = address - k->symbol[low].address;
    return k->symbol[low].name;
}

bool kernel_image_value(const struct kernel_image *k, const char *name, uint64_t *value)
{
    for (size_t i = 0; i < k->nr; i++) {
        if (strcmp(k->symbol[i].name, name) == 0) {
            *value = k->symbol[i].address;
            return true;
        }
    }
    return false;
}
