/* SPDX-License-Identifier: MIT */
/*
 * cost: what observing adds to an entry, in instructions.
 *
 * Promised (docs/hot-sites.md, docs/tracing.md): exact timing adds at most 35 instructions to an entry of
 * any kind, a record of an event at most 40 and two for each word of its arguments, and not more than 60.
 * Why: what is observed is what runs, only if observing it is cheap.
 * Varied: kind of entry and who serves it, mode, event.  Checked: time stamps around each operation with
 * and without, the least of many, in a machine that runs one instruction a nanosecond.
 *
 * ktest-run: clock instr
 * Radon's own calls: the peer has none, and the test is skipped there.
 */
#include <stdint.h>

#include "event.h"
#include "ktest.h"
#include "pages.h"
#include "public/radon.h"
#include "snippet.h"

const char ktest_name[] = "cost";

#define SPARE 0x10000000000UL
#define ROOM 1024u
#define ROUNDS 40u
#define EXACT_MOST 35u
#define RECORD_MOST 40u /* and 2 a word of arguments */
#define ARGUMENTS_MOST 60u
#define SAMPLED_MOST 5u

SNIPPET(ud, "", "ud2");
SNIPPET(fault, "", "mov (%rdi), %rsi");
SNIPPET(call, "mov $777, %eax", "syscall");
SNIPPET(odd_call, "mov $778, %eax", "int $0x80");

enum event {
    EV_none,
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "../../../tracing/events.def"
};

static struct radon_site rows[ROOM];
static uint32_t nr_rows;

static inline __attribute__((always_inline)) long radon(unsigned int cmd, void *arg)
{
    return HC_2(RADON_HYPERCALL, cmd, arg);
}

/* ------------------------------------------------------------------ operations */

static volatile uint64_t *spare_entry;

static void op_version(void)
{
    hyp_xen_version(XENVER_version, 0);
}

static void op_two_callers(void) /* of one hypercall */
{
    hyp_xen_version(XENVER_version, 0);
    hyp_xen_version(XENVER_version, 0);
}

static void op_no_operation(void)
{
    hyp_fpu_taskswitch(0);
}

/* As kernels have it: user mode with upcalls unmasked. */
static struct ktest_regs user(const void *code)
{
    struct ktest_regs regs = regs_user(code);

    regs.rflags |= RFLAGS_IF;
    return regs;
}

static void op_syscall(void)
{
    run(user(call_code));
}

static void op_int80(void)
{
    run(user(odd_call_code));
}

static void op_page_fault_user(void)
{
    struct ktest_regs regs = user(fault_code);

    regs.rdi = SPARE;
    run(regs);
}

static void op_page_fault_kernel(void)
{
    struct ktest_regs regs = regs_kernel(fault_code);

    regs.rdi = SPARE;
    run(regs);
}

static void op_trap_kernel(void)
{
    run(regs_kernel(ud_code));
}

static void op_trap_user(void)
{
    run(user(ud_code));
}

static void op_iret_kernel(void)
{
    run_iret(regs_kernel(ud_code));
}

static void op_iret_alone(void) /* to right behind it */
{
    asm volatile("mov %%rsp, %%rdx\n"
                 "pushq %[ss]\n pushq %%rdx\n pushfq\n pushq %[cs]\n lea 1f(%%rip), %%rcx\n pushq %%rcx\n"
                 "pushq $0\n pushq $0\n pushq $0\n pushq $0\n"
                 "mov %[iret], %%eax\n syscall\n 1:\n"
                 :
                 : [ss] "i"(FLAT_KERNEL_SS), [cs] "i"(FLAT_KERNEL_CS & ~3), [iret] "i"(__HYPERVISOR_iret)
                 : "rax", "rcx", "rdx", "r11", "memory", "cc");
}

static void op_table_write(void)
{
    *spare_entry = 0;
}

static void op_privileged(void)
{
    uint64_t cr0;

    asm volatile("mov %%cr0, %0" : "=r"(cr0));
}

/* One that comes while the kernel counts; its hypercall is one entry more. */
static void op_interrupt(void)
{
    hyp_set_timer_op(time_now() + 3000);
    for (unsigned int i = 0; i < 10000; i++)
        asm volatile("");
}

static void subcall(uint64_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    static struct multicall_entry call;

    call = (struct multicall_entry){ .op = op, .args = { a0, a1, a2, a3 } };
    hyp_multicall(&call, 1);
}

