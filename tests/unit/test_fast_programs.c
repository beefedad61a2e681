/* SPDX-License-Identifier: MIT */
/*
 * The programs of fastpath/core/tests/: each states its world, its text and what must come of it;
 * both engines run it, the JIT with every rotation of its registers.  The text survives being
 * disassembled and assembled again.
 *
 *   -- input
 *   attach syscall|exception|hypercall
 *   ctx FIELD VALUE          the other fields hold numbers of their own
 *   mem ADDRESS BYTES VALUE  memory is zero from 0x100000 to 0x104000, nothing else is mapped
 *   readonly ADDRESS         its page
 *   pte ADDRESS VALUE        entries are at 0x5000 to 0x6000
 *   -- asm
 *   -- expect
 *   done | pass [REASON] | refused REASON INSTRUCTION
 *   ctx, mem, pte            what differs from the input; nothing else may
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "asm.h"
#include "disasm.h"
#include "fast_random.h"
#include "fast_world.h"

struct test {
    const char *file;
    char text[32768];
    struct fast_insn insns[FAST_MAX_INSNS];
    struct fast_program program;
    struct fast_ctx ctx, want_ctx;
    struct world world, want_world;
    enum fast_outcome outcome;
    char stop[32];
    char refused[32];
    unsigned int refused_at;
    bool expects; /* an outcome was stated */
};

static struct test t;

static const struct {
    const char *name;
    unsigned int at, bytes;
} fields[] = {
#define CTX_FIELD(name, attach)                                                                    \
    { #name, offsetof(struct fast_ctx, name), sizeof(((struct fast_ctx *)0)->name) },
#include "ctx_fields.def"
};

static void set_field(struct fast_ctx *ctx, const char *name, uint64_t value)
{
    for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            memcpy((char *)ctx + fields[i].at, &value, fields[i].bytes);
            return;
        }
    }
    fail_msg("%s: no field %s", t.file, name);
}

/* A line of the input, or of what is expected of the world. */
static bool world_line(const char *line, struct fast_ctx *ctx, struct world *w)
{
    unsigned long long address, value;
    unsigned int bytes;
    char name[32];

    if (sscanf(line, "ctx %31s %lli", name, (long long *)&value) == 2) {
        set_field(ctx, name, value);
    } else if (sscanf(line, "mem %lli %u %lli", (long long *)&address, &bytes,
                      (long long *)&value) == 3) {
        assert_true(bytes <= 8 && address >= WORLD_BASE &&
                    address + bytes <= WORLD_BASE + WORLD_BYTES);
        memcpy(w->memory + (address - WORLD_BASE), &value, bytes);
    } else if (sscanf(line, "readonly %lli", (long long *)&address) == 1) {
        w->readonly[(address - WORLD_BASE) / 4096] = 1;
    } else if (sscanf(line, "pte %lli %lli", (long long *)&address, (long long *)&value) == 2) {
        assert_true(address >= WORLD_PTE_BASE && address < WORLD_PTE_BASE + 8 * WORLD_PTES);
        w->pte[(address - WORLD_PTE_BASE) / 8] = value;
    } else {
        return false;
    }
    return true;
}

static void input_line(const char *line)
{
    char kind[32];

    if (sscanf(line, "attach %31s", kind) == 1) {
        random_head(&t.program.head, strcmp(kind, "syscall") == 0     ? FAST_ATTACH_SYSCALL
                                     : strcmp(kind, "exception") == 0 ? FAST_ATTACH_EXCEPTION
                                                                      : FAST_ATTACH_HYPERCALL);
        world_ctx(&t.ctx, &t.program);
    } else if (!world_line(line, &t.ctx, &t.world)) {
        fail_msg("%s: %s", t.file, line);
    }
}

static void expect_line(const char *line)
{
    if (strncmp(line, "done", 4) == 0) {
        t.outcome = FAST_DONE;
        t.expects = true;
    } else if (strncmp(line, "pass", 4) == 0) {
        sscanf(line, "pass %31s", t.stop);
        t.expects = true;
    } else if (sscanf(line, "refused %31s %u", t.refused, &t.refused_at) == 2) {
        t.expects = true;
    } else if (!world_line(line, &t.want_ctx, &t.want_world)) {
        fail_msg("%s: %s", t.file, line);
    }
}

static void read_test(const char *file)
{
    enum { NOWHERE, INPUT, ASM, EXPECT } part = NOWHERE;
    FILE *f = fopen(file, "r");
    char line[256], error[128];
    int n;

    assert_non_null(f);
    memset(&t, 0, sizeof(t));
    t.file = file;
    strcpy(t.stop, "none");
    input_line("attach syscall");
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "-- ", 3) == 0) {
            part = strncmp(line + 3, "input", 5) == 0 ? INPUT : line[3] == 'a' ? ASM : EXPECT;
            if (part == EXPECT) {
                t.want_ctx = t.ctx;
                t.want_world = t.world;
            }
        } else if (part == ASM) {
            strncat(t.text, line, sizeof(t.text) - strlen(t.text) - 1);
        } else if (line[0] != '#' && line[0] != '\n') {
            part == INPUT ? input_line(line) : expect_line(line);
        }
    }
    fclose(f);
    n = fast_assemble(t.text, t.insns, FAST_MAX_INSNS, error, sizeof(error));
    if (n <= 0 || !t.expects)
        fail_msg("%s: %s", file, n <= 0 ? error : "nothing is expected");
    t.program.insns = t.insns;
    t.program.head.insns = (unsigned int)n;
}

