/* SPDX-License-Identifier: MIT */
/* emul_privop: every privileged instruction but port access, and who may execute which. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "toy_machine.h"

static void test_cpuid(void **state)
{
    struct toy *t = NEW("\x0f\x0bxen\x0f\xa2");

    (void)state;
    t->regs.rax = 0xffffffff00000001;
    t->regs.rcx = 0xffffffff00000002;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0x80000002);
    assert_int_equal(t->regs.rbx, 2);
    assert_int_equal(t->regs.rcx, 3);
    assert_int_equal(t->regs.rdx, 4);
    free(t);
}

static void test_msr(void **state)
{
    struct toy *t = NEW("\x0f\x30");

    (void)state;
    t->regs.rcx = 0xffffffffc0000080;
    t->regs.rax = 0xffffffff00000d01;
    t->regs.rdx = 0xffffffff12345678;
    toy_execute(t);
    assert_int_equal(t->msr_nr, 0xc0000080);
    assert_int_equal(t->msr, 0x1234567800000d01);

    memcpy(t->code, "\x0f\x32", 2);
    t->regs.rip = RIP;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0xd01);
    assert_int_equal(t->regs.rdx, 0x12345678);

    t->regs.rip = RIP;
    t->regs.rcx = 1;
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);
    assert_int_equal(t->regs.rax, 0xd01);
    free(t);
}

static void test_control_registers(void **state)
{
    struct toy *t = NEW("\x44\x0f\x22\xc0");    /* mov %rax,%cr8 */

    (void)state;
    t->regs.rax = 0x123456789abcdef0;
    toy_execute(t);
    assert_int_equal(t->cr[8], 0x123456789abcdef0);
    free(t);

    t = NEW("\x41\x0f\x20\xda");                /* mov %cr3,%r10 */
    t->cr[3] = 0xfedcba9876543210;
    toy_execute(t);
    assert_int_equal(t->regs.r10, 0xfedcba9876543210);
    free(t);

    t = NEW("\x0f\x22\xe0");                    /* mov %rax,%cr4: the callback objects */
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);
    free(t);

    t = NEW("\x0f\x22\xd0");                    /* and to %cr2 with #UD, which has no error code */
    assert_int_equal(emul_privop(&t->ctxt), EMUL_EXCEPTION);
    assert_int_equal(t->ctxt.exc.vector, EMUL_VECTOR_UD);
    assert_false(t->ctxt.exc.has_error_code);
    free(t);

    t = NEW("\x0f\x06");
    t->cr[0] = 0x8005003b;
    toy_execute(t);
    assert_int_equal(t->cr[0], 0x80050033);
    free(t);

    t = NEW("\x0f\x01\xf0");                    /* lmsw %ax sets PE but never clears it */
    t->cr[0] = 0x80050031;
    t->regs.rax = 0xffe;
    toy_execute(t);
    assert_int_equal(t->cr[0], 0x8005003f);
    t->regs.rip = RIP;
    t->regs.rax = 0;
    toy_execute(t);
    assert_int_equal(t->cr[0], 0x80050031);
    t->cr[0] = 0;
    t->regs.rip = RIP;
    t->regs.rax = 1;
    toy_execute(t);
    assert_int_equal(t->cr[0], 1);
    free(t);

    t = NEW("\x0f\x01\x37");                    /* lmsw (%rdi) */
    t->regs.rdi = DATA;
    t->data[0] = 9;
    toy_execute(t);
    assert_int_equal(t->cr[0], 9);
    t->regs.rip = RIP;
    t->regs.rdi = DATA - 1;
    toy_expect_exception(t, EMUL_VECTOR_PF, 4);
    free(t);

    t = NEW("\x0f\x01\x27");                    /* smsw (%rdi) stores two bytes */
    t->regs.rdi = DATA;
    t->cr[0] = 0x80051234;
    toy_execute(t);
    assert_memory_equal(t->data, "\x34\x12\0", 3);
    free(t);

    t = NEW("\x66\x0f\x01\xe7");                /* smsw %di */
    t->cr[0] = 0x80051234;
    toy_execute(t);
    assert_int_equal(t->regs.rdi, 0x7777777777771234);
    free(t);

    t = NEW("\x0f\x01\xe7");                    /* smsw %edi */
    t->cr[0] = 0x80051234;
    toy_execute(t);
    assert_int_equal(t->regs.rdi, 0x80051234);
    free(t);
}

