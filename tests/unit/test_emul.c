/* SPDX-License-Identifier: MIT */
/*
 * emul_ptwr_compute against the processor that runs the test: random instructions of set A with
 * random addressing, operands and flags are executed natively on one copy of a buffer and emulated
 * on another; memory, registers and defined flags must be equal.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../hv/x86/emul.h"
#include "native_run.h"

#define CASES 400000
#define WINDOW 512          /* bytes of memory that are compared */
#define GS_BASE 0x4560u
#define FLAGS_ALWAYS 0x202u /* IF and the bit that is always 1 */

#define ARITHMETIC                                                                                 \
    (X86_RFLAGS_CF | X86_RFLAGS_PF | X86_RFLAGS_AF | X86_RFLAGS_ZF | X86_RFLAGS_SF | X86_RFLAGS_OF)

static uint64_t rng_state = 0x123456789abcdef;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static unsigned int below(unsigned int n)
{
    return (unsigned int)((rng() >> 20) % n);
}

/* Numbers near the edges of every operand size are frequent. */
static uint64_t random_operand(void)
{
    switch (below(4)) {
    case 0:
        return rng();
    case 1:
        return (1ULL << below(64)) - below(2);
    case 2:
        return (uint64_t)0 - below(3);
    default:
        return rng() & 0xff7f80ff00ff7f80;
    }
}

/* An instruction under construction; the displacement is patched once the registers are known. */
struct text {
    uint8_t bytes[40];
    unsigned int length;
    unsigned int disp_at, disp_bytes;
};

struct opcode {
    uint8_t escape;     /* 0x0f or 0 */
    uint8_t opcode;
    int8_t ext;         /* ModRM.reg, or -1 if it is a register */
    char imm;           /* 'b' byte, 'z' operand size up to 4, 0 none, 'm' moffs, 's' string */
};

static const struct opcode opcodes[] = {
    { 0, 0x00, -1, 0 }, { 0, 0x01, -1, 0 }, { 0, 0x08, -1, 0 }, { 0, 0x09, -1, 0 },
    { 0, 0x20, -1, 0 }, { 0, 0x21, -1, 0 }, { 0, 0x28, -1, 0 }, { 0, 0x29, -1, 0 },
    { 0, 0x30, -1, 0 }, { 0, 0x31, -1, 0 }, { 0, 0x80, 0, 'b' }, { 0, 0x80, 1, 'b' },
    { 0, 0x80, 4, 'b' }, { 0, 0x80, 5, 'b' }, { 0, 0x80, 6, 'b' }, { 0, 0x81, 0, 'z' },
    { 0, 0x81, 1, 'z' }, { 0, 0x81, 4, 'z' }, { 0, 0x81, 5, 'z' }, { 0, 0x81, 6, 'z' },
    { 0, 0x83, 0, 'b' }, { 0, 0x83, 1, 'b' }, { 0, 0x83, 4, 'b' }, { 0, 0x83, 5, 'b' },
    { 0, 0x83, 6, 'b' }, { 0, 0x86, -1, 0 }, { 0, 0x87, -1, 0 }, { 0, 0x88, -1, 0 },
    { 0, 0x89, -1, 0 }, { 0, 0xa2, 0, 'm' }, { 0, 0xa3, 0, 'm' }, { 0, 0xaa, 0, 's' },
    { 0, 0xab, 0, 's' }, { 0, 0xc6, 0, 'b' }, { 0, 0xc7, 0, 'z' }, { 0, 0xf6, 2, 0 },
    { 0, 0xf6, 3, 0 }, { 0, 0xf7, 2, 0 }, { 0, 0xf7, 3, 0 }, { 0, 0xfe, 0, 0 },
    { 0, 0xfe, 1, 0 }, { 0, 0xff, 0, 0 }, { 0, 0xff, 1, 0 }, { 0x0f, 0xab, -1, 0 },
    { 0x0f, 0xb0, -1, 0 }, { 0x0f, 0xb1, -1, 0 }, { 0x0f, 0xb3, -1, 0 }, { 0x0f, 0xbb, -1, 0 },
    { 0x0f, 0xba, 5, 'b' }, { 0x0f, 0xba, 6, 'b' }, { 0x0f, 0xba, 7, 'b' }, { 0x0f, 0xc0, -1, 0 },
    { 0x0f, 0xc1, -1, 0 }, { 0x0f, 0xc7, 1, 0 },
};

static void emit(struct text *t, uint8_t byte)
{
    t->bytes[t->length++] = byte;
}

static void emit_random(struct text *t, unsigned int bytes)
{
    while (bytes--)
        emit(t, (uint8_t)(rng() >> 30));
}

