/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries that the handler of a page fault changes: with the checks and the counts of
 * mmu_update, all or nothing.  User mode runs on the kernel's tables; LOW and what follows it are
 * user addresses with an L1 table of their own.
 */
#include "entries.h"

#include "pages.h"
#include "prog.h"
#include "snippet.h"

#define LOW 0x10000000UL

SNIPPET(put, "", "mov %rsi, (%rdi)");

static uint64_t *data, *other, *stored, *l1;
static volatile uint64_t *entry;

/* The entry at rdx, if it holds r8, becomes r9. */
#define UPDATE LDX(1, 6, CTX(rdx)), LDX(2, 6, CTX(r8)), LDX(3, 6, CTX(r9)), CALL(HELPER_PT_UPDATE)

/* The update; with rbx not zero, a store there goes before it. */
static const struct fast_insn update[] = {
    MOV(6, 1),
    LDX(1, 6, CTX(rbx)),
    JEQI(1, 0, 2),
    MOVI(2, 5),
    CALL(HELPER_STORE64),
    UPDATE,
    MOVI(0, 1),
    EXIT,
};
/* The same update twice. */
static const struct fast_insn twice[] = {
    MOV(6, 1),
    UPDATE,
    UPDATE,
    MOVI(0, 1),
    EXIT,
};
/* rsi = what the machine-to-physical table has for rdx, and on behind the instruction. */
static const struct fast_insn ask_m2p[] = {
    MOV(6, 1),           LDX(1, 6, CTX(rdx)), CALL(HELPER_M2P),
    STX(6, 0, CTX(rsi)), LDX(2, 6, CTX(rip)), ADDI(2, 3),
    STX(6, 2, CTX(rip)), MOVI(0, 1),          EXIT,
};

static uint64_t entry_at_r10;

static uint64_t frame(const void *va)
{
    return mfn_of(va) * PAGE_BYTES;
}

static uint64_t ptr_of(const volatile uint64_t *e)
{
    return machine_of((const void *)(uint64_t)e);
}

static struct exception write_at(uint64_t va, uint64_t ptr, uint64_t old, uint64_t new, void *store)
{
    struct ktest_regs regs = regs_user(put_code);
    struct exception e;

    regs.rdi = va;
    regs.rsi = 77;
    regs.rdx = ptr;
    regs.r8 = old;
    regs.r9 = new;
    regs.r10 = entry_at_r10;
    regs.rbx = (uint64_t)store;
    regs.rflags |= RFLAGS_IF;
    e = run_iret(regs);
    this_cpu()->info->evtchn_upcall_mask = 1;
    return e;
}

static uint32_t handler(const struct fast_insn *insns, uint32_t n)
{
    long id = install(make_program(FAST_ATTACH_EXCEPTION, VEC_PF, (uint64_t)put_at, insns, n),
                      RADON_FAST_INSTALL_ACTIVE);

    ktest_require(id > 0);
    return (uint32_t)id;
}

static void set_entry(uint64_t value)
{
    ktest_require(mmu_update_one(ptr_of(entry), value) == 0);
    ktest_require(mmuext(MMUEXT_INVLPG_LOCAL, LOW, 0) == 0);
}

/* The write goes on: the entry is what was asked for, and the word is there. */
static void check_done(uint64_t command, uint64_t old, uint64_t new, uint64_t want)
{
    struct exception e;

    set_entry(old);
    data[0] = stored[0] = 0;
    e = write_at(LOW, ptr_of(entry) | command, old, new, stored);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rip, put_after);
    check_eq(*entry, want);
    check_eq(data[0], 77);
    check_eq(stored[0], 5);
}

/* The guest kernel has the fault, and nothing was changed. */
static void check_left(uint64_t ptr, uint64_t old, uint64_t new)
{
    uint64_t before = *entry;
    struct exception e;

    data[0] = stored[0] = 0;
    e = write_at(LOW, ptr, old, new, stored);
    check_eq(e.regs.vector, VEC_PF);
    check_eq(e.regs.rip, put_at);
    check_eq(*entry, before);
    check_eq(data[0], 0);
    check_eq(stored[0], 0);
}

