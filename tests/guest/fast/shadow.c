/* SPDX-License-Identifier: MIT */
/* Handlers beside a small guest kernel that does the same, or not. */
#include "capture.h"
#include "events.h"

#include "event.h"
#include "pages.h"
#include "prog.h"
#include "smp.h"
#include "snippet.h"

#define NR 39

SNIPPET(shadowed, "", "syscall");

enum { SAME, OTHER_RESULT, WRITES_WHAT_IS_READ, SWAPS, SWAPS_WRONG, FAULTS, OTHER_REGISTER,
       EVENT, STAMPS };

/* The guest kernel's side, by sh_mode: rax = sh_cell, or the word at rdi with rsi, or the time, put there. */
extern const uint8_t sh_entry[];
uint64_t sh_cell, sh_mode;
uint64_t sh_looks = 1, sh_later; /* STAMPS: how often it looks at the time, and what it adds to it */
volatile uint8_t *sh_pending; /* EVENT: one becomes pending while they are masked */
static uint64_t *word;
asm(".pushsection .text\n"
    "sh_entry:\n"
    "  pop %rcx\n"
    "  pop %r11\n"
    "  mov sh_cell(%rip), %rax\n"
    "  cmpl $0, sh_mode(%rip)\n"
    "  je 9f\n"
    "  cmpl $1, sh_mode(%rip)\n"
    "  jne 1f\n"
    "  inc %rax\n"
    "1: cmpl $2, sh_mode(%rip)\n"
    "  jne 1f\n"
    "  incq sh_cell(%rip)\n"
    "1: cmpl $3, sh_mode(%rip)\n"
    "  jne 1f\n"
    "  mov (%rdi), %rax\n"
    "  mov %rsi, (%rdi)\n"
    "1: cmpl $4, sh_mode(%rip)\n"
    "  jne 1f\n"
    "  mov (%rdi), %rax\n"
    "  movq $99, (%rdi)\n"
    "1: cmpl $5, sh_mode(%rip)\n"
    "  jne 1f\n"
    "5: mov 0x5000, %r11\n"
    "6:\n"
    "1: cmpl $6, sh_mode(%rip)\n"
    "  jne 1f\n"
    "  inc %r15\n"
    "1: cmpl $8, sh_mode(%rip)\n"
    "  jne 1f\n"
    "  push %rax\n"
    "  push %rcx\n"
    "  push %rdx\n"
    "  mov sh_looks(%rip), %rcx\n"
    "2: rdtsc\n"
    "  loop 2b\n"
    "  shl $32, %rdx\n"
    "  or %rdx, %rax\n"
    "  add sh_later(%rip), %rax\n"
    "  mov %rax, (%rdi)\n"
    "  pop %rdx\n"
    "  pop %rcx\n"
    "  pop %rax\n"
    "1: cmpl $7, sh_mode(%rip)\n"
    "  jne 9f\n"
    "  mov sh_pending(%rip), %rax\n"
    "  movb $1, (%rax)\n"
    "  mov sh_cell(%rip), %rax\n"
    "9: pushq $0x100\n" /* VGCF_in_syscall */
    "  push %rcx\n"
    "  push %r11\n"
    "  push %rax\n"
    "  mov $23, %eax\n"
    "  syscall\n"
    ".popsection\n"
    ".pushsection .ex_table, \"a\"\n .quad 5b, 6b\n .popsection\n");

static struct fast_insn result[] = {
    MOV(6, 1), LDX(7, 1, CTX(rdi)), LDDW(1, 0UL), CALL(HELPER_LOAD64), STX(6, 0, CTX(rax)),
    MOVI(0, 1), EXIT,
};

/* As handlers do that were made of a guest kernel: it passes if an event is pending. */
static struct fast_insn looks_for_event[] = {
    MOV(6, 1), LDDW(1, 0UL), CALL(HELPER_LOAD8), JEQI(0, 0, 2), MOVI(0, 0), EXIT, LDDW(1, 0UL),
    CALL(HELPER_LOAD64), STX(6, 0, CTX(rax)), MOVI(0, 1), EXIT,
};

