/* SPDX-License-Identifier: MIT */
/*
 * Whether places of memory are one (fastpath/synth/alias.c), held against the bytes that they are on numbers which no
 * capture had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "synth_states.h"

#define PATHS 1500u
#define BASES 4u
#define AMOUNTS 6u
#define STACK_TOP 0xffffc90000004000ull
#define KERNEL 0xffff888001000000ull

static struct states t;

static bool overlap_in(unsigned int state, const struct place *a, const struct place *b)
{
    uint64_t behind = worth(&t, state, b->address) - worth(&t, state, a->address);

    return behind < a->size || -behind < b->size;
}

static uint8_t some_size(void)
{
    return (uint8_t)(1u << draw(&t, 4));
}

/* What is said of two places must be so in each state. */
static void judge(const struct place *a, const struct place *b, enum alias said)
{
    for (unsigned int i = 0; i < STATES; i++) {
        uint64_t behind = worth(&t, i, b->address) - worth(&t, i, a->address);
        bool meet = overlap_in(i, a, b), same = behind == 0 && a->size == b->size,
             inside = behind < a->size && behind + b->size <= a->size;

        if ((said == ALIAS_NO && meet) || (said == ALIAS_SAME && !same) || (said == ALIAS_INSIDE && (!inside || same)) ||
            (said == ALIAS_PART && (!meet || inside)))
            fail_msg("state %u: %d said of %u bytes and %u bytes, %ld behind", i, said, a->size, b->size, (long)behind);
    }
}

/* Objects: each base has its number, some of them near another's. */
static void make_bases(node_id *base)
{
    for (unsigned int k = 0; k < BASES; k++)
        base[k] = value_read(&t, 0x1000 + 8 * k);
    for (unsigned int i = 0; i < STATES; i++)
        for (unsigned int k = 0; k < BASES; k++)
            concrete_bind(&t.w, i, base[k], draw(&t, 4) ? KERNEL + draw(&t, 40) :
                                            draw(&t, 2) ? draw(&t, 40) - 20 : draw(&t, 1ull << 40));
}

static struct place place_at(node_id base, int64_t off)
{
    return (struct place){ .address = g_op_imm(&t.w.graph, N_ADD, base, (uint64_t)off), .base = base, .off = off,
                           .region = IN_POINTER, .size = some_size() };
}

static void test_of_objects(void **unused)
{
    unsigned int said[ALIAS_PART + 1] = { 0 };

    (void)unused;
    for (uint64_t seed = 1; seed <= PATHS; seed++) {
        node_id base[BASES];

        states_open(&t, seed);
        make_bases(base);
        for (unsigned int n = 0; n < 20; n++) {
            unsigned int i = (unsigned int)draw(&t, BASES), k = draw(&t, 4) ? i : (unsigned int)draw(&t, BASES);
            struct place a = place_at(base[i], (int64_t)draw(&t, 20) - 10),
                         b = place_at(base[k], (int64_t)draw(&t, 20) - 10);
            enum alias how = alias(&t.w, &a, &b);

            judge(&a, &b, how);
            said[how]++;
            assert_true(how != ALIAS_MAY || i != k);
        }
        states_close(&t);
    }
    for (enum alias how = ALIAS_NO; how <= ALIAS_PART; how++)
        assert_true(said[how] > PATHS / 10);
}

/* Amounts that the stack's start is less: bounded, bounded from below as well, of one another, and any. */
static void make_amounts(const node_id *base, node_id *amount)
{
    struct graph *g = &t.w.graph;

    amount[0] = 0;
    amount[1] = g_op_imm(g, N_AND, base[0], 0xf);
    amount[2] = g_op_imm(g, N_ADD, g_op_imm(g, N_AND, base[1], 7), 1 + draw(&t, 24));
    amount[3] = g_op_imm(g, N_ADD, amount[1], 8 * draw(&t, 3));
    amount[4] = g_op(g, N_ADD, base[2], g_op_imm(g, N_AND, base[0], 3));
    amount[5] = base[2];
}

static struct place on_stack(node_id top, node_id amount)
{
    struct graph *g = &t.w.graph;
    int64_t off = (int64_t)draw(&t, 60) - 30;
    node_id at = g_op_imm(g, N_ADD, top, (uint64_t)off);

    return (struct place){ .address = amount ? g_op(g, N_SUB, at, amount) : at, .base = top, .off = off,
                           .sym = amount, .region = IN_STACK, .size = some_size() };
}

