/* SPDX-License-Identifier: MIT */
/* emul_privop: port instructions, their faults and bounds, segmentation, traps. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "toy_machine.h"

static void test_in(void **state)
{
    struct toy *t = NEW("\xe4\x71");            /* in $0x71,%al */

    (void)state;
    t->regs.rax = 0x1234567890abcdef;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0x1234567890abcdd1);
    assert_int_equal(t->last_port, 0x71);
    free(t);

    t = NEW("\x66\xed");                        /* in %dx,%ax */
    t->regs.rax = 0x1234567890abcdef;
    t->regs.rdx = 0xffff1cfc;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0x1234567890abc0d1);
    assert_int_equal(t->last_port, 0x1cfc);
    free(t);

    t = NEW("\xed");                            /* in %dx,%eax */
    t->regs.rax = 0x1234567890abcdef;
    toy_execute(t);
    assert_int_equal(t->regs.rax, 0xa0b0c0d1);
    free(t);
}

static void check_out(const char *code, unsigned int n, unsigned int bytes, uint32_t expected)
{
    struct toy *t = new_toy(code, n);

    t->regs.rax = 0x123456785678789a;
    t->regs.rdx = 0x3f8;
    toy_execute(t);
    assert_int_equal(t->nr_out, 1);
    assert_int_equal(t->out[0], expected);
    assert_int_equal(t->last_port, 0x3f8);
    assert_int_equal(t->last_bytes, bytes);
    free(t);
}

static void test_out(void **state)
{
    (void)state;
    check_out("\xee", 1, 1, 0x9a);
    check_out("\x66\xef", 2, 2, 0x789a);
    check_out("\xef", 1, 4, 0x5678789a);
}

static void test_port_forbidden(void **state)
{
    struct toy *t = NEW("\xee");
    struct cpu_user_regs before;

    (void)state;
    t->port_verdict = EMUL_UNHANDLEABLE;
    before = t->regs;
    assert_int_equal(emul_privop(&t->ctxt), EMUL_UNHANDLEABLE);
    assert_memory_equal(&before, &t->regs, sizeof(before));
    assert_int_equal(t->nr_out, 0);
    free(t);

    /* Four bytes at port 0xfffe would wrap round. */
    t = NEW("\xef");
    t->regs.rdx = 0xfffe;
    assert_int_equal(emul_privop(&t->ctxt), EMUL_UNHANDLEABLE);
    assert_int_equal(t->nr_out, 0);
    free(t);
}

static void test_rep_outs_in_batches(void **state)
{
    struct toy *t = NEW("\xf3\x6e");            /* rep outsb */
    unsigned int calls = 1;

    (void)state;
    for (unsigned int i = 0; i < DATA_BYTES; i++)
        t->data[i] = (uint8_t)(i * 7);
    t->regs.rsi = DATA;
    t->regs.rcx = 200;
    t->regs.rflags |= X86_RFLAGS_RF;
    while (emul_privop(&t->ctxt) == EMUL_RETRY) {
        assert_int_equal(t->regs.rip, RIP);
        assert_int_equal(t->nr_out, calls * EMUL_REP_BATCH);
        assert_int_equal(t->regs.rcx, 200 - t->nr_out);
        assert_true(t->regs.rflags & X86_RFLAGS_RF);
        calls++;
    }
    assert_int_equal(calls, (200 + EMUL_REP_BATCH - 1) / EMUL_REP_BATCH);
    assert_int_equal(t->regs.rip, RIP + 2);
    assert_int_equal(t->regs.rflags, 0x202);
    assert_int_equal(t->regs.rcx, 0);
    assert_int_equal(t->regs.rsi, DATA + 200);
    assert_int_equal(t->nr_out, 200);
    for (unsigned int i = 0; i < 200; i++)
        assert_int_equal(t->out[i], (uint8_t)(i * 7));
    free(t);

    t = NEW("\xf3\x6f");                        /* a count of zero does nothing */
    t->regs.rcx = 0;
    toy_execute(t);
    assert_int_equal(t->nr_out, 0);
    free(t);

    t = NEW("\x67\xf3\x6e");                    /* 32-bit count and pointer */
    t->regs.rcx = 0xffffffff00000002;
    t->regs.rsi = 0xffffffff00000000 | DATA;
    toy_execute(t);
    assert_int_equal(t->nr_out, 2);
    assert_int_equal(t->regs.rcx, 0);
    assert_int_equal(t->regs.rsi, DATA + 2);
    free(t);
}

static void test_ins_backwards(void **state)
{
    struct toy *t = NEW("\xf2\x66\x6d");        /* F2 repeats as F3 does */

    (void)state;
    t->regs.rdi = DATA + 4;
    t->regs.rcx = 3;
    t->regs.rflags |= X86_RFLAGS_DF;
    toy_execute(t);
    assert_int_equal(t->regs.rdi, DATA - 2);
    assert_memory_equal(t->data, "\xd3\xc0\xd2\xc0\xd1\xc0\0", 7);
    free(t);
}