/* Two ways: rdi is 0, or not. */
static struct fast_insn two_ways[] = {
    MOV(6, 1), LDX(7, 1, CTX(rdi)), LDDW(1, 0UL), CALL(HELPER_LOAD64), STX(6, 0, CTX(rax)),
    JEQI(7, 0, 2), MOVI(0, 1), EXIT, MOVI(0, 1), EXIT,
};

static const struct fast_insn swap[] = {
    MOV(6, 1), LDX(7, 1, CTX(rdi)), MOV(1, 7), CALL(HELPER_LOAD64), STX(6, 0, CTX(rax)), MOV(1, 7),
    LDX(2, 6, CTX(rsi)), CALL(HELPER_STORE64), MOVI(0, 1), EXIT,
};

/* Stores the time stamp to the word at rdi: instruction 5 is the call. */
static const struct fast_insn stamp[] = {
    MOV(6, 1), CALL(HELPER_TSC), MOV(2, 0), LDX(1, 6, CTX(rdi)), STX(6, 2, CTX(rax)),
    CALL(HELPER_STORE64), MOVI(2, 5), STX(6, 2, CTX(rax)), MOVI(0, 1), EXIT,
};

static uint64_t call(uint64_t rdi, uint64_t rsi)
{
    struct ktest_regs regs = regs_user(shadowed_code);
    struct exception e;

    regs.rax = NR;
    regs.rdi = rdi;
    regs.rsi = rsi;
    regs.rflags |= RFLAGS_IF;
    e = run_iret(regs);
    this_cpu()->info->evtchn_upcall_mask = 1;
    check_eq(e.regs.vector, VEC_UD);
    check_eq(e.regs.rip, shadowed_after);
    return e.regs.rax;
}

#define SHADOW(insns, n) shadow(insns, sizeof(insns) / 8, n)
static uint32_t shadow(const struct fast_insn *insns, uint32_t n, uint32_t agreements)
{
    struct radon_fast_install op = { .agreements = agreements };
    long id = install_op(make_program(FAST_ATTACH_SYSCALL, NR, 0, insns, n), &op);

    ktest_require(id > 0);
    return (uint32_t)id;
}

static void agreements(void)
{
    uint32_t id = SHADOW(result, 3);
    struct radon_fast_info info;

    test_case("agreements in a row activate; the guest kernel answers until then");
    sh_mode = SAME;
    sh_cell = 7;
    for (unsigned int i = 0; i < 3; i++) {
        check_eq(info_of(id).state, RADON_FAST_SHADOW);
        check_eq(call(0, 0), 7);
    }
    info = info_of(id);
    check_eq(info.state, RADON_FAST_ACTIVE);
    check_eq(info.agreed, 3);
    check_eq(info.hits, 0);
    check(info.activated != 0);
    sh_mode = OTHER_RESULT; /* would be seen if it were asked */
    check_eq(call(0, 0), 7);
    check_eq(info_of(id).hits, 1);

    test_case("on every way through it");
    sh_mode = SAME;
    id = SHADOW(two_ways, 2);
    call(0, 0);
    call(1, 0);
    call(1, 0);
    check_eq(info_of(id).state, RADON_FAST_SHADOW);
    check_eq(info_of(id).agreed_in_row, 1);
    call(0, 0);
    check_eq(info_of(id).state, RADON_FAST_ACTIVE);
}