static void test_debug_registers(void **state)
{
    struct toy *t = NEW("\x41\x0f\x23\xf8");    /* mov %r8,%dr7 */

    (void)state;
    toy_execute(t);
    assert_int_equal(t->dr[7], 0x8888888888888888);
    free(t);

    t = NEW("\x0f\x21\xf3");                    /* mov %dr6,%rbx */
    t->dr[6] = 0xffff0ff0;
    toy_execute(t);
    assert_int_equal(t->regs.rbx, 0xffff0ff0);
    free(t);
}

static void test_counters(void **state)
{
    struct toy *t = NEW("\x0f\x31");

    (void)state;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0xddeeff00);
    assert_int_equal(t->regs.rdx, 0x99aabbcc);
    assert_int_equal(t->regs.rcx, 0x1111111111111111);
    free(t);

    t = NEW("\x0f\x01\xf9");
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0xddeeff00);
    assert_int_equal(t->regs.rcx, 77);
    free(t);

    t = NEW("\x0f\x33");
    t->regs.rcx = 0xf40000001;
    toy_execute(t);
    assert_int_equal(t->pmc_nr, 0x40000001);
    assert_int_equal(t->regs.rax, 0x55667788);
    assert_int_equal(t->regs.rdx, 0x11223344);
    free(t);
}

static void test_xcr(void **state)
{
    struct toy *t = NEW("\x0f\x01\xd1");

    (void)state;
    t->regs.rcx = 0xff00000000;
    t->regs.rax = 7;
    t->regs.rdx = 1;
    toy_execute(t);
    assert_int_equal(t->xcr, 0x100000007);
    assert_int_equal(t->xcr_nr, 0);
    free(t);

    t = NEW("\x0f\x01\xd0");
    t->xcr = 0x200000003;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 3);
    assert_int_equal(t->regs.rdx, 2);
    assert_int_equal(t->xcr_nr, 0x11111111);
    free(t);
}

static void test_segment_bases(void **state)
{
    struct toy *t = NEW("\xf3\x4c\x0f\xae\xc0");        /* rdfsbase %rax */

    (void)state;
    t->seg[X86_SEG_FS].base = 0x7fff12345678;
    t->seg[X86_SEG_GS].base = 0xffff888812345678;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0x7fff12345678);
    memcpy(t->code, "\xf3\x40\x0f\xae\xc8", 5);         /* rdgsbase %eax */
    t->regs.rip = RIP;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0x12345678);

    memcpy(t->code, "\xf3\x48\x0f\xae\xd8", 5);         /* wrgsbase %rax */
    t->regs.rip = RIP;
    t->regs.rax = 0xffff800000000000;
    toy_execute(t);
    assert_int_equal(t->written_seg, X86_SEG_GS);
    assert_int_equal(t->written_base, 0xffff800000000000);
    t->regs.rip = RIP;
    t->regs.rax = 0xffff7fffffffffff;
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);

    memcpy(t->code, "\xf3\x40\x0f\xae\xd0", 5);         /* wrfsbase %eax takes 32 bits */
    toy_execute(t);
    assert_int_equal(t->written_seg, X86_SEG_FS);
    assert_int_equal(t->written_base, 0xffffffff);
    free(t);
}

static void test_others(void **state)
{
    struct toy *t = NEW("\x65\x0f\x01\x38");            /* invlpg %gs:(%rax) */

    (void)state;
    t->seg[X86_SEG_GS].base = 0x5000;
    t->regs.rax = 0xffffffff80000000;
    toy_execute(t);
    assert_int_equal(t->invalidated, 0xffffffff80005000);
    free(t);

    t = NEW("\xfb");
    toy_execute(t);
    assert_int_equal(t->interrupts, 1);
    t->code[0] = 0xfa;
    t->regs.rip = RIP;
    toy_execute(t);
    assert_int_equal(t->interrupts, 0);
    t->code[0] = 0xf4;
    t->regs.rip = RIP;
    toy_execute(t);
    assert_int_equal(t->halts, 1);
    free(t);

    t = NEW("\x0f\x09");
    toy_execute(t);
    assert_int_equal(t->discarded, 0);
    t->code[1] = 0x08;
    t->regs.rip = RIP;
    toy_execute(t);
    assert_int_equal(t->discarded, 1);
    free(t);

    t = NEW("\x0f\x01\xf8");
    toy_execute(t);
    assert_int_equal(t->swaps, 1);
    free(t);
}

