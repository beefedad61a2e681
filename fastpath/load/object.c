/* SPDX-License-Identifier: MIT */
#include "object.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct object {
    const uint8_t *at;
    size_t size;
    Elf64_Ehdr head;
    Elf64_Shdr names; /* the section of section names */
    char *error;
    size_t error_size;
};

static bool fail(const struct object *o, const char *what)
{
    snprintf(o->error, o->error_size, "%s", what);
    return false;
}

/* Copies what lies at an offset of the file, if it lies inside. */
static bool fetch(const struct object *o, uint64_t at, void *out, size_t bytes)
{
    if (at > o->size || bytes > o->size - at)
        return fail(o, "the file is cut short");
    memcpy(out, o->at + at, bytes);
    return true;
}

static bool section(const struct object *o, unsigned int index, Elf64_Shdr *out)
{
    return fetch(o, o->head.e_shoff + (uint64_t)index * sizeof(*out), out, sizeof(*out));
}

/* A string of a string section; NULL when it does not end inside. */
static const char *string(const struct object *o, const Elf64_Shdr *table, uint32_t at)
{
    if (table->sh_offset > o->size || table->sh_size > o->size - table->sh_offset ||
        at >= table->sh_size || !memchr(o->at + table->sh_offset + at, 0, table->sh_size - at))
        return NULL;
    return (const char *)o->at + table->sh_offset + at;
}

static bool open_object(struct object *o)
{
    if (!fetch(o, 0, &o->head, sizeof(o->head)))
        return false;
    if (memcmp(o->head.e_ident, ELFMAG, SELFMAG) != 0 || o->head.e_ident[EI_CLASS] != ELFCLASS64 ||
        o->head.e_ident[EI_DATA] != ELFDATA2LSB)
        return fail(o, "not a little-endian ELF file of 64 bits");
    if (o->head.e_machine != EM_BPF || o->head.e_type != ET_REL)
        return fail(o, "not an object of clang -target bpf -c");
    if (o->head.e_shentsize != sizeof(Elf64_Shdr) || o->head.e_shoff > o->size ||
        o->head.e_shstrndx >= o->head.e_shnum)
        return fail(o, "the section table is broken");
    return section(o, o->head.e_shstrndx, &o->names);
}

/* A number after a slash; *text moves behind it. */
static bool path_number(const char **text, uint64_t max, uint64_t *out)
{
    char *end;

    if (**text != '/' || (*text)[1] < '0' || (*text)[1] > '9')
        return false;
    errno = 0;
    *out = strtoull(*text + 1, &end, 0);
    *text = end;
    return errno == 0 && *out <= max;
}

static bool is_program(const Elf64_Shdr *s, const char *name)
{
    return name && strncmp(name, "radon/", 6) == 0 && s->sh_type == SHT_PROGBITS &&
           (s->sh_flags & SHF_EXECINSTR) && s->sh_size;
}

static bool attach_point(const struct object *o, const char *name, struct fast_header *out)
{
    static const struct {
        const char *prefix;
        uint32_t kind;
    } kinds[] = {
        { "radon/syscall", FAST_ATTACH_SYSCALL },
        { "radon/exception", FAST_ATTACH_EXCEPTION },
        { "radon/hypercall", FAST_ATTACH_HYPERCALL },
    };
    uint64_t number, address = 0;

    for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *rest = name + strlen(kinds[i].prefix);

        if (strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
            continue;
        if (!path_number(&rest, UINT32_MAX, &number) ||
            (kinds[i].kind == FAST_ATTACH_EXCEPTION && !path_number(&rest, UINT64_MAX, &address)) ||
            *rest)
            break;
        out->attach_kind = kinds[i].kind;
        out->attach_number = (uint32_t)number;
        out->attach_address = address;
        return true;
    }
    return fail(o, "a section's name is not radon/syscall/N, radon/exception/V/ADDRESS or "
                   "radon/hypercall/N");
}

