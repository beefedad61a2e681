/* SPDX-License-Identifier: MIT */
/*
 * The JIT's inlined guest memory against the interpreter: random programs that load, stage stores
 * and load again, at addresses that are there, that are not, and that are the hypervisor's.  Guest
 * memory is real memory at its own address; a fault is caught as the hypervisor does it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "interp.h"
#include "jit_x86.h"
#include "verifier.h"

#define ARENA 0x200000ull
#define ARENA_BYTES 8192u
#define CODE_BYTES (256u << 10)
#define PROGRAMS 20000
#define BODY 30

static uint8_t *code;
static struct jit_space space;
static unsigned int faults, asked;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t rip = (uint64_t)regs[REG_RIP];

    (void)info;
    if (rip - (uint64_t)code >= CODE_BYTES || !space.fault) {
        struct sigaction plain = { .sa_handler = SIG_DFL };

        sigaction(signal, &plain, NULL);
        return;
    }
    faults++;
    regs[REG_RIP] = (greg_t)((uint64_t)code + space.fault);
}

/* In each test: cmocka has a handler of its own around them. */
static void catch_faults(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

/* ------------------------------------------------------------------ the world */

static bool there(uint64_t address, unsigned int size)
{
    return address >= ARENA && address - ARENA <= ARENA_BYTES - size;
}

static bool env_load(void *world, uint64_t address, unsigned int size, uint64_t *value)
{
    (void)world;
    asked++;
    if (!there(address, size))
        return false;
    *value = 0;
    memcpy(value, (void *)address, size);
    return true;
}

static bool env_may_store(void *world, uint64_t address, unsigned int size)
{
    (void)world;
    return there(address, size);
}

static void env_store(void *world, uint64_t address, unsigned int size, uint64_t value)
{
    (void)world;
    memcpy((void *)address, &value, size);
}

static bool env_may_update_pt(void *world, uint64_t ptr, uint64_t old, uint64_t new)
{
    (void)world, (void)ptr, (void)old, (void)new;
    return false;
}

static void env_update_pt(void *world, uint64_t ptr, uint64_t new)
{
    (void)world, (void)ptr, (void)new;
}

static uint64_t env_tsc(void *world)
{
    (void)world;
    return 0;
}

static bool env_m2p(void *world, uint64_t mfn, uint64_t *gpfn)
{
    (void)world, (void)mfn, (void)gpfn;
    return false;
}

static const struct fast_env env = { env_load, env_may_store, env_store, env_may_update_pt,
                                     env_update_pt, env_tsc, env_m2p };

/* ------------------------------------------------------------------ programs */

static struct fast_insn insns[2 * BODY * 10];
static unsigned int nr;

static void put(uint8_t opcode, unsigned int dst, unsigned int src, int off, int64_t imm)
{
    insns[nr++] = (struct fast_insn){ opcode, (uint8_t)(dst | src << 4), (int16_t)off,
                                      (int32_t)imm };
}

static void put_lddw(unsigned int dst, uint64_t value)
{
    put(0x18, dst, 0, 0, (int32_t)value);
    put(0, 0, 0, 0, (int32_t)(value >> 32));
}

static uint64_t random_address(unsigned int oddly)
{
    static const uint64_t elsewhere[] = {
        0,
        0x1000,
        ARENA - 1,
        ARENA + ARENA_BYTES - 1,
        ARENA + ARENA_BYTES,
        0x7ffffffff000ull,
        0x800000000000ull,
        0xffff800000000000ull,
        0xffff87ffffffffffull,
        0xffff82d080000000ull,
        0xffff880000000000ull,
        ~0ull,
        1ull << 63,
    };

    if ((unsigned int)rand() % 100 < oddly)
        return elsewhere[(size_t)rand() % (sizeof(elsewhere) / sizeof(elsewhere[0]))];
    return ARENA + (uint64_t)rand() % (ARENA_BYTES - 8) % 64 * 3;
}

static unsigned int some(unsigned int n)
{
    return (unsigned int)rand() % n;
}

/* To r6, by the helper, or by an instruction whose base is any register. */
static void put_load(unsigned int oddly)
{
    static const uint8_t code[] = { 0x31, 0x29, 0x21, 0x39 };
    unsigned int size = some(4), base = 1 + some(5), half = some(20);
    int32_t away = (int32_t)some(200);

    if (some(2)) {
        put_lddw(1, random_address(oddly));
        put(0x85, 0, 0, 0, FAST_HELPER_load8 + (int64_t)size);
    } else {
        put_lddw(base, random_address(oddly) - (unsigned int)away);
        put(code[size], 0, base, half == 0 ? 1 : half < 10 ? 2 : 0, away);
    }
    put(0x27, 6, 0, 0, 33);
    put(0x0f, 6, 0, 0, 0);
}

static void put_store(unsigned int oddly)
{
    static const uint8_t code[] = { 0x33, 0x2b, 0x23, 0x3b };
    unsigned int size = some(4);
    int32_t away = (int32_t)some(200);

    put_lddw(1, random_address(oddly) - (unsigned int)(size % 2 ? away : 0));
    put(0xbf, 2, 6, 0, 0);
    put(0x0f, 2, 7, 0, 0);
    if (size % 2)
        for (unsigned int n = 1 + some(4), half = some(20) ? some(2) * 2 : 1; n > 0;
             n--) /* near each other */
            put(code[some(4)], 1, 2, half, n == 1 ? away : (int64_t)some(some(10) ? 300 : 5000));
    else
        put(0x85, 0, 0, 0, FAST_HELPER_store8 + (int64_t)some(4));
}

/* A load whose value is compared and nothing else: 1 is added to r6 if the branch is not taken. */
static void put_compare(unsigned int oddly)
{
    static const uint8_t code[] = { 0x31, 0x29, 0x21, 0x39 },
                         op[] = { 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13 };
    static const int32_t number[] = { 0,      1,      -1,      0x7f,      0x80,      0xff,    0x100,
                                      0x7fff, 0xffff, 0x10000, INT32_MAX, INT32_MIN, 0x42780e };
    unsigned int jump = op[some(sizeof(op))] << 4 | (some(2) ? 5u : 6u), size = some(4);
    int32_t imm = some(3) ? number[some(13)] : (int32_t)some(256);

    put_lddw(3, random_address(oddly));
    put(code[size], 4, 3, 0, 0);
    switch (some(3)) {
    case 0:
        put((uint8_t)jump, 4, 0, 1, imm);
        break;
    case 1:
        put((uint8_t)(jump | 8), 4, 7, 1, 0);
        break;
    default:
        put((uint8_t)(jump | 8), 6, 4, 1, 0);
        break;
    }
    put(0x07, 6, 0, 0, 1);
    if (some(4) == 0) /* the value is wanted after all */
        put(0xaf, 6, 4, 0, 0);
}

/* Sums in another register, what the context has, and what survives the time stamp. */
static void put_other(void)
{
    static const uint8_t field[] = { 0x18, 0x30, 0x38, 0x40, 0x58, 0x60, 0x68, 0xb8 };

    switch (some(5)) {
    case 0:
        put(0xbf, 5, 6, 0, 0);
        if (some(2))
            put(0x0f, 5, 7, 0, 0);
        put(0x07, 5, 0, 0, rand());
        put(0xaf, 6, 5, 0, 0);
        break;
    case 1:
        put(some(3) ? 0x79 : 0x61, 5, 9, field[some(sizeof(field))], 0);
        put(0x0f, 6, 5, 0, 0);
        break;
    case 2:
        put(0x7b, 9, 6, 0x18, 0); /* rax */
        break;
    case 3:
        put(0x85, 0, 0, 0, FAST_HELPER_tsc); /* no two engines read the same */
        put(0xb7, 0, 0, 0, 0);
        break;
    default:
        put(0xb7, 5, 0, 0, (int64_t)some(70));
        put((uint8_t)(some(2) ? 0x6f : 0x7f), 6, 5, 0, 0);
        break;
    }
}

static void put_end(unsigned int result)
{
    if (some(2))
        put(0x7b, 9, 6, 0x18, 0);
    put(0xb7, some(4) ? 0 : 5, 0, 0, result); /* r0, or by way of r5 */
    if (insns[nr - 1].regs == 5)
        put(0xbf, 0, 5, 0, 0);
    put(0x95, 0, 0, 0, 0);
}

/* r6 gathers what is loaded; r7 is what is stored, r8 a place to keep numbers in between, r9 the
 * context. */
static void make_program(struct fast_program *program)
{
    bool uses_stack = rand() % 2;
    unsigned int oddly = rand() % 3 ? 0 : 5, stores = 2 + some(3) * some(12);

    nr = 0;
    put(0xbf, 9, 1, 0, 0);
    put_lddw(6, (uint64_t)rand() << 32 | (uint64_t)rand());
    put_lddw(7, (uint64_t)rand() << 33 | (uint64_t)rand());
    put(0xbf, 8, 6, 0, 0);
    for (int i = 0; i < BODY; i++) {
        switch (some(7)) {
        case 0:
        case 1:
            put_load(oddly);
            break;
        case 2:
            put_compare(oddly);
            break;
        case 3: /* a guard */
            put(0xbf, 8, 6, 0, 0);
            put(0x57, 8, 0, 0, 0x3f);
            put(0x55, 8, 0, 2, rand() % 64); /* not equal: over the exit */
            put(0xb7, 0, 0, 0, some(4) == 0);
            put(0x95, 0, 0, 0, 0);
            break;
        case 4:
        case 5:
            put_other();
            break;
        case 6:
            if (i < BODY / 3 || !stores)
                break;
            stores--;
            put_store(oddly);
            break;
        }
        if (uses_stack && rand() % 8 == 0) {
            put(0x7b, 10, 6, -8, 0);
            put(0x79, 6, 10, -8, 0);
        }
    }
    put_end(1);
    program->head = (struct fast_header){ .magic = FAST_MAGIC,
                                          .version = FAST_VERSION,
                                          .insns = nr,
                                          .attach_kind = FAST_ATTACH_SYSCALL,
                                          .attach_number = 39 };
    program->insns = insns;
}

/* ------------------------------------------------------------------ comparison */

struct result {
    uint64_t r0;
    enum fast_outcome outcome;
    struct fast_ctx ctx;
    struct fast_run run;
    uint8_t memory[ARENA_BYTES];
};

#define FIRST_PAGE 61u /* so that places go round */

enum engine { INTERPRETER, PLAIN, TAKES, LEAN, LEAN_TAKES };

/* Where the stores of `as` went, if anywhere, one in 16 not. */
static void known_pages(struct fast_run *run, const struct fast_run *as)
{
    static const uint64_t entry = 7;

    for (unsigned int i = 0; i < FAST_PAGES; i++)
        run->page[i].tag = ~0ull;
    for (unsigned int i = 0; i < as->nr_staged; i++)
        if (as->staged[i].address - ARENA < ARENA_BYTES && rand() % 16)
            run->page[FAST_PAGE(FIRST_PAGE, i)] =
                (struct fast_page){ as->staged[i].address & -4096ull, 0, &entry, entry };
}

static void start(struct result *out, const uint8_t *memory)
{
    static const uint64_t sp = 0x1234567890;

    memset(&out->ctx, 0, sizeof(out->ctx));
    out->ctx.rax = 39;
    out->ctx.rdi = 0xd1d1d1d1d1d1d1d1;
    out->ctx.rsi = 0x5151515151515151;
    out->ctx.rdx = 0xd0d0d0d0d0d0d0d0;
    out->ctx.r10 = 0x1010101010101010;
    out->ctx.r8 = 0x0808080808080808;
    out->ctx.r9 = 0x0909090909090909;
    out->ctx.kernel_gs = ARENA;
    out->ctx.kernel_sp = sp;
    memcpy((void *)ARENA, memory, ARENA_BYTES);
    fast_run_init(&out->run, &out->ctx, &env, NULL);
    out->run.kernel_gs = ARENA;
    out->run.kernel_sp = &sp;
    out->run.gone = 0;
}

static void run(const struct fast_program *program, const uint8_t *memory, enum engine engine,
                struct result *out)
{
    start(out, memory);
    if (engine == INTERPRETER)
        out->r0 = fast_interpret(program, &out->run, FAST_MAX_INSNS);
    else if (engine == PLAIN || engine == TAKES)
        out->r0 = fast_call((fast_code)(uintptr_t)code, &out->run, engine == TAKES);
    else
        out->r0 = fast_call_lean((fast_code)(uintptr_t)code, &out->run, engine == LEAN_TAKES);
    out->outcome = fast_finish(&out->run, out->r0);
    memcpy(out->memory, (void *)ARENA, ARENA_BYTES);
}

/* Lean code does not stage what it can take, and on PASS has no list at all. */
static void assert_same_effects(const struct result *a, const struct result *b)
{
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->run.stop, b->run.stop);
    assert_memory_equal(a->memory, b->memory, ARENA_BYTES);
    if (a->outcome == FAST_DONE)
        assert_int_equal(a->ctx.rax, b->ctx.rax);
}

