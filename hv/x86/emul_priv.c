/* SPDX-License-Identifier: MIT */
/* Privileged instructions other than port access: a small function each, and their table. */
#include "emul_int.h"

#define CR0_MP_EM_TS 0x0eULL
#define CR0_PE 0x01ULL
#define CR0_TS 0x08ULL

static uint64_t edx_eax(const struct cpu_user_regs *regs)
{
    return (regs->rdx << 32) | (regs->rax & 0xffffffff);
}

static void set_edx_eax(struct cpu_user_regs *regs, uint64_t value)
{
    regs->rax = value & 0xffffffff;
    regs->rdx = value >> 32;
}

/* The register that ModRM.rm names, cut to operand size. */
static uint64_t get_rm(const struct emul_ctxt *ctxt)
{
    return x86_gpr_get(ctxt->regs, ctxt->insn.rm) & x86_mask(ctxt->insn.op_bytes);
}

static void set_rm(struct emul_ctxt *ctxt, uint64_t value)
{
    unsigned int nr = ctxt->insn.rm;

    x86_gpr_set(ctxt->regs, nr,
                x86_gpr_merge(x86_gpr_get(ctxt->regs, nr), ctxt->insn.op_bytes, value));
}

static enum emul_rc do_cpuid(struct emul_ctxt *ctxt)
{
    struct cpu_user_regs *regs = ctxt->regs;
    uint32_t out[4] = { 0 };
    enum emul_rc rc = EMUL_CALL(ctxt, cpuid, (uint32_t)regs->rax, (uint32_t)regs->rcx, out);

    if (rc == EMUL_OK) {
        regs->rax = out[0];
        regs->rbx = out[1];
        regs->rcx = out[2];
        regs->rdx = out[3];
    }
    return rc;
}

static enum emul_rc do_rdmsr(struct emul_ctxt *ctxt)
{
    uint64_t value = 0;
    enum emul_rc rc = EMUL_CALL(ctxt, read_msr, (uint32_t)ctxt->regs->rcx, &value);

    if (rc == EMUL_OK)
        set_edx_eax(ctxt->regs, value);
    return rc;
}

static enum emul_rc do_wrmsr(struct emul_ctxt *ctxt)
{
    return EMUL_CALL(ctxt, write_msr, (uint32_t)ctxt->regs->rcx, edx_eax(ctxt->regs));
}

static enum emul_rc do_read_cr(struct emul_ctxt *ctxt)
{
    uint64_t value = 0;
    enum emul_rc rc = EMUL_CALL(ctxt, read_cr, ctxt->insn.reg, &value);

    if (rc == EMUL_OK)
        set_rm(ctxt, value);
    return rc;
}

static enum emul_rc do_write_cr(struct emul_ctxt *ctxt)
{
    return EMUL_CALL(ctxt, write_cr, ctxt->insn.reg, get_rm(ctxt));
}

static enum emul_rc do_read_dr(struct emul_ctxt *ctxt)
{
    uint64_t value = 0;
    enum emul_rc rc = EMUL_CALL(ctxt, read_dr, ctxt->insn.reg, &value);

    if (rc == EMUL_OK)
        set_rm(ctxt, value);
    return rc;
}

static enum emul_rc do_write_dr(struct emul_ctxt *ctxt)
{
    return EMUL_CALL(ctxt, write_dr, ctxt->insn.reg, get_rm(ctxt));
}

static enum emul_rc do_clts(struct emul_ctxt *ctxt)
{
    uint64_t cr0 = 0;
    enum emul_rc rc = EMUL_CALL(ctxt, read_cr, 0, &cr0);

    return rc == EMUL_OK ? EMUL_CALL(ctxt, write_cr, 0, cr0 & ~CR0_TS) : rc;
}

/* LMSW can set PE but not clear it (APM volume 3). */
static enum emul_rc do_lmsw(struct emul_ctxt *ctxt)
{
    uint64_t cr0 = 0, addr = 0;
    uint16_t msw = (uint16_t)x86_gpr_get(ctxt->regs, ctxt->insn.rm);
    enum emul_rc rc = EMUL_OK;

