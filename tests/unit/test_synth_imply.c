/* SPDX-License-Identifier: MIT */
/*
 * Guards that are not made because something else on the path makes them (fastpath/synth/imply.c): one that vanishes
 * must hold for every number that the rest lets pass, and those that do must vanish. The toy kernel of the other
 * tests has no addresses of a kernel, so the path is put together by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "code.h"
#include "run.h"

#define NUMBER 5u

static const uint64_t edge[] = {
    0, 1, NUMBER - 1, NUMBER, NUMBER + 1, FAST_USER_END - 1, FAST_USER_END, FAST_USER_END + 1,
    FAST_NO_ADDRESS, FAST_GUARD - 1, FAST_GUARD, FAST_GUARD + 1, ~0ull - 1, ~0ull,
};
#define EDGES (sizeof(edge) / sizeof(edge[0]))

/* What is on the path beside the guard that is asked about. */
enum rest {
    NOTHING,
    KERNEL_LOAD, /* at x, which was the kernel's in the captures */
    KERNEL_STORE,
    USER_LOAD,
    USER_STORE,
    MIXED_LOAD, /* in one capture the kernel's, in the other not */
    UNNEEDED_LOAD,
    DEAD_STORE,
    OTHER_BASE,
    FAR_LOAD, /* so far from x that x may be in the other half */
    OWN_LIMIT, /* user memory ends where the machine does not look */
    IS_NUMBER, /* another guard says that x is one */
    DEAD_NUMBER,
    OTHER_NUMBER, /* of another value */
    RESTS,
};

enum form { IS_NOT, IS_BELOW, IS_NOT_BELOW, FORMS };

static struct {
    struct synth_input in;
    struct synth_output out;
    struct work w;
    struct code c;
    struct segment s;
    struct effect effect[2];
} path;

static node_id loaded(uint64_t address, uint64_t first, uint64_t second)
{
    node_id a = g_load(&path.w.graph, g_const(&path.w.graph, address), 8, 0);

    concrete_bind(&path.w, 0, a, first);
    concrete_bind(&path.w, 1, a, second);
    return a;
}

static node_id truth_of(enum form form, node_id x, uint64_t number)
{
    struct graph *g = &path.w.graph;
    node_id truth = g_op_imm(g, form == IS_NOT ? N_EQ : N_ULT, x, number);

    return form == IS_BELOW ? truth : g_not(g, truth);
}

static bool holds(enum form form, uint64_t x, uint64_t number)
{
    return form == IS_NOT ? x != number : (x < number) == (form == IS_BELOW);
}

/* Whether a run with this x gets past the rest. */
static bool passes(enum rest rest, uint64_t x)
{
    switch (rest) {
    case KERNEL_LOAD:
    case KERNEL_STORE:
        return x >= FAST_GUARD;
    case USER_LOAD:
    case USER_STORE:
        return x < FAST_USER_END;
    case IS_NUMBER:
        return x == NUMBER;
    default:
        return true;
    }
}

static struct effect rest_of(enum rest rest, node_id x, node_id y)
{
    struct graph *g = &path.w.graph;
    bool user = rest == USER_LOAD || rest == USER_STORE, store = rest == KERNEL_STORE || rest == USER_STORE ||
                                                               rest == DEAD_STORE;
    struct place at = { .base = rest == OTHER_BASE ? y : x, .off = rest == FAR_LOAD ? 1ll << 40 : 16, .size = 8,
                        .region = user ? IN_USER : IN_POINTER };
    struct effect e = { .kind = store ? E_STORE : E_LOAD, .dead = rest == DEAD_STORE, .place = at };

    if (rest == IS_NUMBER || rest == DEAD_NUMBER || rest == OTHER_NUMBER)
        return (struct effect){ .kind = E_GUARD, .dead = rest == DEAD_NUMBER,
                                .value = g_op_imm(g, N_EQ, rest == OTHER_NUMBER ? y : x, NUMBER) };
    e.place.address = g_op_imm(g, N_ADD, at.base, (uint64_t)at.off);
    e.value = g_load(g, e.place.address, 8, 0);
    return e;
}

/* Whether the guard on x vanishes. */
static bool vanishes(enum rest rest, enum form form, uint64_t number)
{
    const uint64_t kernel = 0xffff888001000000;
    bool user = rest == USER_LOAD || rest == USER_STORE;
    node_id x, y;
    bool dead;

    memset(&path, 0, sizeof(path));
    path.w = (struct work){ .in = &path.in, .out = &path.out, .nr = 2 };
    path.c.w = &path.w;
    path.in.user_end = rest == OWN_LIMIT ? FAST_USER_END / 2 : 0;
    assert_true(graph_init(&path.w.graph) && concrete_init(&path.w));
    x = loaded(0x1000, user ? 0x7f0000001000 : kernel, user || rest == MIXED_LOAD ? 0x7f0000003000 : kernel);
    y = loaded(0x2000, kernel, kernel);
    path.effect[0] = rest_of(rest, x, y);
    path.effect[1] = (struct effect){ .kind = E_GUARD, .value = truth_of(form, x, number) };
    path.s = (struct segment){ .effect = &path.effect[rest == NOTHING], .n = 2 - (rest == NOTHING), .captures = 3 };
    path.c.needed = calloc(path.w.graph.n, 1);
    assert_non_null(path.c.needed);
    path.c.needed[path.effect[0].value] = path.effect[0].kind == E_LOAD && rest != UNNEEDED_LOAD;
    imply_guards(&path.c, &path.s);
    dead = path.effect[1].dead;
    assert_int_equal(path.effect[0].dead, rest == DEAD_STORE || rest == DEAD_NUMBER);
    free(path.c.needed);
    concrete_free(&path.w);
    graph_free(&path.w.graph);
    return dead;
}

static void test_every_edge(void **unused)
{
    unsigned int gone = 0, left = 0;

    (void)unused;
    for (enum rest rest = NOTHING; rest < RESTS; rest++)
        for (enum form form = IS_NOT; form < FORMS; form++)
            for (unsigned int i = 0; i < EDGES; i++) {
                bool always = true, dead;

                if (form != IS_NOT && (edge[i] <= 1 || edge[i] == ~0ull))
                    continue; /* folded to an equation, or to nothing */
                if (form != IS_NOT && rest == IS_NUMBER)
                    continue; /* bounds of numbers are another file's business (assume.c) */
                dead = vanishes(rest, form, edge[i]);
                for (unsigned int k = 0; k < EDGES; k++)
                    always &= !passes(rest, edge[k]) || holds(form, edge[k], edge[i]);
                if (dead != always)
                    fail_msg("rest %d, form %d of %#lx: %s", rest, form, edge[i],
                             dead ? "vanishes, and does not follow" : "follows, and is made");
                gone += dead;
                left += !dead;
            }
    assert_true(gone > 40 && left > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_edge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
