/* SPDX-License-Identifier: MIT */
/*
 * Emulation of guest instructions. Two engines over the one decoder:
 *
 *   emul_privop        executes a privileged instruction of set B through callbacks;
 *   emul_ptwr_compute  works out a memory write of set A without performing it, so that the caller
 *                      can check the new page-table entry and store it by compare-and-exchange.
 *
 * Both know nothing of domains or page tables; the host's tests run them as they are.
 */
#ifndef HV_X86_EMUL_H
#define HV_X86_EMUL_H

#include <stdbool.h>
#include <stdint.h>

#include "decode.h"

#define X86_RFLAGS_CF (1ULL << 0)
#define X86_RFLAGS_PF (1ULL << 2)
#define X86_RFLAGS_AF (1ULL << 4)
#define X86_RFLAGS_ZF (1ULL << 6)
#define X86_RFLAGS_SF (1ULL << 7)
#define X86_RFLAGS_TF (1ULL << 8)
#define X86_RFLAGS_DF (1ULL << 10)
#define X86_RFLAGS_OF (1ULL << 11)
#define X86_RFLAGS_RF (1ULL << 16)

#define EMUL_VECTOR_UD 6
#define EMUL_VECTOR_SS 12
#define EMUL_VECTOR_GP 13
#define EMUL_VECTOR_PF 14

/* Iterations of a repeated string instruction in one call, to bound the time spent. */
#define EMUL_REP_BATCH 64u

enum emul_rc {
    EMUL_OK,            /* executed: registers are those after the instruction */
    EMUL_RETRY,         /* a part of a repeated instruction is done: resume at the same RIP */
    EMUL_UNHANDLEABLE,  /* not emulated, nothing changed: the guest gets its original fault */
    EMUL_EXCEPTION,     /* emul_ctxt.exc is to be raised at the instruction (RIP is at its start) */
};

struct emul_exception {
    uint64_t cr2;       /* page faults only */
    uint32_t error_code;
    uint8_t vector;
    bool has_error_code;
};

/* What a segment register refers to. 64-bit mode reads nothing but `base`. */
struct emul_segment {
    uint64_t base;
    uint32_t limit;     /* last valid offset, in bytes; with expand_down, the last invalid one */
    bool readable;      /* false for a null selector */
    bool writable;
    bool expand_down;
};

struct emul_ctxt;

/*
 * What the emulated instruction reaches outside the registers. Every callback returns EMUL_OK, or
 * EMUL_UNHANDLEABLE (also the meaning of a null pointer), or EMUL_EXCEPTION after filling ctxt->exc
 * (emul_raise, emul_raise_page_fault). A callback that fails must have changed nothing.
 * Values are zero-extended. None may change ctxt->regs.
 */
struct emul_ops {
    /*
     * Reads code at linear address `addr`; sets *got to how many of `bytes` could be read (a page
     * that is not there ends it). Always needed.
     */
    enum emul_rc (*fetch)(struct emul_ctxt *ctxt, uint64_t addr, void *buf, unsigned int bytes,
                          unsigned int *got);
    /* Guest memory at a linear address, with the guest's rights at its present privilege. */
    enum emul_rc (*read_mem)(struct emul_ctxt *ctxt, uint64_t addr, void *buf, unsigned int bytes);
    enum emul_rc (*write_mem)(struct emul_ctxt *ctxt, uint64_t addr, const void *buf,
                              unsigned int bytes);
    /* Fails as write_mem would; called before a port is read for INS. May be null. */
    enum emul_rc (*probe_write)(struct emul_ctxt *ctxt, uint64_t addr, unsigned int bytes);
    enum emul_rc (*segment)(struct emul_ctxt *ctxt, enum x86_seg seg, struct emul_segment *out);
    /* FS and GS only. */
    enum emul_rc (*write_seg_base)(struct emul_ctxt *ctxt, enum x86_seg seg, uint64_t base);
    enum emul_rc (*swapgs)(struct emul_ctxt *ctxt);

    /* Whether these ports may be used (I/O privilege level, bitmap): asked once an instruction. */
    enum emul_rc (*io_allowed)(struct emul_ctxt *ctxt, uint16_t port, unsigned int bytes);
    enum emul_rc (*read_io)(struct emul_ctxt *ctxt, uint16_t port, unsigned int bytes,
                            uint32_t *value);
    enum emul_rc (*write_io)(struct emul_ctxt *ctxt, uint16_t port, unsigned int bytes,
                             uint32_t value);

