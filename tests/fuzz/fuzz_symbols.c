/* SPDX-License-Identifier: MIT */
/*
 * What symbols and structures are read from: no crash, and what was read can be asked.  The first byte
 * chooses the reader, the rest is its file.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE tests/fuzz/fuzz_symbols.c \
 *       tracing/symbols/{symtab,kallsyms,maps,elfsyms}.c tracing/profile/{btf,kcore}.c -lelf -o fuzz_symbols
 */
#include <string.h>

#include "../../tracing/profile/btf.h"
#include "../../tracing/profile/kcore.h"
#include "../../tracing/symbols/elfsyms.h"
#include "../../tracing/symbols/kallsyms.h"
#include "../../tracing/symbols/maps.h"
#include "scratch.h"

static void ask(const struct symtab *t)
{
    struct symbol_hit hit;
    uint64_t address;

    for (size_t i = 0; i < t->nr_code; i++) {
        if (!symtab_lookup(t, t->code[i].address, &hit) || hit.offset)
            abort();
        if (!*hit.module && !symtab_find(t, hit.name, &address))
            abort();
    }
    symtab_lookup(t, 0, &hit);
    symtab_lookup(t, UINT64_MAX, &hit);
}

static void read_kallsyms(const char *file)
{
    struct symtab t = { 0 };

    if (!kallsyms_read(&t, file))
        ask(&t);
    symtab_free(&t);
    kallsyms_generation(file);
}

static void read_maps(const char *file)
{
    struct process_maps m;

    if (process_maps_read(&m, file))
        abort();
    for (size_t i = 0; i < m.nr; i++) {
        const struct mapping *found = process_maps_find(&m, m.list[i].start);

        if (m.list[i].end > m.list[i].start && (!found || !found->path))
            abort();
    }
    process_maps_free(&m);
}

static void read_elf(const char *file)
{
    struct elf_symbols e;
    struct symbol_hit hit;

    if (elf_symbols_read(&e, file))
        return;
    if (e.nr_segments > ELF_SEGMENTS)
        abort();
    for (unsigned int i = 0; i < e.nr_segments; i++)
        elf_symbols_lookup(&e, e.segment[i].file_offset, &hit);
    symtab_lookup(&e.table, 0x1000, &hit);
    elf_symbols_free(&e);
}

static void read_btf(const char *file)
{
    struct btf b;

    if (btf_read(&b, file))
        return;
    if (btf_offset(&b, "module", "name") < -1 || btf_offset(&b, "module", "arch.num_orcs") < -1)
        abort();
    btf_free(&b);
}

static void read_kcore(const char *file)
{
    char some[64];
    struct kcore k;

    if (kcore_open(&k, file))
        return;
    for (size_t i = 0; i < k.nr; i++)
        kcore_read(&k, k.segment[i].address, some, sizeof(some));
    kcore_read(&k, UINT64_MAX, some, sizeof(some));
    kcore_close(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(const char *file) = { read_kallsyms, read_maps, read_elf, read_btf,
                                                         read_kcore };
    static struct scratch file;

    if (size)
        readers[data[0] % 5](scratch_file(&file, data + 1, size - 1));
    return 0;
}
