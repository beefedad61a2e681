/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of PV guests: what the emulator (hv/x86/emul.h) reaches.
 */
#include "x86/emul.h"

#include "hv/asm.h"
#include "hv/cpuid.h"
#include "hv/domain.h"
#include "hv/fpu.h"
#include "hv/guest.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/pvcpu.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/x86.h"

static enum emul_rc op_fetch(struct emul_ctxt *c, uint64_t addr, void *buf, unsigned int bytes,
                             unsigned int *got)
{
    (void)c;
    *got = bytes - copy_from_guest_va(buf, addr, bytes);
    return EMUL_OK;
}

static enum emul_rc op_read_mem(struct emul_ctxt *c, uint64_t addr, void *buf, unsigned int bytes)
{
    size_t left = copy_from_guest_va(buf, addr, bytes);

    return left ? emul_raise_page_fault(c, PFEC_U, addr + bytes - left) : EMUL_OK;
}

static enum emul_rc op_write_mem(struct emul_ctxt *c, uint64_t addr, const void *buf,
                                 unsigned int bytes)
{
    size_t left = copy_to_guest_va(addr, buf, bytes);

    return left ? emul_raise_page_fault(c, PFEC_U | PFEC_W, addr + bytes - left) : EMUL_OK;
}

static enum emul_rc op_segment(struct emul_ctxt *c, enum x86_seg seg, struct emul_segment *out)
{
    (void)c;
    *out = (struct emul_segment){ .limit = ~0u, .readable = true, .writable = true };
    if (seg == X86_SEG_FS)
        out->base = rdmsr(MSR_FS_BASE);
    else if (seg == X86_SEG_GS)
        out->base = rdmsr(MSR_GS_BASE);
    return EMUL_OK;
}

/* ------------------------------------------------------------------ ports */

/* The bitmap is the guest kernel's memory, and a user's address space may be loaded. */
static bool port_in_bitmap(struct vcpu *v, uint16_t port, unsigned int bytes)
{
    uint8_t bits[2] = { 0xff, 0xff };

    if (!v->iobmp || port + bytes > v->iobmp_limit)
        return false;
    /* The byte behind the last one is only looked at where ports reach into it. */
    if (!guest_peek(v, (uint64_t)v->iobmp + port / 8, bits, (port & 7) + bytes > 8 ? 2 : 1))
        return false;
    return !(((bits[0] | bits[1] << 8) >> (port & 7)) & ((1u << bytes) - 1));
}

static enum emul_rc op_io_allowed(struct emul_ctxt *c, uint16_t port, unsigned int bytes)
{
    struct vcpu *v = c->priv;

    if (v->iopl >= (c->guest_kernel ? 1 : 3) || port_in_bitmap(v, port, bytes))
        return EMUL_OK;
    return EMUL_UNHANDLEABLE;
}

static enum emul_rc op_read_io(struct emul_ctxt *c, uint16_t port, unsigned int bytes,
                               uint32_t *value)
{
    trace_emulate_io(c->regs->rip, port, bytes);
    *value = guest_port_read(c->priv, port, bytes);
    return EMUL_OK;
}

static enum emul_rc op_write_io(struct emul_ctxt *c, uint16_t port, unsigned int bytes,
                                uint32_t value)
{
    trace_emulate_io(c->regs->rip, port, bytes | 0x80);
    guest_port_write(c->priv, port, bytes, value);
    return EMUL_OK;
}

/* ------------------------------------------------------------------ registers */

static enum emul_rc op_read_cr(struct emul_ctxt *c, unsigned int nr, uint64_t *value)
{
    struct vcpu *v = c->priv;

    switch (nr) {
    case 0:
        *value = (read_cr0() & ~X86_CR0_TS) | v->vcr0;
        return EMUL_OK;
    case 2:
        *value = v->hot->info->arch.cr2;
        return EMUL_OK;
    case 3:
        *value = mfn_to_paddr(v->kernel_l4);
        return EMUL_OK;
    case 4:
        *value = v->vcr4;
        return EMUL_OK;
    }
    return EMUL_UNHANDLEABLE;
}

static enum emul_rc op_write_cr(struct emul_ctxt *c, unsigned int nr, uint64_t value)
{
    struct vcpu *v = c->priv;

