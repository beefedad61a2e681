/* SPDX-License-Identifier: MIT */
/* Register sets to run at, and their comparison. */
#include "ktest.h"

static uint8_t user_scratch[8192] __attribute__((aligned(4096)));

static struct ktest_regs pattern(const void *rip)
{
    struct ktest_regs r = {
        .r15 = 0x0f0f0f0f0f0f0f15, .r14 = 0x0e0e0e0e0e0e0e14, .r13 = 0x0d0d0d0d0d0d0d13,
        .r12 = 0x0c0c0c0c0c0c0c12, .rbp = 0xbbbbbbbb000000b9, .rbx = 0xbbbbbbbb000000bb,
        .r11 = 0x1111111122222211, .r10 = 0x0a0a0a0a0a0a0a10, .r9 = 0x0909090909090909,
        .r8 = 0x0808080808080808,  .rax = 0xaaaaaaaa000000aa, .rcx = 0xcccccccc000000cc,
        .rdx = 0xdddddddd000000dd, .rsi = 0x5151515151515151, .rdi = 0xd1d1d1d1d1d1d1d1,
        .rip = (uint64_t)rip,      .rflags = RFLAGS_ONE,
    };

    return r;
}

struct ktest_regs regs_kernel(const void *rip)
{
    struct ktest_regs r = pattern(rip);

    r.cs = FLAT_KERNEL_CS & ~3UL;
    r.ss = FLAT_KERNEL_SS;
    r.rsp = (uint64_t)this_cpu() + KTEST_SCRATCH_STACK_TOP - 64;
    return r;
}

struct ktest_regs regs_user(const void *rip)
{
    struct ktest_regs r = pattern(rip);

    r.cs = FLAT_USER_CS;
    r.ss = FLAT_USER_SS;
    r.rsp = (uint64_t)user_scratch + sizeof(user_scratch) - 64;
    return r;
}

#define FIELD(name) { #name, offsetof(struct ktest_regs, name) }
static const struct {
    const char *name;
    size_t offset;
} fields[] = {
    FIELD(vector), FIELD(error), FIELD(rip), FIELD(cs),  FIELD(rflags), FIELD(rsp),
    FIELD(ss),     FIELD(rcx),   FIELD(r11), FIELD(rax), FIELD(rbx),    FIELD(rdx),
    FIELD(rsi),    FIELD(rdi),   FIELD(rbp), FIELD(r8),  FIELD(r9),     FIELD(r10),
    FIELD(r12),    FIELD(r13),   FIELD(r14), FIELD(r15),
};

void check_regs(const struct ktest_regs *got, const struct ktest_regs *want)
{
    for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        uint64_t g = *(const uint64_t *)((const uint8_t *)got + fields[i].offset);
        uint64_t w = *(const uint64_t *)((const uint8_t *)want + fields[i].offset);

        check_equal(g, w, fields[i].name, "frame", (int)i);
    }
}
