/* SPDX-License-Identifier: MIT */
/* What is said to people: reasons, the explanation, expressions. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

static const struct {
    const char *name, *text, *advice;
} reasons[SYNTH_NR_REASONS] = {
    [SYNTH_OK] = { "", "", "" },
#define REASON(name, meaning, advice) [SYNTH_##name] = { #name, meaning, advice },
#include "reasons.def"
};

static unsigned int in_range(enum synth_reason reason)
{
    return (unsigned int)reason < SYNTH_NR_REASONS ? (unsigned int)reason : 0;
}

const char *synth_reason_name(enum synth_reason reason)
{
    return reasons[in_range(reason)].name;
}

const char *synth_reason_text(enum synth_reason reason)
{
    return reasons[in_range(reason)].text;
}

const char *synth_reason_advice(enum synth_reason reason)
{
    return reasons[in_range(reason)].advice;
}

static void append(struct work *w, const char *format, va_list args)
{
    char line[512];
    int n = vsnprintf(line, sizeof(line), format, args);
    size_t length = n < 0 ? 0 : (size_t)n >= sizeof(line) ? sizeof(line) - 1 : (size_t)n;

    if (w->text_n + length + 1 > w->text_room) {
        size_t room = w->text_room ? w->text_room * 2 + length : 4096;
        char *bigger = realloc(w->text, room);

        if (!bigger)
            return; /* less is said */
        w->text = bigger;
        w->text_room = room;
    }
    memcpy(w->text + w->text_n, line, length);
    w->text_n += length;
    w->text[w->text_n] = '\0';
}

void explain(struct work *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    append(w, format, args);
    va_end(args);
}

static void place(struct work *w, uint64_t at)
{
    uint64_t offset = 0;
    const char *symbol = w->in->symbol ? w->in->symbol(w->in->symbol_arg, at, &offset) : NULL;

    if (symbol)
        explain(w, "%#llx %s+%#llx: ", (unsigned long long)at, symbol, (unsigned long long)offset);
    else
        explain(w, "%#llx: ", (unsigned long long)at);
}

void explain_at(struct work *w, uint64_t at, const char *format, ...)
{
    va_list args;

    place(w, at);
    va_start(args, format);
    append(w, format, args);
    va_end(args);
    explain(w, "\n");
}

void refuse(struct work *w, enum synth_reason reason, const char *format, ...)
{
    va_list args;

    if (w->failed)
        return;
    w->failed = true;
    w->out->reason = reason;
    w->out->address = w->at;
    w->out->step = w->step;
    w->out->capture =
        w->captures ? w->capture_number[__builtin_ctzll(w->captures)] : w->capture_number[0];
    va_start(args, format);
    vsnprintf(w->out->detail, sizeof(w->out->detail), format, args);
    va_end(args);
    explain_at(w, w->at, "%s: %s: %s", synth_reason_name(reason), synth_reason_text(reason),
               w->out->detail);
}

/* ------------------------------------------------------------------ expressions */

static const char *input_name(uint64_t field)
{
    switch (field) {
#define CTX_FIELD(name, attach)                                                                    \
    case offsetof(struct fast_ctx, name):                                                          \
        return #name;
#include "ctx_fields.def"
    default:
        return "?";
    }
}

static const char *const op_sign[N_OPS] = {
    [N_ADD] = "+",   [N_SUB] = "-", [N_MUL] = "*", [N_UDIV] = "/", [N_UMOD] = "%",
    [N_AND] = "&",   [N_OR] = "|",  [N_XOR] = "^", [N_SHL] = "<<", [N_SHR] = ">>",
    [N_SAR] = ">>s", [N_EQ] = "==", [N_ULT] = "<", [N_SLT] = "<s",
};

static unsigned int text_of(const struct work *w, node_id a, unsigned int depth, char *out,
                            unsigned int room)
{
    const struct node *n = g_node(&w->graph, a);
    unsigned int used = 0;

#define SAY(...)                                                                                   \
    do {                                                                                           \
        int k = snprintf(out + used, room - used, __VA_ARGS__);                                    \
        used = k > 0 && used + (unsigned int)k < room ? used + (unsigned int)k : room - 1;         \
    } while (0)
    if (n->op == N_CONST) {
        if ((int64_t)n->imm < 0 && (int64_t)n->imm > -65536)
            SAY("%lld", (long long)n->imm);
        else
            SAY(n->imm < 10 ? "%llu" : "%#llx", (unsigned long long)n->imm);
    } else if (n->op == N_INPUT) {
        SAY("%s", input_name(n->imm));
    } else if (n->op == N_TSC) {
        SAY("tsc");
    } else if (n->op == N_UNKNOWN) {
        SAY("unknown");
    } else if (depth == 0) {
        SAY("...");
    } else if (n->op == N_LOAD) {
        SAY("[");
        used += text_of(w, n->a, depth - 1, out + used, room - used);
        SAY("].%u", n->size);
    } else if (op_sign[n->op]) {
        SAY("(");
        used += text_of(w, n->a, depth - 1, out + used, room - used);
        SAY(" %s ", op_sign[n->op]);
        used += text_of(w, n->b, depth - 1, out + used, room - used);
        SAY(")");
    } else if (n->op == N_ITE) {
        SAY("(");
        used += text_of(w, n->a, depth - 1, out + used, room - used);
        SAY(" ? ");
        used += text_of(w, n->b, depth - 1, out + used, room - used);
        SAY(" : ");
        used += text_of(w, n->c, depth - 1, out + used, room - used);
        SAY(")");
    } else {
        SAY("%s(", n->op == N_BSWAP64  ? "bswap"
                   : n->op == N_SEXT8  ? "sext8"
                   : n->op == N_SEXT16 ? "sext16"
                                       : "sext32");
        used += text_of(w, n->a, depth - 1, out + used, room - used);
        SAY(")");
    }
#undef SAY
    return used;
}

const char *node_text(const struct work *w, node_id a)
{
    static char buffer[4][160];
    static unsigned int turn;
    char *out = buffer[turn++ & 3];

    text_of(w, a, 6, out, sizeof(buffer[0]));
    return out;
}

void explain_effects(struct work *w, const struct segment *s, unsigned int depth)
{
    static const char indent[] = "                ";
    const char *in = indent + sizeof(indent) - 1 - (depth < 8 ? 2 * depth : 16);

    if (!s) {
        explain(w, "%sPASS\n", in);
        return;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const struct effect *e = &s->effect[i];

        if (e->dead)
            continue;
        explain(w, "%s", in);
        if (e->kind == E_GUARD)
            explain_at(w, e->at, "guard %s", node_text(w, e->value));
        else if (e->kind == E_LOAD)
            explain_at(w, e->at, "load  %s", node_text(w, e->value));
        else if (e->kind == E_TSC)
            explain_at(w, e->at, "tsc");
        else if (e->kind == E_PT)
            explain_at(w, e->at, "entry [%s] = %s", node_text(w, e->ptr), node_text(w, e->value));
        else
            explain_at(w, e->at, "store [%s].%u = %s", node_text(w, e->place.address),
                       e->place.size, node_text(w, e->value));
    }
    explain(w, "%s", in);
    if (s->returns) {
        explain_at(w, s->at, "return rax = %s", node_text(w, s->final[RAX]));
        return;
    }
    explain_at(w, s->at, "branch %s", node_text(w, s->branch));
    explain_effects(w, s->child[0], depth + 1);
    explain(w, "%selse\n", in);
    explain_effects(w, s->child[1], depth + 1);
}
