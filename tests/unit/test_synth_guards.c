/* SPDX-License-Identifier: MIT */
/*
 * Guards that are made fewer (fastpath/synth/known.c, merge.c, align.c): whatever passes behind such a step must have
 * passed before it, on numbers that no capture had; and what the captures had must still pass.
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

static struct states t;

/* What each state does before the step. */
static void before(bool *passes)
{
    for (unsigned int i = 0; i < STATES; i++)
        passes[i] = guards_hold(&t, i);
    assert_true(passes[0] && passes[1]);
}

/* With `exactly`, nothing is given up either. */
static void after(const bool *passes, bool exactly, unsigned int *passed, unsigned int *stopped)
{
    for (unsigned int i = 0; i < STATES; i++) {
        bool now = guards_hold(&t, i);

        if (now && !passes[i])
            fail_msg("state %u passes, and did not before", i);
        if (!now && passes[i] && (exactly || i < SEEN))
            fail_msg("state %u passed before", i);
        *passed += now;
        *stopped += !now;
    }
}

/* ------------------------------------------------------------------ known.c */

static uint64_t argument_of(unsigned int state, uint64_t number)
{
    switch (draw(&t, 5)) {
    case 0:
        return number ^ 1ull << draw(&t, 64);
    case 1:
        return number + draw(&t, 9) - 4;
    case 2:
        return draw(&t, 2) ? 0 : number << draw(&t, 3);
    default:
        return state < SEEN || draw(&t, 4) ? number : ~0ull >> draw(&t, 64);
    }
}

/* A guard on x that holds where it is `number`. */
static node_id guard_on(node_id x, uint64_t number)
{
    struct graph *g = &t.w.graph;
    uint64_t mask = draw(&t, 2) ? ~0ull << draw(&t, 64) : 0xffull << draw(&t, 60), below;
    unsigned int by = 1 + (unsigned int)draw(&t, 6);

    switch (draw(&t, 5)) {
    case 0:
        return g_op_imm(g, N_EQ, g_op_imm(g, N_AND, x, mask), number & mask);
    case 1:
        return g_op_imm(g, N_EQ, g_op_imm(g, N_SHR, x, by), number >> by);
    case 2:
        below = number < 64 ? number + 1 + draw(&t, 3) : 1ull << 63;
        return number < below ? g_op_imm(g, N_ULT, x, below) : g_op_imm(g, N_EQ, x, number);
    case 3:
        return g_op_imm(g, N_EQ, g_op_imm(g, N_AND, x, ~mask), number & ~mask);
    default:
        return g_op_imm(g, N_EQ, x, number);
    }
}

/* (c ? a : b) == number, where the captures have number. */
static node_id choice_on(node_id c, uint64_t c_is, node_id x, uint64_t number)
{
    struct graph *g = &t.w.graph;
    node_id other = g_const(g, draw(&t, 3) ? number + draw(&t, 3) : 7);
    node_id truth = g_op_imm(g, N_ULT, c, c_is + draw(&t, 3));

    return g_op_imm(g, N_EQ, worth(&t, 0, truth) ? g_ite(g, truth, x, other) : g_ite(g, truth, other, x), number);
}

static void test_known(void **unused)
{
    unsigned int passed = 0, stopped = 0, fewer = 0;
    bool passes[STATES];

    (void)unused;
    for (uint64_t seed = 1; seed <= PATHS; seed++) {
        uint64_t number[2];
        node_id x[2];
        uint32_t were;

        states_open(&t, seed);
        for (unsigned int k = 0; k < 2; k++)
            number[k] = draw(&t, 3) ? draw(&t, 40) : 1ull << draw(&t, 63);
        for (unsigned int i = 0; i < STATES; i++) {
            t.head[i].before.rdi = i < SEEN ? number[0] : argument_of(i, number[0]);
            t.head[i].before.rsi = i < SEEN ? number[1] : argument_of(i, number[1]);
        }
        x[0] = g_input(&t.w.graph, offsetof(struct fast_ctx, rdi));
        x[1] = g_input(&t.w.graph, offsetof(struct fast_ctx, rsi));
        were = 1 + (uint32_t)draw(&t, 6);
        for (uint32_t i = 0; i < were; i++) {
            uint64_t k = draw(&t, 4) == 0;

            add_guard(&t, &t.s, draw(&t, 5) ? guard_on(x[k], number[k]) :
                                              choice_on(x[!k], number[!k], x[k], number[k]));
        }
        before(passes);
        t.w.root = &t.s;
        known_arguments(&t.w);
        after(passes, true, &passed, &stopped);
        fewer += guards_left(&t.s) < were;
        states_close(&t);
    }
    assert_true(passed > PATHS && stopped > PATHS && fewer > PATHS / 10);
}