static void emit_modrm(struct text *t, const struct opcode *o)
{
    uint8_t mod = below(3), rm = below(8), sib = (uint8_t)(rng() >> 30);
    uint8_t reg = o->ext >= 0 ? (uint8_t)o->ext : below(8);

    emit(t, mod << 6 | reg << 3 | rm);
    if (rm == 4)
        emit(t, sib);
    t->disp_at = t->length;
    if (mod == 1)
        t->disp_bytes = 1;
    else if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
        t->disp_bytes = 4;
    emit_random(t, t->disp_bytes);
}

static struct text random_text(void)
{
    const struct opcode *o = &opcodes[below(sizeof(opcodes) / sizeof(opcodes[0]))];
    bool addr32 = below(4) == 0, opsize = below(4) == 0;
    uint8_t rex = below(2) ? 0x40 | below(16) : 0;
    struct text t = { .length = 0 };

    if (below(3) == 0)
        emit(&t, below(2) ? 0xf0 : 0x3e);
    if (addr32)
        emit(&t, 0x67);
    if (opsize)
        emit(&t, 0x66);
    if (below(8) == 0)
        emit(&t, 0x65);
    if (o->imm == 's' && below(2))
        emit(&t, 0xf2 + below(2));
    if (rex)
        emit(&t, rex);
    if (o->escape)
        emit(&t, o->escape);
    emit(&t, o->opcode);

    if (o->imm == 'm') {
        t.disp_at = t.length;
        t.disp_bytes = addr32 ? 4 : 8;
        emit_random(&t, t.disp_bytes);
    } else if (o->imm != 's') {
        emit_modrm(&t, o);
    }
    if (o->imm == 'b')
        emit_random(&t, 1);
    if (o->imm == 'z')
        emit_random(&t, opsize && !(rex & 8) ? 2 : 4);
    return t;
}

/* One case: the same start for the processor and for the emulator. */
struct trial {
    struct text text;
    struct x86_insn insn;
    struct cpu_user_regs regs;
    uint64_t target;        /* linear address of the operand */
    uint8_t *memory;        /* WINDOW bytes with an address below 2^31 */
    uint8_t *code;          /* so too */
};

static const uint64_t seg_bases[X86_SEG_COUNT] = { [X86_SEG_GS] = GS_BASE };

static bool is_bit_string(const struct x86_insn *insn)
{
    return insn->op >= X86_OP_BTS && insn->op <= X86_OP_BTC && insn->form == X86_FORM_MEM_REG;
}

/* Cases that cannot be aimed at the buffer, or would change the stack pointer. */
static bool usable(const struct x86_insn *insn)
{
    const struct x86_mem *mem = &insn->mem;

    if (insn->form == X86_FORM_MEM_REG && insn->reg == X86_RSP && !insn->reg_high)
        return false;
    if (mem->base == X86_RSP || (mem->base == mem->index && mem->base != X86_REG_NONE))
        return false;
    return !(is_bit_string(insn) && (mem->base == insn->reg || mem->index == insn->reg));
}

static void random_regs(struct trial *t)
{
    static const uint64_t flags = ARITHMETIC | X86_RFLAGS_DF;
    const struct x86_insn *insn = &t->insn;

    memset(&t->regs, 0, sizeof(t->regs));
    for (unsigned int nr = 0; nr < 16; nr++)
        x86_gpr_set(&t->regs, nr, random_operand());
    t->regs.rflags = FLAGS_ALWAYS | (rng() & flags);
    t->regs.rip = (uint64_t)t->code;
    if (insn->mem.index != X86_REG_NONE)
        x86_gpr_set(&t->regs, insn->mem.index, below(0x10000) - 0x8000ull);
    if (is_bit_string(insn))
        x86_gpr_set(&t->regs, insn->reg, below(1000) - 500ull);
    if (insn->op == X86_OP_STOS)
        t->regs.rcx = (insn->addr_bytes == 4 ? rng() << 32 : 0) | below(8);
}

/* Makes the memory operand point at `target`, by the displacement or the base register. */
static void aim(struct trial *t)
{
    struct text *text = &t->text;
    unsigned int base = t->insn.mem.base;
    uint64_t rest, distance;

    if (base != X86_REG_NONE && base != X86_REG_RIP) {
        x86_gpr_set(&t->regs, base, 0);
        rest = x86_insn_linear(&t->insn, &t->regs, seg_bases);
        distance = t->target - rest;
        if (t->insn.addr_bytes == 4)
            distance = (uint32_t)distance | rng() << 32;
        x86_gpr_set(&t->regs, base, distance);
    } else {
        rest = x86_insn_linear(&t->insn, &t->regs, seg_bases) - (uint64_t)t->insn.mem.disp;
        distance = t->target - rest;
        memcpy(text->bytes + text->disp_at, &distance, text->disp_bytes);
        x86_decode(text->bytes, text->length, X86_MODE_64, &t->insn);
    }
    assert_int_equal(x86_insn_linear(&t->insn, &t->regs, seg_bases), t->target);
}