/* One example of every operation of set B, and whether guest user space may execute it. */
static const struct {
    enum x86_op op;
    const char *code;
    unsigned int bytes;
    bool user;
} examples[] = {
    { X86_OP_IN, "\xec", 1, true }, { X86_OP_OUT, "\xee", 1, true },
    { X86_OP_INS, "\x6c", 1, true }, { X86_OP_OUTS, "\x6e", 1, true },
    { X86_OP_CPUID, "\x0f\xa2", 2, true }, { X86_OP_RDMSR, "\x0f\x32", 2, false },
    { X86_OP_WRMSR, "\x0f\x30", 2, false }, { X86_OP_READ_CR, "\x0f\x20\xc0", 3, false },
    { X86_OP_WRITE_CR, "\x0f\x22\xc0", 3, false }, { X86_OP_READ_DR, "\x0f\x21\xc0", 3, false },
    { X86_OP_WRITE_DR, "\x0f\x23\xc0", 3, false }, { X86_OP_CLTS, "\x0f\x06", 2, false },
    { X86_OP_HLT, "\xf4", 1, false }, { X86_OP_INVD, "\x0f\x08", 2, false },
    { X86_OP_WBINVD, "\x0f\x09", 2, false }, { X86_OP_LMSW, "\x0f\x01\xf0", 3, false },
    { X86_OP_SMSW, "\x0f\x01\xe0", 3, false }, { X86_OP_RDTSC, "\x0f\x31", 2, true },
    { X86_OP_RDTSCP, "\x0f\x01\xf9", 3, true }, { X86_OP_RDPMC, "\x0f\x33", 2, false },
    { X86_OP_XSETBV, "\x0f\x01\xd1", 3, false }, { X86_OP_XGETBV, "\x0f\x01\xd0", 3, false },
    { X86_OP_INVLPG, "\x0f\x01\x38", 3, false }, { X86_OP_CLI, "\xfa", 1, true },
    { X86_OP_STI, "\xfb", 1, true }, { X86_OP_SWAPGS, "\x0f\x01\xf8", 3, false },
    { X86_OP_RDFSBASE, "\xf3\x0f\xae\xc0", 4, false },
    { X86_OP_RDGSBASE, "\xf3\x0f\xae\xc8", 4, false },
    { X86_OP_WRFSBASE, "\xf3\x0f\xae\xd0", 4, false },
    { X86_OP_WRGSBASE, "\xf3\x0f\xae\xd8", 4, false },
};

#define NR_EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static void test_every_operation(void **state)
{
    (void)state;
    assert_int_equal(NR_EXAMPLES, X86_OP_COUNT - X86_OP_LAST_MEMORY - 1);
    for (unsigned int i = 0; i < NR_EXAMPLES; i++) {
        struct toy *t = new_toy(examples[i].code, examples[i].bytes);
        struct cpu_user_regs before;

        assert_int_equal(X86_OP_LAST_MEMORY + 1 + i, examples[i].op);
        t->regs.rsi = t->regs.rdi = DATA;
        t->msr_nr = (uint32_t)t->regs.rcx;
        before = t->regs;

        /* Without its callback: refused, and nothing changed. */
        t->ctxt.ops = &toy_fetch_only;
        assert_int_equal(emul_privop(&t->ctxt), EMUL_UNHANDLEABLE);
        assert_memory_equal(&t->regs, &before, sizeof(before));
        assert_int_equal(t->ctxt.insn.op, examples[i].op);

        t->ctxt.ops = &toy_ops;
        t->ctxt.guest_kernel = false;
        assert_int_equal(emul_privop(&t->ctxt), examples[i].user ? EMUL_OK : EMUL_UNHANDLEABLE);
        if (!examples[i].user)
            assert_memory_equal(&t->regs, &before, sizeof(before));

        t->regs = before;
        t->ctxt.guest_kernel = true;
        toy_execute(t);
        free(t);
    }
}

static void test_not_privileged(void **state)
{
    struct toy *t = NEW("\x48\x89\x00");        /* set A is not executed here */

    (void)state;
    assert_int_equal(emul_privop(&t->ctxt), EMUL_UNHANDLEABLE);
    free(t);

    t = NEW("\x0f\x0b");                        /* ud2, and the page ends */
    assert_int_equal(emul_privop(&t->ctxt), EMUL_UNHANDLEABLE);
    free(t);

    t = NEW("\x0f");
    t->code_bytes = 0;
    assert_int_equal(emul_privop(&t->ctxt), EMUL_UNHANDLEABLE);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpuid),
        cmocka_unit_test(test_msr),
        cmocka_unit_test(test_control_registers),
        cmocka_unit_test(test_debug_registers),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_xcr),
        cmocka_unit_test(test_segment_bases),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_not_privileged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