static void assert_same(const struct result *a, const struct result *b)
{
    assert_int_equal(a->r0, b->r0);
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->run.stop, b->run.stop);
    assert_int_equal(a->run.nr_staged, b->run.nr_staged);
    for (unsigned int i = 0; i < a->run.nr_staged; i++) {
        assert_int_equal(a->run.staged[i].address, b->run.staged[i].address);
        assert_int_equal(a->run.staged[i].value, b->run.staged[i].value);
        assert_int_equal(a->run.staged[i].size, b->run.staged[i].size);
    }
    assert_memory_equal(a->memory, b->memory, ARENA_BYTES);
}

/* False: lean code cannot be made of it. */
static bool emit(const struct fast_program *program, bool lean)
{
    uint32_t size = lean ? fast_jit_size_lean(program, &space, 0x123456789a, FIRST_PAGE)
                         : fast_jit_size_guest(program, &space, FIRST_PAGE);

    assert_true((size || lean) && size <= CODE_BYTES);
    if (!size)
        return false;
    assert_int_equal(mprotect(code, CODE_BYTES, PROT_READ | PROT_WRITE), 0);
    memset(code, 0xcc, CODE_BYTES);
    assert_true(fast_jit_emit(program, &space, code, size));
    assert_int_equal(mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC), 0);
    return true;
}

