/* SPDX-License-Identifier: MIT */
#include "handler_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fastpath/load/object.h"

#define FILE_MOST (16u << 20)
#define PROGRAM_MOST (sizeof(struct fast_header) + FAST_MAX_INSNS * sizeof(struct fast_insn))

/* ------------------------------------------------------------------ read */

static void *whole_file(const char *path, size_t *size, char *error, size_t error_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *at = NULL;
    struct stat st;
    ssize_t got = 0;

    if (fd < 0 || fstat(fd, &st)) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MOST) {
        snprintf(error, error_size, "%s: no file of a handler (at most 16 MiB)", path);
    } else {
        at = calloc(1, (size_t)st.st_size + 8);
        *size = 0;
        while (at && *size < (size_t)st.st_size &&
               (got = read(fd, at + *size, (size_t)st.st_size - *size)) > 0)
            *size += (size_t)got;
        if (!at || got < 0) {
            snprintf(error, error_size, "%s: %s", path, strerror(errno));
            free(at);
            at = NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    return at;
}

/* The section of that name: its place and size in the file; false: none. */
static bool find_section(const uint8_t *file, size_t size, const char *name, const uint8_t **at,
                         size_t *bytes)
{
    const Elf64_Ehdr *head = (const void *)file;
    const Elf64_Shdr *s, *names;

    if (size < sizeof(*head) || head->e_shentsize != sizeof(*s) || head->e_shoff % 8 ||
        head->e_shoff > size || head->e_shnum > (size - head->e_shoff) / sizeof(*s) ||
        head->e_shstrndx >= head->e_shnum)
        return false;
    s = (const void *)(file + head->e_shoff);
    names = &s[head->e_shstrndx];
    if (names->sh_offset > size || names->sh_size > size - names->sh_offset)
        return false;
    for (unsigned int i = 0; i < head->e_shnum; i++) {
        size_t length = strlen(name) + 1;

        if (s[i].sh_name >= names->sh_size || names->sh_size - s[i].sh_name < length ||
            memcmp(file + names->sh_offset + s[i].sh_name, name, length) ||
            s[i].sh_type != SHT_PROGBITS || s[i].sh_offset > size ||
            s[i].sh_size > size - s[i].sh_offset)
            continue;
        *at = file + s[i].sh_offset;
        *bytes = s[i].sh_size;
        return true;
    }
    return false;
}

/* A copy of the section, with a zero byte behind it; NULL: none, or no memory. */
static void *section_copy(const uint8_t *file, size_t size, const char *name, size_t *bytes)
{
    const uint8_t *at;
    uint8_t *copy;

    *bytes = 0;
    if (!find_section(file, size, name, &at, bytes))
        return NULL;
    copy = malloc(*bytes + 1);
    if (copy) {
        memcpy(copy, at, *bytes);
        copy[*bytes] = 0;
    }
    return copy;
}

static bool read_extras(const uint8_t *file, size_t size, struct handler_file *out)
{
    size_t watches, tainted, flags, text;
    uint32_t *word = section_copy(file, size, ".radon.flags", &flags);

    out->watches = section_copy(file, size, ".radon.watches", &watches);
    out->tainted = section_copy(file, size, ".radon.tainted", &tainted);
    out->provenance = section_copy(file, size, ".radon.provenance", &text);
    out->explanation = section_copy(file, size, ".radon.explanation", &text);
    out->nr_watches = (uint32_t)(watches / sizeof(*out->watches));
    out->nr_tainted = (uint32_t)(tainted / sizeof(*out->tainted));
    if (word && flags == sizeof(*word))
        out->flags = *word;
    free(word);
    return flags % 4 == 0 && watches % sizeof(*out->watches) == 0 && tainted % 4 == 0 &&
           out->nr_watches <= RADON_FAST_MAX_WATCHED && out->nr_tainted <= FAST_MAX_INSNS &&
           !(out->flags & ~RADON_FAST_ONE_VCPU);
}

static int read_elf(const uint8_t *file, size_t size, unsigned int index, struct handler_file *out,
                    char *error, size_t error_size)
{
    int bytes;

    out->program = calloc(1, PROGRAM_MOST);
    if (!out->program) {
        snprintf(error, error_size, "out of memory");
        return -1;
    }
    bytes = fast_elf_program(file, size, index, out->program, PROGRAM_MOST, error, error_size);
    if (bytes <= 0)
        return bytes;
    out->program_bytes = (size_t)bytes;
    if (read_extras(file, size, out))
        return 1;
    snprintf(error, error_size, "its .radon sections make no sense");
    return -1;
}

int handler_file_read(const char *path, unsigned int index, struct handler_file *out, char *error,
                      size_t error_size)
{
    size_t size = 0;
    uint8_t *file = whole_file(path, &size, error, error_size);
    char why[256] = "";
    int rc;

    memset(out, 0, sizeof(*out));
    if (!file)
        return -1;
    if (size >= SELFMAG && !memcmp(file, ELFMAG, SELFMAG)) {
        rc = read_elf(file, size, index, out, why, sizeof(why));
        if (rc < 0)
            snprintf(error, error_size, "%s: %s", path, why);
        free(file);
        if (rc <= 0)
            handler_file_free(out);
        return rc;
    }
    if (index) {
        free(file);
        return 0;
    }
    out->program = file;
    out->program_bytes = size;
    return 1;
}

void handler_file_free(struct handler_file *f)
{
    free(f->program);
    free(f->watches);
    free(f->tainted);
    free(f->provenance);
    free(f->explanation);
    memset(f, 0, sizeof(*f));
}

/* ------------------------------------------------------------------ write */

enum { S_NULL, S_PROGRAM, S_WATCHES, S_TAINTED, S_FLAGS, S_PROVENANCE, S_EXPLANATION, S_SYMBOLS,
       S_STRINGS, S_NAMES, SECTIONS };

struct output {
    FILE *file;
    uint64_t at;
    Elf64_Shdr section[SECTIONS];
    char names[512];
    size_t names_bytes;
};

static void align(struct output *o)
{
    while (o->at % 8) {
        fputc(0, o->file);
        o->at++;
    }
}

static void add(struct output *o, unsigned int number, const char *name, uint32_t type,
                uint64_t flags, const void *data, size_t bytes)
{
    Elf64_Shdr *s = &o->section[number];

    align(o);
    s->sh_name = (uint32_t)o->names_bytes;
    s->sh_type = type;
    s->sh_flags = flags;
    s->sh_offset = o->at;
    s->sh_size = bytes;
    s->sh_addralign = 8;
    memcpy(o->names + o->names_bytes, name, strlen(name) + 1);
    o->names_bytes += strlen(name) + 1;
    if (bytes)
        fwrite(data, 1, bytes, o->file);
    o->at += bytes;
}

static void program_section_name(const struct fast_header *head, char name[64])
{
    if (head->attach_kind == FAST_ATTACH_SYSCALL)
        snprintf(name, 64, "radon/syscall/%u", head->attach_number);
    else if (head->attach_kind == FAST_ATTACH_HYPERCALL)
        snprintf(name, 64, "radon/hypercall/%u", head->attach_number);
    else
        snprintf(name, 64, "radon/exception/%u/0x%" PRIx64, head->attach_number,
                 head->attach_address);
}

static void write_sections(struct output *o, const struct handler_file *f)
{
    const struct fast_header *head = f->program;
    size_t code = f->program_bytes - sizeof(*head);
    char name[64], strings[1 + FAST_NAME_BYTES] = "";
    Elf64_Sym symbols[2] = { { 0 },
                             { .st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                               .st_shndx = S_PROGRAM, .st_size = code } };
    const char *provenance = f->provenance ? f->provenance : "";
    const char *explanation = f->explanation ? f->explanation : "";

    program_section_name(head, name);
    snprintf(strings + 1, FAST_NAME_BYTES, "%.31s", head->name);
    o->names_bytes = 1;
    add(o, S_PROGRAM, name, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, head + 1, code);
    add(o, S_WATCHES, ".radon.watches", SHT_PROGBITS, 0, f->watches,
        f->nr_watches * sizeof(*f->watches));
    add(o, S_TAINTED, ".radon.tainted", SHT_PROGBITS, 0, f->tainted, f->nr_tainted * 4ul);
    add(o, S_FLAGS, ".radon.flags", SHT_PROGBITS, 0, &f->flags, sizeof(f->flags));
    add(o, S_PROVENANCE, ".radon.provenance", SHT_PROGBITS, 0, provenance, strlen(provenance));
    add(o, S_EXPLANATION, ".radon.explanation", SHT_PROGBITS, 0, explanation, strlen(explanation));
    add(o, S_SYMBOLS, ".symtab", SHT_SYMTAB, 0, symbols, sizeof(symbols));
    o->section[S_SYMBOLS].sh_link = S_STRINGS;
    o->section[S_SYMBOLS].sh_info = 1;
    o->section[S_SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
    add(o, S_STRINGS, ".strtab", SHT_STRTAB, 0, strings, strlen(strings + 1) + 2);
    /* Its own name comes last, so that its size counts it. */
    memcpy(o->names + o->names_bytes, ".shstrtab", 10);
    add(o, S_NAMES, ".shstrtab", SHT_STRTAB, 0, o->names, o->names_bytes + 10);
}

static void write_elf(struct output *o, const struct handler_file *f)
{
    Elf64_Ehdr head = {
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_REL,
        .e_machine = EM_BPF,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof(head),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = SECTIONS,
        .e_shstrndx = S_NAMES,
    };

    fwrite(&head, sizeof(head), 1, o->file);
    o->at = sizeof(head);
    write_sections(o, f);
    align(o);
    head.e_shoff = o->at;
    fwrite(o->section, sizeof(o->section), 1, o->file);
    fseek(o->file, 0, SEEK_SET);
    fwrite(&head, sizeof(head), 1, o->file);
}

bool handler_file_write(const char *path, const struct handler_file *f, char *error,
                        size_t error_size)
{
    struct output o = { 0 };
    struct stat st;
    bool in_place = !stat(path, &st) && !S_ISREG(st.st_mode); /* a device stays one */
    char temporary[4096];
    const char *written = in_place ? path : temporary;
    bool ok;

    if (f->program_bytes < sizeof(struct fast_header)) {
        snprintf(error, error_size, "no program");
        return false;
    }
    snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
    o.file = fopen(written, in_place ? "we" : "wxe");
    if (!o.file) {
        snprintf(error, error_size, "%s: %s", written, strerror(errno));
        return false;
    }
    write_elf(&o, f);
    ok = !ferror(o.file);
    ok = !fclose(o.file) && ok && (in_place || !rename(temporary, path));
    if (!ok) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        if (!in_place)
            unlink(temporary);
    }
    return ok;
}
