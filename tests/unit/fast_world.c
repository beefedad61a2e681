/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fast_world.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "real_memory.h"

#define CODE_BYTES (2u << 20)
#define CANARY 0xa5
#define FIRST_PAGE 50u /* of the run's known pages: so that places go round */

static void note(struct world *w, uint64_t what)
{
    /* The calling convention: the frame of a C function starts at a multiple of 16. */
    w->misaligned |= (uintptr_t)__builtin_frame_address(0) % 16 != 0;
    w->calls = (w->calls ^ what) * 0x9e3779b97f4a7c15ull + 1;
    w->calls ^= w->calls >> 29;
}

/* Offset into memory, or -1. */
static int place(const struct world *w, uint64_t address, unsigned int size)
{
    const uint64_t base = w->real ? WORLD_REAL : WORLD_BASE;

    if (w->wild)
        return (address >> 14 & 15) == 15 ? -1 : (int)(address % (WORLD_BYTES - 7));
    if (address < base || address - base > WORLD_BYTES - size)
        return -1;
    return (int)(address - base);
}

static bool world_load(void *world, uint64_t address, unsigned int size, uint64_t *value)
{
    struct world *w = world;
    int at = place(w, address, size);

    note(w, address + size);
    if (at < 0) {
        /* What is hidden is refused; elsewhere the process may have memory of its own. */
        w->hidden = address < WORLD_HIDDEN && address + size > WORLD_HIDDEN - WORLD_BYTES;
        w->elsewhere |= w->real && !w->hidden && real_is_mapped(address, size);
        return false;
    }
    *value = 0;
    memcpy(value, w->memory + at, size);
    return true;
}

static bool world_may_store(void *world, uint64_t address, unsigned int size)
{
    struct world *w = world;
    int at = place(w, address, size);

    note(w, address ^ size);
    return at >= 0 && !w->readonly[at / 4096] && !w->readonly[(at + (int)size - 1) / 4096];
}

static void world_store(void *world, uint64_t address, unsigned int size, uint64_t value)
{
    struct world *w = world;
    int at = place(w, address, size);

    if (at < 0)
        abort();
    memcpy(w->memory + at, &value, size);
}

static uint64_t *entry(struct world *w, uint64_t ptr)
{
    if (w->wild)
        return &w->pte[ptr % WORLD_PTES];
    if (ptr % 8 || ptr < WORLD_PTE_BASE || ptr >= WORLD_PTE_BASE + 8 * WORLD_PTES)
        return NULL;
    return &w->pte[(ptr - WORLD_PTE_BASE) / 8];
}

static bool world_may_update_pt(void *world, uint64_t ptr, uint64_t old, uint64_t new)
{
    struct world *w = world;

    note(w, ptr ^ old << 1 ^ new << 2);
    return entry(w, ptr) && (w->wild || *entry(w, ptr) == old);
}

static void world_update_pt(void *world, uint64_t ptr, uint64_t new)
{
    *entry(world, ptr) = new;
}

static uint64_t world_tsc(void *world)
{
    struct world *w = world;

    note(w, 1);
    return w->tsc += 100;
}

static bool world_m2p(void *world, uint64_t mfn, uint64_t *gpfn)
{
    struct world *w = world;

    note(w, mfn ^ 2);
    *gpfn = w->wild ? mfn * 3 : mfn + 0x1000;
    return w->wild ? mfn % 16 != 15 : mfn < WORLD_FRAMES;
}

const struct fast_env world_env = {
    .load = world_load,
    .may_store = world_may_store,
    .store = world_store,
    .may_update_pt = world_may_update_pt,
    .update_pt = world_update_pt,
    .tsc = world_tsc,
    .m2p = world_m2p,
};

/*
 * A load asked of the user's half, where it is by its base: the machine has user memory there and nothing hidden,
 * which this process must put somewhere.
 */
static bool stopped_in_user_half(const struct fast_program *program, const struct fast_run *run)
{
    struct isa_insn in;

    return run->stop == FAST_STOP_LOAD &&
           isa_decode(&program->insns[run->at], program->head.insns - run->at, &in) == FAST_OK &&
           isa_is_guest(in.row) && in.row->off == ISA_USER;
}

void world_interpret(const struct fast_program *program, const struct world *world,
                     const struct fast_ctx *ctx, struct world_result *out)
{
    struct fast_ctx *copy = malloc(sizeof(*copy)); /* the sanitizer watches its ends */

    *copy = *ctx;
    out->world = *world;
    fast_run_init(&out->run, copy, &world_env, &out->world);
    if (world->real)
        out->run.guard = WORLD_GUARD;
    out->r0 = fast_interpret(program, &out->run, FAST_MAX_INSNS);
    out->world.elsewhere |= out->world.hidden && stopped_in_user_half(program, &out->run);
    out->outcome = fast_finish(&out->run, out->r0);
    out->ctx = *copy;
    free(copy);
}