    switch (nr) {
    case 0:
        /* All but TS stays as it is. */
        if ((value ^ (read_cr0() | X86_CR0_TS)) & ~X86_CR0_TS)
            return EMUL_UNHANDLEABLE;
        fpu_set_ts(v, value & X86_CR0_TS);
        return EMUL_OK;
    case 2:
        v->hot->info->arch.cr2 = value;
        return EMUL_OK;
    case 3:
        return mm_set_kernel_l4(v, paddr_to_mfn(value)) ? EMUL_UNHANDLEABLE : EMUL_OK;
    case 4:
        v->vcr4 = pv_cr4(value);
        return EMUL_OK;
    }
    return EMUL_UNHANDLEABLE;
}

static enum emul_rc op_read_dr(struct emul_ctxt *c, unsigned int nr, uint64_t *value)
{
    *value = pv_get_debugreg(c->priv, nr);
    return EMUL_OK;
}

static enum emul_rc op_write_dr(struct emul_ctxt *c, unsigned int nr, uint64_t value)
{
    return pv_set_debugreg(c->priv, nr, value) ? EMUL_UNHANDLEABLE : EMUL_OK;
}

static enum emul_rc op_read_msr(struct emul_ctxt *c, uint32_t nr, uint64_t *value)
{
    struct vcpu *v = c->priv;

    switch (nr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_TSC:
        *value = nr == MSR_TSC ? rdtsc() : rdmsr(nr);
        return EMUL_OK;
    case MSR_SHADOW_GS_BASE:
        *value = rdmsr(MSR_SHADOW_GS_BASE);
        return EMUL_OK;
    case MSR_EFER:
        *value = rdmsr(MSR_EFER);
        return EMUL_OK;
    case MSR_APIC_BASE:
        *value = (rdmsr(MSR_APIC_BASE) & ~(1UL << 10)) | (v->id ? 0 : 1UL << 8);
        return EMUL_OK;
    case MSR_PAT:
        *value = rdmsr(MSR_PAT);
        return EMUL_OK;
    case 0x179: /* machine-check capabilities: no banks */
    case 0x17a: /* machine-check status */
    case 0x17:  /* platform id */
    case 0x8b:  /* microcode revision */
    case 0xfe:  /* MTRR capabilities: none */
    case 0x3a:  /* feature control */
    case 0x1a0: /* misc enable */
    case 0x48:  /* SPEC_CTRL */
        *value = 0;
        return EMUL_OK;
    }
    return EMUL_UNHANDLEABLE;
}

static enum emul_rc op_write_msr(struct emul_ctxt *c, uint32_t nr, uint64_t value)
{
    struct vcpu *v = c->priv;

    switch (nr) {
    case MSR_FS_BASE:
        if (!is_canonical(value))
            return EMUL_UNHANDLEABLE;
        wrmsr(MSR_FS_BASE, value);
        return EMUL_OK;
    case MSR_GS_BASE:
        if (!is_canonical(value))
            return EMUL_UNHANDLEABLE;
        if (vcpu_in_kernel(v))
            pv_note_kernel_gs(v, value);
        wrmsr(MSR_GS_BASE, value);
        return EMUL_OK;
    case MSR_SHADOW_GS_BASE:
        if (!is_canonical(value))
            return EMUL_UNHANDLEABLE;
        wrmsr(MSR_SHADOW_GS_BASE, value);
        return EMUL_OK;
    case MSR_EFER:
        /* The guest may say again what is so; nothing in it is the guest's to change. */
        return (value ^ rdmsr(MSR_EFER)) & ~(uint64_t)(EFER_LMA) ? EMUL_UNHANDLEABLE : EMUL_OK;
    case MSR_PAT:
        return value == rdmsr(MSR_PAT) ? EMUL_OK : EMUL_UNHANDLEABLE;
    case MSR_APIC_BASE:
    case 0x17a:
    case 0x8b:
    case 0x79:
        return EMUL_OK; /* ignored */
    }
    if (!v->domain->privileged)
        return EMUL_UNHANDLEABLE;
    hv_log(LOG_DEBUG, "domain %u: write of %lx to MSR %x refused\n", v->domain->id, value, nr);
    return EMUL_UNHANDLEABLE;
}

static enum emul_rc op_read_xcr(struct emul_ctxt *c, uint32_t nr, uint64_t *value)
{
    struct vcpu *v = c->priv;

    if (nr)
        return EMUL_UNHANDLEABLE;
    *value = v->xcr0;
    return EMUL_OK;
}