    if (ctxt->insn.form == X86_FORM_MEM) {
        rc = emul_operand_linear(ctxt, sizeof(msw), EMUL_READ, &addr);
        if (rc == EMUL_OK)
            rc = EMUL_CALL(ctxt, read_mem, addr, &msw, sizeof(msw));
    }
    if (rc == EMUL_OK)
        rc = EMUL_CALL(ctxt, read_cr, 0, &cr0);
    if (rc != EMUL_OK)
        return rc;
    cr0 = (cr0 & ~CR0_MP_EM_TS) | (msw & (CR0_MP_EM_TS | CR0_PE));
    return EMUL_CALL(ctxt, write_cr, 0, cr0);
}

/* Memory takes 16 bits, a register as much of CR0 as it is wide. */
static enum emul_rc do_smsw(struct emul_ctxt *ctxt)
{
    uint64_t cr0 = 0, addr = 0;
    uint16_t msw;
    enum emul_rc rc = EMUL_CALL(ctxt, read_cr, 0, &cr0);

    if (rc != EMUL_OK)
        return rc;
    if (ctxt->insn.form != X86_FORM_MEM) {
        set_rm(ctxt, cr0);
        return EMUL_OK;
    }
    msw = (uint16_t)cr0;
    rc = emul_operand_linear(ctxt, sizeof(msw), EMUL_WRITE, &addr);
    if (rc != EMUL_OK)
        return rc;
    return EMUL_CALL(ctxt, write_mem, addr, &msw, sizeof(msw));
}

static enum emul_rc do_rdtsc(struct emul_ctxt *ctxt)
{
    bool with_aux = ctxt->insn.op == X86_OP_RDTSCP;
    uint64_t tsc = 0;
    uint32_t aux = 0;
    enum emul_rc rc = EMUL_CALL(ctxt, read_tsc, &tsc, with_aux ? &aux : NULL);

    if (rc != EMUL_OK)
        return rc;
    set_edx_eax(ctxt->regs, tsc);
    if (with_aux)
        ctxt->regs->rcx = aux;
    return EMUL_OK;
}

static enum emul_rc do_rdpmc(struct emul_ctxt *ctxt)
{
    uint64_t value = 0;
    enum emul_rc rc = EMUL_CALL(ctxt, read_pmc, (uint32_t)ctxt->regs->rcx, &value);

    if (rc == EMUL_OK)
        set_edx_eax(ctxt->regs, value);
    return rc;
}

static enum emul_rc do_xgetbv(struct emul_ctxt *ctxt)
{
    uint64_t value = 0;
    enum emul_rc rc = EMUL_CALL(ctxt, read_xcr, (uint32_t)ctxt->regs->rcx, &value);

    if (rc == EMUL_OK)
        set_edx_eax(ctxt->regs, value);
    return rc;
}

static enum emul_rc do_xsetbv(struct emul_ctxt *ctxt)
{
    return EMUL_CALL(ctxt, write_xcr, (uint32_t)ctxt->regs->rcx, edx_eax(ctxt->regs));
}

static enum emul_rc do_flush_cache(struct emul_ctxt *ctxt)
{
    return EMUL_CALL(ctxt, flush_cache, ctxt->insn.op == X86_OP_INVD);
}

/* INVLPG ignores segment limits, and a non-canonical address makes it do nothing (APM volume 3). */
static enum emul_rc do_invlpg(struct emul_ctxt *ctxt)
{
    struct emul_segment s = { 0 };
    uint64_t offset = x86_insn_offset(&ctxt->insn, ctxt->regs);
    uint8_t seg = ctxt->insn.mem.seg;
    enum emul_rc rc = EMUL_OK;

    if (ctxt->mode == X86_MODE_32 || seg == X86_SEG_FS || seg == X86_SEG_GS)
        rc = EMUL_CALL(ctxt, segment, seg, &s);
    if (rc != EMUL_OK)
        return rc;
    if (ctxt->mode == X86_MODE_32)
        return EMUL_CALL(ctxt, invlpg, (uint32_t)(s.base + offset));
    return EMUL_CALL(ctxt, invlpg, s.base + offset);
}

static enum emul_rc do_interrupts(struct emul_ctxt *ctxt)
{
    return EMUL_CALL(ctxt, set_interrupts, ctxt->insn.op == X86_OP_STI);
}

static enum emul_rc do_hlt(struct emul_ctxt *ctxt)
{
    return ctxt->ops->halt ? ctxt->ops->halt(ctxt) : EMUL_UNHANDLEABLE;
}

static enum emul_rc do_swapgs(struct emul_ctxt *ctxt)
{
    return ctxt->ops->swapgs ? ctxt->ops->swapgs(ctxt) : EMUL_UNHANDLEABLE;
}

