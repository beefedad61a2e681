/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "synth_world.h"

#include <Zydis/Zydis.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interp.h"
#include "jit_x86.h"

static const struct {
    uint64_t base, bytes;
} area[AREAS] = { { KERNEL_BASE, KERNEL_BYTES },
                  { PERCPU_BASE, PERCPU_BYTES },
                  { STACK_BASE, STACK_BYTES_ },
                  { USER_BASE, USER_BYTES } };

static pid_t child;
static uint64_t state;

uint64_t world_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}

static void *at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

/* Whole pages of this program lie there, gaps between its variables too: not for the sanitizer. */
__attribute__((no_sanitize("address"))) static void copy_raw(void *to, uint64_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = ((const volatile uint8_t *)at(from))[i];
}

static bool inside(uint64_t address, unsigned int size)
{
    for (unsigned int i = 0; i < AREAS; i++)
        if (address >= area[i].base && address - area[i].base <= area[i].bytes - size)
            return true;
    return false;
}

static bool start_child(void)
{
    int status;

    for (unsigned int i = 0; i < AREAS; i++)
        if (mmap(at(area[i].base), area[i].bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at(area[i].base))
            return false;
    child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0))
            _exit(1);
        raise(SIGSTOP);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status);
}

bool world_start(void)
{
    const char *seed = getenv("RADON_SYNTH_SEED");

    state = (seed ? strtoull(seed, NULL, 0) : 1) * 2 + 1;
    if (start_child())
        return true;
    fprintf(stderr, "no ptrace, or its addresses are taken: skipped\n");
    return false;
}

void world_stop(void)
{
    int status;

    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    for (unsigned int i = 0; i < AREAS; i++)
        munmap(at(area[i].base), area[i].bytes);
}

void world_save(struct memory *to)
{
    memcpy(to->kernel, at(KERNEL_BASE), KERNEL_BYTES);
    memcpy(to->percpu, at(PERCPU_BASE), PERCPU_BYTES);
    memcpy(to->user, at(USER_BASE), USER_BYTES);
}

void world_restore(const struct memory *from)
{
    memcpy(at(KERNEL_BASE), from->kernel, KERNEL_BYTES);
    memcpy(at(PERCPU_BASE), from->percpu, PERCPU_BYTES);
    memcpy(at(USER_BASE), from->user, USER_BYTES);
}

/* ------------------------------------------------------------------ registers */

static void to_radon(const struct user_regs_struct *u, struct radon_regs *r)
{
    *r = (struct radon_regs){ u->rax,     u->rcx,    u->rdx, u->rbx, u->rsp, u->rbp,
                              u->rsi,     u->rdi,    u->r8,  u->r9,  u->r10, u->r11,
                              u->r12,     u->r13,    u->r14, u->r15, u->rip, u->eflags & ~0x100ull,
                              u->fs_base, u->gs_base };
}

static void enter(uint64_t entry, const struct call *call)
{
    const struct radon_regs *r = &call->user;
    uint64_t *frame = at(KERNEL_SP - 7 * 8);
    struct user_regs_struct u;

    ptrace(PTRACE_GETREGS, child, 0, &u);
    u.rax = call->user.rax;
    u.rcx = r->rcx;
    u.rdx = r->rdx;
    u.rbx = r->rbx;
    u.rbp = r->rbp;
    u.rsi = r->rsi;
    u.rdi = r->rdi;
    u.r8 = r->r8;
    u.r9 = r->r9;
    u.r10 = r->r10;
    u.r11 = r->r11;
    u.r12 = r->r12;
    u.r13 = r->r13;
    u.r14 = r->r14;
    u.r15 = r->r15;
    u.rsp = (uintptr_t)frame;
    u.rip = entry;
    u.eflags = 0x202;
    u.gs_base = PERCPU_BASE;
    u.orig_rax = ~0ull;
    frame[0] = r->rcx;
    frame[1] = r->r11;
    frame[2] = r->rip;
    frame[3] = 0xe033;
    frame[4] = r->rflags;
    frame[5] = r->rsp;
    frame[6] = 0xe02b;
    ptrace(PTRACE_SETREGS, child, 0, &u);
}

/* User mode's registers as the iret hypercall would give them back. */
static void left(struct radon_regs *r)
{
    const uint64_t *frame = at(r->rsp);

    r->rax = frame[0];
    r->r11 = frame[1];
    r->rcx = frame[2];
    r->rip = frame[4];
    r->rflags = frame[6];
    r->rsp = frame[7];
}

static void fail(const char *what, const struct user_regs_struct *u)
{
    dprintf(2, "the child stopped: %s at %#llx\n", what, u->rip);
    abort();
}

/* ------------------------------------------------------------------ recording */

static uint64_t value_of(const struct user_regs_struct *u, ZydisRegister reg)
{
    const uint64_t value[] = { u->rax, u->rcx, u->rdx, u->rbx, u->rsp, u->rbp, u->rsi, u->rdi,
                               u->r8,  u->r9,  u->r10, u->r11, u->r12, u->r13, u->r14, u->r15 };

    return reg == ZYDIS_REGISTER_NONE ? 0 : value[reg - ZYDIS_REGISTER_RAX];
}