static void op_subcall_two(void)
{
    subcall(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
}

static void op_subcall_long(void)
{
    subcall(__HYPERVISOR_mmuext_op, (uint64_t)rows, 0, 0, DOMID_SELF);
}

static void op_long(void)
{
    hyp_mmuext_op(rows, 0, 0, DOMID_SELF);
}

static void op_part(void) /* an operation that has its number in memory */
{
    static struct mmuext_op op = { .cmd = MMUEXT_INVLPG_LOCAL };

    hyp_mmuext_op(&op, 1, 0, DOMID_SELF);
}

static const struct op {
    const char *name;
    void (*run)(void);
    unsigned int entries, parts;
} ops[] = {
    { "hypercall with an operation", op_version, 1 },
    { "hypercalls of two callers", op_two_callers, 2 },
    { "hypercall without operations", op_no_operation, 1 },
    { "system call, iret", op_syscall, 2 },
    { "int 0x80, iret", op_int80, 2 },
    { "page fault of user mode, iret", op_page_fault_user, 2 },
    { "page fault of the kernel", op_page_fault_kernel, 1 },
    { "exception of the kernel", op_trap_kernel, 1 },
    { "exception of user mode, iret", op_trap_user, 2 },
    { "iret to the kernel, exception", op_iret_kernel, 2 },
    { "iret to the kernel", op_iret_alone, 1 },
    { "write to a page table", op_table_write, 1 },
    { "privileged instruction", op_privileged, 1 },
    { "interrupt, hypercall", op_interrupt, 2 },
    { "hypercall with an operation in memory", op_part, 1, 1 },
    { "multicall of one entry", op_subcall_two, 1, 1 },
};

static const struct record {
    const char *name;
    void (*run)(void);
    enum event events[2];
    unsigned int most;
    bool beside; /* exit_hypercall, so that entries take the ways that record before */
} records[] = {
    { "end of a hypercall", op_version, { EV_exit_hypercall }, RECORD_MOST + 2 * 2 },
    { "hypercall, two arguments", op_version, { EV_pv_hypercall }, ARGUMENTS_MOST },
    { "hypercall, four arguments, one long", op_long, { EV_pv_hypercall }, ARGUMENTS_MOST },
    { "multicall entry, two arguments", op_subcall_two, { EV_pv_subcall }, ARGUMENTS_MOST },
    { "multicall entry, four arguments, one long", op_subcall_long, { EV_pv_subcall }, ARGUMENTS_MOST },
    { "end of a multicall entry", op_subcall_two, { EV_exit_subcall }, RECORD_MOST + 2 * 2 },
    { "iret", op_syscall, { EV_pv_hypercall }, RECORD_MOST, true },
    { "system call", op_syscall, { EV_bounce_syscall }, RECORD_MOST + 2 * 3, true },
    { "return to user mode", op_syscall, { EV_iret_user }, RECORD_MOST + 2 * 2, true },
    { "system call, alone", op_syscall, { EV_bounce_syscall }, RECORD_MOST + 2 * 3 },
    { "return to user mode, alone", op_syscall, { EV_iret_user }, RECORD_MOST + 2 * 2 },
    { "both, alone", op_syscall, { EV_bounce_syscall, EV_iret_user }, 2 * RECORD_MOST + 2 * (3 + 2) },
    { "page fault", op_page_fault_user, { EV_pv_page_fault }, RECORD_MOST + 2 * 5, true },
    { "page fault of the kernel", op_page_fault_kernel, { EV_pv_page_fault }, RECORD_MOST + 2 * 5 },
    { "exception", op_trap_kernel, { EV_pv_trap }, RECORD_MOST + 2 * 2 },
};

/* ------------------------------------------------------------------ measuring */

/* The least time of an operation that ran before. */
static uint64_t least(void (*run_op)(void))
{
    uint64_t best = ~0UL;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t start = read_tsc(), took;

        run_op();
        took = read_tsc() - start;
        if (i && took < best)
            best = took;
    }
    return best;
}

static __attribute__((noinline)) void set_mode(uint32_t mode)
{
    struct radon_sites_control c = { .mode = mode };

    ktest_require(radon(RADON_SITES_CONTROL, &c) == 0);
}

/* The switch itself is the first row of the table; from elsewhere it has another place there. */
static __attribute__((noinline)) void set_mode_from_elsewhere(uint32_t mode)
{
    struct radon_sites_control c = { .get_only = 0, .mode = mode, .period = 0 };

    ktest_require(radon(RADON_SITES_CONTROL, &c) == 0);
    asm volatile("nop");
}

/* Entries of all kinds since the last call, the call itself not. */
static uint64_t entries(void)
{
    struct radon_sites_read r = { .domain = 0, .flags = RADON_SITES_RESET, .rows = (uint64_t)rows, .room = ROOM };

    ktest_require(radon(RADON_SITES_READ, &r) == 0);
    nr_rows = r.room;
    return r.entries - 1;
}

/* What entries() counted. */
static void show_rows(void)
{
    for (uint32_t i = 0; i < nr_rows; i++)
        printk("cost: kind %u, number %u at %lx: %lu\n", rows[i].kind, rows[i].number,
               rows[i].address, rows[i].count);
}

