/* SPDX-License-Identifier: MIT */
/* A handler whose runs go on taking too long is retired, and the last one of them passes. */
#include "capture.h"

#include "prog.h"

#define NR 40
#define ENOUGH (1ul << 40) /* cycles */

/* rax = 5, and rsi to the word at rdi. */
static const struct fast_insn store[] = {
    MOV(6, 1), LDX(1, 6, CTX(rdi)), LDX(2, 6, CTX(rsi)), CALL(HELPER_STORE64), MOVI(2, 5),
    STX(6, 2, CTX(rax)), MOVI(0, 1), EXIT,
};

static uint64_t word;

static uint32_t with_budget(uint64_t cycles)
{
    struct radon_fast_install op = { .flags = RADON_FAST_INSTALL_ACTIVE, .budget = cycles };
    long id = install_op(PROGRAM(NR, store), &op);

    ktest_require(id > 0);
    return (uint32_t)id;
}

/* The call: whether a handler did it. */
static bool is_hit(uint64_t value)
{
    struct exception e = user_syscall(NR, (uint64_t)&word, value);
    bool hit = e.regs.vector == VEC_UD;

    check(hit || e.regs.vector == VEC_SYSCALL);
    check_eq(e.regs.rax, hit ? 5 : NR);
    return hit;
}

void budget_tests(void)
{
    uint32_t id = with_budget(ENOUGH);
    struct radon_fast_info info;

    test_case("runs within the budget");
    for (unsigned int i = 0; i < 600; i++)
        if (!is_hit(i))
            check(!"a hit");
    check_eq(word, 599);
    info = info_of(id);
    check_eq(info.budget, ENOUGH);
    check(info.longest > 0 && info.longest < ENOUGH);

    test_case("one run beyond it after the other: the last passes, nothing is stored; retired");
    id = with_budget(1);
    for (unsigned int i = 1; i < RADON_FAST_OVERRUNS; i++) {
        check(is_hit(i));
        check_eq(word, i);
        check_eq(info_of(id).state, RADON_FAST_ACTIVE);
    }
    check(!is_hit(77));
    check_eq(word, RADON_FAST_OVERRUNS - 1);
    info = info_of(id);
    check_eq(info.state, RADON_FAST_RETIRED);
    check_eq(info.reason, RADON_FAST_BUDGET);
    check_eq(info.passes[RADON_FAST_PASS_BUDGET], 1);
    check_eq(info.hits, RADON_FAST_OVERRUNS - 1);
    check(!is_hit(77));
    check_eq(info_of(id).runs, RADON_FAST_OVERRUNS);

    test_case("a budget where none was given");
    id = with_budget(0);
    check(info_of(id).budget > 100000);
    check_eq(control(id, RADON_FAST_RETIRED), 0);
}
