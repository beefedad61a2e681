/* SPDX-License-Identifier: MIT */
/* Port instructions. The string forms stop where a batch ends, at a fault, or for a TF trap. */
#include "emul_int.h"

/* The port, once it is known that the guest may use it. */
static enum emul_rc checked_port(struct emul_ctxt *ctxt, uint16_t *port)
{
    const struct x86_insn *insn = &ctxt->insn;
    uint64_t nr = insn->form == X86_FORM_PORT_IMM ? (uint64_t)insn->imm : ctxt->regs->rdx & 0xffff;

    /* An access beyond the last port misses the permission bitmap's end: the fault stands. */
    if (nr + insn->op_bytes > 0x10000)
        return EMUL_UNHANDLEABLE;
    *port = (uint16_t)nr;
    return EMUL_CALL(ctxt, io_allowed, *port, insn->op_bytes);
}

enum emul_rc emul_in(struct emul_ctxt *ctxt)
{
    unsigned int bytes = ctxt->insn.op_bytes;
    uint32_t value = 0;
    uint16_t port = 0;
    enum emul_rc rc = checked_port(ctxt, &port);

    if (rc == EMUL_OK)
        rc = EMUL_CALL(ctxt, read_io, port, bytes, &value);
    if (rc == EMUL_OK)
        ctxt->regs->rax = x86_gpr_merge(ctxt->regs->rax, bytes, value);
    return rc;
}

enum emul_rc emul_out(struct emul_ctxt *ctxt)
{
    unsigned int bytes = ctxt->insn.op_bytes;
    uint16_t port = 0;
    enum emul_rc rc = checked_port(ctxt, &port);

    if (rc != EMUL_OK)
        return rc;
    return EMUL_CALL(ctxt, write_io, port, bytes, (uint32_t)(ctxt->regs->rax & x86_mask(bytes)));
}

/* The page fault comes before the port is read, so that nothing is lost. */
static enum emul_rc ins_once(struct emul_ctxt *ctxt, uint16_t port)
{
    unsigned int bytes = ctxt->insn.op_bytes;
    uint32_t value = 0;
    uint64_t addr = 0;
    enum emul_rc rc = emul_operand_linear(ctxt, bytes, EMUL_WRITE, &addr);

    if (rc == EMUL_OK && ctxt->ops->probe_write)
        rc = ctxt->ops->probe_write(ctxt, addr, bytes);
    if (rc == EMUL_OK)
        rc = EMUL_CALL(ctxt, read_io, port, bytes, &value);
    if (rc == EMUL_OK)
        rc = EMUL_CALL(ctxt, write_mem, addr, &value, bytes);
    return rc;
}

static enum emul_rc outs_once(struct emul_ctxt *ctxt, uint16_t port)
{
    unsigned int bytes = ctxt->insn.op_bytes;
    uint32_t value = 0;
    uint64_t addr = 0;
    enum emul_rc rc = emul_operand_linear(ctxt, bytes, EMUL_READ, &addr);

    if (rc == EMUL_OK)
        rc = EMUL_CALL(ctxt, read_mem, addr, &value, bytes);
    if (rc == EMUL_OK)
        rc = EMUL_CALL(ctxt, write_io, port, bytes, value);
    return rc;
}

static void advance_pointer(struct emul_ctxt *ctxt)
{
    const struct x86_insn *insn = &ctxt->insn;
    unsigned int nr = insn->mem.base;
    uint64_t old = x86_gpr_get(ctxt->regs, nr);
    uint64_t moved = ctxt->regs->rflags & X86_RFLAGS_DF ? old - insn->op_bytes
                                                        : old + insn->op_bytes;

    x86_gpr_set(ctxt->regs, nr, x86_gpr_merge(old, insn->addr_bytes, moved));
}

static uint64_t count_left(const struct emul_ctxt *ctxt)
{
    return ctxt->regs->rcx & x86_mask(ctxt->insn.addr_bytes);
}

static enum emul_rc io_once(struct emul_ctxt *ctxt, uint16_t port)
{
    enum emul_rc rc = ctxt->insn.op == X86_OP_INS ? ins_once(ctxt, port) : outs_once(ctxt, port);

    if (rc == EMUL_OK)
        advance_pointer(ctxt);
    return rc;
}

/*
 * A repeated instruction that cannot go on after some iterations returns to the guest at the same
 * RIP: it raises its fault again there, and then nothing precedes it.
 */
enum emul_rc emul_string_io(struct emul_ctxt *ctxt)
{
    unsigned int batch = ctxt->regs->rflags & X86_RFLAGS_TF ? 1 : EMUL_REP_BATCH;
    uint16_t port = 0;
    enum emul_rc rc = checked_port(ctxt, &port);

    if (rc != EMUL_OK)
        return rc;
    if (!ctxt->insn.rep)
        return io_once(ctxt, port);

    for (unsigned int done = 0; done < batch && count_left(ctxt) != 0; done++) {
        rc = io_once(ctxt, port);
        if (rc == EMUL_UNHANDLEABLE && done != 0)
            return EMUL_RETRY;
        if (rc != EMUL_OK)
            return rc;
        ctxt->regs->rcx = x86_gpr_merge(ctxt->regs->rcx, ctxt->insn.addr_bytes,
                                        count_left(ctxt) - 1);
    }
    return count_left(ctxt) != 0 ? EMUL_RETRY : EMUL_OK;
}