static void random_programs(void **state)
{
    static struct result by_interpreter, by_jit;
    static struct verify_space verify;
    static uint8_t memory[ARENA_BYTES];
    struct fast_verdict verdict;
    struct fast_program program;
    unsigned int done = 0, stopped = 0, lean = 0, taken = 0, taken_lean = 0;

    (void)state;
    catch_faults();
    srand(7);
    for (unsigned int i = 0; i < ARENA_BYTES; i++)
        memory[i] = (uint8_t)rand();
    for (int i = 0; i < PROGRAMS; i++) {
        make_program(&program);
        assert_true(fast_verify(&program, &verify, &verdict));
        emit(&program, false);
        run(&program, memory, INTERPRETER, &by_interpreter);
        asked = 0;
        run(&program, memory, PLAIN, &by_jit);
        assert_same(&by_interpreter, &by_jit);
        assert_true(asked <= 2 * BODY);
        run(&program, memory, TAKES, &by_jit);
        assert_same_effects(&by_interpreter, &by_jit);
        taken += by_jit.outcome == FAST_DONE && by_interpreter.run.nr_staged &&
                 !by_jit.run.nr_staged;
        done += by_jit.outcome == FAST_DONE;
        stopped += by_jit.run.stop == FAST_STOP_LOAD;
        if (!emit(&program, true))
            continue;
        lean++;
        known_pages(&by_jit.run, &by_interpreter.run);
        run(&program, memory, LEAN, &by_jit);
        assert_same_effects(&by_interpreter, &by_jit);
        if (by_jit.outcome == FAST_DONE)
            assert_same(&by_interpreter, &by_jit);
        run(&program, memory, LEAN_TAKES, &by_jit);
        assert_same_effects(&by_interpreter, &by_jit);
        taken_lean += by_jit.outcome == FAST_DONE && by_interpreter.run.nr_staged &&
                      !by_jit.run.nr_staged;
    }
    /* Each of them happens often. */
    assert_true(done > PROGRAMS / 20);
    assert_true(stopped > PROGRAMS / 20);
    assert_true(faults > PROGRAMS / 20);
    assert_true(lean > PROGRAMS / 4);
    assert_true(taken > PROGRAMS / 40);
    assert_true(taken_lean > PROGRAMS / 40);
}

