/* SPDX-License-Identifier: MIT */
/* Which events a name with wildcards means, and which records are then kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tracing/record/select.h"

static struct selection s;

static bool parse(const char *names)
{
    char bad[TRACE_NAME_MAX];

    return select_parse(&s, names, bad);
}

static bool asked(unsigned int ev)
{
    return s.events[ev / 64] >> ev % 64 & 1;
}

static struct trace_record hypercall(uint32_t number)
{
    return (struct trace_record){ .event = TRC_PV_HYPERCALL_V2, .words = 1, .data = { number } };
}

static bool keeps(const struct trace_record rec)
{
    return select_wants(&s, &rec);
}

static void whole_events(void **state)
{
    (void)state;
    assert_true(parse("trap:page_fault"));
    assert_true(asked(TRACE_EV_pv_page_fault));
    assert_false(asked(TRACE_EV_pv_trap));
    assert_true(asked(TRACE_EV_runstate_change));
    assert_false(s.partly);
    assert_true(parse("grant"));
    assert_true(asked(TRACE_EV_grant_map) && asked(TRACE_EV_grant_copy));
    assert_false(asked(TRACE_EV_tlb_flush));
    assert_true(parse("grant:*,tlb:flush"));
    assert_true(asked(TRACE_EV_grant_map) && asked(TRACE_EV_tlb_flush));
    assert_true(parse("hypercall:*"));
    assert_true(asked(TRACE_EV_pv_hypercall));
    assert_false(asked(TRACE_EV_pv_subcall));
    assert_false(s.partly);
    assert_true(keeps(hypercall(63)));
    assert_true(parse("*:*map"));
    assert_true(asked(TRACE_EV_grant_map) && asked(TRACE_EV_grant_unmap));
    assert_true(parse("all"));
    for (unsigned int ev = 0; ev < TRACE_EVENTS; ev++)
        assert_true(asked(ev));
}

static void one_hypercall(void **state)
{
    struct trace_record block = {
        .event = TRC_PV_HYPERCALL_V2,
        .words = 2,
        .data = { 29 | TRC_PV_HYPERCALL_V2_ARG_32(0), 1 },
    };

    (void)state;
    assert_true(parse("hypercall:mmu_update,trap:page_fault"));
    assert_true(s.partly && asked(TRACE_EV_pv_hypercall));
    assert_true(keeps(hypercall(1)));
    assert_false(keeps(hypercall(23)));
    assert_true(keeps((struct trace_record){ .event = TRC_PV_PAGE_FAULT | TRC_64_FLAG }));
    assert_true(keeps((struct trace_record){ .event = TRC_SCHED_RUNSTATE_CHANGE | 0x100 }));
    assert_true(parse("hypercall:sched_op.block"));
    assert_true(select_shows(&s, &block));
    assert_false(
        select_shows(&s, &(struct trace_record){ .event = TRC_PV_PAGE_FAULT | TRC_64_FLAG }));
    assert_false(select_shows(&s, &(struct trace_record){ .event = 0x1234 }));
    assert_true(keeps(block));
    block.data[1] = 0;
    assert_false(keeps(block));
    assert_true(parse("hypercall:sched_op")); /* every operation of it */
    assert_true(keeps(block));
    assert_false(keeps(hypercall(1)));
    assert_true(parse("hypercall:sched_op,hypercall"));
    assert_true(keeps(hypercall(1)));
}

static void taken_away(void **state)
{
    (void)state;
    assert_true(parse("all,-grant,-tlb:*"));
    assert_false(asked(TRACE_EV_grant_map) || asked(TRACE_EV_tlb_flush));
    assert_true(asked(TRACE_EV_pv_trap));
    assert_false(s.partly);
    assert_true(parse("trap,-runstate"));
    assert_false(asked(TRACE_EV_runstate_change));
    assert_true(parse("hypercall:*,-hypercall:iret"));
    assert_true(asked(TRACE_EV_pv_hypercall) && s.partly);
    assert_true(keeps(hypercall(1)));
    assert_false(keeps(hypercall(23)));
    assert_true(parse("hypercall:*,-hypercall:iret,-hypercall"));
    assert_false(asked(TRACE_EV_pv_hypercall));
    assert_true(parse("hypercall:m*,-hypercall:mmu_update"));
    assert_true(keeps(hypercall(13)));
    assert_false(keeps(hypercall(1)));
    assert_false(parse("all,-nothing"));
}

static void no_such_name(void **state)
{
    char bad[TRACE_NAME_MAX], longer[300];

    (void)state;
    assert_false(parse(""));
    assert_false(parse("grant,"));
    assert_false(select_parse(&s, "grant,nothing,trap", bad));
    assert_string_equal(bad, "nothing");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    assert_false(parse(longer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_events),
        cmocka_unit_test(one_hypercall),
        cmocka_unit_test(taken_away),
        cmocka_unit_test(no_such_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
