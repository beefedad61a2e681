/* SPDX-License-Identifier: MIT */
/*
 * Synthesis: captures of one entry of a guest kernel (hv/include/public/radon.h) become a fast
 * handler (fastpath/core/program.h), or are refused with a reason.  docs/synthesis.md explains it.
 */
#ifndef SYNTH_SYNTH_H
#define SYNTH_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/include/public/radon.h"

enum synth_reason {
    SYNTH_OK = 0,
#define REASON(name, meaning, advice) SYNTH_##name,
#include "reasons.def"
    SYNTH_NR_REASONS,
};

#define SYNTH_MAX_CAPTURES 64u

/* One occurrence: a head and its head->steps steps. */
struct synth_capture {
    const struct radon_capture_head *head;
    const struct radon_capture_step *step;
};

struct synth_input {
    const struct synth_capture
        *capture;             /* those that did not end as RADON_CAPTURE_DONE are left out */
    unsigned int nr_captures; /* up to SYNTH_MAX_CAPTURES */
    const char *name;         /* of the handler; NULL: made of the entry's number */
    bool one_vcpu;            /* the domain has one vCPU, and the handler goes when it has two */
    /* Distance of the vCPU's struct vcpu_info from the kernel's GS base (symbol xen_vcpu_info); 0:
     * not known, taken from the capture's head or from the code that unmasks events. */
    int64_t vcpu_info;
    uint64_t user_end; /* addresses below are user memory; 0: the lower half */
    /*
     * Reads guest text or read-only data, of which the caller vouches that the hypervisor can watch
     * it: all n bytes, or false. NULL: nothing is folded.
     */
    bool (*ro_read)(void *arg, uint64_t address, void *buffer, size_t n);
    void *ro_arg;
    bool live; /* ro_read gives the guest's memory as it is now: watched pages get its hash, else
                  any */
    /* For the explanation: the symbol that an address lies in, or NULL; *offset: how far behind. */
    const char *(*symbol)(void *arg, uint64_t address, uint64_t *offset);
    void *symbol_arg;
};

struct synth_output {
    enum synth_reason reason; /* SYNTH_OK: there is a program */
    /* Refused: where. */
    uint64_t address; /* of the instruction, 0: none */
    unsigned int capture, step;
    char detail[192];
    /* Made: */
    void *program; /* as RADON_FAST_INSTALL takes it: head and instructions */
    uint32_t program_bytes;
    struct radon_fast_watch *watches;
    uint32_t nr_watches;
    uint32_t *tainted; /* stores that rest on the time stamp (rule 14), as RADON_FAST_INSTALL has it */
    uint32_t nr_tainted;
    uint32_t flags; /* RADON_FAST_ONE_VCPU, or 0 */
    /* What became of it; also of a refused one as far as it went. */
    uint32_t insns, guards, loads, stores, paths, paths_left_out, steps, cost;
    char *explanation; /* text, lines; never NULL after synth() */
};

/* Returns 0 when a program was made, else -1; *out is filled either way and freed by synth_free().
 */
int synth(const struct synth_input *in, struct synth_output *out);
void synth_free(struct synth_output *out);

/* "LOCKED", what it means, what to do; empty strings for SYNTH_OK. */
const char *synth_reason_name(enum synth_reason reason);
const char *synth_reason_text(enum synth_reason reason);
const char *synth_reason_advice(enum synth_reason reason);

/*
 * Takes apart a buffer as RADON_CAPTURE_READ gives it: fills capture[room] with what is whole and
 * returns how many there are; *bad is set when the bytes are no captures.  Points into the buffer,
 * which is 8-byte aligned.
 */
unsigned int synth_split(const void *buffer, size_t bytes, struct synth_capture *capture,
                         unsigned int room, bool *bad);

#endif
