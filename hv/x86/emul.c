/* SPDX-License-Identifier: MIT */
/* What both emulation engines need: exceptions, instruction fetch, segmentation. */
#include "emul.h"

#include "emul_int.h"

enum emul_rc emul_raise(struct emul_ctxt *ctxt, uint8_t vector, uint32_t error_code)
{
    ctxt->exc = (struct emul_exception){
        .vector = vector,
        .error_code = error_code,
        .has_error_code = vector != EMUL_VECTOR_UD,
    };
    return EMUL_EXCEPTION;
}

enum emul_rc emul_raise_page_fault(struct emul_ctxt *ctxt, uint32_t error_code, uint64_t cr2)
{
    emul_raise(ctxt, EMUL_VECTOR_PF, error_code);
    ctxt->exc.cr2 = cr2;
    return EMUL_EXCEPTION;
}

bool emul_is_canonical(uint64_t addr)
{
    return (uint64_t)((int64_t)(addr << 16) >> 16) == addr;
}

/* Whether `bytes` bytes at `offset` lie in the segment (APM volume 2, 4.8.1 and 4.12). */
static bool within_limit(const struct emul_segment *s, uint64_t offset, unsigned int bytes)
{
    uint64_t last = offset + bytes - 1;

    if (s->expand_down)
        return offset > s->limit && last <= 0xffffffff;
    return last <= s->limit;
}

static enum emul_rc segment_fault(struct emul_ctxt *ctxt, enum x86_seg seg)
{
    return emul_raise(ctxt, seg == X86_SEG_SS ? EMUL_VECTOR_SS : EMUL_VECTOR_GP, 0);
}

static enum emul_rc linear_64(struct emul_ctxt *ctxt, enum x86_seg seg, uint64_t offset,
                              unsigned int bytes, uint64_t *addr)
{
    struct emul_segment s = { 0 };

    if (seg == X86_SEG_FS || seg == X86_SEG_GS) {
        enum emul_rc rc = EMUL_CALL(ctxt, segment, seg, &s);

        if (rc != EMUL_OK)
            return rc;
    }
    *addr = s.base + offset;
    if (!emul_is_canonical(*addr) || !emul_is_canonical(*addr + bytes - 1))
        return segment_fault(ctxt, seg);
    return EMUL_OK;
}

enum emul_rc emul_linear(struct emul_ctxt *ctxt, enum x86_seg seg, uint64_t offset,
                         unsigned int bytes, enum emul_access access, uint64_t *addr)
{
    struct emul_segment s = { 0 };
    enum emul_rc rc;

    if (ctxt->mode == X86_MODE_64)
        return linear_64(ctxt, seg, offset, bytes, addr);

    rc = EMUL_CALL(ctxt, segment, seg, &s);
    if (rc != EMUL_OK)
        return rc;
    if (!(access == EMUL_WRITE ? s.writable : s.readable) || !within_limit(&s, offset, bytes))
        return segment_fault(ctxt, seg);
    *addr = (uint32_t)(s.base + offset);
    return EMUL_OK;
}

enum emul_rc emul_operand_linear(struct emul_ctxt *ctxt, unsigned int bytes,
                                 enum emul_access access, uint64_t *addr)
{
    return emul_linear(ctxt, ctxt->insn.mem.seg, x86_insn_offset(&ctxt->insn, ctxt->regs), bytes,
                       access, addr);
}

/* Code may be execute-only, so only the base counts: the processor has checked the fetch itself. */
static enum emul_rc code_address(struct emul_ctxt *ctxt, uint64_t *addr)
{
    struct emul_segment cs = { 0 };
    enum emul_rc rc;

    *addr = ctxt->regs->rip;
    if (ctxt->mode == X86_MODE_64)
        return EMUL_OK;
    rc = EMUL_CALL(ctxt, segment, X86_SEG_CS, &cs);
    *addr = (uint32_t)(cs.base + ctxt->regs->rip);
    return rc;
}

enum emul_rc emul_fetch_decode(struct emul_ctxt *ctxt)
{
    uint8_t bytes[X86_MAX_INSN_BYTES];
    unsigned int got = 0;
    uint64_t addr;
    enum emul_rc rc = code_address(ctxt, &addr);

    if (rc == EMUL_OK)
        rc = ctxt->ops->fetch(ctxt, addr, bytes, sizeof(bytes), &got);
    if (rc != EMUL_OK)
        return rc;
    if (got > sizeof(bytes) || x86_decode(bytes, got, ctxt->mode, &ctxt->insn) != X86_DECODE_OK)
        return EMUL_UNHANDLEABLE;
    return EMUL_OK;
}