    enum emul_rc (*read_cr)(struct emul_ctxt *ctxt, unsigned int nr, uint64_t *value);
    enum emul_rc (*write_cr)(struct emul_ctxt *ctxt, unsigned int nr, uint64_t value);
    enum emul_rc (*read_dr)(struct emul_ctxt *ctxt, unsigned int nr, uint64_t *value);
    enum emul_rc (*write_dr)(struct emul_ctxt *ctxt, unsigned int nr, uint64_t value);
    enum emul_rc (*read_msr)(struct emul_ctxt *ctxt, uint32_t nr, uint64_t *value);
    enum emul_rc (*write_msr)(struct emul_ctxt *ctxt, uint32_t nr, uint64_t value);
    enum emul_rc (*read_xcr)(struct emul_ctxt *ctxt, uint32_t nr, uint64_t *value);
    enum emul_rc (*write_xcr)(struct emul_ctxt *ctxt, uint32_t nr, uint64_t value);
    enum emul_rc (*read_pmc)(struct emul_ctxt *ctxt, uint32_t nr, uint64_t *value);
    /* `aux` is null for RDTSC, and wanted for RDTSCP (MSR TSC_AUX). */
    enum emul_rc (*read_tsc)(struct emul_ctxt *ctxt, uint64_t *tsc, uint32_t *aux);
    /* regs[]: EAX, EBX, ECX, EDX. */
    enum emul_rc (*cpuid)(struct emul_ctxt *ctxt, uint32_t leaf, uint32_t subleaf,
                          uint32_t regs[4]);

    /* WBINVD, or INVD if `discard`. */
    enum emul_rc (*flush_cache)(struct emul_ctxt *ctxt, bool discard);
    enum emul_rc (*invlpg)(struct emul_ctxt *ctxt, uint64_t addr);
    /* CLI and STI; the callback knows the I/O privilege level. */
    enum emul_rc (*set_interrupts)(struct emul_ctxt *ctxt, bool on);
    enum emul_rc (*halt)(struct emul_ctxt *ctxt);
};

struct emul_ctxt {
    /* Set by the caller. */
    struct cpu_user_regs *regs;
    const struct emul_ops *ops;
    void *priv;             /* for the callbacks */
    enum x86_mode mode;     /* of the code segment */
    bool guest_kernel;      /* false: guest user space, which may use few of them */

    /* Results. */
    struct x86_insn insn;       /* after emul_fetch_decode succeeded */
    struct emul_exception exc;  /* after EMUL_EXCEPTION */
    bool single_step;           /* TF was set: raise #DB with DR6.BS now (EMUL_OK and EMUL_RETRY) */
};

/* Fills ctxt->exc; return what they return. */
enum emul_rc emul_raise(struct emul_ctxt *ctxt, uint8_t vector, uint32_t error_code);
enum emul_rc emul_raise_page_fault(struct emul_ctxt *ctxt, uint32_t error_code, uint64_t cr2);

/*
 * Reads and decodes the instruction at ctxt->regs->rip. EMUL_OK, or EMUL_UNHANDLEABLE for what
 * cannot be read or is not in the decoder's table, or what the fetch callback returned.
 */
enum emul_rc emul_fetch_decode(struct emul_ctxt *ctxt);

/*
 * Executes the one privileged instruction at ctxt->regs->rip. Any context the callbacks allow. On
 * EMUL_OK, RIP has moved past it and RF is clear. EMUL_EXCEPTION within a repeated instruction
 * leaves the registers as the iterations before it set them, as the processor does.
 */
enum emul_rc emul_privop(struct emul_ctxt *ctxt);

/* ---- Memory writes (set A) ---- */

/* Registers to change once the write is done. */
struct emul_effect {
    uint64_t rip;
    uint64_t rflags;
    struct {
        uint64_t value;
        uint8_t nr;
    } gpr[2];
    uint8_t nr_gprs;
    bool single_step;   /* TF was set: raise #DB with DR6.BS after the effect is applied */
};

struct emul_ptwr {
    bool write;         /* false: a failed compare, or a count of zero; memory stays as it is */
    uint64_t new_entry; /* if write: the aligned 8 bytes after it */
    struct emul_effect effect;
};

/*
 * What the decoded memory write `insn` does, given the linear address of its operand and the
 * aligned 8 bytes `old_entry` that contain it. Changes nothing but *out; when old_entry turns out
 * to be stale it may be called again with another. A repeated STOS is one iteration: its effect leaves
 * RIP where it is until the count is used up.
 * EMUL_OK, or EMUL_UNHANDLEABLE if the instruction is not in set A, is CMPXCHG16B, or its operand
 * crosses an 8-byte boundary. Any context.
 */
enum emul_rc emul_ptwr_compute(const struct x86_insn *insn, const struct cpu_user_regs *regs,
                               uint64_t addr, uint64_t old_entry, struct emul_ptwr *out);

/* Applies what emul_ptwr_compute left to do; `regs` must be those it was given. */
void emul_effect_apply(const struct emul_effect *effect, struct cpu_user_regs *regs);

#endif