static void updates(void)
{
    const uint64_t ad = PTE_A | PTE_D, ro = frame(data) | PTE_P | PTE_U, rw = ro | PTE_W;
    uint32_t id = handler(update, sizeof(update) / 8);

    test_case("the frame becomes writable; a store goes with it");
    check_done(MMU_NORMAL_PT_UPDATE, ro, rw | ad, rw | ad);
    test_case("as guests write it: without the user bit, global; the processor sets its bits");
    check_done(MMU_NORMAL_PT_UPDATE, ro, (rw & ~PTE_U) | PTE_G, rw | ad);
    test_case("not present before");
    check_done(MMU_NORMAL_PT_UPDATE, 0, rw, rw | ad);
    check_done(MMU_NORMAL_PT_UPDATE, 0x1234000, rw, rw | ad); /* a swap entry */
    test_case("another frame before");
    check_done(MMU_NORMAL_PT_UPDATE, frame(other) | PTE_P | PTE_U, rw, rw | ad);
    test_case("accessed and dirty bits preserved");
    check_done(MMU_PT_UPDATE_PRESERVE_AD, ro | PTE_D, rw, rw | ad);
    check_eq(info_of(id).hits, 6);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}

static uint64_t hypervisor_frame(void)
{
    for (mfn_t mfn = 0x100;; mfn++)
        if (m2p(mfn) == ~0UL)
            return mfn * PAGE_BYTES;
}

static void refusals(void)
{
    const uint64_t ro = frame(data) | PTE_RO, rw = frame(data) | PTE_RW;
    volatile uint64_t *l4 = (volatile uint64_t *)start_info->pt_base;
    uint32_t id = handler(update, sizeof(update) / 8), n = 0;
    uint64_t before;

    set_entry(ro);
    test_case("the entry holds something else by now");
    check_left(ptr_of(entry), ro | PTE_PWT, rw), n++;
    check_left(ptr_of(entry), 0, rw), n++;
    check_left(ptr_of(entry) | MMU_PT_UPDATE_PRESERVE_AD, ro | PTE_PWT, rw), n++;
    test_case(
        "what mmu_update refuses: a table writable, frames of others, devices of the hypervisor");
    check_left(ptr_of(entry), ro, frame(l1) | PTE_RW), n++;
    check(mmu_update_one(ptr_of(entry), frame(l1) | PTE_RW) < 0);
    check_left(ptr_of(entry), ro, frame((void *)l4) | PTE_RW), n++;
    check_left(ptr_of(entry), ro, hypervisor_frame() | PTE_RW), n++;
    check_left(ptr_of(entry), ro, hypervisor_frame() | PTE_RO), n++;
    check_left(ptr_of(entry), ro, 0xfee00000UL | PTE_RW), n++;
    check_left(ptr_of(entry), ro, 0x7ffffffff000UL | PTE_RW), n++;
    test_case("no such request: other commands, not aligned, no RAM, no page table");
    check_left(ptr_of(entry) | MMU_MACHPHYS_UPDATE, ro, rw), n++;
    check_left(ptr_of(entry) + 4, ro, rw), n++;
    check_left(0x7ffffffff000UL, ro, rw), n++;
    check_left(machine_of(data), 0, rw), n++;
    test_case("tables above, the hypervisor's slots");
    check_left(ptr_of(entry_of((const void *)start_info->pt_base, LOW, 2)),
               *entry_of((const void *)start_info->pt_base, LOW, 2), 0),
        n++;
    check_left(ptr_of(&l4[256]), l4[256], 0), n++;
    test_case("an entry of another table than the one that the address has");
    before = *kernel_entry(other, 1);
    check_left(ptr_of(kernel_entry(other, 1)), before, before & ~PTE_D), n++;
    check_eq(*kernel_entry(other, 1), before);
    check_eq(info_of(id).passes[RADON_FAST_PASS_PT], n);
    check_eq(info_of(id).hits, 0);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
    test_case("one entry twice");
    id = handler(twice, sizeof(twice) / 8);
    check_left(ptr_of(entry), ro, rw);
    check_eq(info_of(id).passes[RADON_FAST_PASS_PT], 1);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}

/* Faults at LOW + a page, so that the handler's update does not end the fault: hit, then pass. */
static void change(uint64_t old, uint64_t new)
{
    uint32_t id = handler(update, sizeof(update) / 8);

    check_eq(write_at(LOW + PAGE_BYTES, ptr_of(entry), old, new, NULL).regs.vector, VEC_PF);
    check_eq(info_of(id).hits, 1);
    check_eq(info_of(id).passes[RADON_FAST_PASS_PT], 1);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}

static long pin(void *page)
{
    long rc = mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page), 0);

    return rc ? rc : mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0);
}

