/* SPDX-License-Identifier: MIT */
/*
 * From records to stacks: ORC tables, made here and cut from Debian's kernel, and the collector on a
 * kernel of five functions.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tracing/profile/collect.h"
#include "../../tracing/profile/tree.h"

#define TEXT  0xffffffff81000000ull
#define STACK 0xffffc90000010000ull

/* sp_reg, bp_reg, type, end of struct orc_entry */
#define REGS(sp, bp, type, end) (uint16_t)((sp) | (bp) << 4 | (type) << 8 | (end) << 10)
enum { UNDEFINED, PREV_SP, BP = 4, SP = 5, BP_INDIRECT = 8, SP_INDIRECT = 9 };
enum { CALL, FULL_REGS, IRET_REGS };

/*
 * The kernel: address behind TEXT, what its entry says.
 *   0x000 entry      at the outermost: registers of the user
 *   0x100 plain      24 bytes of stack: return address at sp + 16
 *   0x200 framed     push rbp; mov rsp, rbp: previous frame at rbp + 16, rbp at 16 below it
 *   0x300 irq_entry  interrupt: struct pt_regs at sp
 *   0x400 naked      no entry that says anything
 *   0x500 iret_entry the processor's frame at sp + 8
 */
static const struct orc_entry entries[] = {
    { 0, 0, REGS(SP, 0, FULL_REGS, 0) }, { 24, 0, REGS(SP, 0, CALL, 0) },
    { 16, -16, REGS(BP, PREV_SP, CALL, 0) }, { 0, 0, REGS(SP, 0, FULL_REGS, 0) },
    { 0, 0, REGS(UNDEFINED, 0, CALL, 0) }, { 8, 0, REGS(SP, 0, IRET_REGS, 0) },
    { 0, 0, REGS(UNDEFINED, 0, CALL, 1) },
};
#define NR (sizeof(entries) / sizeof(*entries))

static void make_kernel(struct kernel *k)
{
    static const char *const names[NR] = { "entry", "plain", "framed", "irq_entry", "naked",
                                           "iret_entry", "the_end" };
    struct orc_table *t = calloc(1, sizeof(*t));

    *k = (struct kernel){ .text_start = TEXT, .text_end = TEXT + 0x1000 };
    *t = (struct orc_table){ .nr = NR, .base = TEXT + 0x10000, .start = TEXT, .end = TEXT + 0x700,
                             .ip = malloc(NR * 4), .entry = malloc(sizeof(entries)) };
    for (size_t i = 0; i < NR; i++) {
        t->ip[i] = (int32_t)(TEXT + 0x100 * i - (t->base + 4 * i));
        symtab_add(&k->symbols, TEXT + 0x100 * i, 0, names[i], NULL, true);
    }
    memcpy(t->entry, entries, sizeof(entries));
    symtab_sort(&k->symbols);
    k->orc = (struct orc_tables){ t, 1 };
}

static void kernel_release(struct kernel *k)
{
    symtab_free(&k->symbols);
    orc_free(&k->orc);
}

/* ------------------------------------------------------------------ unwinding */

struct unwound {
    enum unwind_end end;
    uint64_t ip[8];
    size_t nr;
};

static struct unwound unwind(const struct kernel *k, uint64_t rip, uint64_t rbp,
                             const struct stack_word *words, size_t nr)
{
    struct stack_view v = { .rip = rip, .rsp = STACK, .rbp = rbp, .word = words, .nr = nr,
                            .text_start = k->text_start, .text_end = k->text_end };
    struct unwound u;

    u.end = orc_unwind(&k->orc, &v, u.ip, 8, &u.nr);
    return u;
}

static void calls_are_unwound(void **state)
{
    const struct stack_word words[] = {
        { STACK, TEXT + 0x123 },                /* a stale one: not where the table points */
        { STACK + 16, TEXT + 0x210 },           /* plain's return address: in framed */
        { STACK + 48, STACK + 0x200 },          /* framed's saved rbp, at its own rbp */
        { STACK + 56, TEXT + 0x20 },            /* framed's return address: in entry */
    };
    struct kernel k;
    struct unwound u;

    (void)state;
    make_kernel(&k);
    u = unwind(&k, TEXT + 0x180, STACK + 48, words, 4);
    assert_int_equal(u.end, UNWIND_DONE);
    assert_int_equal(u.nr, 3);
    assert_int_equal(u.ip[1], TEXT + 0x210);
    assert_int_equal(u.ip[2], TEXT + 0x20);
    kernel_release(&k);
}

