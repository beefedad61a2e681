/* SPDX-License-Identifier: MIT */
/*
 * The JIT's inlined guest memory against the interpreter: random programs that load, stage stores and
 * load again, at addresses that are there, that are not, and that are the hypervisor's.  Guest memory
 * is real memory at its own address; a fault is caught as the hypervisor does it.
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
#define BODY 40

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

static struct fast_insn insns[2 * BODY * 8];
static unsigned int nr;

static void put(uint8_t opcode, unsigned int dst, unsigned int src, int off, int64_t imm)
{
    insns[nr++] = (struct fast_insn){ opcode, (uint8_t)(dst | src << 4), (int16_t)off, (int32_t)imm };
}

static void put_lddw(unsigned int dst, uint64_t value)
{
    put(0x18, dst, 0, 0, (int32_t)value);
    put(0, 0, 0, 0, (int32_t)(value >> 32));
}

static uint64_t random_address(unsigned int oddly)
{
    static const uint64_t elsewhere[] = {
        0, 0x1000, ARENA - 1, ARENA + ARENA_BYTES - 1, ARENA + ARENA_BYTES, 0x7ffffffff000ull,
        0x800000000000ull, 0xffff800000000000ull, 0xffff87ffffffffffull, 0xffff82d080000000ull,
        0xffff880000000000ull, ~0ull, 1ull << 63,
    };

    if ((unsigned int)rand() % 100 < oddly)
        return elsewhere[(size_t)rand() % (sizeof(elsewhere) / sizeof(elsewhere[0]))];
    return ARENA + (uint64_t)rand() % (ARENA_BYTES - 8) % 64 * 3;
}

/* r6 gathers what is loaded; r7 is what is stored, r8 a place to keep numbers in between. */
static void make_program(struct fast_program *program)
{
    bool uses_stack = rand() % 2;
    unsigned int oddly = rand() % 3 ? 0 : 5;

    nr = 0;
    put_lddw(6, (uint64_t)rand() << 32 | (uint64_t)rand());
    put_lddw(7, (uint64_t)rand() << 33 | (uint64_t)rand());
    put(0xbf, 8, 6, 0, 0);
    for (int i = 0; i < BODY; i++) {
        switch (rand() % 5) {
        case 0: case 1: case 2: /* r6 = r6 * 33 + load(address) */
            put_lddw(1, random_address(oddly));
            put(0x85, 0, 0, 0, FAST_HELPER_load8 + rand() % 4);
            put(0x27, 6, 0, 0, 33);
            put(0x0f, 6, 0, 0, 0);
            break;
        case 3: /* a guard */
            put(0xbf, 8, 6, 0, 0);
            put(0x57, 8, 0, 0, 0x3f);
            put(0x55, 8, 0, 2, rand() % 64); /* not equal: over the exit */
            put(0xb7, 0, 0, 0, 0);
            put(0x95, 0, 0, 0, 0);
            break;
        case 4:
            if (i < BODY / 3)
                break;
            put_lddw(1, random_address(oddly));
            put(0xbf, 2, 6, 0, 0);
            put(0x0f, 2, 7, 0, 0);
            put(0x85, 0, 0, 0, FAST_HELPER_store8 + rand() % 4);
            break;
        }
        if (uses_stack && rand() % 8 == 0) {
            put(0x7b, 10, 6, -8, 0);
            put(0x79, 6, 10, -8, 0);
        }
    }
    put(0xb7, 0, 0, 0, 1);
    put(0x95, 0, 0, 0, 0);
    program->head = (struct fast_header){ .magic = FAST_MAGIC, .version = FAST_VERSION, .insns = nr,
                                          .attach_kind = FAST_ATTACH_SYSCALL };
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

static void run(const struct fast_program *program, const uint8_t *memory, bool jit,
                struct result *out)
{
    memset(&out->ctx, 0, sizeof(out->ctx));
    memcpy((void *)ARENA, memory, ARENA_BYTES);
    fast_run_init(&out->run, &out->ctx, &env, NULL);
    out->r0 = jit ? ((fast_code)(uintptr_t)code)(&out->run)
                  : fast_interpret(program, &out->run, FAST_MAX_INSNS);
    out->outcome = fast_finish(&out->run, out->r0);
    memcpy(out->memory, (void *)ARENA, ARENA_BYTES);
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

static void emit(const struct fast_program *program)
{
    uint32_t size = fast_jit_size_guest(program, &space);

    assert_true(size && size <= CODE_BYTES);
    assert_int_equal(mprotect(code, CODE_BYTES, PROT_READ | PROT_WRITE), 0);
    memset(code, 0xcc, CODE_BYTES);
    assert_true(fast_jit_emit(program, &space, code, size));
    assert_int_equal(mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC), 0);
}

static void random_programs(void **state)
{
    static struct result by_interpreter, by_jit;
    static struct verify_space verify;
    static uint8_t memory[ARENA_BYTES];
    struct fast_verdict verdict;
    struct fast_program program;
    unsigned int done = 0, stopped = 0, inlined;

    (void)state;
    catch_faults();
    srand(7);
    for (unsigned int i = 0; i < ARENA_BYTES; i++)
        memory[i] = (uint8_t)rand();
    for (int i = 0; i < PROGRAMS; i++) {
        make_program(&program);
        assert_true(fast_verify(&program, &verify, &verdict));
        emit(&program);
        run(&program, memory, false, &by_interpreter);
        asked = 0;
        run(&program, memory, true, &by_jit);
        assert_same(&by_interpreter, &by_jit);
        done += by_jit.outcome == FAST_DONE;
        stopped += by_jit.run.stop == FAST_STOP_LOAD;
        inlined = asked;
        assert_true(inlined <= BODY);
    }
    /* Each of them happens often. */
    assert_true(done > PROGRAMS / 20);
    assert_true(stopped > PROGRAMS / 20);
    assert_true(faults > PROGRAMS / 20);
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
    emit(&program);
    run(&program, memory, true, &by_jit);
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