static void disagreements(void)
{
    static struct radon_fast_evidence e;
    struct radon_fast_read read = { .part = RADON_FAST_EVIDENCE, .buffer = (uint64_t)&e,
                                    .bytes = sizeof(e) };
    uint32_t id = SHADOW(result, 10);

    test_case("another result: retired, with evidence");
    sh_mode = OTHER_RESULT;
    sh_cell = 20;
    check_eq(call(0, 0), 21);
    check_eq(info_of(id).state, RADON_FAST_RETIRED);
    check_eq(info_of(id).reason, RADON_FAST_DISAGREED);
    read.id = id;
    check_eq(radon_op(RADON_FAST_READ, &read), 0);
    check_eq(read.bytes, sizeof(e));
    check_eq(e.id, id);
    check_eq(e.differs, 1);
    check_eq(e.handler[0], 20);
    check_eq(e.guest[0], 21);
    check_eq(e.before[0], NR);

    test_case("another register");
    id = SHADOW(result, 10);
    sh_mode = OTHER_REGISTER;
    call(0, 0);
    check_eq(info_of(id).reason, RADON_FAST_DISAGREED);

    test_case("the guest kernel writes what the handler only reads");
    id = SHADOW(result, 10);
    sh_mode = WRITES_WHAT_IS_READ;
    call(0, 0);
    check_eq(info_of(id).reason, RADON_FAST_DISAGREED);
    read.id = id;
    check_eq(radon_op(RADON_FAST_READ, &read), 0);
    check_eq(e.differs & 1u << 30, 1u << 30);
    check_eq(e.read[0].address, (uint64_t)&sh_cell);
    check_eq(e.read[0].handler + 1, e.read[0].guest);
    check_eq(e.read[0].size, 8);
    check_eq(e.read[1].size, 0);

    test_case("stores: the same, and another value");
    id = SHADOW(swap, 10);
    sh_mode = SWAPS;
    *word = 1;
    check_eq(call((uint64_t)word, 2), 1);
    check_eq(*word, 2);
    check_eq(info_of(id).agreed, 1);
    sh_mode = SWAPS_WRONG;
    check_eq(call((uint64_t)word, 3), 2);
    check_eq(*word, 99);
    check_eq(info_of(id).reason, RADON_FAST_DISAGREED);
    read.id = id;
    check_eq(radon_op(RADON_FAST_READ, &read), 0);
    check_eq(e.differs, 1u << 31);
    check_eq(e.nr_stores, 1);
    check_eq(e.store[0].address, word);
    check_eq(e.store[0].handler, 3);
    check_eq(e.store[0].guest, 99);
}

static void voids(void)
{
    uint32_t id = SHADOW(result, 10);

    test_case("rule 14: an exception in between voids");
    sh_mode = FAULTS;
    sh_cell = 5;
    check_eq(call(0, 0), 5);
    check_eq(info_of(id).voided, 1);
    check_eq(info_of(id).agreed, 0);
    check_eq(info_of(id).state, RADON_FAST_SHADOW);
    sh_mode = SAME;
    call(0, 0);
    check_eq(info_of(id).agreed, 1);
    check_eq(control(id, RADON_FAST_RETIRED), 0);

    test_case("rule 14: so does an event that is pending when the guest kernel is done");
    id = SHADOW(looks_for_event, 10);
    call(0, 0);
    check_eq(info_of(id).agreed, 1);
    sh_mode = EVENT;
    check_eq(call(0, 0), 5);
    check_eq(info_of(id).voided, 1);
    check_eq(info_of(id).disagreed, 0);
    check_eq(info_of(id).state, RADON_FAST_SHADOW);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}

static uint32_t stamps(void)
{
    static const uint32_t which[] = { 5 };
    struct radon_fast_install op = { .agreements = 1000, .tainted = (uint64_t)which, .nr_tainted = 1 };
    long id = install_op(make_program(FAST_ATTACH_SYSCALL, NR, 0, stamp, 10), &op);

    ktest_require(id > 0);
    sh_mode = STAMPS;
    sh_cell = 5;
    sh_looks = 1;
    sh_later = 0;
    return (uint32_t)id;
}