/* Half of all comparisons should succeed. */
static void maybe_equal(struct trial *t)
{
    uint64_t old = 0;
    unsigned int bytes = t->insn.op_bytes;

    memcpy(&old, (void *)t->target, bytes);
    if (below(2) || t->insn.mem.base == X86_RAX || t->insn.mem.index == X86_RAX)
        return;
    if (t->insn.op == X86_OP_CMPXCHG) {
        t->regs.rax = (t->regs.rax & ~x86_mask(bytes)) | old;
    } else if (t->insn.op == X86_OP_CMPXCHG8B && t->insn.mem.base != X86_RDX &&
               t->insn.mem.index != X86_RDX) {
        t->regs.rax = (t->regs.rax & ~0xffffffffULL) | (uint32_t)old;
        t->regs.rdx = (t->regs.rdx & ~0xffffffffULL) | old >> 32;
    }
}

static bool make_trial(struct trial *t)
{
    unsigned int bytes;

    t->text = random_text();
    if (x86_decode(t->text.bytes, t->text.length, X86_MODE_64, &t->insn) != X86_DECODE_OK)
        return false;
    assert_int_equal(t->insn.length, t->text.length);
    bytes = t->insn.op_bytes;
    if (bytes > 8 || !usable(&t->insn))
        return false;

    for (unsigned int i = 0; i < WINDOW; i += 8) {
        uint64_t value = random_operand();

        memcpy(t->memory + i, &value, 8);
    }
    t->target = (uint64_t)t->memory + WINDOW / 2 + 8 * below(8) + below(9 - bytes);
    if (t->insn.op == X86_OP_STOS)
        t->target &= ~(uint64_t)(bytes - 1);
    random_regs(t);
    aim(t);
    maybe_equal(t);
    return true;
}

static void run_natively(const struct trial *t, struct native_state *out)
{
    for (unsigned int nr = 0; nr < 16; nr++)
        out->gpr[nr] = x86_gpr_get(&t->regs, nr);
    out->rflags = t->regs.rflags;
    out->code = t->code;
    memcpy(t->code, t->text.bytes, t->text.length);
    native_jump_back(t->code + t->text.length);
    native_run(out);
}

/* Emulates on `memory`, a copy of t->memory, until RIP moves on. */
static void emulate(const struct trial *t, uint8_t *memory, struct cpu_user_regs *regs)
{
    do {
        uint64_t addr = x86_insn_linear(&t->insn, regs, seg_bases);
        uint8_t *entry = memory + ((addr & ~7ULL) - (uint64_t)t->memory);
        struct emul_ptwr result;
        uint64_t old;

        memcpy(&old, entry, 8);
        assert_int_equal(emul_ptwr_compute(&t->insn, regs, addr, old, &result), EMUL_OK);
        if (result.write)
            memcpy(entry, &result.new_entry, 8);
        assert_false(result.effect.single_step);
        emul_effect_apply(&result.effect, regs);
    } while (regs->rip == t->regs.rip);
}

static uint64_t undefined_flags(const struct x86_insn *insn)
{
    switch (insn->op) {
    case X86_OP_AND:
    case X86_OP_OR:
    case X86_OP_XOR:
        return X86_RFLAGS_AF;
    case X86_OP_BTS:
    case X86_OP_BTR:
    case X86_OP_BTC:
        return ARITHMETIC & ~X86_RFLAGS_CF;
    default:
        return 0;
    }
}

static void show(const struct trial *t, const char *what, uint64_t native, uint64_t emulated)
{
    fprintf(stderr, "%s %s: native %#lx, emulated %#lx; flags %#lx, code", x86_op_name(t->insn.op),
            what, native, emulated, t->regs.rflags);
    for (unsigned int i = 0; i < t->text.length; i++)
        fprintf(stderr, " %02x", t->text.bytes[i]);
    fprintf(stderr, "\n");
}

