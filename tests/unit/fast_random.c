/* SPDX-License-Identifier: MIT */
#include "fast_random.h"

#include "fast_world.h"

#include <string.h>

#define MAX_ITEMS 40

struct maker {
    struct draw *d;
    struct fast_insn *insns;
    unsigned int used;
    unsigned int ctx; /* the register that keeps the context, r6..r9 */
    uint64_t base;    /* where guest memory is; 0: addresses are any numbers */
    struct {
        unsigned int insn, item;
    } jumps[MAX_ITEMS]; /* to the start of a later item */
    unsigned int nr_jumps;
};

unsigned int draw_below(struct draw *d, unsigned int n)
{
    if (d->data) {
        unsigned int value = 0;

        for (unsigned int i = 0; i < 2 && d->size; i++, d->size--)
            value = value << 8 | *d->data++;
        return value % n;
    }
    d->seed ^= d->seed << 13;
    d->seed ^= d->seed >> 7;
    d->seed ^= d->seed << 17;
    return (unsigned int)(d->seed >> 16) % n;
}

uint64_t draw_number(struct draw *d)
{
    static const uint64_t edges[] = {
        0,
        1,
        2,
        7,
        16,
        31,
        32,
        33,
        63,
        64,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        ~0ull,
        ~1ull,
        0xffffffff80000000,
        0x123456789abcdef0,
    };
    uint64_t value;

    if (draw_below(d, 3))
        return edges[draw_below(d, sizeof(edges) / sizeof(edges[0]))];
    value = draw_below(d, 0x10000);
    value = value << 16 | draw_below(d, 0x10000);
    value = value << 16 | draw_below(d, 0x10000);
    return value << 16 | draw_below(d, 0x10000);
}

static void put(struct maker *m, unsigned int code, unsigned int dst, unsigned int src, int off,
                int32_t imm)
{
    struct fast_insn *in = &m->insns[m->used++];

    in->code = (uint8_t)code;
    in->regs = (uint8_t)(dst | src << 4);
    in->off = (int16_t)off;
    in->imm = imm;
}