static enum emul_rc do_read_base(struct emul_ctxt *ctxt)
{
    struct emul_segment s = { 0 };
    enum x86_seg seg = ctxt->insn.op == X86_OP_RDFSBASE ? X86_SEG_FS : X86_SEG_GS;
    enum emul_rc rc = EMUL_CALL(ctxt, segment, seg, &s);

    if (rc == EMUL_OK)
        set_rm(ctxt, s.base);
    return rc;
}

static enum emul_rc do_write_base(struct emul_ctxt *ctxt)
{
    enum x86_seg seg = ctxt->insn.op == X86_OP_WRFSBASE ? X86_SEG_FS : X86_SEG_GS;
    uint64_t base = get_rm(ctxt);

    if (!emul_is_canonical(base))
        return emul_raise(ctxt, EMUL_VECTOR_GP, 0);
    return EMUL_CALL(ctxt, write_seg_base, seg, base);
}

struct handler {
    enum emul_rc (*run)(struct emul_ctxt *ctxt);
    bool user_too;  /* allowed to guest user space: the callback decides, as it does for CLI */
};

static const struct handler handlers[X86_OP_COUNT] = {
    [X86_OP_IN] = { emul_in, true },
    [X86_OP_OUT] = { emul_out, true },
    [X86_OP_INS] = { emul_string_io, true },
    [X86_OP_OUTS] = { emul_string_io, true },
    [X86_OP_CPUID] = { do_cpuid, true },
    [X86_OP_CLI] = { do_interrupts, true },
    [X86_OP_STI] = { do_interrupts, true },
    [X86_OP_RDTSC] = { do_rdtsc, true },
    [X86_OP_RDTSCP] = { do_rdtsc, true },
    [X86_OP_RDPMC] = { do_rdpmc, false },
    [X86_OP_RDMSR] = { do_rdmsr, false },
    [X86_OP_WRMSR] = { do_wrmsr, false },
    [X86_OP_READ_CR] = { do_read_cr, false },
    [X86_OP_WRITE_CR] = { do_write_cr, false },
    [X86_OP_READ_DR] = { do_read_dr, false },
    [X86_OP_WRITE_DR] = { do_write_dr, false },
    [X86_OP_CLTS] = { do_clts, false },
    [X86_OP_HLT] = { do_hlt, false },
    [X86_OP_INVD] = { do_flush_cache, false },
    [X86_OP_WBINVD] = { do_flush_cache, false },
    [X86_OP_LMSW] = { do_lmsw, false },
    [X86_OP_SMSW] = { do_smsw, false },
    [X86_OP_XSETBV] = { do_xsetbv, false },
    [X86_OP_XGETBV] = { do_xgetbv, false },
    [X86_OP_INVLPG] = { do_invlpg, false },
    [X86_OP_SWAPGS] = { do_swapgs, false },
    [X86_OP_RDFSBASE] = { do_read_base, false },
    [X86_OP_RDGSBASE] = { do_read_base, false },
    [X86_OP_WRFSBASE] = { do_write_base, false },
    [X86_OP_WRGSBASE] = { do_write_base, false },
};

/* The instruction has retired: RIP moves on, RF clears (APM volume 2, 3.1.6). */
static void retire(struct emul_ctxt *ctxt)
{
    struct cpu_user_regs *regs = ctxt->regs;

    regs->rip += ctxt->insn.length;
    if (ctxt->mode == X86_MODE_32)
        regs->rip &= 0xffffffff;
    regs->rflags &= ~X86_RFLAGS_RF;
}

enum emul_rc emul_privop(struct emul_ctxt *ctxt)
{
    /* An instruction that clears TF is not in the table, so TF before it is TF after it. */
    bool single_step = ctxt->regs->rflags & X86_RFLAGS_TF;
    const struct handler *handler;
    enum emul_rc rc;

    ctxt->single_step = false;
    rc = emul_fetch_decode(ctxt);
    if (rc != EMUL_OK)
        return rc;

    handler = &handlers[ctxt->insn.op];
    if (!handler->run || (!ctxt->guest_kernel && !handler->user_too))
        return EMUL_UNHANDLEABLE;

    rc = handler->run(ctxt);
    if (rc == EMUL_OK)
        retire(ctxt);
    if (rc == EMUL_OK || rc == EMUL_RETRY)
        ctxt->single_step = single_step;
    return rc;
}