/* Whether they do in no state. */
static bool never_meets(const struct place *a, const struct place *b)
{
    for (unsigned int i = 0; i < STATES; i++)
        if (overlap_in(i, a, b))
            return false;
    return true;
}

static void test_on_the_stack(void **unused)
{
    unsigned int no = 0, may = 0, known = 0;

    (void)unused;
    for (uint64_t seed = 1; seed <= PATHS; seed++) {
        node_id base[BASES], amount[AMOUNTS], top;

        states_open(&t, seed);
        make_bases(base);
        top = value_read(&t, 0x3000);
        for (unsigned int i = 0; i < STATES; i++)
            concrete_bind(&t.w, i, top, STACK_TOP);
        make_amounts(base, amount);
        for (unsigned int n = 0; n < 20; n++) {
            unsigned int i = (unsigned int)draw(&t, AMOUNTS), k = (unsigned int)draw(&t, AMOUNTS);
            struct place a = on_stack(top, amount[i]), b = on_stack(top, amount[k]);
            enum alias how = alias(&t.w, &a, &b);

            judge(&a, &b, how);
            no += how == ALIAS_NO;
            may += how == ALIAS_MAY;
            known += how == ALIAS_MAY && i < 4 && k < 4 && never_meets(&a, &b);
        }
        states_close(&t);
    }
    /* What cannot meet is mostly seen. */
    assert_true(no > PATHS && may > PATHS && known < may / 4);
}

/* Numbers do not tell that regions are apart: what they are does (work.h). */
static void test_of_regions(void **unused)
{
    static const char meets[7][8] = {
        [IN_POINTER] = "p-gau--", [IN_STACK] = "-s-----", [IN_GS] = "p-g----", [IN_ABSOLUTE] = "p--a---",
        [IN_USER] = "p---u--", [IN_MASK] = "-----m-", [IN_M2P] = "------2",
    };

    (void)unused;
    states_open(&t, 1);
    for (enum region i = IN_POINTER; i <= IN_M2P; i++)
        for (enum region k = IN_POINTER; k <= IN_M2P; k++)
            for (unsigned int kernel = 0; kernel < 4; kernel++) {
                struct place a = { .region = (uint8_t)i, .base = 1, .size = 8, .kernel = kernel & 1 },
                             b = { .region = (uint8_t)k, .base = 2, .size = 8, .kernel = kernel & 2 };
                bool user = (i == IN_USER && b.kernel) || (k == IN_USER && a.kernel);

                if (i == k && i == IN_STACK)
                    b.base = 1; /* there is one stack */
                assert_int_equal(alias(&t.w, &a, &b) != ALIAS_NO, meets[i][k] != '-' && !user);
            }
    states_close(&t);
}

/* The guard holds where no byte is both's. Where one lies somewhere in a table, it may be all of the table. */
static void test_disjoint(void **unused)
{
    unsigned int apart = 0, meet = 0, given_up = 0;

    (void)unused;
    for (uint64_t seed = 1; seed <= PATHS; seed++) {
        struct graph *g = &t.w.graph;
        node_id base[BASES], table;

        states_open(&t, seed);
        make_bases(base);
        table = g_op_imm(g, N_ADD, g_op_imm(g, N_AND, base[3], 0x1f), KERNEL);
        for (unsigned int n = 0; n < 20; n++) {
            bool of_table = draw(&t, 4) == 0, number = !of_table && draw(&t, 3) == 0;
            struct place a = place_at(of_table ? table : base[draw(&t, 2)], (int64_t)draw(&t, 9)),
                         b = place_at(base[2], (int64_t)draw(&t, 9));
            node_id truth;

            if (number)
                a.address = g_const(g, KERNEL + draw(&t, 20));
            truth = disjoint(&t.w, &a, &b);
            assert_int_equal(truth, disjoint(&t.w, &b, &a));
            for (unsigned int i = 0; i < STATES; i++) {
                bool holds = worth(&t, i, truth), both = overlap_in(i, &a, &b);

                if (holds == both && (holds || !of_table))
                    fail_msg("state %u, %u and %u bytes: %s", i, a.size, b.size,
                             holds ? "they meet, and the guard holds" : "they do not, and it does not hold");
                apart += holds;
                meet += both;
                given_up += !holds && !both;
            }
        }
        states_close(&t);
    }
    assert_true(apart > PATHS && meet > PATHS && given_up < apart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_objects),
        cmocka_unit_test(test_on_the_stack),
        cmocka_unit_test(test_of_regions),
        cmocka_unit_test(test_disjoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