static void exact(const struct op *op)
{
    uint64_t off, on, n;

    test_case("%s, timed: at most %u more an entry", op->name, EXACT_MOST);
    set_mode(RADON_SITES_OFF);
    off = least(op->run);
    set_mode(RADON_SITES_EXACT);
    on = least(op->run);
    if (on - off > EXACT_MOST * (op->entries + op->parts)) {
        /* By chance its row may be in the place of the switch's. */
        set_mode_from_elsewhere(RADON_SITES_OFF);
        set_mode_from_elsewhere(RADON_SITES_EXACT);
        on = least(op->run);
    }
    entries();
    op->run();
    n = entries();
    if (n != op->entries)
        show_rows();
    check_eq(n, op->entries);
    check(on - off <= EXACT_MOST * (op->entries + op->parts));
    set_mode(RADON_SITES_OFF);
    printk("cost: %s: %lu, timed %lu more\n", op->name, off, on - off);
}

static void want(struct radon_trace_control *c, enum event event)
{
    if (event != EV_none)
        c->events[(event - 1) / 64] |= 1UL << (event - 1) % 64;
}

/* By events that are on and off. */
static void record(const struct record *r)
{
    struct radon_trace_control c = { .mode = RADON_TRACE_FLIGHT, .pages = 16, .domain = RADON_DOMID_ANY,
                                     .vcpus = ~0UL };
    uint64_t off, on;

    test_case("record of %s: at most %u", r->name, r->most);
    want(&c, r->beside ? EV_exit_hypercall : EV_none);
    ktest_require(radon(RADON_TRACE_CONTROL, &c) == 0);
    off = least(r->run);
    want(&c, r->events[0]);
    want(&c, r->events[1]);
    ktest_require(radon(RADON_TRACE_CONTROL, &c) == 0);
    on = least(r->run);
    c.mode = RADON_TRACE_OFF;
    ktest_require(radon(RADON_TRACE_CONTROL, &c) == 0);
    check(on > off && on - off <= r->most);
    printk("cost: record of %s: %lu\n", r->name, on - off);
}

/* So many instructions of the kernel's, and what interrupts them. */
static uint64_t spin(void)
{
    uint64_t start = read_tsc();

    for (unsigned int i = 0; i < 100000000; i++)
        asm volatile("");
    return read_tsc() - start;
}

/* Looks at what the guest does: of the kernel at work on a system call, which is the longest way. */
static void looks(void)
{
    struct radon_sites_read r = { .domain = 0, .rows = (uint64_t)rows, .room = ROOM };
    uint64_t off, on;

    test_case("a look: less than a thousandth of the time of a vCPU");
    op_syscall();
    off = spin();
    set_mode(RADON_SITES_SAMPLED);
    op_syscall();
    on = spin();
    ktest_require(radon(RADON_SITES_READ, &r) == 0);
    set_mode(RADON_SITES_OFF);
    check(r.looks > 100 && r.looks < 500);
    check(on > off && (on - off) * 1000 < off);
    printk("cost: a look: %lu\n", (on - off) / r.looks);
}

/* Sampled, whole periods of a system call and its iret: less than so many more each. */
static void sampled(void)
{
    uint64_t took[2];

    test_case("sampled: less than %u an entry", SAMPLED_MOST);
    for (unsigned int mode = RADON_SITES_OFF; mode <= RADON_SITES_SAMPLED; mode++) {
        set_mode(mode);
        took[mode] = read_tsc();
        for (unsigned int i = 0; i < 20 * 499; i++)
            op_syscall();
        took[mode] = read_tsc() - took[mode];
    }
    set_mode(RADON_SITES_OFF);
    /* Two instructions an entry are the countdown, off or not. */
    check(took[1] - took[0] < 2 * 20 * 499 * (SAMPLED_MOST - 2));
    printk("cost: sampled: %lu in 100 entries\n", (took[1] - took[0]) * 100 / (2 * 20 * 499));
}

/* An instruction takes a nanosecond, or there is nothing to compare. */
static bool counts_instructions(void)
{
    uint64_t start = read_tsc(), took;

    for (unsigned int i = 0; i < 1000; i++)
        asm volatile("nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop");
    took = read_tsc() - start;
    return took > 9000 && took < 12100;
}

void test_main(void)
{
    struct radon_info info;

    if (radon(RADON_INFO, &info) != 0)
        ktest_finish(KTEST_SKIP, "not Radon");
    if (info.tsc_hz != 1000000000 || !counts_instructions())
        ktest_finish(KTEST_SKIP, "this machine's clock does not count instructions");
    user_mode_init();
    ktest_require(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, ktest_syscall_entry) == 0);
    ktest_require(trap_set(VEC_PF, 4, (uint64_t)ktest_vector_entries[VEC_PF]) == 0);
    spare_entry = entry_make(SPARE);
    for (unsigned int i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        exact(&ops[i]);
    set_mode(RADON_SITES_OFF);
    for (unsigned int i = 0; i < sizeof(records) / sizeof(records[0]); i++)
        record(&records[i]);
    looks();
    sampled();
}
