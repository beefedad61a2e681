/* SPDX-License-Identifier: MIT */
#include "asm.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "run.h"

#define MAX_LABELS 512
#define LABEL_BYTES 32

struct label {
    char name[LABEL_BYTES];
    unsigned int at;
};

struct assembler {
    struct fast_insn *out;
    unsigned int max, used, line;
    struct label labels[MAX_LABELS]; /* defined */
    unsigned int nr_labels;
    struct {
        struct label to;
        unsigned int line;
    } jumps[FAST_MAX_INSNS]; /* by instruction: to a label, at its end patched */
    char *error;
    size_t error_size;
    const char *at; /* where the line is read */
};

static bool fail(struct assembler *a, const char *what)
{
    snprintf(a->error, a->error_size, "line %u: %s", a->line, what);
    return false;
}

static void skip_space(struct assembler *a)
{
    while (*a->at == ' ' || *a->at == '\t' || *a->at == '\r')
        a->at++;
}

static bool at_end(struct assembler *a)
{
    skip_space(a);
    return *a->at == 0 || *a->at == '\n' || *a->at == '#';
}

static bool eat(struct assembler *a, char c)
{
    skip_space(a);
    if (*a->at != c)
        return false;
    a->at++;
    return true;
}

/* A word of letters, digits and '_'; empty when there is none. */
static void word(struct assembler *a, char *out)
{
    size_t n = 0;

    skip_space(a);
    while (isalnum((unsigned char)*a->at) || *a->at == '_') {
        if (n + 1 < LABEL_BYTES)
            out[n++] = *a->at;
        a->at++;
    }
    out[n] = 0;
}

static bool number(struct assembler *a, uint64_t *out)
{
    char *end;
    bool minus;

    skip_space(a);
    minus = *a->at == '-';
    if (*a->at == '-' || *a->at == '+')
        a->at++;
    if (!isdigit((unsigned char)*a->at))
        return fail(a, "a number is wanted");
    *out = strtoull(a->at, &end, 0);
    a->at = end;
    if (minus)
        *out = -*out;
    return true;
}

/* A number that fits 32 bits, signed or not. */
static bool imm32(struct assembler *a, struct fast_insn *in)
{
    uint64_t value;

    if (!number(a, &value))
        return false;
    if (value != (uint64_t)(int64_t)(int32_t)value && value > 0xffffffffull)
        return fail(a, "the number does not fit 32 bits");
    in->imm = (int32_t)(uint32_t)value;
    return true;
}

static bool reg(struct assembler *a, unsigned int *out)
{
    uint64_t value;

    if (!eat(a, 'r') || !isdigit((unsigned char)*a->at))
        return fail(a, "a register is wanted");
    if (!number(a, &value))
        return false;
    if (value >= ISA_REGS)
        return fail(a, "no such register");
    *out = (unsigned int)value;
    return true;
}

static bool comma(struct assembler *a)
{
    return eat(a, ',') || fail(a, "a comma is wanted");
}

static bool dst(struct assembler *a, struct fast_insn *in)
{
    unsigned int r;

    if (!reg(a, &r))
        return false;
    in->regs |= (uint8_t)r;
    return true;
}

static bool src(struct assembler *a, struct fast_insn *in)
{
    unsigned int r;

    if (!reg(a, &r))
        return false;
    in->regs |= (uint8_t)(r << 4);
    return true;
}

/* [rN+off]: the register goes where `which` puts it. */
static bool memory(struct assembler *a, struct fast_insn *in,
                   bool (*which)(struct assembler *, struct fast_insn *))
{
    uint64_t off = 0;

    if (!eat(a, '['))
        return fail(a, "[ is wanted");
    if (!which(a, in))
        return false;
    skip_space(a);
    if (*a->at != ']' && !number(a, &off))
        return false;
    if (off != (uint64_t)(int64_t)(int16_t)off)
        return fail(a, "the offset does not fit 16 bits");
    in->off = (int16_t)off;
    return eat(a, ']') || fail(a, "] is wanted");
}

/* The same for guest memory: the distance goes to the immediate. */
static bool guest_memory(struct assembler *a, struct fast_insn *in,
                         bool (*which)(struct assembler *, struct fast_insn *))
{
    skip_space(a);
    if (!eat(a, '['))
        return fail(a, "[ is wanted");
    if (!which(a, in))
        return false;
    skip_space(a);
    if (*a->at != ']' && !imm32(a, in))
        return false;
    return eat(a, ']') || fail(a, "] is wanted");
}

static bool target(struct assembler *a, struct fast_insn *in, bool in_imm)
{
    uint64_t distance;

    skip_space(a);
    if (*a->at != '+' && *a->at != '-') {
        word(a, a->jumps[a->used].to.name);
        a->jumps[a->used].line = a->line;
        return a->jumps[a->used].to.name[0] || fail(a, "a jump target is wanted");
    }
    if (!number(a, &distance))
        return false;
    if (in_imm)
        in->imm = (int32_t)distance;
    else
        in->off = (int16_t)distance;
    if ((int64_t)distance != (in_imm ? in->imm : in->off))
        return fail(a, "the jump is too far");
    return true;
}

static bool call(struct assembler *a, struct fast_insn *in)
{
    char name[LABEL_BYTES];

    skip_space(a);
    if (isdigit((unsigned char)*a->at) || *a->at == '-')
        return imm32(a, in);
    word(a, name);
    for (unsigned int i = 1; i < FAST_NR_HELPERS; i++) {
        if (fast_helper_find(i) && strcmp(fast_helper_find(i)->name, name) == 0) {
            in->imm = (int32_t)i;
            return true;
        }
    }
    return fail(a, "no such helper");
}