static void time_stands_still(void)
{
    static struct radon_fast_evidence e;
    uint32_t id = stamps();
    struct radon_fast_read read = { .part = RADON_FAST_EVIDENCE, .buffer = (uint64_t)&e, .bytes = sizeof(e), .id = id };
    uint64_t now;

    test_case("rule 14: the guest kernel sees the time that the handler saw, and nobody sees that");
    for (unsigned int i = 0; i < 4; i++) {
        uint32_t kind = i & 1 ? RADON_SITE_TRAP : RADON_SITE_EMULATION, number = i & 1 ? 13 : RADON_EMUL_PRIVOP;

        sh_looks = i < 2 ? 1 : 64;
        entries_counted(true, kind, number);
        now = read_tsc();
        check_eq(call((uint64_t)word, 0), 5);
        check(*word > now);
        check(*word < read_tsc());
        check_eq(entries_counted(false, kind, number), 0);
    }
    check_eq(info_of(id).agreed, 4);

    test_case("who waits for time to pass sees it pass: void");
    sh_looks = 1000;
    call((uint64_t)word, 0);
    check_eq(info_of(id).agreed, 4);
    check_eq(info_of(id).voided, 1);
    check_eq(info_of(id).state, RADON_FAST_SHADOW);

    test_case("so does who comes in between");
    sh_mode = FAULTS;
    call((uint64_t)word, 0);
    check_eq(info_of(id).voided, 2);
    entries_counted(true, RADON_SITE_EMULATION, RADON_EMUL_PRIVOP);
    now = read_tsc();
    check(read_tsc() > now);
    check_eq(entries_counted(false, RADON_SITE_EMULATION, RADON_EMUL_PRIVOP), 0);

    test_case("another time than that disagrees");
    sh_mode = STAMPS;
    sh_looks = sh_later = 1;
    call((uint64_t)word, 0);
    check_eq(info_of(id).reason, RADON_FAST_DISAGREED);
    check_eq(radon_op(RADON_FAST_READ, &read), 0);
    check_eq(e.engines, 0);
    check_eq(e.differs, 1u << 31);
    check_eq(e.store[0].handler + 1, e.store[0].guest);
}

static void tainted(void)
{
    static struct radon_fast_evidence e;
    struct radon_fast_read read = { .part = RADON_FAST_EVIDENCE, .buffer = (uint64_t)&e,
                                    .bytes = sizeof(e) };
    uint32_t id = SHADOW(stamp, 10);

    test_case("what rests on the time stamp and does not say so differs between machine code and interpreter");
    call((uint64_t)word, 0);
    check_eq(info_of(id).state, RADON_FAST_RETIRED);
    read.id = id;
    check_eq(radon_op(RADON_FAST_READ, &read), 0);
    check_eq(read.bytes, sizeof(e));
    check_eq(e.engines, 1);
    check_eq(e.differs, 1u << 31);
    check_eq(e.nr_stores, 1);
    check_eq(e.store[0].differs, 1);
    check(e.store[0].handler < e.store[0].guest); /* the interpreter ran later */
}

static void oracle(void)
{
    uint32_t id = SHADOW(result, 1);
    unsigned int n = 0;

    test_case("an active one is compared now and then");
    sh_mode = SAME;
    sh_cell = 5;
    call(0, 0);
    check_eq(info_of(id).state, RADON_FAST_ACTIVE);
    sh_mode = OTHER_RESULT;
    while (info_of(id).state == RADON_FAST_ACTIVE && n < 2 * RADON_FAST_ORACLE_PERIOD) {
        call(0, 0);
        n++;
    }
    check(n > RADON_FAST_ORACLE_PERIOD / 3 && n < 2 * RADON_FAST_ORACLE_PERIOD);
    check_eq(info_of(id).reason, RADON_FAST_DISAGREED);
}

static long oracle_period(uint32_t period)
{
    struct radon_fast_oracle op = { .domain = DOMID_SELF, .period = period };

    return radon_op(RADON_FAST_ORACLE, &op);
}

static void oracle_periods(void)
{
    struct radon_fast_oracle op = { .domain = DOMID_SELF, .get_only = 1 };
    static const uint32_t periods[] = { 1, 7, 600, 0 };
    uint32_t id = SHADOW(result, 1);
    struct radon_fast_info before, after;

    test_case("as often as is wished; the rest is counted as hits");
    sh_mode = SAME;
    sh_cell = 5;
    call(0, 0);
    check_eq(radon_op(RADON_FAST_ORACLE, &op), 0);
    check_eq(op.period, RADON_FAST_ORACLE_PERIOD);
    for (unsigned int i = 0; i < 4; i++) {
        uint32_t period = periods[i], compared = period ? 1800 / period : 0;

        check_eq(oracle_period(period), 0);
        call(0, 0); /* the first one is due at once */
        before = info_of(id);
        for (unsigned int n = 0; n < 1800; n++)
            call(0, 0);
        after = info_of(id);
        check_eq(after.agreed - before.agreed, compared);
        check_eq(after.hits - before.hits, 1800 - compared);
        check(period == 1 || after.cycles > before.cycles); /* timed as ever */
    }
    check_eq(oracle_period(~0u), -XEN_EINVAL);
    op = (struct radon_fast_oracle){ .domain = 77, .period = 5 };
    check_eq(radon_op(RADON_FAST_ORACLE, &op), -XEN_ESRCH);
    check_eq(info_of(id).disagreed, 0);
    check_eq(oracle_period(RADON_FAST_ORACLE_PERIOD), 0);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}

