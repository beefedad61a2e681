/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "fastpath/core/disasm.h"
#include "fastpath/core/isa.h"
#include "fastpath/core/jit_x86.h"
#include "fastpath/core/verifier.h"

#define LINE 96u /* characters of one instruction's text */
#define BYTES_SHOWN 11

/* ------------------------------------------------------------------ machine code */

static void print_bytes(FILE *out, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < BYTES_SHOWN; i++)
        if (i < n)
            fprintf(out, "%02x", at[i]);
        else
            fputs("  ", out);
    fputs(n > BYTES_SHOWN ? "+ " : "  ", out);
}

/* code[from, to): one line an instruction. */
static void print_code(FILE *out, const uint8_t *code, size_t from, size_t to, uint64_t address)
{
    ZydisDecoder decoder;
    ZydisFormatter formatter;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    while (from < to) {
        ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
        ZydisDecodedInstruction insn;
        char text[128] = "(no instruction)";
        size_t length = 1;

        if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code + from, to - from, &insn, operand))) {
            length = insn.length;
            ZydisFormatterFormatInstruction(&formatter, &insn, operand,
                                            insn.operand_count_visible, text, sizeof(text),
                                            address + from, NULL);
        }
        fprintf(out, "    %8" PRIx64 "  ", address + from);
        print_bytes(out, code + from, length);
        fprintf(out, "%s\n", text);
        from += length;
    }
}

/* ------------------------------------------------------------------ instructions */

/* A line of the disassembler, which gives the lines of all instructions after its head's. */
static bool program_text(const struct fast_program *program, char **text)
{
    unsigned int room = LINE * (program->head.insns + 4);
    struct fast_text t;

    *text = malloc(room);
    if (!*text)
        return false;
    text_init(&t, *text, room);
    fast_disasm(&t, program);
    return true;
}

bool handler_dump_program(FILE *out, const struct fast_program *program)
{
    char *text;

    if (!program_text(program, &text))
        return false;
    fputs(text, out);
    free(text);
    return true;
}

/* ------------------------------------------------------------------ both */

struct made {
    struct jit_space space;
    uint8_t *code;
    size_t bytes;
};

/* This build's code of the program; false: it is not a program that the JIT can do. */
static bool make(const struct fast_program *program, struct made *m)
{
    struct verify_space *space = malloc(sizeof(*space));
    struct fast_verdict verdict;
    bool ok = space && fast_verify(program, space, &verdict);

    free(space);
    m->bytes = ok ? fast_jit_size_lean(program, &m->space, 0, 0) : 0;
    if (ok && !m->bytes)
        m->bytes = fast_jit_size_guest(program, &m->space, 0);
    m->code = m->bytes ? malloc(m->bytes) : NULL;
    return m->code && fast_jit_emit(program, &m->space, m->code, (uint32_t)m->bytes);
}

/*
 * What differs between two builds of the same JIT is at most the distances of rip-relative operands;
 * for telling which instruction a piece of code belongs to, the same length is enough.
 */
static bool same_shape(const struct made *m, const void *code, size_t bytes)
{
    return m->code && bytes == m->bytes && !memcmp(m->code, code, 16 < bytes ? 16 : bytes);
}

static void interleave(FILE *out, const struct fast_program *program, const struct made *m,
                       const uint8_t *code, uint64_t address, char *text)
{
    char *line = strtok(text, "\n");
    struct isa_insn in;
    unsigned int n = program->head.insns;

    fprintf(out, "%s\n", line ? line : "");
    fputs("# entry\n", out);
    print_code(out, code, 0, m->space.offset[0], address);
    for (unsigned int i = 0; i < n; i += in.length) {
        size_t end;

        line = strtok(NULL, "\n");
        if (!line || isa_decode(&program->insns[i], n - i, &in) != FAST_OK)
            break;
        fprintf(out, "%s\n", line);
        end = i + in.length < n ? m->space.offset[i + in.length] : m->space.leave;
        print_code(out, code, m->space.offset[i], end, address);
    }
    fputs("# end\n", out);
    print_code(out, code, m->space.leave, m->bytes, address);
}

bool handler_dump(FILE *out, const struct fast_program *program, const void *code,
                  size_t code_bytes, uint64_t address)
{
    struct made *m = calloc(1, sizeof(*m));
    char *text = NULL;
    bool ok = m && program_text(program, &text);

    if (ok && make(program, m) && (!code || same_shape(m, code, code_bytes))) {
        interleave(out, program, m, code ? code : m->code, address, text);
    } else if (ok) {
        fputs(text, out);
        if (code) {
            fputs("# machine code\n", out);
            print_code(out, code, 0, code_bytes, address);
        }
    }
    free(text);
    if (m)
        free(m->code);
    free(m);
    return ok;
}
