/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../symbols/kallsyms_image.h"

#define KCORE_FILE     "/proc/kcore"
#define TEXT_END       0xffffffffff000000ull /* above it Linux has no module (MODULES_END) */
#define ORC_MAX        (8u << 20)            /* entries of a table that is believed */
#define MODULES_MAX    1024u
#define IMAGE_START    0xffffffff80000000ull /* where Linux maps its image (__START_KERNEL_map) */
#define IMAGE_MAX      (512ull << 20)

/* ------------------------------------------------------------------ ORC tables */

/* Read a table of nr entries; false if it cannot be, or makes no sense. */
static bool add_table(struct orc_tables *t, const struct kcore *core, uint64_t ip, uint64_t entry,
                      size_t nr, uint64_t start, uint64_t end)
{
    struct orc_table new = { .nr = nr, .base = ip, .start = start, .end = end }, *bigger;

    if (!nr || nr > ORC_MAX)
        return false;
    new.ip = malloc(nr * sizeof(*new.ip));
    new.entry = malloc(nr * sizeof(*new.entry));
    bigger = realloc(t->table, (t->nr + 1) * sizeof(new));
    if (bigger)
        t->table = bigger;
    if (!bigger || !new.ip || !new.entry ||
        !kcore_read(core, ip, new.ip, nr * sizeof(*new.ip)) ||
        !kcore_read(core, entry, new.entry, nr * sizeof(*new.entry))) {
        free(new.ip);
        free(new.entry);
        return false;
    }
    t->table[t->nr++] = new;
    return true;
}

static bool read_vmlinux_orc(struct kernel *k, const struct kcore *core)
{
    uint64_t ip, ip_end, entry, end;

    if (!symtab_find(&k->symbols, "__start_orc_unwind_ip", &ip) ||
        !symtab_find(&k->symbols, "__stop_orc_unwind_ip", &ip_end) ||
        !symtab_find(&k->symbols, "__start_orc_unwind", &entry) ||
        !symtab_find(&k->symbols, "_etext", &end) || ip_end < ip) {
        snprintf(k->why_no_orc, sizeof(k->why_no_orc), "the kernel has no ORC tables");
        return false;
    }
    if (!add_table(&k->orc, core, ip, entry, (ip_end - ip) / 4, k->text_start, end)) {
        snprintf(k->why_no_orc, sizeof(k->why_no_orc), "its ORC tables cannot be read");
        return false;
    }
    return true;
}

static bool read_u64(const struct kcore *core, uint64_t at, uint64_t *value)
{
    return kcore_read(core, at, value, sizeof(*value));
}

/* Where struct module has what is needed. */
struct module_offsets {
    int64_t list, nr, ip, entry, base, bytes;
};

static bool read_module_orc(struct orc_tables *t, const struct kcore *core, uint64_t module,
                            const struct module_offsets *o)
{
    uint64_t ip, entry, base;
    uint32_t nr, bytes;

    return read_u64(core, module + (uint64_t)o->ip, &ip) &&
           read_u64(core, module + (uint64_t)o->entry, &entry) &&
           read_u64(core, module + (uint64_t)o->base, &base) &&
           kcore_read(core, module + (uint64_t)o->nr, &nr, sizeof(nr)) &&
           kcore_read(core, module + (uint64_t)o->bytes, &bytes, sizeof(bytes)) &&
           add_table(t, core, ip, entry, nr, base, base + bytes);
}

