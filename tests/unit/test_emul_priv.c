/* SPDX-License-Identifier: MIT */
/* emul_privop on a toy machine: every instruction of set B, its faults, and its bounds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../hv/x86/emul.h"

#define RIP 0x1000u
#define DATA 0x8000u        /* address of `data`; beyond it is not mapped */
#define DATA_BYTES 256u

/* What the callbacks read, and a note of what they were told. */
struct toy {
    struct emul_ctxt ctxt;
    struct cpu_user_regs regs;
    uint8_t code[16];
    unsigned int code_bytes;
    uint8_t data[DATA_BYTES];
    struct emul_segment seg[X86_SEG_COUNT];
    enum emul_rc port_verdict;
    unsigned int nr_in, nr_out;
    uint16_t last_port;
    unsigned int last_bytes;
    uint32_t out[512];
    uint64_t cr[16], dr[8], msr, xcr;
    uint32_t msr_nr, xcr_nr, pmc_nr;
    uint64_t written_base;
    enum x86_seg written_seg;
    uint64_t invalidated;
    int interrupts, discarded, halts, swaps;    /* -1 or 0 before */
};

static struct toy *toy_of(struct emul_ctxt *ctxt)
{
    return ctxt->priv;
}

static enum emul_rc toy_fetch(struct emul_ctxt *ctxt, uint64_t addr, void *buf, unsigned int bytes,
                              unsigned int *got)
{
    struct toy *t = toy_of(ctxt);

    assert_int_equal(addr, RIP);
    *got = t->code_bytes < bytes ? t->code_bytes : bytes;
    memcpy(buf, t->code, *got);
    return EMUL_OK;
}

static bool mapped(uint64_t addr, unsigned int bytes)
{
    return addr >= DATA && addr + bytes <= DATA + DATA_BYTES;
}

static enum emul_rc toy_read_mem(struct emul_ctxt *ctxt, uint64_t addr, void *buf,
                                 unsigned int bytes)
{
    if (!mapped(addr, bytes))
        return emul_raise_page_fault(ctxt, 4, addr);
    memcpy(buf, toy_of(ctxt)->data + (addr - DATA), bytes);
    return EMUL_OK;
}

static enum emul_rc toy_write_mem(struct emul_ctxt *ctxt, uint64_t addr, const void *buf,
                                  unsigned int bytes)
{
    if (!mapped(addr, bytes))
        return emul_raise_page_fault(ctxt, 6, addr);
    memcpy(toy_of(ctxt)->data + (addr - DATA), buf, bytes);
    return EMUL_OK;
}

static enum emul_rc toy_probe_write(struct emul_ctxt *ctxt, uint64_t addr, unsigned int bytes)
{
    return mapped(addr, bytes) ? EMUL_OK : emul_raise_page_fault(ctxt, 6, addr);
}

static enum emul_rc toy_segment(struct emul_ctxt *ctxt, enum x86_seg seg, struct emul_segment *out)
{
    *out = toy_of(ctxt)->seg[seg];
    return EMUL_OK;
}

static enum emul_rc toy_write_seg_base(struct emul_ctxt *ctxt, enum x86_seg seg, uint64_t base)
{
    toy_of(ctxt)->written_seg = seg;
    toy_of(ctxt)->written_base = base;
    return EMUL_OK;
}

static enum emul_rc toy_swapgs(struct emul_ctxt *ctxt)
{
    toy_of(ctxt)->swaps++;
    return EMUL_OK;
}

static enum emul_rc toy_io_allowed(struct emul_ctxt *ctxt, uint16_t port, unsigned int bytes)
{
    toy_of(ctxt)->last_port = port;
    toy_of(ctxt)->last_bytes = bytes;
    return toy_of(ctxt)->port_verdict;
}

/* Ports count: the n-th read gives n in every byte's low bits, plus garbage above the size. */
static enum emul_rc toy_read_io(struct emul_ctxt *ctxt, uint16_t port, unsigned int bytes,
                                uint32_t *value)
{
    struct toy *t = toy_of(ctxt);

    assert_int_equal(port, t->last_port);
    assert_int_equal(bytes, t->last_bytes);
    *value = 0xa0b0c0d0 + ++t->nr_in;
    return EMUL_OK;
}

static enum emul_rc toy_write_io(struct emul_ctxt *ctxt, uint16_t port, unsigned int bytes,
                                 uint32_t value)
{
    struct toy *t = toy_of(ctxt);

    assert_int_equal(port, t->last_port);
    assert_int_equal(bytes, t->last_bytes);
    t->out[t->nr_out++ % 512] = value;
    return EMUL_OK;
}

