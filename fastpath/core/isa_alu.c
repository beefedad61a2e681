/* SPDX-License-Identifier: MIT */
/* What the arithmetic and the comparisons mean: the interpreter and the verifier ask here. */
#include "isa.h"

static int64_t sign_extend(uint64_t value, unsigned int bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static uint64_t low_bits(uint64_t value, unsigned int bits)
{
    return bits == 64 ? value : value & ((1ull << bits) - 1);
}

static uint64_t signed_divide(bool remainder, unsigned int width, uint64_t a, uint64_t b)
{
    int64_t x = sign_extend(a, width), y = sign_extend(b, width);

    if (y == 0)
        return remainder ? a : 0;
    /* The processor traps on the most negative number divided by -1. */
    if (y == -1)
        return remainder ? 0 : -(uint64_t)x;
    return (uint64_t)(remainder ? x % y : x / y);
}

static uint64_t swap_bytes(uint64_t value, unsigned int bits)
{
    if (bits == 16)
        return __builtin_bswap16((uint16_t)value);
    return bits == 32 ? __builtin_bswap32((uint32_t)value) : __builtin_bswap64(value);
}

uint64_t isa_alu(unsigned int op, unsigned int width, uint64_t a, uint64_t b)
{
    unsigned int count = (unsigned int)b & (width - 1);
    uint64_t r;

    if (op == OP_LE)
        return low_bits(a, (unsigned int)b);
    if (op == OP_BE || op == OP_BSWAP)
        return swap_bytes(a, (unsigned int)b);

    a = low_bits(a, width);
    b = low_bits(b, width);
    switch (op) {
    case OP_ADD: r = a + b; break;
    case OP_SUB: r = a - b; break;
    case OP_MUL: r = a * b; break;
    case OP_DIV: r = b ? a / b : 0; break;
    case OP_MOD: r = b ? a % b : a; break;
    case OP_SDIV: r = signed_divide(false, width, a, b); break;
    case OP_SMOD: r = signed_divide(true, width, a, b); break;
    case OP_OR: r = a | b; break;
    case OP_AND: r = a & b; break;
    case OP_XOR: r = a ^ b; break;
    case OP_LSH: r = a << count; break;
    case OP_RSH: r = a >> count; break;
    case OP_ARSH: r = (uint64_t)(sign_extend(a, width) >> count); break;
    case OP_MOVSX8: r = (uint64_t)sign_extend(b, 8); break;
    case OP_MOVSX16: r = (uint64_t)sign_extend(b, 16); break;
    case OP_MOVSX32: r = (uint64_t)sign_extend(b, 32); break;
    case OP_NEG: r = -a; break;
    default: r = b; break; /* OP_MOV */
    }
    return low_bits(r, width);
}

bool isa_compare(unsigned int op, unsigned int width, uint64_t a, uint64_t b)
{
    int64_t x = sign_extend(a, width), y = sign_extend(b, width);

    a = low_bits(a, width);
    b = low_bits(b, width);
    switch (op) {
    case OP_JEQ: return a == b;
    case OP_JNE: return a != b;
    case OP_JGT: return a > b;
    case OP_JGE: return a >= b;
    case OP_JLT: return a < b;
    case OP_JLE: return a <= b;
    case OP_JSET: return (a & b) != 0;
    case OP_JSGT: return x > y;
    case OP_JSGE: return x >= y;
    case OP_JSLT: return x < y;
    case OP_JSLE: return x <= y;
    default: return true; /* OP_JA */
    }
}