static void missing_words_end_it(void **state)
{
    const struct stack_word words[] = { { STACK + 16, TEXT + 0x210 } };
    struct kernel k;
    struct unwound u;

    (void)state;
    make_kernel(&k);
    u = unwind(&k, TEXT + 0x180, STACK + 48, words, 1);
    assert_int_equal(u.end, UNWIND_NO_WORD);
    assert_int_equal(u.nr, 2);
    u = unwind(&k, TEXT + 0x480, 0, words, 1);
    assert_int_equal(u.end, UNWIND_NO_ENTRY);
    assert_int_equal(u.nr, 1);
    u = unwind(&k, TEXT + 0x900, 0, words, 1); /* outside of the table */
    assert_int_equal(u.end, UNWIND_NO_ENTRY);
    u = unwind(&k, TEXT + 0x680, 0, words, 1);
    assert_int_equal(u.end, UNWIND_DONE);
    kernel_release(&k);
}

/* An interrupt on top of plain: its registers lead on, and a leaf's address is not one before. */
static void interrupts_are_unwound(void **state)
{
    const struct stack_word words[] = {
        { STACK + 32, STACK + 0x300 },          /* pt_regs.bp */
        { STACK + 128, TEXT + 0x100 },          /* pt_regs.ip: first instruction of plain */
        { STACK + 152, STACK + 0x100 },         /* pt_regs.sp */
        { STACK + 0x110, TEXT + 0x44 },         /* plain's return address: in entry */
    };
    struct kernel k;
    struct unwound u;

    (void)state;
    make_kernel(&k);
    u = unwind(&k, TEXT + 0x340, 0, words, 4);
    assert_int_equal(u.end, UNWIND_DONE);
    assert_int_equal(u.nr, 3);
    assert_int_equal(u.ip[1], TEXT + 0x100);
    assert_int_equal(u.ip[2], TEXT + 0x44);
    kernel_release(&k);
}

static void loops_end(void **state)
{
    const struct stack_word words[] = {
        { STACK + 8, TEXT + 0x510 }, { STACK + 32, STACK }, /* the frame leads to itself */
    };
    struct kernel k;
    struct unwound u;

    (void)state;
    make_kernel(&k);
    u = unwind(&k, TEXT + 0x510, 0, words, 2);
    assert_int_equal(u.end, UNWIND_DEEP);
    assert_int_equal(u.nr, 8);
    kernel_release(&k);
}

/*
 * .orc_unwind_ip and .orc_unwind of do_syscall_64() in Debian's 6.1.0-56-amd64, five entries from
 * number 369067 on, and what its instructions do: push %rbp; mov %rsp, %rbp; push %rbx; ... leave;
 * jmp (at +0x6e).
 */
static void debians_table_is_read(void **state)
{
    static const uint64_t do_syscall_64 = 0xffffffff81a43dc0;
    static const int32_t ips[] = { -20462944, -20462947, -20462948, -20462846, -20462845 };
    static const uint8_t bytes[] = {
        0x08, 0, 0x00, 0x00, 0x05, 0, 0x10, 0, 0xf0, 0xff, 0x15, 0, 0x10, 0, 0xf0, 0xff, 0x14, 0,
        0x08, 0, 0x00, 0x00, 0x05, 0, 0x10, 0, 0xf0, 0xff, 0x14, 0,
    };
    static const struct { unsigned int at; int sp_offset, bp_offset; uint16_t regs; } want[] = {
        { 0, 8, 0, REGS(SP, UNDEFINED, CALL, 0) },      /* before push %rbp */
        { 1, 16, -16, REGS(SP, PREV_SP, CALL, 0) },     /* behind it */
        { 4, 16, -16, REGS(BP, PREV_SP, CALL, 0) },     /* rbp is the frame */
        { 0x3e, 16, -16, REGS(BP, PREV_SP, CALL, 0) },  /* behind the call of x64_sys_call() */
        { 0x6e, 8, 0, REGS(SP, UNDEFINED, CALL, 0) },   /* behind leave */
        { 0x73, 16, -16, REGS(BP, PREV_SP, CALL, 0) },
    };
    struct orc_table table = {
        .ip = (int32_t *)ips, .entry = (struct orc_entry *)bytes, .nr = 5,
        .base = 0xffffffff82c5f474 + 4 * 369067ull, .start = do_syscall_64,
        .end = do_syscall_64 + 0x100,
    };
    struct orc_tables t = { &table, 1 };

    (void)state;
    assert_int_equal(sizeof(bytes), 5 * sizeof(struct orc_entry));
    for (unsigned int i = 0; i < sizeof(want) / sizeof(*want); i++) {
        const struct orc_entry *e = orc_find(&t, do_syscall_64 + want[i].at);

        assert_non_null(e);
        assert_int_equal(e->sp_offset, want[i].sp_offset);
        assert_int_equal(e->bp_offset, want[i].bp_offset);
        assert_int_equal(e->regs, want[i].regs);
    }
    assert_null(orc_find(&t, do_syscall_64 - 1));
}

