/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "toy_machine.h"

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
    if (t->out_limit && t->nr_out == t->out_limit)
        return EMUL_UNHANDLEABLE;
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
    if (nr == 2)
        return emul_raise(ctxt, EMUL_VECTOR_UD, 0);
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

const struct emul_ops toy_ops = {
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

const struct emul_ops toy_fetch_only = { .fetch = toy_fetch };

struct toy *new_toy(const char *code, unsigned int n)
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

void toy_execute(struct toy *t)
{
    assert_int_equal(emul_privop(&t->ctxt), EMUL_OK);
    assert_int_equal(t->regs.rip, RIP + t->code_bytes);
}

void toy_expect_exception(struct toy *t, uint8_t vector, uint32_t error_code)
{
    assert_int_equal(emul_privop(&t->ctxt), EMUL_EXCEPTION);
    assert_int_equal(t->ctxt.exc.vector, vector);
    assert_int_equal(t->ctxt.exc.error_code, error_code);
    assert_true(t->ctxt.exc.has_error_code);
    assert_int_equal(t->regs.rip, RIP);
    assert_false(t->ctxt.single_step);
}
