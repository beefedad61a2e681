/* SPDX-License-Identifier: MIT */
/* The program as it is installed: head and instructions, accepted by the verifier. */
#include <stdlib.h>
#include <string.h>

#include "code.h"
#include "verifier.h"

static void name_program(const struct work *w, struct fast_header *head)
{
    static const char *const kind[] = { "none", "syscall", "exception", "hypercall" };
    unsigned int n = 0;

    if (w->in->name) {
        while (n < FAST_NAME_BYTES - 1 && w->in->name[n]) {
            head->name[n] = w->in->name[n];
            n++;
        }
        return;
    }
    /* "syscall-110" */
    for (const char *p = kind[w->attach_kind & 3]; *p; p++)
        head->name[n++] = *p;
    head->name[n++] = '-';
    for (uint32_t div = 1000, some = 0; div; div /= 10) {
        some |= w->attach_number / div || div == 1;
        if (some)
            head->name[n++] = (char)('0' + w->attach_number / div % 10);
    }
}

static bool verified(struct work *w, const void *blob, uint32_t bytes)
{
    struct verify_space *space = malloc(sizeof(*space));
    struct fast_program program;
    struct fast_verdict verdict;
    char text[512];
    bool ok;

    if (!space) {
        refuse(w, SYNTH_NO_MEMORY, "verifier");
        return false;
    }
    if (program_parse(blob, bytes, &program) != FAST_OK) {
        refuse(w, SYNTH_REFUSED_PROGRAM, "head");
        free(space);
        return false;
    }
    ok = fast_verify(&program, space, &verdict);
    if (!ok) {
        fast_verdict_text(&program, &verdict, text, sizeof(text));
        explain(w, "%s", text);
        refuse(w, SYNTH_REFUSED_PROGRAM, "%s at instruction %u", refusal_text(verdict.id)->name,
               verdict.insn);
    } else {
        w->out->cost = verdict.cost;
    }
    free(space);
    return ok;
}

bool make_program(struct work *w, struct emitter *e)
{
    uint32_t bytes;
    char *blob;
    struct fast_header head = { .magic = FAST_MAGIC,
                                .version = FAST_VERSION,
                                .header_bytes = sizeof(head),
                                .attach_kind = w->attach_kind,
                                .attach_number = w->attach_number,
                                .attach_address = w->attach_address };

    if (e->nr_fix) {
        for (uint32_t i = 0; i < e->nr_fix; i++)
            e->insn[e->fix[i]].off = (int16_t)(e->n - e->fix[i] - 1);
        put(e, 0xb7, 0, 0, 0, FAST_PASS);
        put(e, 0x95, 0, 0, 0, 0);
    }
    if (e->full) {
        refuse(w, SYNTH_TOO_LONG, "more than %u instructions", FAST_MAX_INSNS);
        return false;
    }
    bytes = (uint32_t)(sizeof(head) + e->n * sizeof(*e->insn));
    head.insns = e->n;
    head.total_bytes = bytes;
    name_program(w, &head);
    blob = calloc(1, bytes);
    if (!blob) {
        refuse(w, SYNTH_NO_MEMORY, "program");
        return false;
    }
    memcpy(blob, &head, sizeof(head));
    memcpy(blob + sizeof(head), e->insn, e->n * sizeof(*e->insn));
    w->out->program = blob;
    w->out->program_bytes = bytes;
    w->out->insns = e->n;
    return verified(w, blob, bytes);
}