/* The page fault comes before the port is read, with the iterations before it accounted for. */
static void test_ins_faults(void **state)
{
    struct toy *t = NEW("\xf3\x6d");            /* rep insd */

    (void)state;
    t->regs.rdi = DATA + DATA_BYTES - 8;
    t->regs.rcx = 5;
    toy_expect_exception(t, EMUL_VECTOR_PF, 6);
    assert_int_equal(t->ctxt.exc.cr2, DATA + DATA_BYTES);
    assert_int_equal(t->nr_in, 2);
    assert_int_equal(t->regs.rcx, 3);
    assert_int_equal(t->regs.rdi, DATA + DATA_BYTES);
    free(t);

    t = NEW("\x6f");
    t->regs.rsi = 0x7ffffffffffd;               /* its end is not canonical */
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);
    t->regs.rsi = 0xffff7fffffffffff;           /* nor is this one's beginning */
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);
    assert_int_equal(t->nr_out, 0);
    free(t);
}

/* Refused half-way: the guest executes the rest itself, and faults there with nothing done. */
static void test_refused_half_way(void **state)
{
    struct toy *t = NEW("\xf3\x6e");

    (void)state;
    t->out_limit = 2;
    t->regs.rsi = DATA;
    t->regs.rcx = 3;
    assert_int_equal(emul_privop(&t->ctxt), EMUL_RETRY);
    assert_int_equal(t->regs.rcx, 1);
    assert_int_equal(emul_privop(&t->ctxt), EMUL_UNHANDLEABLE);
    assert_int_equal(t->regs.rcx, 1);
    assert_int_equal(t->regs.rsi, DATA + 2);
    free(t);
}

static void test_single_step(void **state)
{
    struct toy *t = NEW("\xf3\x6e");

    (void)state;
    t->regs.rsi = DATA;
    t->regs.rcx = 2;
    t->regs.rflags |= X86_RFLAGS_TF;
    assert_int_equal(emul_privop(&t->ctxt), EMUL_RETRY);
    assert_true(t->ctxt.single_step);
    assert_int_equal(t->nr_out, 1);
    assert_int_equal(emul_privop(&t->ctxt), EMUL_OK);
    assert_true(t->ctxt.single_step);
    assert_int_equal(t->regs.rip, RIP + 2);
    free(t);

    t = NEW("\x0f\x31");
    t->regs.rflags |= X86_RFLAGS_RF;
    toy_execute(t);
    assert_false(t->ctxt.single_step);
    assert_int_equal(t->regs.rflags, 0x202);
    free(t);
}

static struct toy *new_toy_32(const char *code, unsigned int n)
{
    struct toy *t = new_toy(code, n);

    t->ctxt.mode = X86_MODE_32;
    t->ctxt.guest_kernel = false;
    return t;
}

static void test_32_bit(void **state)
{
    struct toy *t = new_toy_32("\x6e", 1);      /* outsb: DS has a base; both wrap at 4 GiB */

    (void)state;
    t->seg[X86_SEG_DS].base = 0xfffff000;
    t->regs.rsi = 0xdead000000000000 + DATA + 0x1000;
    t->data[0] = 0x42;
    toy_execute(t);
    assert_int_equal(t->out[0], 0x42);
    assert_int_equal(t->regs.rsi, DATA + 0x1001);
    free(t);

    t = new_toy_32("\x0f\xa2", 2);              /* code: so does RIP */
    t->seg[X86_SEG_CS].base = RIP + 2;
    t->regs.rip = 0xfffffffe;
    assert_int_equal(emul_privop(&t->ctxt), EMUL_OK);
    assert_int_equal(t->regs.rip, 0);
    free(t);

    t = new_toy_32("\x36\x6e", 2);              /* beyond the limit of SS */
    t->seg[X86_SEG_SS].limit = DATA - 1;
    t->regs.rsi = DATA;
    toy_expect_exception(t, EMUL_VECTOR_SS, 0);
    free(t);

    t = new_toy_32("\x6d", 1);                  /* the last of four bytes is beyond */
    t->seg[X86_SEG_ES].limit = DATA + 2;
    t->regs.rdi = DATA;
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);
    t->seg[X86_SEG_ES].limit++;
    toy_execute(t);
    free(t);

    t = new_toy_32("\x6c", 1);                  /* read-only */
    t->seg[X86_SEG_ES].writable = false;
    t->regs.rdi = DATA;
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);
    free(t);

    t = new_toy_32("\x6e", 1);                  /* expand-down: offsets above the limit */
    t->seg[X86_SEG_DS].expand_down = true;
    t->seg[X86_SEG_DS].limit = DATA;
    t->regs.rsi = DATA;
    toy_expect_exception(t, EMUL_VECTOR_GP, 0);
    t->regs.rsi = DATA + 1;
    toy_execute(t);
    free(t);

    t = new_toy_32("\x67\xf3\x6e", 3);          /* 16-bit count and pointer */
    t->regs.rsi = 0x70000 + DATA;
    t->regs.rcx = 0x50001;
    toy_execute(t);
    assert_int_equal(t->regs.rsi, 0x70000 + DATA + 1);
    assert_int_equal(t->regs.rcx, 0x50000);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in),
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_port_forbidden),
        cmocka_unit_test(test_rep_outs_in_batches),
        cmocka_unit_test(test_ins_backwards),
        cmocka_unit_test(test_ins_faults),
        cmocka_unit_test(test_refused_half_way),
        cmocka_unit_test(test_single_step),
        cmocka_unit_test(test_32_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
