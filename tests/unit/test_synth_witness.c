/* SPDX-License-Identifier: MIT */
/*
 * Guards that are not made because an access would stop the run in their place (fastpath/synth/witness.c): for each
 * distance, what a load would read there decides, byte by byte.  The toy kernel of the other tests has no addresses
 * of a kernel, so the path is put together by hand.
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

#define COUNTER_AT 0x7f4
#define POINTER_AT 0x170

/* The task's counter is `number` and is taken up and down again; meanwhile object->pointer is loaded and used. */
static struct {
    struct synth_input in;
    struct synth_output out;
    struct work w;
    struct code c;
    struct segment s;
    struct effect effect[3]; /* the counter is a number; the access; the guard that is asked about */
    node_id task, object, pointer;
} path;

static node_id value(uint64_t address, uint64_t in_capture)
{
    node_id a = g_load(&path.w.graph, g_const(&path.w.graph, address), 8, 0);

    concrete_bind(&path.w, 0, a, in_capture);
    return a;
}

static struct place place(node_id base, int64_t off, uint8_t size)
{
    return (struct place){ .address = g_op_imm(&path.w.graph, N_ADD, base, (uint64_t)off),
                           .base = base, .off = off, .size = size };
}

static void make_path(uint64_t number, uint64_t pointed_to)
{
    struct graph *g = &path.w.graph;
    struct place counter, access;
    node_id count, used;

    memset(&path, 0, sizeof(path));
    path.w = (struct work){ .in = &path.in, .out = &path.out, .nr = 1 };
    path.c.w = &path.w;
    assert_true(graph_init(g) && concrete_init(&path.w));
    path.task = value(0x1000, 0xffff888001000000);
    path.object = value(0x2000, 0xffff888002000000);
    counter = place(path.task, COUNTER_AT, 4);
    count = g_load(g, counter.address, 4, 0);
    path.pointer = g_load(g, place(path.object, POINTER_AT, 8).address, 8, 0);
    concrete_bind(&path.w, 0, path.pointer, pointed_to);
    access = place(path.pointer, 8, 8);
    used = g_load(g, access.address, 8, 0);
    path.effect[0] = (struct effect){ .kind = E_GUARD, .value = g_op_imm(g, N_EQ, count, number) };
    path.effect[1] = (struct effect){ .kind = E_LOAD, .value = used, .place = access };
    path.effect[2] = (struct effect){ .kind = E_GUARD, .read = path.pointer, .place = counter, .original = count };
    path.s = (struct segment){ .effect = path.effect, .n = 3, .captures = 1 };
    path.c.needed = calloc(g->n, 1);
    assert_non_null(path.c.needed);
    path.c.needed[used] = 1;
}

static void drop_path(void)
{
    free(path.c.needed);
    concrete_free(&path.w);
    graph_free(&path.w.graph);
}

/* Asked for both orders of the two. */
static bool has_witness(int64_t object_behind_task)
{
    const struct scope scope = { NULL, &path.s };
    struct effect *a = witness(&path.c, &scope, &path.effect[2], path.object, path.task, (uint64_t)object_behind_task),
                  *b = witness(&path.c, &scope, &path.effect[2], path.task, path.object, (uint64_t)-object_behind_task);

    assert_ptr_equal(a, b);
    assert_true(!a || a == &path.effect[1]);
    return a;
}

/* The most that the pointer can be where it begins `behind` bytes behind the counter. */
static uint64_t most_read(int64_t behind, uint32_t number)
{
    uint8_t memory[32];
    uint64_t read;

    memset(memory, 0xff, sizeof(memory));
    memcpy(&memory[12], &number, 4);
    memcpy(&read, &memory[12 + behind], 8);
    return read;
}

static void test_distances(void **unused)
{
    static const uint32_t numbers[] = { 0, 1, 0xffff, 0xffff8800, 0xffff87ff, 0xffffffff, 0x80 };
    unsigned int with = 0, without = 0;

    (void)unused;
    for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        make_path(numbers[i], 0xffff888003000000);
        for (int64_t behind = -12; behind <= 12; behind++) {
            bool is = has_witness(behind + COUNTER_AT - POINTER_AT);

            assert_int_equal(is, most_read(behind, numbers[i]) < FAST_GUARD);
            with += is;
            without += !is;
        }
        drop_path();
    }
    assert_true(with > 20 && without > 20);
}

/* Where the counter is the pointer's upper half there is a witness, but for: */
static void test_without(void **unused)
{
    const int64_t distance = COUNTER_AT - 4 - POINTER_AT;

    (void)unused;
    make_path(0, 0xffff888003000000);
    assert_true(has_witness(distance));
    path.effect[0].dead = true; /* nothing says what the counter is */
    assert_false(has_witness(distance));
    path.effect[0].dead = false;
    path.effect[2].read = 0; /* more than one load */
    assert_false(has_witness(distance));
    path.effect[2].read = path.pointer;
    path.c.needed[path.effect[1].value] = 0; /* the access is not made */
    assert_false(has_witness(distance));
    drop_path();
    make_path(0, 0x7f0003000000); /* nor asks it for the kernel's half */
    assert_false(has_witness(distance));
    drop_path();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
