/* SPDX-License-Identifier: MIT */
#include "elfsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>

void elf_symbols_free(struct elf_symbols *e)
{
    symtab_free(&e->table);
    memset(e, 0, sizeof(*e));
}

static void read_segments(struct elf_symbols *e, Elf *elf)
{
    size_t nr = 0;

    if (elf_getphdrnum(elf, &nr))
        return;
    for (size_t i = 0; i < nr && e->nr_segments < ELF_SEGMENTS; i++) {
        GElf_Phdr ph;

        if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
            continue;
        e->segment[e->nr_segments++] =
            (struct elf_segment){ ph.p_offset, ph.p_vaddr, ph.p_filesz };
    }
}

static bool add_symbols(struct elf_symbols *e, Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh)
{
    Elf_Data *data = elf_getdata(scn, NULL);
    size_t nr = data && sh->sh_entsize ? data->d_size / sh->sh_entsize : 0;

    for (size_t i = 0; i < nr; i++) {
        const char *name;
        GElf_Sym sym;

        if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF)
            continue;
        if (GELF_ST_TYPE(sym.st_info) != STT_FUNC && GELF_ST_TYPE(sym.st_info) != STT_GNU_IFUNC)
            continue;
        name = elf_strptr(elf, sh->sh_link, sym.st_name);
        if (name && *name && !symtab_add(&e->table, sym.st_value, sym.st_size, name, NULL, true))
            return false;
    }
    return true;
}

/* All of .symtab, or .dynsym where that was stripped. */
static int read_symbols(struct elf_symbols *e, Elf *elf, GElf_Word kind)
{
    GElf_Shdr sh;

    for (Elf_Scn *scn = elf_nextscn(elf, NULL); scn; scn = elf_nextscn(elf, scn))
        if (gelf_getshdr(scn, &sh) && sh.sh_type == kind && !add_symbols(e, elf, scn, &sh))
            return -ENOMEM;
    return 0;
}

static int read_elf(struct elf_symbols *e, Elf *elf)
{
    GElf_Ehdr eh;
    int rc;

    if (!elf || !gelf_getehdr(elf, &eh) || eh.e_machine != EM_X86_64)
        return -ENOEXEC;
    read_segments(e, elf);
    rc = read_symbols(e, elf, SHT_SYMTAB);
    if (!rc && !e->table.nr_code) {
        e->stripped = true;
        rc = read_symbols(e, elf, SHT_DYNSYM);
    }
    symtab_sort(&e->table);
    return rc;
}

int elf_symbols_read(struct elf_symbols *e, const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), rc;
    Elf *elf;

    memset(e, 0, sizeof(*e));
    if (fd < 0)
        return -errno;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    rc = read_elf(e, elf);
    elf_end(elf);
    close(fd);
    if (rc)
        elf_symbols_free(e);
    return rc;
}

bool elf_symbols_lookup(const struct elf_symbols *e, uint64_t file_offset, struct symbol_hit *hit)
{
    for (unsigned int i = 0; i < e->nr_segments; i++) {
        const struct elf_segment *s = &e->segment[i];

        if (file_offset - s->file_offset < s->bytes)
            return symtab_lookup(&e->table, file_offset - s->file_offset + s->address, hit);
    }
    return false;
}