/* A handler without frame, and the hypervisor's range: the address is replaced, not looked at. */
static void hidden(void **state)
{
    static struct result by_jit;
    static uint8_t memory[ARENA_BYTES];
    struct fast_program program;
    unsigned int before = faults;

    (void)state;
    catch_faults();
    nr = 0;
    put_lddw(1, 0xffff82d080000000ull);
    put(0x85, 0, 0, 0, FAST_HELPER_load64);
    put(0xb7, 0, 0, 0, 1);
    put(0x95, 0, 0, 0, 0);
    program.head = (struct fast_header){ .insns = nr, .attach_kind = FAST_ATTACH_SYSCALL };
    program.insns = insns;
    emit(&program, false);
    run(&program, memory, PLAIN, &by_jit);
    assert_int_equal(by_jit.run.stop, FAST_STOP_LOAD);
    assert_int_equal(by_jit.r0, 0);
    assert_int_equal(faults, before + 1);
    /* With the replacement's place taken by an address that is there, it is that which is read. */
    memset(&by_jit, 0, sizeof(by_jit));
    fast_run_init(&by_jit.run, &by_jit.ctx, &env, NULL);
    by_jit.run.no_address = ARENA;
    assert_int_equal(((fast_code)(uintptr_t)code)(&by_jit.run), 1);
    assert_int_equal(faults, before + 1);
}

static int setup(void **state)
{
    (void)state;
    code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED ||
        mmap((void *)ARENA, ARENA_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)ARENA)
        return -1;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs),
        cmocka_unit_test(hidden),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