/* ------------------------------------------------------------------ beside another vCPU */

static volatile bool counting;

static long count(void)
{
    for (volatile uint64_t *cell = &sh_cell; counting;)
        (*cell)++;
    return 0;
}

void shadow_races(void)
{
    struct radon_fast_info info;
    uint32_t id, calls = 0;

    test_case("rule 14: what another vCPU writes meanwhile is void, never a disagreement");
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, sh_entry), 0);
    id = SHADOW(result, 1000000);
    sh_mode = SAME;
    counting = true;
    smp_run(1, count);
    do { /* the two may run by turns for a while, where the host has other work */
        call(0, 0);
        info = info_of(id);
    } while (info.voided < 1000 && info.state == RADON_FAST_SHADOW && ++calls < 1000000);
    counting = false;
    check_eq(smp_wait(1), 0);
    check_eq(info.state, RADON_FAST_SHADOW);
    check_eq(info.disagreed, 0);
    check_eq(info.voided, 1000);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, ktest_syscall_entry), 0);
}

static void recorded(void)
{
    static const enum event want[] = { EV_fast_shadow, EV_fast_disagree, EV_fast_state };
    const uint32_t kind = FAST_ATTACH_SYSCALL;
    uint32_t id = SHADOW(result, 2);

    test_case("each verdict is an event, and what follows from it");
    sh_cell = 5;
    events_begin(want, sizeof(want) / sizeof(want[0]));
    sh_mode = SAME;
    call(0, 0);
    sh_mode = FAULTS;
    call(0, 0);
    sh_mode = SAME;
    call(0, 0);
    control(id, RADON_FAST_SHADOW);
    sh_mode = OTHER_RESULT;
    call(0, 0);
    events_end();
    check_eq(nr_seen, 8);
    CHECK_RECORD(0, EV_fast_shadow, id, 0);
    CHECK_RECORD(1, EV_fast_shadow, id, 2);
    CHECK_RECORD(2, EV_fast_shadow, id, 0);
    CHECK_RECORD(3, EV_fast_state, id, kind, NR, RADON_FAST_SHADOW, RADON_FAST_ACTIVE, 0);
    CHECK_RECORD(4, EV_fast_state, id, kind, NR, RADON_FAST_ACTIVE, RADON_FAST_SHADOW, 0);
    CHECK_RECORD(5, EV_fast_shadow, id, 1);
    CHECK_RECORD(6, EV_fast_disagree, id, 1, 0);
    CHECK_RECORD(7, EV_fast_state, id, kind, NR, RADON_FAST_SHADOW, RADON_FAST_RETIRED,
                 RADON_FAST_DISAGREED);
}

void shadow_tests(void)
{
    word = page_alloc();
    sh_pending = &this_cpu()->info->evtchn_upcall_pending;
    for (unsigned int i = 0; i < 2; i++) {
        result[2 + i].imm = two_ways[2 + i].imm =
            (int32_t)((uint64_t)&sh_cell >> (32 * i));
        looks_for_event[1 + i].imm = (int32_t)((uint64_t)sh_pending >> (32 * i));
        looks_for_event[7 + i].imm = (int32_t)((uint64_t)&sh_cell >> (32 * i));
    }
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, sh_entry), 0);
    agreements();
    disagreements();
    voids();
    time_stands_still();
    tainted();
    oracle();
    oracle_periods();
    recorded();
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, ktest_syscall_entry), 0);
}