static enum emul_rc op_write_xcr(struct emul_ctxt *c, uint32_t nr, uint64_t value)
{
    return nr || !fpu_set_xcr0(c->priv, value) ? EMUL_UNHANDLEABLE : EMUL_OK;
}

static enum emul_rc op_read_tsc(struct emul_ctxt *c, uint64_t *tsc, uint32_t *aux)
{
    (void)c;
    *tsc = rdtsc();
    if (aux)
        *aux = 0;
    return EMUL_OK;
}

static enum emul_rc op_cpuid(struct emul_ctxt *c, uint32_t leaf, uint32_t sub, uint32_t regs[4])
{
    pv_cpuid(c->priv, leaf, sub, regs);
    return EMUL_OK;
}

static enum emul_rc op_flush_cache(struct emul_ctxt *c, bool discard)
{
    struct vcpu *v = c->priv;

    (void)discard; /* INVD of a guest must not lose other people's data */
    if (v->domain->privileged)
        __asm__ volatile("wbinvd" ::: "memory");
    return EMUL_OK;
}

static enum emul_rc op_invlpg(struct emul_ctxt *c, uint64_t addr)
{
    (void)c;
    if (guest_range_ok(addr, 1))
        invlpg(addr);
    return EMUL_OK;
}

static enum emul_rc op_set_interrupts(struct emul_ctxt *c, bool on)
{
    /* cli and sti do nothing in a PV kernel with the privilege level for them: the upcall mask
     * is what counts. */
    struct vcpu *v = c->priv;

    (void)on;
    return v->iopl >= (c->guest_kernel ? 1 : 3) ? EMUL_OK : EMUL_UNHANDLEABLE;
}

static const struct emul_ops privop_ops = {
    .fetch = op_fetch,
    .read_mem = op_read_mem,
    .write_mem = op_write_mem,
    .segment = op_segment,
    .io_allowed = op_io_allowed,
    .read_io = op_read_io,
    .write_io = op_write_io,
    .read_cr = op_read_cr,
    .write_cr = op_write_cr,
    .read_dr = op_read_dr,
    .write_dr = op_write_dr,
    .read_msr = op_read_msr,
    .write_msr = op_write_msr,
    .read_xcr = op_read_xcr,
    .write_xcr = op_write_xcr,
    .read_tsc = op_read_tsc,
    .cpuid = op_cpuid,
    .flush_cache = op_flush_cache,
    .invlpg = op_invlpg,
    .set_interrupts = op_set_interrupts,
};

static bool code_is_32bit(const struct cpu_user_regs *regs)
{
    uint32_t access = 0;
    bool ok;

    if (regs->cs == FLAT_RING3_CS64)
        return false;
    __asm__ volatile("lar %2, %0" : "=r"(access), "=@ccz"(ok) : "r"((uint32_t)regs->cs));
    return ok && !(access & (1u << 21));
}

static bool emulate(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    struct emul_ctxt c = {
        .regs = regs, .ops = &privop_ops, .priv = v, .guest_kernel = vcpu_in_kernel(v),
        .mode = code_is_32bit(regs) ? X86_MODE_32 : X86_MODE_64,
    };

    switch (emul_privop(&c)) {
    case EMUL_OK:
    case EMUL_RETRY:
        if (c.single_step) {
            v->dr[6] |= 1u << 14;
            bounce_exception(regs, X86_DB, 0);
        }
        return true;
    case EMUL_EXCEPTION:
        if (c.exc.vector == X86_PF)
            bounce_page_fault(regs, c.exc.error_code, c.exc.cr2);
        else
            bounce_exception(regs, c.exc.vector, c.exc.error_code);
        return true;
    case EMUL_UNHANDLEABLE:
        break;
    }
    return false;
}

bool emulate_privop(struct cpu_user_regs *regs)
{
    uint64_t rip = regs->rip;

    if (regs->error_code != 0 || !emulate(regs))
        return false;
    trace_pv_emulate_privop(rip);
    return true;
}

bool emulate_forced(struct cpu_user_regs *regs)
{
    static const uint8_t prefix[5] = { 0x0f, 0x0b, 'x', 'e', 'n' };
    uint8_t bytes[5];
    uint64_t rip;

    if (!copy_from_guest(bytes, regs->rip, 5) || memcmp(bytes, prefix, 5))
        return false;
    rip = regs->rip;
    if (!emulate(regs))
        return false;
    trace_pv_forced_invalid_op(rip);
    return true;
}