static void put_lddw(struct maker *m, unsigned int dst, uint64_t value)
{
    put(m, 0x18, dst, 0, 0, (int32_t)(uint32_t)value);
    put(m, 0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
}

/* A register that holds a number: any but the context's. */
static unsigned int scalar(struct maker *m)
{
    unsigned int r = draw_below(m->d, 9);

    return r >= m->ctx ? r + 1 : r;
}

static bool is_alu(const struct isa_row *row)
{
    return row->form >= FORM_ALU_IMM && row->form <= FORM_SWAP;
}

/* An arithmetic row of the table. */
static const struct isa_row *alu_row(struct draw *d)
{
    static const struct isa_row *rows[128];
    static unsigned int nr;

    if (nr == 0) {
        for (unsigned int i = 0; isa_row_number(i); i++)
            if (is_alu(isa_row_number(i)))
                rows[nr++] = isa_row_number(i);
    }
    return rows[draw_below(d, nr)];
}

static void alu(struct maker *m)
{
    const struct isa_row *row = alu_row(m->d);
    int32_t imm = (int32_t)draw_number(m->d);

    if (row->form == FORM_SWAP)
        imm = 16 << draw_below(m->d, 3);
    else if (row->form != FORM_ALU_IMM)
        imm = 0;
    put(m, row->code, scalar(m), row->form == FORM_ALU_REG ? scalar(m) : 0, row->off, imm);
}

static void branch(struct maker *m, unsigned int item, unsigned int items)
{
    static const uint8_t ops[] = { 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13 };
    unsigned int by_reg = draw_below(m->d, 2);
    unsigned int code = (draw_below(m->d, 2) ? 5u : 6u) | by_reg << 3;

    m->jumps[m->nr_jumps].insn = m->used;
    m->jumps[m->nr_jumps++].item = item + 1 + draw_below(m->d, items - item);
    put(m, code | (unsigned int)ops[draw_below(m->d, sizeof(ops))] << 4, scalar(m),
        by_reg ? scalar(m) : 0, 0, by_reg ? 0 : (int32_t)draw_number(m->d));
}

static const uint8_t size_code[] = { 0x10, 0x08, 0x00, 0x18 }; /* 1, 2, 4, 8 bytes */

static void memory(struct maker *m)
{
    static const uint8_t writable[] = { /* at every attach point */
        0x18, 0x20, 0x78, 0x30, 0x38, 0x40, 0x48, 0x58, 0x60, 0x90
    };
    unsigned int log = draw_below(m->d, 4), bytes = 1u << log;
    int stack = -(int)FAST_STACK_BYTES + (int)(draw_below(m->d, 16) * 8 / bytes * bytes);
    int field = (int)(0x08 + draw_below(m->d, 0xc0 / bytes) * bytes);
    unsigned int code = size_code[log];

    switch (draw_below(m->d, 8)) {
    case 0:
        put(m, 0x61 | code, scalar(m), m->ctx, field, 0);
        break;
    case 1:
        put(m, 0x7b, m->ctx, scalar(m), writable[draw_below(m->d, sizeof(writable))], 0);
        break;
    case 2:
        put(m, 0x7a, m->ctx, 0, writable[draw_below(m->d, sizeof(writable))],
            (int32_t)draw_number(m->d));
        break;
    case 3:
        put(m, 0x61 | code, scalar(m), 10, stack, 0);
        break;
    case 4:
        put(m, (log < 3 ? 0x81 : 0x61) | code, scalar(m), 10, stack, 0);
        break;
    case 5:
        put(m, 0x62 | code, 10, 0, stack, (int32_t)draw_number(m->d));
        break;
    case 6: /* the context through the stack and pointer arithmetic */
        put(m, 0x7b, 10, m->ctx, -8, 0);
        put(m, 0x79, 5, 10, -8, 0);
        put(m, 0x07, 5, 0, 0, 0x18);
        put(m, 0x79, 5, 5, 0x20, 0);
        break;
    default:
        put(m, 0x63 | code, 10, scalar(m), stack, 0);
        break;
    }
}

/* In guest memory or at its ends; one in eight where the hypervisor's range is looked out for. */
static uint64_t draw_address(struct maker *m)
{
    static const uint64_t edges[] = {
        0, 0x7ffffffff000, 0x800000000000, 0xffff7fffffffffff, 0xffff800000000000, 0xffff880080000000,
        WORLD_HIDDEN - WORLD_BYTES, WORLD_HIDDEN - 64, WORLD_HIDDEN - 4, WORLD_HIDDEN, WORLD_GUARD - 64,
        WORLD_GUARD - 1, WORLD_GUARD, 1ull << 63, ~0ull,
    };
    unsigned int kind = draw_below(m->d, 8);

    if (kind == 0)
        return edges[draw_below(m->d, sizeof(edges) / sizeof(edges[0]))];
    if (kind == 1)
        return m->base - 16 + draw_below(m->d, WORLD_BYTES + 32);
    return m->base + draw_below(m->d, 64);
}

/* A register that holds an address, mostly: few, so that they are used again, and that calls keep. */
static unsigned int base_register(struct maker *m)
{
    unsigned int r = 6 + draw_below(m->d, 4);

    return m->base && r != m->ctx ? r : scalar(m);
}

/* r1 for a load or store: the ways in which synthesis and compilers put an address together. */
static void address(struct maker *m)
{
    switch (m->base ? draw_below(m->d, 5) : 0) {
    case 0:
        put(m, 0xbf, 1, base_register(m), 0, 0);
        break;
    case 1: /* a base with a small displacement */
        put(m, 0xbf, 1, base_register(m), 0, 0);
        put(m, 0x07, 1, 0, 0, (int32_t)draw_below(m->d, 128) - 32);
        break;
    case 2: /* or with any */
        put(m, 0xbf, 1, base_register(m), 0, 0);
        put(m, 0x07, 1, 0, 0, (int32_t)draw_number(m->d));
        break;
    case 3:
        put_lddw(m, 1, draw_address(m));
        break;
    default:
        put(m, 0xbf, 1, scalar(m), 0, 0);
        put(m, 0x57, 1, 0, 0, (int32_t)draw_below(m->d, 0x4000));
        put_lddw(m, 4, m->base);
        put(m, 0x0f, 1, 4, 0, 0);
        break;
    }
}

static void call(struct maker *m, unsigned int number)
{
    for (unsigned int r = 2; r <= 3; r++)
        put(m, 0xbf, r, scalar(m), 0, 0);
    address(m);
    put(m, 0x85, 0, 0, 0, (int32_t)number);
    for (unsigned int r = 1; r <= 5; r++)
        put(m, 0xbf, r, draw_below(m->d, 2) ? 0 : m->ctx == 9 ? 8 : 9, 0, 0);
}

static void guest_access(struct maker *m)
{
    /* In a real world the user's half is the process's own. */
    unsigned int code = size_code[draw_below(m->d, 4)], half = draw_below(m->d, m->base ? 2 : 3);
    int32_t away = (int32_t)draw_number(m->d);

    put(m, (draw_below(m->d, 2) ? 0x21 : 0x23) | code, scalar(m), scalar(m), (int)half,
        half == ISA_USER ? away & INT32_MAX : away);
}

static void item(struct maker *m, unsigned int index, unsigned int items)
{
    unsigned int kind = draw_below(m->d, 17);

    if (m->base && kind == 0) /* another address, where one was perhaps looked at */
        put_lddw(m, base_register(m), draw_address(m));
    else if (kind < (m->base ? 3 : 7))
        alu(m);
    else if (kind < (m->base ? 6 : 10))
        branch(m, index, items);
    else if (kind < (m->base ? 8 : 14))
        memory(m);
    else if (kind == 16)
        guest_access(m);
    else if (draw_below(m->d, 8))
        call(m, draw_below(m->d, 9) == 8 ? FAST_HELPER_tsc + draw_below(m->d, 2)
                : m->base && index < items / 2 ? 1 + draw_below(m->d, 4) /* loads, before all stores */
                                               : 1 + draw_below(m->d, 8));
    else { /* leaves early */
        put(m, 0x15, scalar(m), 0, 2, (int32_t)draw_number(m->d));
        put(m, 0xb7, 0, 0, 0, (int32_t)draw_below(m->d, 2));
        put(m, 0x95, 0, 0, 0, 0);
    }
}

/* Leaves 0 or 1 in r0, in one of the ways that the verifier can follow. */
static void result(struct maker *m)
{
    unsigned int other = scalar(m);

    switch (draw_below(m->d, 6)) {
    case 0: /* two bits, combined by or, and, xor */
        put(m, 0x57, 0, 0, 0, 1);
        put(m, 0x54, other, 0, 0, 1);
        put(m, 0x4f + 0x10 * draw_below(m->d, 2), 0, other, 0, 0);
        put(m, 0xaf, other, 0, 0, 0);
        put(m, 0xbf, 0, other, 0, 0);
        break;
    case 1:
        put(m, 0x77, 0, 0, 0, 63);
        break;
    case 2:
        put(m, 0x74, 0, 0, 0, 31);
        put(m, 0xbc, 0, 0, 0, 0);
        break;
    case 3:
        put(m, 0x57, 0, 0, 0, 1);
        break;
    default:
        put(m, 0xb7, 0, 0, 0, draw_below(m->d, 8) ? FAST_DONE : FAST_PASS);
        break;
    }
}

void random_head(struct fast_header *head, unsigned int kind)
{
    memset(head, 0, sizeof(*head));
    head->magic = FAST_MAGIC;
    head->version = FAST_VERSION;
    head->header_bytes = sizeof(*head);
    head->attach_kind = kind;
    head->attach_number = kind == FAST_ATTACH_EXCEPTION ? 14 : 39;
    head->attach_address = kind == FAST_ATTACH_EXCEPTION ? 0xffffffff81000000ull : 0;
    strcpy(head->name, "random");
}

static void make(struct draw *d, uint64_t base, struct fast_insn *insns, struct fast_program *out)
{
    struct maker m = { .d = d, .insns = insns, .base = base };
    unsigned int items = 1 + draw_below(d, MAX_ITEMS - 1);
    unsigned int kind = 1 + draw_below(d, FAST_NR_ATTACH - 1);
    unsigned int start[MAX_ITEMS + 1];

    m.ctx = 6 + draw_below(d, 4);
    put(&m, 0xbf, m.ctx, 1, 0, 0);
    for (unsigned int r = 0; r < 10; r++)
        if (r != m.ctx)
            put_lddw(&m, r, base && draw_below(d, 2) ? draw_address(&m) : draw_number(d));
    for (unsigned int i = 0; i < 16; i++)
        put(&m, 0x7b, 10, scalar(&m), -(int)FAST_STACK_BYTES + 8 * (int)i, 0);
    for (unsigned int i = 0; i < items; i++) {
        start[i] = m.used;
        item(&m, i, items);
    }
    start[items] = m.used;
    for (unsigned int i = 0; i < m.nr_jumps; i++)
        insns[m.jumps[i].insn].off = (int16_t)(start[m.jumps[i].item] - m.jumps[i].insn - 1);
    if (kind != FAST_ATTACH_SYSCALL && draw_below(d, 4) == 0)
        call(&m, FAST_HELPER_pt_update);
    result(&m);
    put(&m, 0x95, 0, 0, 0, 0);

    random_head(&out->head, kind);
    out->head.insns = m.used;
    out->head.total_bytes = (uint32_t)(sizeof(out->head) + 8 * m.used);
    out->insns = insns;
}

void random_program(struct draw *d, struct fast_insn *insns, struct fast_program *out)
{
    make(d, 0, insns, out);
}

void random_guest_program(struct draw *d, uint64_t base, struct fast_insn *insns,
                          struct fast_program *out)
{
    make(d, base, insns, out);
}
