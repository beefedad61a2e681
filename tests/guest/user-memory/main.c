/* SPDX-License-Identifier: MIT */
/*
 * user-memory: an address space for user mode that does not map the kernel.
 *
 * Promised (public/xen.h MMUEXT_NEW_USER_BASEPTR): user mode runs on the tables given there, kernel
 * mode on those of NEW_BASEPTR; what only the kernel's tables map is out of the user's reach, and
 * so are the hypervisor and, with VMASST_TYPE_m2p_strict, the M2P. Frames of exceptions are
 * written through the kernel's tables.
 * Why: kernel and user share ring 3: these two base pointers are all that parts them.
 * Varied: what is reached for, how; the base pointer changed under way.
 * Checked: exceptions, their addresses and error codes; values read.
 */
#include "pages.h"
#include "snippet.h"

const char ktest_name[] = "user-memory";

#define CODE 0x400000UL
#define DATA 0x401000UL
#define OTHER 0x402000UL

SNIPPET(peek, "", "mov (%rdi), %rsi");
SNIPPET(poke, "", "mov %rsi, (%rdi)");

static uint64_t *user_l4, *user_l4_b, *l1_b, *data_a, *data_b;
static uint64_t code_offset_poke;

static uint64_t frame(const volatile void *va)
{
    return mfn_of(va) * PAGE_BYTES;
}

/* An L4 with one page of code and one of data at low addresses; returns its L1 as well. */
static uint64_t *make_space(const void *code, const void *data, uint64_t **l1_out)
{
    uint64_t *table[5];

    for (int level = 1; level <= 4; level++)
        table[level] = page_alloc();
    table[1][CODE >> 12 & 511] = frame(code) | PTE_RO;
    table[1][DATA >> 12 & 511] = frame(data) | PTE_RW | PTE_NX;
    table[2][CODE >> 21 & 511] = frame(table[1]) | PTE_TABLE;
    table[3][0] = frame(table[2]) | PTE_TABLE;
    table[4][0] = frame(table[3]) | PTE_TABLE;
    for (int level = 1; level <= 4; level++)
        ktest_require(page_readonly(table[level]) == 0);
    ktest_require(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(table[4]), 0) == 0);
    *l1_out = table[1];
    return table[4];
}

static struct exception peek(uint64_t address)
{
    struct ktest_regs regs = regs_user((void *)(CODE));

    regs.rdi = address;
    return run(regs);
}

static struct exception poke(uint64_t address, uint64_t value)
{
    struct ktest_regs regs = regs_user((void *)(CODE + code_offset_poke));

    regs.rdi = address;
    regs.rsi = value;
    return run(regs);
}

static void own_memory(void)
{
    struct exception e;

    test_case("user mode reads and writes its own page");
    data_a[0] = 4711;
    e = peek(DATA);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rsi, 4711);
    e = poke(DATA + 8, 4712);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(data_a[1], 4712);
    test_case("user code is not writable, user data not executable");
    e = poke(CODE, 0);
    check_eq(e.regs.vector, VEC_PF);
    check_eq(e.regs.error, PFEC_P | PFEC_W | PFEC_U);
    check_eq(e.cr2, CODE);
    e = run(regs_user((void *)DATA));
    check_eq(e.regs.vector, VEC_PF);
    check_eq(e.regs.error, PFEC_P | PFEC_U | PFEC_I);
}

static void out_of_reach(void)
{
    static const struct {
        const char *name;
        uint64_t address;
        bool any_p;
    } places[] = {
        { "kernel text", (uint64_t)test_main, false },
        { "kernel data", (uint64_t)&user_l4, false },
        { "kernel stack", 0, false },
        { "page tables", 1, false },
        { "hypervisor", 0xffff830000000000, true },
        { "hypervisor text", 0xffff82d080200000, true },
        { "nothing", OTHER, false },
    };

    for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        for (unsigned int write = 0; write < 2; write++) {
            uint64_t address = places[i].address;
            struct exception e;

            if (address == 0)
                address = cpu_entry_stack_top(0) - 8;
            if (address == 1)
                address = start_info->pt_base;
            test_case("user mode %s: %s", write ? "writes" : "reads", places[i].name);
            e = write ? poke(address, 0) : peek(address);
            check_eq(e.regs.vector, VEC_PF);
            check_eq(e.regs.error & ~(places[i].any_p ? 1UL : 0), PFEC_U | (write ? PFEC_W : 0));
            check_eq(e.cr2, address);
        }
}

static void strict_m2p(void)
{
    struct exception e;

    test_case("the M2P: not writable by user mode, with m2p_strict not readable");
    e = poke(HYPERVISOR_VIRT_START + 8, 0);
    check_eq(e.regs.vector, VEC_PF);
    if (!cpu_is_amd())
        return; /* the peer isolates page tables against Meltdown there, and lets the M2P be read */
    if (hyp_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict))
        return;
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(user_l4_b), 0), 0);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(user_l4), 0), 0);
    e = peek(HYPERVISOR_VIRT_START + 8);
    check_eq(e.regs.vector, VEC_PF);
    check_eq(m2p(mfn_of(user_l4)), pfn_of(user_l4));
}

static void changing_space(void)
{
    test_case("another base pointer, another space");
    data_a[0] = 1;
    data_b[0] = 2;
    for (unsigned int i = 0; i < 6; i++) {
        check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(i & 1 ? user_l4_b : user_l4), 0), 0);
        check_eq(peek(DATA).regs.rsi, 1 + (i & 1));
    }
    test_case("a page mapped and unmapped in the user's tables");
    check_eq(mmu_update_one(machine_of(&l1_b[OTHER >> 12 & 511]), frame(data_a) | PTE_RW), 0);
    check_eq(peek(OTHER).regs.rsi, 1);
    check_eq(mmu_update_one(machine_of(&l1_b[OTHER >> 12 & 511]), 0), 0);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    check_eq(peek(OTHER).regs.vector, VEC_PF);
    test_case("and by a direct write");
    l1_b[OTHER >> 12 & 511] = frame(data_a) | PTE_RW;
    check_eq(peek(OTHER).regs.rsi, 1);
    l1_b[OTHER >> 12 & 511] = 0;
    check_eq(mmuext(MMUEXT_INVLPG_LOCAL, OTHER, 0), 0);
    check_eq(peek(OTHER).regs.vector, VEC_PF);
}

static void tables_in_use(void)
{
    const uint64_t *boot = (const uint64_t *)start_info->pt_base;

    test_case("the user's L4 is held while it is current");
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(user_l4_b), 0), 0);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(user_l4_b), 0), 0);
    check(page_writable(user_l4_b) < 0);
    check_eq(peek(DATA).regs.rsi, 2);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(boot), 0), 0);
    check_eq(page_writable(user_l4_b), 0);
}

void test_main(void)
{
    uint8_t *code = page_alloc();
    uint64_t *l1_a;

    code_offset_poke = (uint64_t)(poke_code - peek_code);
    memcpy(code, peek_code, 64);
    data_a = page_alloc();
    data_b = page_alloc();
    user_l4 = make_space(code, data_a, &l1_a);
    user_l4_b = make_space(code, data_b, &l1_b);
    check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(user_l4), 0), 0);
    own_memory();
    out_of_reach();
    strict_m2p();
    changing_space();
    tables_in_use();
}