static uint64_t address_of(const struct user_regs_struct *u, const ZydisDecodedInstruction *z,
                           const ZydisDecodedOperandMem *m)
{
    uint64_t a = (uint64_t)m->disp.value + value_of(u, m->index) * m->scale;

    if (m->base == ZYDIS_REGISTER_RIP)
        return a + u->rip + z->length;
    return a + value_of(u, m->base) + (m->segment == ZYDIS_REGISTER_GS ? u->gs_base : 0);
}

static bool readable(uint64_t address)
{
    uint8_t b[16];

    return inside(address, 16) || world_ro_read(NULL, address, b, 16);
}

static void note_memory(struct radon_capture_step *s, const struct user_regs_struct *u)
{
    static ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    uint64_t address = 0;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, s->bytes, 16, &z, op)))
        fail("undecodable", u);
    for (unsigned int i = 0; i < z.operand_count; i++)
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && op[i].mem.type == ZYDIS_MEMOP_TYPE_MEM &&
            op[i].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
            address = address_of(u, &z, &op[i].mem);
    switch (z.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_CALL:
        address = address ? address : u->rsp - 8;
        break;
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_RET:
        address = address ? address : u->rsp;
        break;
    case ZYDIS_MNEMONIC_LEAVE:
        address = u->rbp;
        break;
    default:
        break;
    }
    if (z.meta.category == ZYDIS_CATEGORY_STRINGOP) {
        address = u->rdi;
        s->mem2_address = u->rsi;
        if (readable(u->rsi)) {
            copy_raw(s->mem2_before, u->rsi, 16);
            s->flags |= RADON_STEP_MEM2;
        }
    }
    s->mem_address = address;
    if (address && readable(address)) {
        copy_raw(s->mem_before, address, 16);
        s->flags |= RADON_STEP_MEM;
    }
}

bool world_extra_step;

/* As under QEMU with -icount: a repeated instruction once more, with nothing left to do. */
static struct radon_capture_step *extra_step(struct radon_capture_step *s)
{
    struct user_regs_struct u;

    ptrace(PTRACE_GETREGS, child, 0, &u);
    if (!world_extra_step || (s->bytes[0] & 0xfe) != 0xf2 || u.rcx || u.rip == s->regs.rip)
        return s;
    s[1] = s[0];
    u.rip = s->regs.rip;
    to_radon(&u, &s[1].regs);
    s[1].flags = 16u << RADON_STEP_BYTES_SHIFT;
    return s + 1;
}

static void *record_steps(const struct call *call, struct radon_regs *after)
{
    struct radon_capture_head *head = calloc(1, sizeof(*head) +
                                                    8192 * sizeof(struct radon_capture_step));
    struct radon_capture_step *s = (void *)(head + 1);
    struct user_regs_struct u;
    int status;

    head->magic = RADON_CAPTURE_MAGIC;
    head->kind = FAST_ATTACH_SYSCALL;
    head->number = call->number;
    head->kernel_gs = PERCPU_BASE;
    head->kernel_sp = KERNEL_SP;
    head->vcpu_info = PERCPU_BASE + VCPU_INFO_AT;
    head->before = call->user;
    for (;;) {
        ptrace(PTRACE_GETREGS, child, 0, &u);
        to_radon(&u, &s->regs);
        copy_raw(s->bytes, u.rip, 16);
        s->flags = 16u << RADON_STEP_BYTES_SHIFT;
        note_memory(s, &u);
        head->steps++;
        if (s->bytes[0] == 0x0f && s->bytes[1] == 0x05)
            break;
        if (head->steps == 8192)
            fail("too long", &u);
        ptrace(PTRACE_SINGLESTEP, child, 0, 0);
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
            WSTOPSIG(status) != SIGTRAP)
            fail("a signal while it is recorded", &u);
        if (s->flags & RADON_STEP_MEM) {
            copy_raw(s->mem_after, s->mem_address, 16);
            s->flags |= RADON_STEP_MEM_AFTER;
        }
        head->steps += extra_step(s) - s;
        s = (struct radon_capture_step *)(head + 1) + head->steps;
    }
    *after = s->regs;
    left(after);
    after->fs_base = head->before.fs_base;
    after->gs_base = head->before.gs_base;
    head->after = *after;
    head->end = RADON_CAPTURE_DONE;
    return head;
}

void world_keep(const char *name, const struct synth_capture *capture, unsigned int n)
{
    const char *folder = getenv("RADON_SYNTH_CAPTURES");
    char path[512];
    FILE *out;

    if (!folder)
        return;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    out = fopen(path, "wb");
    for (unsigned int i = 0; out && i < n; i++) {
        fwrite(capture[i].head, sizeof(*capture[i].head), 1, out);
        fwrite(capture[i].step, sizeof(*capture[i].step), capture[i].head->steps, out);
    }
    if (!out || fclose(out)) {
        fprintf(stderr, "%s cannot be written\n", path);
        abort();
    }
}

