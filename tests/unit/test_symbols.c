/* SPDX-License-Identifier: MIT */
/*
 * Symbols: from a kallsyms text made here, from this very program's file and mappings, and from a
 * hypervisor that is a table of this file.
 */
#define __XEN_TOOLS__
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/platform.h>

#include "../../tracing/symbols/hvsyms.h"
#include "../../tracing/symbols/kallsyms.h"
#include "../../tracing/symbols/kallsyms_image.h"
#include "../../tracing/symbols/user.h"

/* A file with that text; its name is static. */
static const char *file_with(const char *text)
{
    static char path[] = "/tmp/test_symbols.XXXXXX";
    int fd;

    strcpy(path + strlen(path) - 6, "XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static int read_text(struct symtab *t, const char *text)
{
    const char *path = file_with(text);
    int rc = kallsyms_read(t, path);

    unlink(path);
    return rc;
}

static void expect(const struct symtab *t, uint64_t address, const char *name, uint64_t offset,
                   const char *module)
{
    struct symbol_hit hit;

    assert_true(symtab_lookup(t, address, &hit));
    assert_string_equal(hit.name, name);
    assert_string_equal(hit.module, module);
    assert_int_equal(hit.offset, offset);
}

static void kallsyms_gives_names(void **state)
{
    struct symtab t = { 0 };
    struct symbol_hit hit;
    uint64_t address;

    (void)state;
    assert_int_equal(read_text(&t, "0000000000000000 A fixed_percpu_data\n"
                                   "000000000001fb80 A current_task\n"
                                   "ffffffff81000100 t beta\n"
                                   "ffffffff81000000 T _text\n"
                                   "ffffffff81000000 T alias\n"
                                   "ffffffff81000080 D not_code\n"
                                   "rubbish\n\n"
                                   "ffffffffc0000010 t in_module\t[xen_privcmd]\n"), 0);
    expect(&t, 0xffffffff81000000, "_text", 0, "");
    expect(&t, 0xffffffff810000ff, "_text", 0xff, "");
    expect(&t, 0xffffffff81000100, "beta", 0, "");
    expect(&t, 0xffffffffc0000020, "in_module", 0x10, "xen_privcmd");
    assert_false(symtab_lookup(&t, 0xffffffff80ffffff, &hit));
    assert_true(symtab_find(&t, "current_task", &address));
    assert_int_equal(address, 0x1fb80);
    assert_true(symtab_find(&t, "not_code", &address));
    assert_false(symtab_find(&t, "in_module", &address));
    symtab_free(&t);
}

static void kallsyms_refuses_what_has_no_addresses(void **state)
{
    struct symtab t = { 0 };

    (void)state;
    assert_int_equal(read_text(&t, "0000000000000000 T _text\n0000000000000000 t a\n"), -EPERM);
    symtab_free(&t);
    assert_int_equal(read_text(&t, "no symbols\n"), -ENODATA);
    assert_int_equal(kallsyms_read(&t, "/nonexistent"), -ENOENT);
    symtab_free(&t);
}

/* ------------------------------------------------------------------ tables in memory */

#define IMAGE_BYTES   (256u << 10)
#define IMAGE_SYMBOLS 600u      /* more than two markers' */
#define IMAGE_BASE    0xffffffff81000000ull

struct image {
    uint8_t bytes[IMAGE_BYTES];
    size_t n;
};

static void put(struct image *m, const void *data, size_t n)
{
    memcpy(m->bytes + m->n, data, n);
    m->n += n;
}

static void align_image(struct image *m)
{
    while (m->n % 8)
        m->bytes[m->n++] = 0;
}

/* Token 1 stands for "function_"; the others for themselves, those that no name has for nothing. */
static void put_tokens(struct image *m)
{
    uint16_t index[256], at = 0;

    for (unsigned int i = 0; i < 256; i++) {
        char text[16] = { i >= 32 && i < 127 ? (char)i : '!' };

        if (i == 1)
            strcpy(text, "function_");
        index[i] = at;
        put(m, text, strlen(text) + 1);
        at = (uint16_t)(at + strlen(text) + 1);
    }
    align_image(m);
    put(m, index, sizeof(index));
}

/* One symbol: "t" or "D", token 1, a number; every 100th has a name of over 127 bytes. */
static void put_name(struct image *m, uint32_t i)
{
    char name[200], *p = name;
    uint8_t length[2];

    p += sprintf(p, "%c%c%u", i % 5 ? 't' : 'D', 1, i);
    if (i % 100 == 0) {
        memset(p, 'x', 140);
        p += 140;
    }
    length[0] = (uint8_t)(p - name);
    if (p - name < 128) {
        put(m, length, 1);
    } else {
        length[0] |= 0x80;
        length[1] = (uint8_t)((p - name) >> 7);
        put(m, length, 2);
    }
    put(m, name, (size_t)(p - name));
}

static void make_image(struct image *m, bool with_order)
{
    static const uint8_t order[3 * IMAGE_SYMBOLS];
    uint32_t marker[(IMAGE_SYMBOLS + 255) / 256], nr = IMAGE_SYMBOLS;
    uint64_t base = IMAGE_BASE;
    size_t names;

    memset(m, 0, sizeof(*m));
    m->n = 4096;
    for (uint32_t i = 0; i < IMAGE_SYMBOLS; i++) {
        int32_t offset = i == 0 ? 0x1234 : -1 - (int32_t)(16 * i); /* the first is absolute */

        put(m, &offset, 4);
    }
    align_image(m);
    put(m, &base, 8);
    put(m, &nr, 4);
    align_image(m);
    names = m->n;
    for (uint32_t i = 0; i < IMAGE_SYMBOLS; i++) {
        if (i % 256 == 0)
            marker[i / 256] = (uint32_t)(m->n - names);
        put_name(m, i);
    }
    align_image(m);
    put(m, marker, sizeof(marker));
    align_image(m);
    if (with_order)
        put(m, order, sizeof(order));
    align_image(m);
    put_tokens(m);
}

static void check_image(const struct image *m)
{
    struct symtab t = { 0 };
    uint64_t address;

    assert_int_equal(kallsyms_image_read(&t, m->bytes, sizeof(m->bytes)), IMAGE_SYMBOLS);
    assert_int_equal(t.nr_code, IMAGE_SYMBOLS - IMAGE_SYMBOLS / 5);
    expect(&t, IMAGE_BASE + 16 * 1, "function_1", 0, "");
    expect(&t, IMAGE_BASE + 16 * 599 + 3, "function_599", 3, "");
    assert_true(symtab_find(&t, "function_595", &address)); /* data */
    assert_int_equal(address, IMAGE_BASE + 16 * 595);
    symtab_free(&t);
}

static void tables_in_memory_are_read(void **state)
{
    static struct image m;

    (void)state;
    make_image(&m, false);
    check_image(&m);
    make_image(&m, true);
    check_image(&m);
}

/* Cut or damaged: no symbols, or as many as there were, and nothing outside is touched. */
static void damaged_tables_do_no_harm(void **state)
{
    static struct image m;
    size_t end;

    (void)state;
    make_image(&m, true);
    end = m.n;
    for (size_t n = 0; n < end; n += 97) {
        struct symtab t = { 0 };
        uint8_t *copy = malloc(n + 1); /* so that the sanitizer sees its end */

        memcpy(copy, m.bytes, n);
        assert_int_equal(kallsyms_image_read(&t, copy, n), -ENODATA);
        symtab_free(&t);
        free(copy);
    }
    for (size_t at = 4096; at < end; at += 7) {
        struct symtab t = { 0 };
        uint8_t was = m.bytes[at];
        long rc;

        m.bytes[at] ^= 0xff;
        rc = kallsyms_image_read(&t, m.bytes, sizeof(m.bytes));
        assert_true(rc == -ENODATA || (rc > 512 && rc <= 768));
        symtab_free(&t);
        m.bytes[at] = was;
    }
}

static uint64_t generation_of(const char *text)
{
    const char *path = file_with(text);
    uint64_t hash = kallsyms_generation(path);

    unlink(path);
    return hash;
}

static void generation_changes_with_modules(void **state)
{
    uint64_t first = generation_of("a 16384 0 - Live 0xffffffffc0000000\n");

    (void)state;
    assert_int_equal(first, generation_of("a 16384 7 b, Live 0xffffffffc0000000\n"));
    assert_int_not_equal(first, generation_of("a 16384 0 - Live 0xffffffffc0100000\n"));
    assert_int_not_equal(first, generation_of("a 16384 0 - Live 0xffffffffc0000000\n"
                                              "b 4096 0 - Live 0xffffffffc0009000\n"));
    assert_int_equal(kallsyms_generation("/nonexistent"), 0);
}

static void many_symbols_are_found(void **state)
{
    struct symtab t = { 0 };
    char name[32];

    (void)state;
    for (uint64_t i = 0; i < 5000; i++) { /* in an order that sorting has to mend */
        uint64_t n = i * 2741 % 5000;

        snprintf(name, sizeof(name), "f%u", (unsigned int)n);
        assert_true(symtab_add(&t, 0x1000 + 16 * n, 8, name, NULL, true));
    }
    symtab_sort(&t);
    for (uint64_t n = 0; n < 5000; n++) {
        struct symbol_hit hit;

        snprintf(name, sizeof(name), "f%u", (unsigned int)n);
        expect(&t, 0x1000 + 16 * n + 7, name, 7, "");
        assert_false(symtab_lookup(&t, 0x1000 + 16 * n + 8, &hit)); /* behind its size */
    }
    symtab_free(&t);
}

static void own_functions_are_found(void **state)
{
    static const char me[16] = "unit_symbols", other[16] = "another one";
    struct user_symbols *u = user_symbols_new();
    uint32_t pid = (uint32_t)getpid();
    uint64_t here = (uint64_t)&own_functions_are_found;
    struct symbol_hit hit;
    int on_stack = 0;

    (void)state;
    assert_non_null(u);
    assert_false(user_symbols_knows(u, pid, me, here));
    assert_int_equal(user_symbols_note(u, pid, me), 0);
    assert_true(user_symbols_lookup(u, pid, me, here + 3, &hit));
    assert_string_equal(hit.name, "own_functions_are_found");
    assert_string_equal(hit.module, "unit_symbols");
    assert_int_equal(hit.offset, 3);
    assert_false(user_symbols_lookup(u, pid, me, (uint64_t)&on_stack, &hit));
    assert_false(user_symbols_lookup(u, pid + 1, me, here, &hit));
    assert_false(user_symbols_lookup(u, pid, other, here, &hit)); /* before or after exec */
    assert_int_equal(user_symbols_note(u, 0x7ffffff0, other), -ENOENT);
    assert_false(user_symbols_knows(u, 0x7ffffff0, other, here));
    /* Gone, but of the same name. */
    assert_int_equal(user_symbols_note(u, 0x7ffffff1, me), -ENOENT);
    assert_true(user_symbols_knows(u, 0x7ffffff1, me, here));
    assert_false(user_symbols_knows(u, 0x7ffffff1, me, (uint64_t)&on_stack));
    while (user_symbols_note(u, pid, me) != -EAGAIN)
        ; /* not for ever */
    user_symbols_free(u);
}

static void elf_files_are_told_from_others(void **state)
{
    const char *path = file_with("no ELF file");
    struct elf_symbols e;

    (void)state;
    assert_int_equal(elf_symbols_read(&e, path), -ENOEXEC);
    unlink(path);
    assert_int_equal(elf_symbols_read(&e, "/nonexistent"), -ENOENT);
}

/* A hypervisor with three symbols. */
static int three_symbols(void *ctx, void *op_)
{
    static const char *const names[] = { "hv_start", "do_trap", "table" };
    struct xen_platform_op *op = op_;
    struct xenpf_symdata *sym = &op->u.symdata;

    assert_int_equal(op->cmd, XENPF_get_symbol);
    assert_int_equal(op->interface_version, XENPF_INTERFACE_VERSION);
    if (ctx && sym->symnum == *(uint32_t *)ctx)
        return -EPERM;
    if (sym->symnum >= 3) {
        sym->namelen = 0;
        return 0;
    }
    sym->address = 0xffff82d080200000 + 0x100 * sym->symnum;
    sym->type = sym->symnum == 2 ? 'd' : 't';
    strcpy(sym->name.p, names[sym->symnum]);
    sym->namelen = (uint32_t)strlen(names[sym->symnum]);
    sym->symnum++;
    return 0;
}

static void hypervisor_symbols_are_read(void **state)
{
    struct symtab t = { 0 };
    uint32_t fails_at = 1;
    uint64_t memory[HV_SYMBOLS_MEMORY / 8];

    (void)state;
    assert_int_equal(hv_symbols_read(&t, three_symbols, NULL, memory), 0);
    assert_int_equal(t.nr_code, 2);
    expect(&t, 0xffff82d080200142, "do_trap", 0x42, "");
    symtab_free(&t);
    assert_int_equal(hv_symbols_read(&t, three_symbols, &fails_at, memory), -EPERM);
    symtab_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kallsyms_gives_names),
        cmocka_unit_test(kallsyms_refuses_what_has_no_addresses),
        cmocka_unit_test(tables_in_memory_are_read),
        cmocka_unit_test(damaged_tables_do_no_harm),
        cmocka_unit_test(generation_changes_with_modules),
        cmocka_unit_test(many_symbols_are_found),
        cmocka_unit_test(own_functions_are_found),
        cmocka_unit_test(elf_files_are_told_from_others),
        cmocka_unit_test(hypervisor_symbols_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