static enum emul_rc toy_read_cr(struct emul_ctxt *ctxt, unsigned int nr, uint64_t *value)
{
    *value = toy_of(ctxt)->cr[nr];
    return EMUL_OK;
}

static enum emul_rc toy_write_cr(struct emul_ctxt *ctxt, unsigned int nr, uint64_t value)
{
    if (nr == 4)
        return emul_raise(ctxt, EMUL_VECTOR_GP, 0);
    toy_of(ctxt)->cr[nr] = value;
    return EMUL_OK;
}

static enum emul_rc toy_read_dr(struct emul_ctxt *ctxt, unsigned int nr, uint64_t *value)
{
    *value = toy_of(ctxt)->dr[nr];
    return EMUL_OK;
}

static enum emul_rc toy_write_dr(struct emul_ctxt *ctxt, unsigned int nr, uint64_t value)
{
    toy_of(ctxt)->dr[nr] = value;
    return EMUL_OK;
}

static enum emul_rc toy_read_msr(struct emul_ctxt *ctxt, uint32_t nr, uint64_t *value)
{
    if (nr != toy_of(ctxt)->msr_nr)
        return emul_raise(ctxt, EMUL_VECTOR_GP, 0);
    *value = toy_of(ctxt)->msr;
    return EMUL_OK;
}

static enum emul_rc toy_write_msr(struct emul_ctxt *ctxt, uint32_t nr, uint64_t value)
{
    toy_of(ctxt)->msr_nr = nr;
    toy_of(ctxt)->msr = value;
    return EMUL_OK;
}

static enum emul_rc toy_read_xcr(struct emul_ctxt *ctxt, uint32_t nr, uint64_t *value)
{
    toy_of(ctxt)->xcr_nr = nr;
    *value = toy_of(ctxt)->xcr;
    return EMUL_OK;
}

static enum emul_rc toy_write_xcr(struct emul_ctxt *ctxt, uint32_t nr, uint64_t value)
{
    toy_of(ctxt)->xcr_nr = nr;
    toy_of(ctxt)->xcr = value;
    return EMUL_OK;
}

static enum emul_rc toy_read_pmc(struct emul_ctxt *ctxt, uint32_t nr, uint64_t *value)
{
    toy_of(ctxt)->pmc_nr = nr;
    *value = 0x1122334455667788;
    return EMUL_OK;
}

static enum emul_rc toy_read_tsc(struct emul_ctxt *ctxt, uint64_t *tsc, uint32_t *aux)
{
    (void)ctxt;
    *tsc = 0x99aabbccddeeff00;
    if (aux)
        *aux = 77;
    return EMUL_OK;
}

static enum emul_rc toy_cpuid(struct emul_ctxt *ctxt, uint32_t leaf, uint32_t subleaf,
                              uint32_t regs[4])
{
    (void)ctxt;
    regs[0] = leaf + 0x80000001;
    regs[1] = subleaf;
    regs[2] = 3;
    regs[3] = 4;
    return EMUL_OK;
}

static enum emul_rc toy_flush_cache(struct emul_ctxt *ctxt, bool discard)
{
    toy_of(ctxt)->discarded = discard;
    return EMUL_OK;
}

static enum emul_rc toy_invlpg(struct emul_ctxt *ctxt, uint64_t addr)
{
    toy_of(ctxt)->invalidated = addr;
    return EMUL_OK;
}

static enum emul_rc toy_set_interrupts(struct emul_ctxt *ctxt, bool on)
{
    toy_of(ctxt)->interrupts = on;
    return EMUL_OK;
}

static enum emul_rc toy_halt(struct emul_ctxt *ctxt)
{
    toy_of(ctxt)->halts++;
    return EMUL_OK;
}

static const struct emul_ops toy_ops = {
    .fetch = toy_fetch,
    .read_mem = toy_read_mem,
    .write_mem = toy_write_mem,
    .probe_write = toy_probe_write,
    .segment = toy_segment,
    .write_seg_base = toy_write_seg_base,
    .swapgs = toy_swapgs,
    .io_allowed = toy_io_allowed,
    .read_io = toy_read_io,
    .write_io = toy_write_io,
    .read_cr = toy_read_cr,
    .write_cr = toy_write_cr,
    .read_dr = toy_read_dr,
    .write_dr = toy_write_dr,
    .read_msr = toy_read_msr,
    .write_msr = toy_write_msr,
    .read_xcr = toy_read_xcr,
    .write_xcr = toy_write_xcr,
    .read_pmc = toy_read_pmc,
    .read_tsc = toy_read_tsc,
    .cpuid = toy_cpuid,
    .flush_cache = toy_flush_cache,
    .invlpg = toy_invlpg,
    .set_interrupts = toy_set_interrupts,
    .halt = toy_halt,
};

