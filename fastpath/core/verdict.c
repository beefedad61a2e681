/* SPDX-License-Identifier: MIT */
/* The verdict as text for people. */
#include "disasm.h"
#include "verifier.h"

static void accepted(struct fast_text *t, const struct fast_verdict *v)
{
    text_str(t, "accepted: at most ");
    text_dec(t, v->cost);
    text_str(t, " instructions, ");
    text_dec(t, v->staged);
    text_str(t, " staged effects\n");
}

static void where(struct fast_text *t, const struct fast_program *program,
                  const struct fast_verdict *v)
{
    struct isa_insn in;

    text_str(t, "  where: instruction ");
    text_dec(t, v->insn);
    if (v->insn < program->head.insns && program->head.insns <= FAST_MAX_INSNS &&
        isa_decode(&program->insns[v->insn], program->head.insns - v->insn, &in) == FAST_OK) {
        text_str(t, ": ");
        fast_disasm_insn(t, &in);
    }
    if (v->reg != FAST_NO_REG) {
        text_str(t, "  (r");
        text_dec(t, v->reg);
        text_char(t, ')');
    }
    text_char(t, '\n');
}

static void path(struct fast_text *t, const struct fast_verdict *v)
{
    text_str(t, "  path: from the start");
    if (v->path_dropped) {
        text_str(t, ", ");
        text_dec(t, v->path_dropped);
        text_str(t, " branches");
    }
    for (unsigned int i = 0; i < v->path_steps; i++) {
        text_str(t, ", ");
        text_dec(t, v->path[i].insn);
        text_str(t, v->path[i].taken ? " taken" : " not taken");
    }
    text_char(t, '\n');
}

unsigned int fast_verdict_text(const struct fast_program *program,
                               const struct fast_verdict *verdict, char *text, unsigned int size)
{
    const struct fast_refusal_text *why = refusal_text(verdict->id);
    struct fast_text t;

    text_init(&t, text, size);
    if (verdict->id == FAST_OK) {
        accepted(&t, verdict);
        return t.used;
    }
    text_str(&t, "refused: ");
    text_str(&t, why->category);
    text_str(&t, ": ");
    text_str(&t, why->reason);
    text_str(&t, " [");
    text_str(&t, why->name);
    text_str(&t, "]\n");
    if (refusal_category(verdict->id) != FAST_CATEGORY_FORMAT) {
        where(&t, program, verdict);
        if (verdict->has_path)
            path(&t, verdict);
    }
    text_str(&t, "  to do: ");
    text_str(&t, why->advice);
    text_char(&t, '\n');
    return t.used;
}