/* How many differences. */
static unsigned int compare(const struct trial *t, const struct native_state *native,
                            const struct cpu_user_regs *regs, const uint8_t *memory)
{
    uint64_t defined = ~undefined_flags(&t->insn);
    unsigned int wrong = 0;

    for (unsigned int nr = 0; nr < 16; nr++) {
        if (native->gpr[nr] != x86_gpr_get(regs, nr)) {
            show(t, "register", native->gpr[nr], x86_gpr_get(regs, nr));
            wrong++;
        }
    }
    if ((native->rflags ^ regs->rflags) & defined) {
        show(t, "flags", native->rflags, regs->rflags);
        wrong++;
    }
    if (memcmp(t->memory, memory, WINDOW) != 0) {
        uint64_t is, has;

        memcpy(&is, t->memory + (t->target & ~7ULL) - (uint64_t)t->memory, 8);
        memcpy(&has, memory + ((t->target & ~7ULL) - (uint64_t)t->memory), 8);
        show(t, "memory", is, has);
        wrong++;
    }
    if (regs->rip != t->regs.rip + t->text.length) {
        show(t, "rip", t->regs.rip + t->text.length, regs->rip);
        wrong++;
    }
    return wrong;
}

static uint8_t *low_memory(int protection)
{
    uint8_t *page = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    assert_ptr_not_equal(page, MAP_FAILED);
    return page;
}

static void test_against_processor(void **state)
{
    struct trial t = { .memory = low_memory(PROT_READ | PROT_WRITE),
                       .code = low_memory(PROT_READ | PROT_WRITE | PROT_EXEC) };
    unsigned long by_op[X86_OP_COUNT] = { 0 };
    unsigned int done = 0, wrong = 0;

    (void)state;
    assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)GS_BASE), 0);
    while (done < CASES && wrong < 10) {
        struct native_state native = { .rflags = 0 };
        struct cpu_user_regs regs;
        uint8_t memory[WINDOW];

        if (!make_trial(&t))
            continue;
        memcpy(memory, t.memory, WINDOW);
        regs = t.regs;
        run_natively(&t, &native);
        native.gpr[X86_RSP] = regs.rsp;
        emulate(&t, memory, &regs);
        wrong += compare(&t, &native, &regs, memory);
        by_op[t.insn.op]++;
        done++;
    }
    munmap(t.memory, 4096);
    munmap(t.code, 4096);
    assert_int_equal(wrong, 0);
    for (unsigned int op = X86_OP_MOV; op <= X86_OP_LAST_MEMORY; op++) {
        if (op != X86_OP_CMPXCHG16B && by_op[op] < 500)
            fail_msg("only %lu cases of %s", by_op[op], x86_op_name(op));
    }
}

static struct x86_insn decoded(const char *bytes, unsigned int n)
{
    struct x86_insn insn;

    assert_int_equal(x86_decode((const uint8_t *)bytes, n, X86_MODE_64, &insn), X86_DECODE_OK);
    return insn;
}

static void test_refused(void **state)
{
    struct cpu_user_regs regs = { 0 };
    struct emul_ptwr out;
    struct x86_insn mov = decoded("\x89\x00", 2);                   /* mov %eax,(%rax) */
    struct x86_insn cx16 = decoded("\x48\x0f\xc7\x08", 4);
    struct x86_insn cpuid = decoded("\x0f\xa2", 2);

    (void)state;
    for (unsigned int at = 0; at < 8; at++) {
        enum emul_rc rc = emul_ptwr_compute(&mov, &regs, 0x1000 + at, 0, &out);

        assert_int_equal(rc, at <= 4 ? EMUL_OK : EMUL_UNHANDLEABLE);
    }
    assert_int_equal(emul_ptwr_compute(&cx16, &regs, 0x1000, 0, &out), EMUL_UNHANDLEABLE);
    assert_int_equal(emul_ptwr_compute(&cpuid, &regs, 0x1000, 0, &out), EMUL_UNHANDLEABLE);
}

/* RF is cleared, except between the iterations of a repeated instruction; TF asks for a trap. */
static void test_trap_flags(void **state)
{
    struct cpu_user_regs regs = { .rflags = X86_RFLAGS_RF | X86_RFLAGS_TF, .rcx = 2 };
    struct x86_insn mov = decoded("\x89\x00", 2);
    struct x86_insn rep_stos = decoded("\xf3\x48\xab", 3);
    struct emul_ptwr out;

    (void)state;
    emul_ptwr_compute(&mov, &regs, 0, 0, &out);
    assert_true(out.effect.single_step);
    assert_int_equal(out.effect.rflags, X86_RFLAGS_TF);

    emul_ptwr_compute(&rep_stos, &regs, 0, 0, &out);
    assert_true(out.effect.single_step);
    assert_int_equal(out.effect.rflags, X86_RFLAGS_RF | X86_RFLAGS_TF);
    assert_int_equal(out.effect.rip, 0);
    emul_effect_apply(&out.effect, &regs);
    assert_int_equal(regs.rcx, 1);
    emul_ptwr_compute(&rep_stos, &regs, 0, 0, &out);
    assert_int_equal(out.effect.rflags, X86_RFLAGS_TF);
    assert_int_equal(out.effect.rip, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_trap_flags),
        cmocka_unit_test(test_against_processor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