static const struct emul_ops fetch_only = { .fetch = toy_fetch };

/* A machine about to execute `code`; every register holds a recognisable number. */
static struct toy *new_toy(const char *code, unsigned int n)
{
    struct toy *t = calloc(1, sizeof(*t));

    memcpy(t->code, code, n);
    t->code_bytes = n;
    t->ctxt = (struct emul_ctxt){ .regs = &t->regs, .ops = &toy_ops, .priv = t,
                                  .mode = X86_MODE_64, .guest_kernel = true };
    for (unsigned int nr = 0; nr < 16; nr++)
        x86_gpr_set(&t->regs, nr, 0x1111111111111111ULL * nr);
    t->regs.rip = RIP;
    t->regs.rflags = 0x202;
    for (unsigned int seg = 0; seg < X86_SEG_COUNT; seg++)
        t->seg[seg] = (struct emul_segment){ .limit = 0xffffffff, .readable = true,
                                             .writable = true };
    t->interrupts = t->discarded = -1;
    return t;
}

#define NEW(code) new_toy(code, sizeof(code) - 1)

/* Runs it to its end, and RIP must have moved past it. */
static void execute(struct toy *t)
{
    assert_int_equal(emul_privop(&t->ctxt), EMUL_OK);
    assert_int_equal(t->regs.rip, RIP + t->code_bytes);
}

static void expect_exception(struct toy *t, uint8_t vector, uint32_t error_code)
{
    assert_int_equal(emul_privop(&t->ctxt), EMUL_EXCEPTION);
    assert_int_equal(t->ctxt.exc.vector, vector);
    assert_int_equal(t->ctxt.exc.error_code, error_code);
    assert_true(t->ctxt.exc.has_error_code);
    assert_int_equal(t->regs.rip, RIP);
    assert_false(t->ctxt.single_step);
}

static void test_in(void **state)
{
    struct toy *t = NEW("\xe4\x71");            /* in $0x71,%al */

    (void)state;
    t->regs.rax = 0x1234567890abcdef;
    execute(t);
    assert_int_equal(t->regs.rax, 0x1234567890abcdd1);
    assert_int_equal(t->last_port, 0x71);
    free(t);

    t = NEW("\x66\xed");                        /* in %dx,%ax */
    t->regs.rax = 0x1234567890abcdef;
    t->regs.rdx = 0xffff1cfc;
    execute(t);
    assert_int_equal(t->regs.rax, 0x1234567890abc0d1);
    assert_int_equal(t->last_port, 0x1cfc);
    free(t);

    t = NEW("\xed");                            /* in %dx,%eax */
    t->regs.rax = 0x1234567890abcdef;
    execute(t);
    assert_int_equal(t->regs.rax, 0xa0b0c0d1);
    free(t);
}