/* A frame may become a page table as soon as, and no sooner than, its last writable mapping is
 * gone. */
static void references(void)
{
    const uint64_t ro = frame(other) | PTE_RO, rw = frame(other) | PTE_RW;

    test_case("references: map writable, read-only, unmap");
    set_entry(0);
    ktest_require(page_readonly(other) == 0);
    check_eq(pin(other), 0);
    for (unsigned int i = 0; i < 8; i++) {
        ktest_require(page_writable(other) == 0); /* writable is its type again */
        change(0, rw);
        ktest_require(page_readonly(other) == 0);
        check(pin(other) < 0);
        change(rw, ro); /* the entry was not used: no bit was set */
        check_eq(pin(other), 0);
        ktest_require(page_writable(other) == 0);
        change(ro, rw);
        ktest_require(page_readonly(other) == 0);
        check(pin(other) < 0);
        change(rw, 0);
        check_eq(pin(other), 0);
    }
    test_case("references: by passes, none");
    change(0, ro);
    refusals();
    set_entry(0);
    check_eq(pin(other), 0);
    test_case("a page table that nobody may write is not made writable by counting");
    check_eq(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(other), 0), 0);
    set_entry(ro);
    check_eq(write_at(LOW, ptr_of(entry), ro, rw, NULL).regs.vector, VEC_PF);
    check_eq(*entry, ro);
    set_entry(0);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(other), 0), 0);
    ktest_require(page_writable(other) == 0);
}

/* What the entry forbids now, no TLB allows any more. */
static void flushes(void)
{
    const uint64_t ro = frame(data) | PTE_RO, rw = frame(data) | PTE_RW;

    test_case("rights taken away: the TLB does not know them");
    set_entry(rw);
    *(volatile uint64_t *)LOW = 1;
    change(rw, ro);
    check_eq(write_at(LOW, 0, 0, 0, NULL).regs.vector, VEC_PF);
    check_eq(data[0], 1);
}

/* Behind the update a watch would have to be seen to: the guest kernel's own way does that. */
static void watched(void)
{
    struct radon_fast_watch watch = { LOW, 0 };
    struct radon_fast_install op = { .flags = RADON_FAST_INSTALL_ACTIVE,
                                     .nr_watches = 1,
                                     .watches = (uint64_t)&watch };
    uint64_t ro = frame(data) | PTE_RO;
    long id;

    test_case("an entry of a watched table");
    ktest_require(page_readonly(data) == 0);
    set_entry(ro);
    id = install_op(
        make_program(FAST_ATTACH_EXCEPTION, VEC_PF, (uint64_t)put_at, update, sizeof(update) / 8),
        &op);
    check(id > 0);
    check_eq(write_at(LOW, ptr_of(entry), ro, frame(data) | PTE_RW, NULL).regs.vector, VEC_PF);
    check_eq(info_of((uint32_t)id).passes[RADON_FAST_PASS_PT], 1);
    check_eq(info_of((uint32_t)id).state, RADON_FAST_ACTIVE);
    check_eq(mmu_update_one(ptr_of(entry), frame(data) | PTE_RW), 0);
    check_eq(info_of((uint32_t)id).reason, RADON_FAST_TEXT_CHANGED);
    ktest_require(page_writable(data) == 0);
}

static void frame_numbers(void)
{
    uint32_t id = handler(ask_m2p, sizeof(ask_m2p) / 8);
    struct exception e;

    test_case("m2p: own numbers of machine frames; where there is none, the handler passes");
    set_entry(0);
    e = write_at(LOW, mfn_of(data), 0, 0, NULL);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rsi, pfn_of(data));
    e = write_at(LOW, 1UL << 40, 0, 0, NULL);
    check_eq(e.regs.vector, VEC_PF);
    e = write_at(LOW, ~0UL, 0, 0, NULL);
    check_eq(e.regs.vector, VEC_PF);
    check_eq(info_of(id).passes[RADON_FAST_PASS_LOAD], 2);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}

/* ------------------------------------------------------------------ beside the guest kernel */