void *world_run(uint64_t entry, const struct call *call, bool record, struct radon_regs *after)
{
    struct user_regs_struct u;
    int status;

    enter(entry, call);
    if (record)
        return record_steps(call, after);
    ptrace(PTRACE_SYSEMU, child, 0, 0);
    waitpid(child, &status, 0);
    ptrace(PTRACE_GETREGS, child, 0, &u);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP || u.orig_rax != 23)
        fail("not at the return", &u);
    to_radon(&u, after);
    left(after);
    /* Out of the system call: the next step would otherwise end there and run nothing. */
    ptrace(PTRACE_SINGLESTEP, child, 0, 0);
    waitpid(child, &status, 0);
    return NULL;
}

/* ------------------------------------------------------------------ the handler in its place */

static bool env_load(void *world, uint64_t address, unsigned int size, uint64_t *value)
{
    (void)world;
    *value = 0;
    if (!inside(address, size))
        return world_ro_read(NULL, address, value, size);
    memcpy(value, at(address), size);
    return true;
}

static bool env_may_store(void *world, uint64_t address, unsigned int size)
{
    (void)world;
    return inside(address, size);
}

static void env_store(void *world, uint64_t address, unsigned int size, uint64_t value)
{
    (void)world;
    memcpy(at(address), &value, size);
}

uint64_t world_tsc = 0x123456789abcull;

static uint64_t env_tsc(void *world)
{
    (void)world;
    return world_tsc;
}

static uint64_t run_jit(const struct fast_program *program, struct fast_run *run)
{
    static struct jit_space space;
    uint32_t size = fast_jit_size(program, &space, 0);
    void *code = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                      0);
    uint64_t r0;

    if (!size || !fast_jit_emit(program, &space, code, size) ||
        mprotect(code, size + 4096, PROT_READ | PROT_EXEC))
        abort();
    r0 = ((fast_code)(uintptr_t)code)(run);
    munmap(code, size + 4096);
    return r0;
}

void world_handle(const struct fast_program *program, const struct call *call, bool jit,
                  struct handled *out)
{
    static const struct fast_env env = {
        .load = env_load, .may_store = env_may_store, .store = env_store, .tsc = env_tsc
    };
    const struct radon_regs *r = &call->user;
    struct fast_ctx c = { .kind = FAST_ATTACH_SYSCALL,
                          .number = call->number,
                          .rax = r->rax,
                          .rbx = r->rbx,
                          .rcx = r->rcx,
                          .rdx = r->rdx,
                          .rsi = r->rsi,
                          .rdi = r->rdi,
                          .rbp = r->rbp,
                          .rsp = r->rsp,
                          .r8 = r->r8,
                          .r9 = r->r9,
                          .r10 = r->r10,
                          .r11 = r->r11,
                          .r12 = r->r12,
                          .r13 = r->r13,
                          .r14 = r->r14,
                          .r15 = r->r15,
                          .rip = r->rip,
                          .rflags = r->rflags,
                          .kernel_gs = PERCPU_BASE,
                          .kernel_sp = KERNEL_SP };
    struct fast_run run;
    uint64_t r0;

    fast_run_init(&run, &c, &env, NULL);
    r0 = jit ? run_jit(program, &run) : fast_interpret(program, &run, FAST_MAX_COST);
    memcpy(out->staged, run.staged, sizeof(out->staged));
    if (!jit)
        memcpy(out->staged_by, run.staged_by, sizeof(out->staged_by));
    out->nr_staged = run.nr_staged;
    out->outcome = fast_finish(&run, r0);
    out->stop = run.stop;
    out->after = (struct radon_regs){ c.rax, c.rcx, c.rdx, c.rbx,    c.rsp, c.rbp, c.rsi,
                                      c.rdi, c.r8,  c.r9,  c.r10,    c.r11, c.r12, c.r13,
                                      c.r14, c.r15, c.rip, c.rflags, 0,     0 };
}

/* ------------------------------------------------------------------ this program's own text */

struct ask {
    uint64_t address;
    size_t n;
    bool yes;
};

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct ask *ask = arg;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t start = (info->dlpi_addr + p->p_vaddr) & ~4095ull;
        uint64_t end = (info->dlpi_addr + p->p_vaddr + p->p_memsz + 4095) & ~4095ull;

        if (p->p_type == PT_GNU_RELRO)
            end &= ~4095ull;
        else if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
            continue;
        ask->yes |= ask->address >= start && ask->address < end && ask->n <= end - ask->address;
    }
    return 1; /* the program itself is the first */
}

bool world_ro_read(void *arg, uint64_t address, void *buffer, size_t n)
{
    struct ask ask = { address, n, false };

    (void)arg;
    dl_iterate_phdr(look, &ask);
    if (ask.yes)
        copy_raw(buffer, address, n);
    return ask.yes;
}