static void check_out(const char *code, unsigned int n, unsigned int bytes, uint32_t expected)
{
    struct toy *t = new_toy(code, n);

    t->regs.rax = 0x123456785678789a;
    t->regs.rdx = 0x3f8;
    execute(t);
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
    execute(t);
    assert_int_equal(t->nr_out, 0);
    free(t);

    t = NEW("\x67\xf3\x6e");                    /* 32-bit count and pointer */
    t->regs.rcx = 0xffffffff00000002;
    t->regs.rsi = 0xffffffff00000000 | DATA;
    execute(t);
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
    execute(t);
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
    expect_exception(t, EMUL_VECTOR_PF, 6);
    assert_int_equal(t->ctxt.exc.cr2, DATA + DATA_BYTES);
    assert_int_equal(t->nr_in, 2);
    assert_int_equal(t->regs.rcx, 3);
    assert_int_equal(t->regs.rdi, DATA + DATA_BYTES);
    free(t);

    t = NEW("\x6e");
    t->regs.rsi = 0x800000000000;               /* not canonical */
    expect_exception(t, EMUL_VECTOR_GP, 0);
    assert_int_equal(t->nr_out, 0);
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
    execute(t);
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
    execute(t);
    assert_int_equal(t->out[0], 0x42);
    assert_int_equal(t->regs.rsi, DATA + 0x1001);
    free(t);

    t = new_toy_32("\x36\x6e", 2);              /* beyond the limit of SS */
    t->seg[X86_SEG_SS].limit = DATA - 1;
    t->regs.rsi = DATA;
    expect_exception(t, EMUL_VECTOR_SS, 0);
    free(t);

    t = new_toy_32("\x6d", 1);                  /* the last of four bytes is beyond */
    t->seg[X86_SEG_ES].limit = DATA + 2;
    t->regs.rdi = DATA;
    expect_exception(t, EMUL_VECTOR_GP, 0);
    t->seg[X86_SEG_ES].limit++;
    execute(t);
    free(t);

    t = new_toy_32("\x6c", 1);                  /* read-only */
    t->seg[X86_SEG_ES].writable = false;
    t->regs.rdi = DATA;
    expect_exception(t, EMUL_VECTOR_GP, 0);
    free(t);

    t = new_toy_32("\x6e", 1);                  /* expand-down: offsets above the limit */
    t->seg[X86_SEG_DS].expand_down = true;
    t->seg[X86_SEG_DS].limit = DATA;
    t->regs.rsi = DATA;
    expect_exception(t, EMUL_VECTOR_GP, 0);
    t->regs.rsi = DATA + 1;
    execute(t);
    free(t);

    t = new_toy_32("\x67\xf3\x6e", 3);          /* 16-bit count and pointer */
    t->regs.rsi = 0x70000 + DATA;
    t->regs.rcx = 0x50001;
    execute(t);
    assert_int_equal(t->regs.rsi, 0x70000 + DATA + 1);
    assert_int_equal(t->regs.rcx, 0x50000);
    free(t);
}

static void test_cpuid(void **state)
{
    struct toy *t = NEW("\x0f\x0bxen\x0f\xa2");

    (void)state;
    t->regs.rax = 0xffffffff00000001;
    t->regs.rcx = 0xffffffff00000002;
    execute(t);
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
    execute(t);
    assert_int_equal(t->msr_nr, 0xc0000080);
    assert_int_equal(t->msr, 0x1234567800000d01);

    memcpy(t->code, "\x0f\x32", 2);
    t->regs.rip = RIP;
    execute(t);
    assert_int_equal(t->regs.rax, 0xd01);
    assert_int_equal(t->regs.rdx, 0x12345678);

    t->regs.rip = RIP;
    t->regs.rcx = 1;
    expect_exception(t, EMUL_VECTOR_GP, 0);
    assert_int_equal(t->regs.rax, 0xd01);
    free(t);
}

static void test_control_registers(void **state)
{
    struct toy *t = NEW("\x44\x0f\x22\xc0");    /* mov %rax,%cr8 */

    (void)state;
    t->regs.rax = 0x123456789abcdef0;
    execute(t);
    assert_int_equal(t->cr[8], 0x123456789abcdef0);
    free(t);

    t = NEW("\x41\x0f\x20\xda");                /* mov %cr3,%r10 */
    t->cr[3] = 0xfedcba9876543210;
    execute(t);
    assert_int_equal(t->regs.r10, 0xfedcba9876543210);
    free(t);

    t = NEW("\x0f\x22\xe0");                    /* mov %rax,%cr4: the callback objects */
    expect_exception(t, EMUL_VECTOR_GP, 0);
    free(t);

    t = NEW("\x0f\x06");
    t->cr[0] = 0x8005003b;
    execute(t);
    assert_int_equal(t->cr[0], 0x80050033);
    free(t);

    t = NEW("\x0f\x01\xf0");                    /* lmsw %ax sets PE but never clears it */
    t->cr[0] = 0x80050031;
    t->regs.rax = 0xffe;
    execute(t);
    assert_int_equal(t->cr[0], 0x8005003f);
    t->regs.rip = RIP;
    t->regs.rax = 0;
    execute(t);
    assert_int_equal(t->cr[0], 0x80050031);
    t->cr[0] = 0;
    t->regs.rip = RIP;
    t->regs.rax = 1;
    execute(t);
    assert_int_equal(t->cr[0], 1);
    free(t);

    t = NEW("\x0f\x01\x37");                    /* lmsw (%rdi) */
    t->regs.rdi = DATA;
    t->data[0] = 9;
    execute(t);
    assert_int_equal(t->cr[0], 9);
    t->regs.rip = RIP;
    t->regs.rdi = DATA - 1;
    expect_exception(t, EMUL_VECTOR_PF, 4);
    free(t);

    t = NEW("\x0f\x01\x27");                    /* smsw (%rdi) stores two bytes */
    t->regs.rdi = DATA;
    t->cr[0] = 0x80051234;
    execute(t);
    assert_memory_equal(t->data, "\x34\x12\0", 3);
    free(t);

    t = NEW("\x66\x0f\x01\xe7");                /* smsw %di */
    t->cr[0] = 0x80051234;
    execute(t);
    assert_int_equal(t->regs.rdi, 0x7777777777771234);
    free(t);

    t = NEW("\x0f\x01\xe7");                    /* smsw %edi */
    t->cr[0] = 0x80051234;
    execute(t);
    assert_int_equal(t->regs.rdi, 0x80051234);
    free(t);
}