static void round_trip(void)
{
    static struct fast_insn again[FAST_MAX_INSNS];
    static char text[65536];
    struct fast_text out;
    char error[128];
    int n;

    text_init(&out, text, sizeof(text));
    fast_disasm(&out, &t.program);
    n = fast_assemble(text, again, FAST_MAX_INSNS, error, sizeof(error));
    if (n != (int)t.program.head.insns || memcmp(again, t.insns, 8 * (size_t)n) != 0)
        fail_msg("%s: the disassembly is another program: %s\n%s", t.file, n < 0 ? error : "",
                 text);
}

static void check(const struct world_result *got, const char *engine)
{
    if (got->outcome != t.outcome || strcmp(fast_stop_name(got->run.stop), t.stop) != 0)
        fail_msg("%s, %s: outcome %d, stop %s", t.file, engine, got->outcome,
                 fast_stop_name(got->run.stop));
    for (unsigned int i = 0; t.outcome == FAST_DONE && i < sizeof(fields) / sizeof(fields[0]); i++)
        if (memcmp((char *)&got->ctx + fields[i].at, (char *)&t.want_ctx + fields[i].at,
                   fields[i].bytes) != 0)
            fail_msg("%s, %s: %s is 0x%llx", t.file, engine, fields[i].name,
                     *(unsigned long long *)((char *)&got->ctx + fields[i].at));
    for (unsigned int i = 0; i < WORLD_BYTES; i++)
        if (got->world.memory[i] != t.want_world.memory[i])
            fail_msg("%s, %s: memory at 0x%llx is 0x%x", t.file, engine, WORLD_BASE + i,
                     got->world.memory[i]);
    for (unsigned int i = 0; i < WORLD_PTES; i++)
        if (got->world.pte[i] != t.want_world.pte[i])
            fail_msg("%s, %s: entry %u is wrong", t.file, engine, i);
}

static void one_file(const char *file)
{
    static struct verify_space space;
    static struct world_result by_interpreter, by_jit;
    struct fast_verdict verdict;
    const char *why;

    read_test(file);
    round_trip();
    fast_verify(&t.program, &space, &verdict);
    if (strcmp(refusal_text(verdict.id)->name, t.refused) != 0 ||
        (verdict.id && verdict.insn != t.refused_at))
        fail_msg("%s: verdict %s at %u", file, refusal_text(verdict.id)->name, verdict.insn);
    if (verdict.id)
        return;
    world_interpret(&t.program, &t.world, &t.ctx, &by_interpreter);
    check(&by_interpreter, "interpreter");
    for (unsigned int shuffle = 0; shuffle < 10; shuffle++) {
        why = world_jit(&t.program, &t.world, &t.ctx, shuffle, &by_jit);
        if (!why)
            why = world_compare(&by_interpreter, &by_jit);
        if (why)
            fail_msg("%s, JIT with shuffle %u: %s", file, shuffle, why);
        check(&by_jit, "JIT");
    }
}

static void all_files(void **state)
{
    glob_t files;

    (void)state;
    assert_int_equal(glob("fastpath/core/tests/*.data", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        one_file(files.gl_pathv[i]);
    print_message("%zu programs\n", files.gl_pathc);
    assert_true(files.gl_pathc >= 15);
    globfree(&files);
}

/* Every instruction that the table has, through disassembler and assembler. */
static void every_row_round_trips(void **state)
{
    const struct isa_row *row;

    (void)state;
    memset(&t, 0, sizeof(t));
    t.file = "table";
    t.program.insns = t.insns;
    for (unsigned int i = 0; (row = isa_row_number(i)) != NULL; i++) {
        struct isa_insn in;
        bool ok = false;

        if (row->form == FORM_REFUSED)
            continue;
        /* Fills every field that the instruction accepts, one after the other. */
        for (unsigned int fill = 0; fill < 16; fill++) {
            struct fast_insn *at = &t.insns[0];

            memset(t.insns, 0, 16);
            at->code = row->code;
            at->off = fill & 4 && !row->off ? -21 : row->off;
            at->regs = (fill & 1 ? 3 : 0) | (fill & 2 ? 0x70 : 0);
            at->imm = row->form == FORM_SWAP ? 32 : fill & 8 ? -123456789 : 0;
            if (row->form == FORM_LDDW)
                t.insns[1].imm = fill & 8 ? 0x1234567 : 0;
            if (isa_decode(t.insns, 2, &in) != FAST_OK)
                continue;
            ok = true;
            assert_ptr_equal(in.row, row);
            t.program.head.insns = in.length;
            round_trip();
        }
        if (!ok)
            fail_msg("%s was never made", row->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_files),
        cmocka_unit_test(every_row_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
