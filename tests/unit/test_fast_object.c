/* SPDX-License-Identifier: MIT */
/*
 * The object loader, on what clang makes of fastpath/core/tests/example.c: the programs are found,
 * verified and do on both engines what the C says.  Cut short anywhere or with any byte changed,
 * the file is refused or gives a program; nothing is read outside it (the sanitizer watches).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fast_world.h"
#include "object.h"

#define SKIPPED 77

static uint8_t *object;
static size_t object_size;
static uint64_t blob[(sizeof(struct fast_header) + 8 * FAST_MAX_INSNS) / 8];
static char error[128];
static struct verify_space space;
static struct world world;
static struct world_result by_interpreter, by_jit;

/* Compiles C text; keeps the object in memory of exactly its size. False: there is no clang. */
static bool compile(const char *arguments)
{
    char name[] = "/tmp/radon-object-XXXXXX", command[512];
    int fd = mkstemp(name);
    FILE *f;

    assert_true(fd >= 0);
    close(fd);
    snprintf(command, sizeof(command),
             "clang -O2 -g -target bpf -ffreestanding -Ifastpath/core -c %s -o %s", arguments,
             name);
    free(object);
    object = NULL;
    if (system("command -v clang >/dev/null") != 0)
        return false;
    assert_int_equal(system(command), 0);
    f = fopen(name, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    object_size = (size_t)ftell(f);
    rewind(f);
    object = malloc(object_size);
    assert_int_equal(fread(object, 1, object_size, f), object_size);
    fclose(f);
    unlink(name);
    return true;
}

static int program_number(unsigned int index)
{
    return fast_elf_program(object, object_size, index, blob, sizeof(blob), error, sizeof(error));
}

/* Finds the program by name, verifies it, runs it on both engines. */
static void run(const char *name, const struct fast_ctx *registers)
{
    struct fast_verdict verdict;
    struct fast_program program;
    struct fast_ctx ctx = *registers;
    const char *why;
    char text[1024];
    int bytes = 1;

    for (unsigned int i = 0; bytes > 0; i++) {
        bytes = program_number(i);
        if (bytes < 0)
            fail_msg("%s", error);
        if (bytes > 0 && strcmp(((struct fast_header *)blob)->name, name) == 0)
            break;
    }
    assert_true(bytes > 0);
    assert_int_equal(program_parse(blob, (size_t)bytes, &program), FAST_OK);
    if (!fast_verify(&program, &space, &verdict)) {
        fast_verdict_text(&program, &verdict, text, sizeof(text));
        fail_msg("%s", text);
    }
    ctx.kind = program.head.attach_kind;
    ctx.number = program.head.attach_number;
    world_interpret(&program, &world, &ctx, &by_interpreter);
    why = world_jit(&program, &world, &ctx, 0, &by_jit);
    if (!why)
        why = world_compare(&by_interpreter, &by_jit);
    if (why)
        fail_msg("%s: %s", name, why);
}

static void put(uint64_t address, uint64_t value)
{
    memcpy(world.memory + (address - WORLD_BASE), &value, 8);
}

static void examples(void **state)
{
    struct fast_ctx ctx = { .kernel_gs = 0x100000, .rdi = 0x102000, .rsi = 0x103000 };
    uint64_t sum;

    (void)state;
    put(0x100040, 0x101000);
    put(0x101020, 4711);
    run("toy_getpid", &ctx);
    assert_int_equal(by_jit.outcome, FAST_DONE);
    assert_int_equal(by_jit.ctx.rax, 4711);
    put(0x101010, 2);
    run("toy_getpid", &ctx);
    assert_int_equal(by_jit.outcome, FAST_PASS);

    for (unsigned int i = 0; i < 4; i++)
        put(0x102000 + 8 * i, 1u << (8 * i));
    run("toy_sum", &ctx);
    memcpy(&sum, by_jit.world.memory + 0x3000, 8);
    assert_int_equal(sum, 0x01010101);
    assert_int_equal(by_jit.ctx.rax, 0);

    ctx.error_code = 3;
    ctx.cr2 = WORLD_PTE_BASE + 8;
    world.pte[1] = 0x27;
    run("toy_fault", &ctx);
    assert_int_equal(((struct fast_header *)blob)->attach_address, 0xffffffff81234567);
    assert_int_equal(by_jit.world.pte[1], 0x67);
    ctx.error_code = 1;
    run("toy_fault", &ctx);
    assert_int_equal(by_jit.outcome, FAST_PASS);
}

static void cut_short(void **state)
{
    uint8_t *whole = object;
    size_t size = object_size;
    unsigned int refused = 0;

    (void)state;
    for (object_size = 0; object_size < size; object_size++) {
        object = malloc(object_size ? object_size : 1);
        memcpy(object, whole, object_size);
        for (unsigned int i = 0; i < 3; i++)
            refused += program_number(i) <= 0;
        free(object);
    }
    object = whole;
    object_size = size;
    /* The section table stands at the end, so no shorter file is whole. */
    assert_int_equal(refused, 3 * size);
}

static void changed_bytes(void **state)
{
    uint64_t seed = 1;
    unsigned int refused = 0;

    (void)state;
    for (unsigned int round = 0; round < 200000; round++) {
        size_t at;
        uint8_t was;

        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        at = (seed >> 33) % object_size;
        /* Mostly where structure is: the head and the section table at the end. */
        if (round % 3)
            at = round % 3 == 1 ? at % 64 : object_size - 1 - at % (object_size / 4);
        was = object[at];
        object[at] = (uint8_t)(seed >> 24);
        refused += program_number((unsigned int)(seed >> 20) % 3) < 0;
        object[at] = was;
    }
    assert_true(refused > 1000);
    assert_true(program_number(2) > 0 && program_number(3) == 0);
}

/* Section names that lie at the end of the file and do not end: no section has a name then. */
static void name_without_end(void **state)
{
    static const char name[] = { 'r', 'a', 'd', 'o', 'n', '/', 's', 'y' };
    uint8_t *whole = object;
    size_t size = object_size;
    Elf64_Ehdr head;
    Elf64_Shdr s;

    (void)state;
    memcpy(&head, object, sizeof(head));
    object_size = size + sizeof(name);
    object = malloc(object_size);
    memcpy(object, whole, size);
    memcpy(object + size, name, sizeof(name));
    for (unsigned int i = 0; i < head.e_shnum; i++) {
        memcpy(&s, object + head.e_shoff + i * sizeof(s), sizeof(s));
        s.sh_name = 0;
        if (i == head.e_shstrndx) {
            s.sh_offset = size;
            s.sh_size = sizeof(name);
        }
        memcpy(object + head.e_shoff + i * sizeof(s), &s, sizeof(s));
    }
    assert_int_equal(program_number(0), 0);
    free(object);
    object = whole;
    object_size = size;
}

static void write_source(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* What a handler in C may not do is said in words of C. */
static void refusals(void **state)
{
    static const struct {
        const char *text, *error;
    } sources[] = {
        { "int variable; RADON_SYSCALL(1) int f(struct fast_ctx *c) { return variable & 1; }",
          "the handler uses a global variable or calls a function that is not inlined" },
        { "__attribute__((noinline)) static int g(int x) { return x * x; }\n"
          "RADON_SYSCALL(1) int f(struct fast_ctx *c) { return g(c->rax) & 1; }",
          "the handler uses a global variable or calls a function that is not inlined" },
        { "RADON_SYSCALL(1) int f(struct fast_ctx *c) { return 0; }\n"
          "RADON_SYSCALL(1) int g(struct fast_ctx *c) { return 1; }",
          "a section holds more than one function, or its name is longer than 31 characters" },
        { "RADON_SYSCALL(x) int f(struct fast_ctx *c) { return 0; }",
          "a section's name is not radon/syscall/N, radon/exception/V/ADDRESS or "
          "radon/hypercall/N" },
        { "RADON_SYSCALL(99999999999) int f(struct fast_ctx *c) { return 0; }",
          "a section's name is not radon/syscall/N, radon/exception/V/ADDRESS or "
          "radon/hypercall/N" },
    };
    char name[] = "/tmp/radon-source-XXXXXX.c", text[1024];
    int fd = mkstemps(name, 2);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (unsigned int i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        snprintf(text, sizeof(text), "#include \"program.h\"\n%s\n", sources[i].text);
        write_source(name, text);
        assert_true(compile(name));
        assert_int_equal(program_number(0), -1);
        assert_string_equal(error, sources[i].error);
    }
    unlink(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(changed_bytes),
        cmocka_unit_test(name_without_end),
        cmocka_unit_test(refusals),
    };
    int failed;

    if (!compile("fastpath/core/tests/example.c")) {
        fprintf(stderr, "skipped: no clang\n");
        return SKIPPED;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(object);
    return failed;
}