/* The tables of modules: the kernel's list of them, which may change while it is read. */
static void read_modules_orc(struct kernel *k, const struct kcore *core, const struct btf *btf)
{
    const struct module_offsets o = {
        btf_offset(btf, "module", "list"),
        btf_offset(btf, "module", "arch.num_orcs"),
        btf_offset(btf, "module", "arch.orc_unwind_ip"),
        btf_offset(btf, "module", "arch.orc_unwind"),
        btf_offset(btf, "module", "core_layout.base"),
        btf_offset(btf, "module", "core_layout.size"),
    };
    uint64_t head, at;

    if (o.list < 0 || o.nr < 0 || o.ip < 0 || o.entry < 0 || o.base < 0 || o.bytes < 0 ||
        !symtab_find(&k->symbols, "modules", &head) || !read_u64(core, head, &at)) {
        k->modules_without_orc = MODULES_MAX;
        return;
    }
    for (unsigned int n = 0; at != head && n < MODULES_MAX; n++) {
        if (!read_module_orc(&k->orc, core, at - (uint64_t)o.list, &o))
            k->modules_without_orc++;
        if (!read_u64(core, at, &at))
            break;
    }
}

static void read_orc(struct kernel *k, const struct btf *btf)
{
    struct kcore core;
    int rc = kcore_open(&core, KCORE_FILE);

    if (rc) {
        snprintf(k->why_no_orc, sizeof(k->why_no_orc), "%s: %s", KCORE_FILE, strerror(-rc));
        return;
    }
    if (read_vmlinux_orc(k, &core) && btf)
        read_modules_orc(k, &core, btf);
    kcore_close(&core);
}

/* ------------------------------------------------------------------ symbols */

/* Symbols out of the kernel's image in memory, for one that hides them: 0 or a negative errno. */
static int read_image_symbols(struct kernel *k)
{
    struct kcore core;
    int rc = kcore_open(&core, KCORE_FILE);

    if (rc)
        return rc;
    rc = -ENODATA;
    for (size_t i = 0; i < core.nr && rc; i++) {
        const struct kcore_segment *s = &core.segment[i];
        uint8_t *image;

        if (s->address < IMAGE_START || s->bytes > IMAGE_MAX)
            continue;
        image = malloc(s->bytes);
        if (image && kcore_read(&core, s->address, image, s->bytes) &&
            kallsyms_image_read(&k->symbols, image, s->bytes) > 0)
            rc = 0;
        free(image);
    }
    kcore_close(&core);
    k->from_image = !rc;
    return rc;
}

static int read_symbols(struct kernel *k)
{
    int rc = kallsyms_read(&k->symbols, KALLSYMS_FILE);

    if (rc != -EPERM)
        return rc;
    symtab_free(&k->symbols); /* names alone */
    return read_image_symbols(k) ? rc : 0;
}

/* ------------------------------------------------------------------ all of it */

static void read_offsets(struct kernel *k, const struct btf *btf)
{
    k->pid = k->tgid = k->comm = -1;
    if (!btf)
        return;
    k->pid = btf_offset(btf, "task_struct", "pid");
    k->tgid = btf_offset(btf, "task_struct", "tgid");
    k->comm = btf_offset(btf, "task_struct", "comm");
}

int kernel_read(struct kernel *k)
{
    struct btf btf;
    bool typed;
    int rc;

    *k = (struct kernel){ .generation = kallsyms_generation(MODULES_FILE), .text_end = TEXT_END };
    rc = read_symbols(k);
    if (rc) {
        kernel_free(k);
        return rc;
    }
    if (!symtab_find(&k->symbols, "_stext", &k->text_start))
        k->text_start = IMAGE_START;
    symtab_find(&k->symbols, "hypercall_page", &k->hypercall_page);
    symtab_find(&k->symbols, "current_task", &k->current_task);
    typed = !btf_read(&btf, BTF_FILE);
    read_offsets(k, typed ? &btf : NULL);
    read_orc(k, typed ? &btf : NULL);
    if (typed)
        btf_free(&btf);
    return 0;
}

void kernel_free(struct kernel *k)
{
    symtab_free(&k->symbols);
    orc_free(&k->orc);
}

int kernel_refresh(struct kernel *k)
{
    struct kernel new;
    int rc;

    if (kallsyms_generation(MODULES_FILE) == k->generation)
        return 0;
    rc = kernel_read(&new);
    if (rc)
        return rc;
    kernel_free(k);
    *k = new;
    return 1;
}