static void test_debug_registers(void **state)
{
    struct toy *t = NEW("\x41\x0f\x23\xf8");    /* mov %r8,%dr7 */

    (void)state;
    execute(t);
    assert_int_equal(t->dr[7], 0x8888888888888888);
    free(t);

    t = NEW("\x0f\x21\xf3");                    /* mov %dr6,%rbx */
    t->dr[6] = 0xffff0ff0;
    execute(t);
    assert_int_equal(t->regs.rbx, 0xffff0ff0);
    free(t);
}

static void test_counters(void **state)
{
    struct toy *t = NEW("\x0f\x31");

    (void)state;
    execute(t);
    assert_int_equal(t->regs.rax, 0xddeeff00);
    assert_int_equal(t->regs.rdx, 0x99aabbcc);
    assert_int_equal(t->regs.rcx, 0x1111111111111111);
    free(t);

    t = NEW("\x0f\x01\xf9");
    execute(t);
    assert_int_equal(t->regs.rax, 0xddeeff00);
    assert_int_equal(t->regs.rcx, 77);
    free(t);

    t = NEW("\x0f\x33");
    t->regs.rcx = 0xf40000001;
    execute(t);
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
    execute(t);
    assert_int_equal(t->xcr, 0x100000007);
    assert_int_equal(t->xcr_nr, 0);
    free(t);

    t = NEW("\x0f\x01\xd0");
    t->xcr = 0x200000003;
    execute(t);
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
    execute(t);
    assert_int_equal(t->regs.rax, 0x7fff12345678);
    memcpy(t->code, "\xf3\x40\x0f\xae\xc8", 5);         /* rdgsbase %eax */
    t->regs.rip = RIP;
    execute(t);
    assert_int_equal(t->regs.rax, 0x12345678);

    memcpy(t->code, "\xf3\x48\x0f\xae\xd8", 5);         /* wrgsbase %rax */
    t->regs.rip = RIP;
    t->regs.rax = 0xffff800000000000;
    execute(t);
    assert_int_equal(t->written_seg, X86_SEG_GS);
    assert_int_equal(t->written_base, 0xffff800000000000);
    t->regs.rip = RIP;
    t->regs.rax = 0xffff7fffffffffff;
    expect_exception(t, EMUL_VECTOR_GP, 0);

    memcpy(t->code, "\xf3\x40\x0f\xae\xd0", 5);         /* wrfsbase %eax takes 32 bits */
    execute(t);
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
    execute(t);
    assert_int_equal(t->invalidated, 0xffffffff80005000);
    free(t);

    t = NEW("\xfb");
    execute(t);
    assert_int_equal(t->interrupts, 1);
    t->code[0] = 0xfa;
    t->regs.rip = RIP;
    execute(t);
    assert_int_equal(t->interrupts, 0);
    t->code[0] = 0xf4;
    t->regs.rip = RIP;
    execute(t);
    assert_int_equal(t->halts, 1);
    free(t);

    t = NEW("\x0f\x09");
    execute(t);
    assert_int_equal(t->discarded, 0);
    t->code[1] = 0x08;
    t->regs.rip = RIP;
    execute(t);
    assert_int_equal(t->discarded, 1);
    free(t);

    t = NEW("\x0f\x01\xf8");
    execute(t);
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
        t->ctxt.ops = &fetch_only;
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
        execute(t);
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
        cmocka_unit_test(test_in),
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_port_forbidden),
        cmocka_unit_test(test_rep_outs_in_batches),
        cmocka_unit_test(test_ins_backwards),
        cmocka_unit_test(test_ins_faults),
        cmocka_unit_test(test_single_step),
        cmocka_unit_test(test_32_bit),
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
