/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "real_memory.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define SIGNAL_STACK (64u << 10)
#define VSYSCALL 0xffffffffff600000ull

static struct {
    uint8_t *write;       /* what is read-only at WORLD_REAL */
    void *stack;          /* signals do not touch that of the code */
    uint32_t code_bytes;
    struct world *world;  /* of the run under way */
    const uint8_t *code;
    uint32_t fault;
    struct sigaction before[3], mine;
} real;
static const int signals[3] = { SIGSEGV, SIGBUS, SIGILL };
static const uint8_t rdtsc[2] = { 0x0f, 0x31 }, ud2[2] = { 0x0f, 0x0b };

/* As world_env's, which the code would have called. */
static void put_tsc(greg_t *regs)
{
    uint64_t now = real.world->tsc += 100;

    regs[REG_RAX] = (greg_t)(now & 0xffffffff);
    regs[REG_RDX] = (greg_t)(now >> 32);
    regs[REG_RIP] += 2;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *at;

    (void)info;
    memcpy(&at, &regs[REG_RIP], sizeof(at));
    if (real.world && (uintptr_t)at - (uintptr_t)real.code < real.code_bytes) {
        if (number == SIGILL && memcmp(at, ud2, sizeof(ud2)) == 0) {
            put_tsc(regs);
            return;
        }
        if (number != SIGILL && real.fault) {
            regs[REG_RIP] = (greg_t)((uintptr_t)real.code + real.fault);
            return;
        }
    }
    for (int i = 0; i < 3; i++) /* it happens again, there */
        sigaction(signals[i], &real.before[i], NULL);
}

bool real_open(uint32_t code_bytes)
{
    stack_t stack = { .ss_size = SIGNAL_STACK };
    int fd;

    if (real.write)
        return true;
    fd = memfd_create("guest", 0);
    if (fd < 0 || ftruncate(fd, WORLD_BYTES) != 0)
        return false;
    real.write = mmap(NULL, WORLD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    stack.ss_sp = real.stack = malloc(SIGNAL_STACK);
    if (real.write == MAP_FAILED || !stack.ss_sp || sigaltstack(&stack, NULL) != 0 ||
        mmap((void *)(uintptr_t)WORLD_REAL, WORLD_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
             0) != (void *)(uintptr_t)WORLD_REAL)
        abort();
    /* What the code must not find. */
    if (mmap((void *)(uintptr_t)(WORLD_HIDDEN - WORLD_BYTES), WORLD_BYTES, PROT_READ,
             MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED)
        abort();
    close(fd);
    real.code_bytes = code_bytes;
    real.mine.sa_sigaction = on_fault;
    real.mine.sa_flags = SA_SIGINFO | SA_ONSTACK;
    return true;
}

bool real_is_mapped(uint64_t address, unsigned int size)
{
    const uint64_t page = address & ~4095ull;
    unsigned char in_memory[2];

    if (address >= VSYSCALL - 8 && address < VSYSCALL + 4096)
        return true;
    for (unsigned int i = 0; i <= (address + size - 1 - page) / 4096; i++)
        if (mincore((void *)(uintptr_t)(page + 4096 * i), 1, in_memory) == 0)
            return true;
    return false;
}

bool real_tsc(const struct fast_program *program, const struct jit_space *space, uint8_t *code,
              uint32_t size)
{
    for (unsigned int i = 0; i < program->head.insns; i++) {
        uint8_t *at;

        if (program->insns[i].code != 0x85 || program->insns[i].imm != FAST_HELPER_tsc)
            continue;
        at = memmem(code + space->offset[i], size - space->offset[i], rdtsc, sizeof(rdtsc));
        if (!at)
            return false;
        memcpy(at, ud2, sizeof(ud2));
    }
    return true;
}

void real_enter(struct world *world, const uint8_t *code, uint32_t fault)
{
    memcpy(real.write, world->memory, WORLD_BYTES);
    real.code = code;
    real.fault = fault;
    for (int i = 0; i < 3; i++) /* each time: cmocka has handlers of its own around a test */
        sigaction(signals[i], &real.mine, &real.before[i]);
    real.world = world;
}

void real_leave(void)
{
    real.world = NULL;
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &real.before[i], NULL);
}