/* ------------------------------------------------------------------ collecting */

struct world {
    struct kernel kernel;
    struct symtab hypervisor;
    struct profile profile;
    struct collector collector;
};

static bool handler_five(void *ctx, uint32_t id, char name[RADON_FAST_NAME_BYTES])
{
    (void)ctx;
    strcpy(name, "getpid");
    return id == 5;
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    make_kernel(&w->kernel);
    symtab_add(&w->hypervisor, 0xffff82d080000000, 0, "do_mmu_update", NULL, true);
    symtab_sort(&w->hypervisor);
    w->collector = (struct collector){ .profile = &w->profile, .kernel = &w->kernel,
                                       .hypervisor = &w->hypervisor,
                                       .handler_name = handler_five,
                                       .users = user_symbols_new() };
}

static void put(struct world *w, unsigned int cpu, uint32_t event, const uint32_t *data,
                unsigned int words)
{
    struct trace_record rec = { .cpu = cpu, .event = event, .words = words, .tsc = 5,
                                .has_tsc = true };

    memcpy(rec.data, data, 4 * words);
    collect_record(&w->collector, cpu, &rec);
}

static void put_sample(struct world *w, unsigned int cpu, uint64_t rip, uint32_t mode,
                       uint32_t entry)
{
    const uint32_t data[] = { (uint32_t)rip, (uint32_t)(rip >> 32), (uint32_t)STACK,
                              (uint32_t)(STACK >> 32), 0, mode, entry };

    put(w, cpu, RADON_TRC_PROFILE + 1, data, 7);
}

static void put_word(struct world *w, unsigned int cpu, uint32_t kind, uint32_t where,
                     uint64_t word)
{
    const uint32_t data[] = { kind | where << 8, (uint32_t)word, (uint32_t)(word >> 32) };

    put(w, cpu, RADON_TRC_PROFILE + 2, data, 3);
}

static void put_comm(struct world *w, unsigned int cpu, const char *comm)
{
    uint64_t words[2] = { 0 };

    memcpy(words, comm, strlen(comm));
    put_word(w, cpu, RADON_PROFILE_TASK, 0, 42);
    put_word(w, cpu, RADON_PROFILE_TASK, 1, words[0]);
    put_word(w, cpu, RADON_PROFILE_TASK, 2, words[1]);
}

/* All that was collected, folded. */
static void expect(struct world *w, const char *want)
{
    struct node *root = tree_new();
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    collect_end(&w->collector);
    assert_false(w->collector.failed);
    assert_true(tree_add(root, &w->profile, 0, true));
    tree_fold(root, 1, f);
    fclose(f);
    assert_string_equal(text, want);
    free(text);
    tree_free(root);
    user_symbols_free(w->collector.users);
    profile_free(&w->profile);
    symtab_free(&w->hypervisor);
    kernel_release(&w->kernel);
}