/*
 * Calls the code on the stack that ends at `stack`, with known numbers in the registers that it
 * must keep; sets *broken when one changed.
 */
uint64_t world_call(fast_code code, struct fast_run *run, uint64_t *broken, void *stack);
__asm__(".text\n"
        ".globl world_call\n"
        "world_call:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    push %rdx\n"
        "    mov %rsp, -8(%rcx)\n"
        "    lea -16(%rcx), %rsp\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov $0x1101, %ebx\n    mov $0x1102, %ebp\n    mov $0x1103, %r12d\n"
        "    mov $0x1104, %r13d\n    mov $0x1105, %r14d\n    mov $0x1106, %r15d\n"
        "    call *%rax\n"
        "    mov 8(%rsp), %rsp\n"
        "    pop %rdx\n"
        "    xor $0x1101, %rbx\n    xor $0x1102, %rbp\n    xor $0x1103, %r12\n"
        "    xor $0x1104, %r13\n    xor $0x1105, %r14\n    xor $0x1106, %r15\n"
        "    or %rbp, %rbx\n    or %r12, %rbx\n    or %r13, %rbx\n    or %r14, %rbx\n"
        "    or %r15, %rbx\n"
        "    mov %rbx, (%rdx)\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n");

/* One piece of memory mapped twice, so that no page is writable and executable. */
static struct {
    uint8_t *write, *run;
    uint8_t *page;  /* with one that cannot be touched behind it: the context goes to its end */
    uint8_t *stack; /* the same for the stack */
} code;

#define STACK_BYTES (256u << 10)                            /* sanitized helpers need some */
#define FRAME_BYTES (16 + 8 + 6 * 8 + 8 + FAST_STACK_BYTES) /* what the code may use, at most */
#define BELOW_BYTES 1024u                                   /* watched below it */

/* Memory whose end is followed by a page that cannot be touched; NULL: there is none. */
static uint8_t *guarded(size_t bytes)
{
    uint8_t *at = mmap(NULL, bytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);

    return at == MAP_FAILED || mprotect(at + bytes, 4096, PROT_NONE) != 0 ? NULL : at;
}