static bool lddw(struct assembler *a, struct fast_insn *in)
{
    uint64_t value;

    if (!dst(a, in) || !comma(a) || !number(a, &value))
        return false;
    if (a->used + 2 > a->max)
        return fail(a, "too many instructions");
    in[0].imm = (int32_t)(uint32_t)value;
    memset(&in[1], 0, sizeof(in[1]));
    in[1].imm = (int32_t)(uint32_t)(value >> 32);
    return true;
}

static bool operands(struct assembler *a, struct fast_insn *in, unsigned int form)
{
    switch (form) {
    case FORM_ALU_IMM:
    case FORM_SWAP:
        return dst(a, in) && comma(a) && imm32(a, in);
    case FORM_ALU_REG:
        return dst(a, in) && comma(a) && src(a, in);
    case FORM_UNARY:
        return dst(a, in);
    case FORM_JUMP:
        return target(a, in, false);
    case FORM_JUMP_IMM:
        return target(a, in, true);
    case FORM_BRANCH_IMM:
        return dst(a, in) && comma(a) && imm32(a, in) && comma(a) && target(a, in, false);
    case FORM_BRANCH_REG:
        return dst(a, in) && comma(a) && src(a, in) && comma(a) && target(a, in, false);
    case FORM_CALL:
        return call(a, in);
    case FORM_EXIT:
        return true;
    case FORM_LDDW:
        return lddw(a, in);
    case FORM_LOAD:
        return dst(a, in) && comma(a) && memory(a, in, src);
    case FORM_STORE_IMM:
        return memory(a, in, dst) && comma(a) && imm32(a, in);
    case FORM_STORE_REG:
        return memory(a, in, dst) && comma(a) && src(a, in);
    case FORM_GUEST_LOAD:
        return dst(a, in) && comma(a) && guest_memory(a, in, src);
    case FORM_GUEST_STORE:
        return guest_memory(a, in, dst) && comma(a) && src(a, in);
    default:
        return fail(a, "the instruction cannot be written");
    }
}

/* Rows that share a name differ in the last operand: a register, or not. */
static bool wants_register(const struct isa_row *row)
{
    return row->form == FORM_ALU_REG || row->form == FORM_BRANCH_REG;
}

static const struct isa_row *find(struct assembler *a, const char *name)
{
    const char *second = strchr(a->at, ',');
    bool is_register;
    const struct isa_row *row;

    while (second && (*++second == ' ' || *second == '\t'))
        ;
    is_register = second && second[0] == 'r' && isdigit((unsigned char)second[1]);
    for (unsigned int i = 0; (row = isa_row_number(i)) != NULL; i++) {
        if (strcmp(row->name, name) != 0)
            continue;
        if (row->form == FORM_ALU_IMM || row->form == FORM_BRANCH_IMM || wants_register(row)) {
            if (wants_register(row) == is_register)
                return row;
        } else {
            return row;
        }
    }
    return NULL;
}

static bool instruction(struct assembler *a, const char *name)
{
    const struct isa_row *row = find(a, name);
    struct fast_insn *in = &a->out[a->used];

    if (!row)
        return fail(a, "no such instruction");
    if (a->used >= a->max || a->used >= FAST_MAX_INSNS)
        return fail(a, "too many instructions");
    memset(in, 0, sizeof(*in));
    a->jumps[a->used].to.name[0] = 0;
    in->code = row->code;
    in->off = row->off;
    if (!operands(a, in, row->form))
        return false;
    if (row->form == FORM_LDDW)
        a->jumps[++a->used].to.name[0] = 0;
    a->used++;
    return at_end(a) || fail(a, "something stands after the instruction");
}

static bool one_line(struct assembler *a)
{
    char name[LABEL_BYTES];

    while (!at_end(a)) {
        word(a, name);
        if (!eat(a, ':'))
            return instruction(a, name);
        if (!name[0])
            return fail(a, "a label is wanted");
        if (isdigit((unsigned char)name[0]))
            continue;
        if (a->nr_labels == MAX_LABELS)
            return fail(a, "too many labels");
        memcpy(a->labels[a->nr_labels].name, name, sizeof(name));
        a->labels[a->nr_labels++].at = a->used;
    }
    return true;
}

static bool patch(struct assembler *a)
{
    for (unsigned int i = 0; i < a->used; i++) {
        const char *name = a->jumps[i].to.name;
        unsigned int l = 0;
        int distance;

        if (!name[0])
            continue;
        while (l < a->nr_labels && strcmp(a->labels[l].name, name) != 0)
            l++;
        a->line = a->jumps[i].line;
        if (l == a->nr_labels)
            return fail(a, "no such label");
        distance = (int)a->labels[l].at - (int)i - 1;
        if (a->out[i].code == 0x06) /* ja32 */
            a->out[i].imm = distance;
        else
            a->out[i].off = (int16_t)distance;
    }
    return true;
}

int fast_assemble(const char *text, struct fast_insn *out, unsigned int max, char *error,
                  size_t size)
{
    struct assembler *a = calloc(1, sizeof(*a));
    bool ok = a != NULL;
    int used = -1;

    if (!a) {
        snprintf(error, size, "out of memory");
        return -1;
    }
    a->out = out;
    a->max = max;
    a->error = error;
    a->error_size = size;
    while (ok && *text) {
        a->line++;
        a->at = text;
        ok = one_line(a);
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    if (ok && patch(a))
        used = (int)a->used;
    free(a);
    return used;
}