static void kernel_samples_have_stacks(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_sample(&w, 0, TEXT + 0x180, RADON_PROFILE_KERNEL, 0);
    put_word(&w, 0, RADON_PROFILE_RBP, 0, STACK + 48);
    put_comm(&w, 0, "a_long_name_of_1");
    put_word(&w, 0, RADON_PROFILE_STACK, 16, TEXT + 0x200); /* behind a call at plain's end */
    put_word(&w, 0, RADON_PROFILE_STACK, 56, TEXT + 0x20);
    put_sample(&w, 1, TEXT + 0x480, RADON_PROFILE_KERNEL, 0); /* no entry: leaf and caller */
    put_comm(&w, 1, "b");
    put_word(&w, 1, RADON_PROFILE_STACK, 8, STACK + 8);
    put_word(&w, 1, RADON_PROFILE_STACK, 16, TEXT + 0x210);
    assert_int_equal(w.profile.nr_samples, 0); /* until the next sample comes */
    /* The return address is the first of `framed`: the call was the last of `plain`. */
    expect(&w, "a_long_name_of_1;plain_[k];plain_[k] 1\nb;framed_[k];naked_[k] 1\n");
}

static void hypervisor_samples_are_on_top(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_sample(&w, 0, TEXT + 0x180, RADON_PROFILE_HYPERVISOR, RADON_SITE_HYPERCALL | 1 << 8);
    put_word(&w, 0, RADON_PROFILE_HV_RIP, 0, 0xffff82d080000010);
    put_word(&w, 0, RADON_PROFILE_MISSED, 0, 2);
    put_comm(&w, 0, "p");
    put_word(&w, 0, RADON_PROFILE_STACK, 16, TEXT + 0x20);
    /* A page fault of the kernel, bounced: rcx, r11, error code, rip, cs, rflags, rsp. */
    put_sample(&w, 0, TEXT + 0x600, RADON_PROFILE_HYPERVISOR, RADON_SITE_PAGE_FAULT | 14 << 8);
    put_comm(&w, 0, "p");
    put_word(&w, 0, RADON_PROFILE_STACK, 24, TEXT + 0x180);
    put_word(&w, 0, RADON_PROFILE_STACK, 48, STACK + 0x100);
    put_word(&w, 0, RADON_PROFILE_STACK, 0x110, TEXT + 0x20);
    /* A system call, bounced: below it there is the user alone. */
    put_sample(&w, 0, TEXT + 0x600, RADON_PROFILE_HYPERVISOR, RADON_SITE_SYSCALL);
    put_comm(&w, 0, "p");
    /* iret: the guest is the user's already. */
    put_sample(&w, 0, 0x401000, RADON_PROFILE_HYPERVISOR, RADON_SITE_HYPERCALL | 23 << 8);
    put_comm(&w, 0, "p");
    /* A handler in place of the guest kernel. */
    put_sample(&w, 0, 0x401000, RADON_PROFILE_HYPERVISOR, RADON_SITE_SYSCALL | 39 << 8);
    put_word(&w, 0, RADON_PROFILE_HV_RIP, 0, 0xffff82d080000010);
    put_word(&w, 0, RADON_PROFILE_HANDLER, 0, 5);
    put_comm(&w, 0, "p");
    put_sample(&w, 0, 0, RADON_PROFILE_IDLE, 0);
    expect(&w, "idle 1\n"
               "p;bounce:syscall_[h] 1\n"
               "p;bounce:syscall_[h];handler:getpid_[f] 1\n"
               "p;entry_[k];plain_[k];hypercall:mmu_update_[h];do_mmu_update_[h] 3\n"
               "p;entry_[k];plain_[k];trap:page_fault_[h] 1\n"
               "p;hypercall:iret_[h] 1\n");
}

static void lost_words_void_the_sample(void **state)
{
    const uint32_t lost[] = { 7, 0, 0, 0 };
    struct world w;

    (void)state;
    begin(&w);
    put_sample(&w, 0, TEXT + 0x180, RADON_PROFILE_KERNEL, 0);
    put(&w, 0, TRC_LOST_RECORDS, lost, 4);
    put_word(&w, 0, RADON_PROFILE_STACK, 16, TEXT + 0x20);
    put(&w, 0, RADON_TRC_PROFILE + 1, lost, 4); /* too short to be one */
    put_word(&w, 900, RADON_PROFILE_STACK, 16, TEXT + 0x20);
    assert_int_equal(w.collector.lost, 7);
    expect(&w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_unwound),
        cmocka_unit_test(missing_words_end_it),
        cmocka_unit_test(interrupts_are_unwound),
        cmocka_unit_test(loops_end),
        cmocka_unit_test(debians_table_is_read),
        cmocka_unit_test(kernel_samples_have_stacks),
        cmocka_unit_test(hypervisor_samples_are_on_top),
        cmocka_unit_test(lost_words_void_the_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