/* The guest kernel's own handling of the fault: the request, then back to user mode. */
extern const uint8_t sh_fault[];
struct mmu_update sh_request;
asm(".pushsection .text\n"
    "sh_fault:\n"
    "  pop %rcx\n"
    "  pop %r11\n"
    "  add $8, %rsp\n"
    "  push %rax\n"
    "  push %rcx\n"
    "  push %r11\n"
    "  push %rdi\n"
    "  push %rsi\n"
    "  push %rdx\n"
    "  push %r10\n"
    "  lea sh_request(%rip), %rdi\n"
    "  mov $1, %esi\n"
    "  xor %edx, %edx\n"
    "  mov $0x7ff0, %r10d\n" /* DOMID_SELF */
    "  mov $1, %eax\n"       /* mmu_update */
    "  syscall\n"
    "  pop %r10\n"
    "  pop %rdx\n"
    "  pop %rsi\n"
    "  pop %rdi\n"
    "  pop %r11\n"
    "  pop %rcx\n"
    "  pop %rax\n"
    "  pushq $0\n"
    "  push %rcx\n"
    "  push %r11\n"
    "  push %rax\n"
    "  mov $23, %eax\n"
    "  syscall\n"
    ".popsection\n");

/* One fault that both deal with: the handler wants `mine`, the guest kernel does `its`. */
static struct radon_fast_info compared(const struct fast_insn *insns, uint32_t n, uint64_t mine,
                                       uint64_t its)
{
    struct radon_fast_install op = { .agreements = 100 };
    uint64_t ro = frame(data) | PTE_RO;
    struct radon_fast_info info;
    struct exception e;
    long id;

    set_entry(ro);
    id = install_op(make_program(FAST_ATTACH_EXCEPTION, VEC_PF, (uint64_t)put_at, insns, n), &op);
    ktest_require(id > 0);
    sh_request = (struct mmu_update){ ptr_of(entry), its };
    e = write_at(LOW, ptr_of(entry), ro, mine, NULL);
    check_eq(e.regs.vector, VEC_UD);
    check_eq(*entry & ~(PTE_A | PTE_D), (its | PTE_U) & ~(PTE_A | PTE_D | PTE_G));
    info = info_of((uint32_t)id);
    control((uint32_t)id, RADON_FAST_RETIRED);
    return info;
}

static void shadow(void)
{
    const struct fast_insn looks[] = {
        /* reads the entry, and does nothing about it */
        MOV(6, 1), LDX(1, 6, CTX(r10)), CALL(HELPER_LOAD64), MOVI(0, 1), EXIT,
    };
    const uint64_t rw = frame(data) | PTE_RW;
    uint32_t n = sizeof(update) / 8;

    test_case("rule 14: the entry is compared: the same");
    check_eq(trap_set(VEC_PF, 4, (uint64_t)sh_fault), 0); /* 4: with events masked */
    check_eq(compared(update, n, rw, rw).agreed, 1);
    check_eq(compared(update, n, rw & ~PTE_U, rw | PTE_G).agreed, 1); /* as stored, the same */
    test_case("rule 14: another value, another frame, bits that are missing");
    check_eq(compared(update, n, rw | PTE_PWT, rw).disagreed, 1);
    check_eq(compared(update, n, frame(other) | PTE_RW, rw).disagreed, 1);
    check_eq(compared(update, n, rw, rw | PTE_NX).disagreed, 1);
    test_case("rule 14: an update that the handler lacks");
    entry_at_r10 = (uint64_t)entry;
    check_eq(compared(looks, sizeof(looks) / 8, 0, rw).disagreed, 1);
    entry_at_r10 = 0;
    trap_table_reset();
}

void entry_tests(void)
{
    data = page_alloc();
    other = page_alloc();
    stored = page_alloc();
    entry = entry_make(LOW);
    l1 = (uint64_t *)((uint64_t)entry & ~(PAGE_BYTES - 1));
    updates();
    refusals();
    references();
    flushes();
    frame_numbers();
    shadow();
    watched(); /* last: the table stays one that is looked at */
}

void entry_vcpu_tests(void)
{
    const uint64_t ro = frame(data) | PTE_RO, rw = frame(data) | PTE_RW;
    volatile uint64_t *e = entry_make(LOW + (4UL << 20)); /* its table is not watched */
    uint32_t id = handler(update, sizeof(update) / 8);

    test_case("two vCPUs: rights are given, and not taken away");
    ktest_require(mmu_update_one(ptr_of(e), ro) == 0);
    check_eq(write_at(LOW + (4UL << 20), ptr_of(e), ro, rw, NULL).regs.vector, VEC_UD);
    check_eq(*e, rw);
    check_eq(write_at(LOW + (5UL << 20), ptr_of(e), rw, ro, NULL).regs.vector, VEC_PF);
    check_eq(*e, rw);
    check_eq(info_of(id).passes[RADON_FAST_PASS_PT], 1);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}