/* ------------------------------------------------------------------ merge.c, align.c */

#define BASES 3u
#define KERNEL 0xffff888001000000ull

/* Bases of objects: in the captures far apart and mostly multiples of 64; in the others near, and where they like. */
static void make_bases(node_id *base)
{
    uint64_t near, fine = 1ull << draw(&t, 7), odd = draw(&t, 4) ? 0 : 4ull << draw(&t, 4);

    for (unsigned int k = 0; k < BASES; k++)
        base[k] = value_read(&t, 0x1000 + 8 * k);
    for (unsigned int i = 0; i < STATES; i++) {
        near = KERNEL + 64 * draw(&t, 4);
        for (unsigned int k = 0; k < BASES; k++) {
            uint64_t at = draw(&t, 4) ? near + fine * draw(&t, 2 + 256 / fine) : near + draw(&t, 160);

            /* The last is an index as well: what an address is a sum of. */
            concrete_bind(&t.w, i, base[k], i < SEEN ? KERNEL + 0x100000 * (k + 1) + i * odd : k == BASES - 1 ? at - near : at);
        }
    }
}

static struct place some_place(const node_id *base)
{
    struct graph *g = &t.w.graph;
    unsigned int k = (unsigned int)draw(&t, BASES - 1);
    node_id at = draw(&t, 5) ? base[k] : g_op(g, N_ADD, base[k], base[BASES - 1]);
    int64_t off = (int64_t)(draw(&t, 3) ? 8 * draw(&t, 12) : draw(&t, 96));

    return (struct place){ .address = g_op_imm(g, N_ADD, at, (uint64_t)off), .base = at, .off = off,
                           .size = (uint8_t)(1u << draw(&t, 4)) };
}

/* Guards on distances of places, on single addresses, on flags. */
static void make_guards(struct segment *s, const node_id *base, bool with_bits)
{
    struct graph *g = &t.w.graph;
    node_id truth;

    for (uint64_t n = draw(&t, 6) + 1; n; n--) {
        struct place a = some_place(base), b = some_place(base);

        if (draw(&t, 4) == 0)
            b = (struct place){ .address = g_const(g, KERNEL + draw(&t, 128)), .size = 8 };
        truth = disjoint(&t.w, &a, &b);
        if (with_bits && draw(&t, 3) == 0)
            truth = g_op_imm(g, N_EQ, g_op_imm(g, N_AND, base[draw(&t, 2)], 1ull << draw(&t, 6)), 0);
        if (worth(&t, 0, truth) && worth(&t, 1, truth) && g_node(g, truth)->op != N_CONST)
            add_guard(&t, s, truth);
    }
}

static void test_merge(void **unused)
{
    unsigned int passed = 0, stopped = 0, fewer = 0;
    bool passes[STATES];

    (void)unused;
    for (uint64_t seed = 1; seed <= PATHS; seed++) {
        node_id base[BASES];
        unsigned int were;

        states_open(&t, seed);
        make_bases(base);
        make_guards(&t.s, base, true);
        were = guards_left(&t.s);
        before(passes);
        merge_guards(&t.w, &t.s);
        after(passes, false, &passed, &stopped);
        fewer += guards_left(&t.s) < were;
        states_close(&t);
    }
    assert_true(passed > PATHS && stopped > PATHS && fewer > PATHS / 10);
}

static void test_align(void **unused)
{
    unsigned int passed = 0, stopped = 0, done = 0;
    bool passes[STATES];

    (void)unused;
    for (uint64_t seed = 1; seed <= 4 * PATHS; seed++) {
        node_id base[BASES];
        uint32_t were;

        states_open(&t, seed);
        make_bases(base);
        make_guards(&t.s, base, false);
        make_guards(&t.child, base, false);
        were = t.s.n + t.child.n;
        before(passes);
        t.c.needed = calloc(GRAPH_MAX_NODES, 1);
        t.w.root = &t.s;
        t.s.child[0] = &t.child;
        align_guards(&t.c);
        free(t.c.needed);
        after(passes, false, &passed, &stopped);
        done += t.s.n + t.child.n > were;
        states_close(&t);
    }
    assert_true(passed > PATHS && stopped > PATHS && done > PATHS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_align),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