/* The name of the one function that starts at the start of section `index`. */
static bool function_name(const struct object *o, unsigned int index, char *out)
{
    Elf64_Shdr table, strings;
    unsigned int found = 0, tables = 0;
    const char *name;
    Elf64_Sym sym;

    for (unsigned int i = 0; i < o->head.e_shnum; i++) {
        if (!section(o, i, &table))
            return false;
        if (table.sh_type != SHT_SYMTAB || table.sh_link >= o->head.e_shnum)
            continue;
        if (tables++)
            return fail(o, "more than one symbol table");
        if (!section(o, table.sh_link, &strings))
            return false;
        for (uint64_t at = 0; table.sh_size - at >= sizeof(sym) && at < table.sh_size;
             at += sizeof(sym)) {
            if (!fetch(o, table.sh_offset + at, &sym, sizeof(sym)))
                return false;
            if (sym.st_shndx != index || ELF64_ST_TYPE(sym.st_info) != STT_FUNC)
                continue;
            name = string(o, &strings, sym.st_name);
            if (sym.st_value || found++ || !name || strlen(name) >= FAST_NAME_BYTES)
                return fail(o, "a section holds more than one function, or its name is longer than "
                               "31 characters");
            memset(out, 0, FAST_NAME_BYTES);
            memcpy(out, name, strlen(name));
        }
    }
    return found == 1 || fail(o, "a section holds no function");
}

/* Relocations would be variables, maps or calls of other functions: none exists here. */
static bool no_relocations(const struct object *o, unsigned int index)
{
    Elf64_Shdr s;

    for (unsigned int i = 0; i < o->head.e_shnum; i++) {
        if (!section(o, i, &s))
            return false;
        if ((s.sh_type == SHT_REL || s.sh_type == SHT_RELA) && s.sh_info == index && s.sh_size)
            return fail(o, "the handler uses a global variable or calls a function that is not "
                           "inlined");
    }
    return true;
}

int fast_program_write(const struct fast_header *attach, const void *insns, unsigned int count,
                       void *out, size_t room)
{
    struct fast_header head = *attach;
    size_t bytes = sizeof(head) + count * sizeof(struct fast_insn);

    if (count > FAST_MAX_INSNS || bytes > room)
        return -1;
    head.magic = FAST_MAGIC;
    head.version = FAST_VERSION;
    head.header_bytes = sizeof(head);
    head.total_bytes = (uint32_t)bytes;
    head.insns = count;
    memcpy(out, &head, sizeof(head));
    memcpy((char *)out + sizeof(head), insns, count * sizeof(struct fast_insn));
    return (int)bytes;
}

static int write_section(const struct object *o, unsigned int index, const Elf64_Shdr *s,
                         const char *name, void *out, size_t room)
{
    struct fast_header head = { 0 };
    int bytes;

    if (s->sh_offset > o->size || s->sh_size > o->size - s->sh_offset || s->sh_size % 8) {
        fail(o, "the file is cut short");
        return -1;
    }
    if (!attach_point(o, name, &head) || !function_name(o, index, head.name) ||
        !no_relocations(o, index))
        return -1;
    bytes = s->sh_size / 8 > FAST_MAX_INSNS
                ? -1
                : fast_program_write(&head, o->at + s->sh_offset, (unsigned int)(s->sh_size / 8),
                                     out, room);
    if (bytes < 0)
        fail(o, "the handler is longer than 4096 instructions");
    return bytes;
}

int fast_elf_program(const void *file, size_t size, unsigned int index, void *out, size_t room,
                     char *error, size_t error_size)
{
    struct object o = { .at = file, .size = size, .error = error, .error_size = error_size };
    Elf64_Shdr s;

    if (!open_object(&o))
        return -1;
    for (unsigned int i = 0; i < o.head.e_shnum; i++) {
        const char *name;

        if (!section(&o, i, &s))
            return -1;
        name = string(&o, &o.names, s.sh_name);
        if (is_program(&s, name) && index-- == 0)
            return write_section(&o, i, &s, name, out, room);
    }
    return 0;
}
