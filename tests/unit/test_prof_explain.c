/* SPDX-License-Identifier: MIT */
/* What radon-explain says of each entry of the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fastpath/core/program.h"
#include "fastpath/profile/explain.h"
#include "prof_daemon.h"

static const struct explained *row_named(const struct explanation *e, const char *name)
{
    char text[FAST_POINT_TEXT];

    for (unsigned int i = 0; i < e->nr; i++)
        if (!strcmp(explained_name(&e->row[i], text), name))
            return &e->row[i];
    fail_msg("no row %s", name);
    return NULL;
}

static void add_site(uint8_t kind, uint32_t number, uint64_t address, uint64_t bounced)
{
    fake.site[fake.sites++] = (struct radon_site){ .kind = kind, .number = number,
                                                   .address = address, .count = 100, .total = 5000,
                                                   .bounced = bounced,
                                                   .bounced_total = bounced * 1000 };
}

static void test_explain(void **state)
{
    struct explanation e;
    FILE *f;

    (void)state;
    make_active();
    only_handler()->hits = 77;
    only_handler()->passes[RADON_FAST_PASS_EVENT] = 3;
    synth_says = SYNTH_HYPERCALL;
    run(600, READ, 500000);
    fake.site[fake.sites] = fake.site[0]; /* the same call from elsewhere */
    fake.site[fake.sites++].address++;
    add_site(RADON_SITE_SYSCALL, 1, 0x400000, 0);
    add_site(RADON_SITE_SYSCALL, 2, 0x400000, 1000);
    add_site(RADON_SITE_SYSCALL, 3, 0x400000, 1);
    add_site(RADON_SITE_HYPERCALL, 32, 0, 0);
    add_site(RADON_SITE_HYPERCALL, 29 | 3 << 8, 0, 0);
    add_site(RADON_SITE_INTERRUPT, 40, 0, 0);
    add_site(RADON_SITE_PAGE_FAULT, 3, 0xffffffff81000000, 0);
    add_site(RADON_SITE_SYSCALL, 0, 0, 0);
    fake.site[fake.sites - 1].flags = RADON_SITE_OVERFLOW;
    fake.handler[fake.handlers++] = (struct radon_fast_info){
        .id = ++fake.last_id, .state = RADON_FAST_ACTIVE, .attach_kind = FAST_ATTACH_HYPERCALL,
        .attach_number = 29, .hits = 5 };
    f = fopen(log_path, "r");
    assert_int_equal(explain(&fake.backend, 0, f, true, &e), 0);
    assert_int_equal(e.nr, 10);
    assert_string_equal(row_named(&e, "syscall:getppid")->verdict, "handled");
    assert_int_equal(row_named(&e, "syscall:getppid")->hits, 77);
    assert_int_equal(row_named(&e, "syscall:getppid")->passes, 3);
    assert_int_equal(row_named(&e, "syscall:getppid")->count,
                     2 * 499 * fake.site[0].count);
    assert_string_equal(row_named(&e, "syscall:read")->reason, "HYPERCALL");
    assert_string_equal(row_named(&e, "syscall:read")->by, "synthesis");
    assert_string_equal(row_named(&e, "syscall:write")->reason, "NEVER_BACK");
    assert_string_equal(row_named(&e, "syscall:open")->reason, "NOT_YET");
    assert_string_equal(row_named(&e, "syscall:close")->reason, "COLD");
    assert_string_equal(row_named(&e, "hypercall:event_channel_op/0")->reason, "NOT_BOUNCED");
    assert_string_equal(row_named(&e, "hypercall:sched_op/3")->verdict, "handled");
    assert_int_equal(row_named(&e, "hypercall:sched_op/3")->hits, 5);
    assert_string_equal(row_named(&e, "interrupt:40")->reason, "NO_POINT");
    assert_string_equal(row_named(&e, "page_fault:0xffffffff81000000")->reason, "KERNEL_MODE");
    assert_string_equal(row_named(&e, "syscall:(evicted)")->reason, "EVICTED");
    for (unsigned int i = 1; i < e.nr; i++)
        assert_true(e.row[i - 1].cycles >= e.row[i].cycles);
    explain_free(&e);
    fclose(f);
    assert_int_equal(explain(&fake.backend, 0, NULL, false, &e), 0);
    assert_string_equal(row_named(&e, "syscall:open")->reason, "NO_DAEMON");
    assert_string_equal(row_named(&e, "syscall:read")->reason, "NO_DAEMON");
    explain_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAEMON_TEST(test_explain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