static bool code_open(void)
{
    int fd;

    if (code.run)
        return true;
    fd = memfd_create("code", 0);
    if (fd < 0 || ftruncate(fd, CODE_BYTES) != 0)
        return false;
    code.write = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    code.page = guarded(4096);
    code.stack = guarded(STACK_BYTES);
    if (code.write == MAP_FAILED || !code.page || !code.stack)
        return false;
    code.run = mmap(NULL, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    close(fd);
    return code.run != MAP_FAILED;
}

/* The program's code, at any address: its place in code.write and code.run. */
static const char *emit_code(const struct fast_program *program, bool real, unsigned int shuffle,
                             struct jit_space *space, uint32_t *place)
{
    static uint32_t last;
    uint32_t size;

    size = real ? fast_jit_size_guest(program, space, FIRST_PAGE) : fast_jit_size(program, space, shuffle);
    if (!size || size > CODE_BYTES / 2)
        return "the JIT gives no size";
    *place = last = (last + 37) % 4096;
    code.write[*place + size - 1] = CANARY;
    if (fast_jit_emit(program, space, code.write + *place, size - 1) ||
        code.write[*place + size - 1] != CANARY)
        return "the JIT emits into too small a buffer";
    code.write[*place + size] = CANARY;
    if (!fast_jit_emit(program, space, code.write + *place, size))
        return "the JIT emits another size than it said";
    if (code.write[*place + size] != CANARY)
        return "the JIT writes past its buffer";
    if (real && !real_tsc(program, space, code.write + *place, size))
        return "the code does not read the time stamp";
    return NULL;
}

/* The pages that the program's stores go to, as the interpreter has it: known, where the code may take them. */
static void known_pages(const struct fast_program *program, struct world_result *out)
{
    static const uint64_t entry = 7;
    static struct world_result as;

    for (unsigned int i = 0; i < FAST_PAGES; i++)
        out->run.page[i].tag = 8;
    world_interpret(program, &out->world, out->run.ctx, &as);
    for (unsigned int i = 0; i < as.run.nr_staged; i++) {
        uint64_t at = as.run.staged[i].address & -4096ull, page = (at - WORLD_REAL) / 4096;

        if (page < WORLD_BYTES / 4096 && !out->world.readonly[page] && page != 3)
            out->run.page[FAST_PAGE(FIRST_PAGE, i)] = (struct fast_page){
                at, (uintptr_t)out->world.memory - WORLD_REAL, &entry, entry
            };
    }
}

/* What the hypervisor has for code with guest memory inlined. */
static void for_real(struct world_result *out)
{
    static uint64_t m2p[WORLD_FRAMES];
    struct fast_run *run = &out->run;

    for (unsigned int i = 0; i < WORLD_FRAMES; i++)
        m2p[i] = i + 0x1000;
    run->m2p = m2p;
    run->nr_m2p = WORLD_FRAMES;
    run->guard = WORLD_GUARD;
    run->gone = !out->world.takes;
}

/*
 * Calls the code; the run's context is at the end of code.page. What arrives meanwhile (a fuzzer's alarm)
 * has to wait: its handler would use the stack, and what is below the code's is watched.
 */
static void run_code(const struct jit_space *space, uint32_t place, struct world_result *out,
                     uint64_t *broken)
{
    static const int by_the_code[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
    fast_code entry_point;
    sigset_t others, before;

    memcpy(&entry_point, &(uint8_t *){ code.run + place }, sizeof(entry_point));
    sigfillset(&others);
    for (unsigned int i = 0; i < sizeof(by_the_code) / sizeof(by_the_code[0]); i++)
        sigdelset(&others, by_the_code[i]);
    if (out->world.real) {
        for_real(out);
        out->run.staged[0].size = 77;
        real_enter(&out->world, code.run + place, space->fault);
    }
    sigprocmask(SIG_BLOCK, &others, &before);
    out->r0 = world_call(entry_point, &out->run, broken, code.stack + STACK_BYTES);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (out->world.real)
        real_leave();
    out->took = out->world.real && out->r0 == FAST_DONE && !out->run.nr_staged &&
                out->run.staged[0].size != 77;
}

const char *world_jit(const struct fast_program *program, const struct world *world,
                      const struct fast_ctx *ctx, unsigned int shuffle, struct world_result *out)
{
    static struct jit_space space;
    struct fast_ctx *copy;
    uint64_t broken = 0;
    const char *why;
    uint32_t place;
    uint8_t *below;
    bool no_helper;

    if (!code_open() || (world->real && !real_open(CODE_BYTES)))
        return "no memory for code";
    why = emit_code(program, world->real, shuffle, &space, &place);
    if (why)
        return why;

    memset(code.page, CANARY, 4096 - sizeof(*copy));
    copy = (struct fast_ctx *)(code.page + 4096 - sizeof(*copy));
    *copy = *ctx;
    out->world = *world;
    fast_run_init(&out->run, copy, &world_env, &out->world);
    below = code.stack + STACK_BYTES - FRAME_BYTES - BELOW_BYTES;
    memset(below, CANARY, BELOW_BYTES);
    if (world->real && world->takes)
        known_pages(program, out);
    run_code(&space, place, out, &broken);
    /* A helper uses what lies below; without one it must be as it was. */
    no_helper = out->run.nr_staged == 0 && !out->took && out->world.calls == world->calls;
    out->outcome = fast_finish(&out->run, out->r0);
    out->ctx = *copy;
    for (unsigned int i = 0; no_helper && i < BELOW_BYTES; i++)
        if (below[i] != CANARY)
            return "the code writes below its stack";
    if (out->world.misaligned)
        return "the code calls a helper with the stack misaligned";
    if (broken)
        return "the code changes a register that it must keep";
    for (unsigned int i = 0; i < 4096 - sizeof(*copy); i++)
        if (code.page[i] != CANARY)
            return "the code writes before the context";
    return NULL;
}

/* What code with guest memory inlined leaves alone does not count: `old`, but of page-table updates. */
static bool same_staged(const struct fast_run *a, const struct fast_run *b)
{
    if (a->nr_staged != b->nr_staged)
        return false;
    for (unsigned int i = 0; i < a->nr_staged; i++) {
        const struct fast_staged *x = &a->staged[i], *y = &b->staged[i];

        if (x->address != y->address || x->value != y->value || x->size != y->size ||
            (!x->size && x->old != y->old))
            return false;
    }
    return true;
}

const char *world_compare(const struct world_result *a, const struct world_result *b)
{
    if (a->run.stop != b->run.stop)
        return "they stop for different reasons";
    if (a->outcome != b->outcome || a->r0 != b->r0)
        return "outcomes differ";
    if (memcmp(&a->ctx, &b->ctx, sizeof(a->ctx)) != 0)
        return "contexts differ";
    if (!b->took && !same_staged(&a->run, &b->run))
        return "staged effects differ";
    if ((!a->world.real && a->world.calls != b->world.calls) || a->world.tsc != b->world.tsc)
        return "helper calls differ";
    if (memcmp(a->world.memory, b->world.memory, WORLD_BYTES) != 0 ||
        memcmp(a->world.pte, b->world.pte, sizeof(a->world.pte)) != 0)
        return "memory differs";
    return NULL;
}

void world_ctx(struct fast_ctx *ctx, const struct fast_program *program)
{
    uint64_t *word = (uint64_t *)ctx;

    for (unsigned int i = 0; i < sizeof(*ctx) / 8; i++)
        word[i] = 0x9e3779b97f4a7c15ull * (i + 1);
    ctx->kind = program->head.attach_kind;
    ctx->number = program->head.attach_number;
}
