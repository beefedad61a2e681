/* SPDX-License-Identifier: MIT */
/* Command lines: what each option means, and what is said about wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/cmdline.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Complaints as text: "what:token;" each. */
struct heard {
    char text[512];
};

static void hear(void *ctx, enum cmdline_complaint what, const char *text, const char *token)
{
    static const char *const names[] = {"unknown", "bad", "long"};
    struct heard *h = ctx;
    size_t n = strlen(h->text);

    assert_true(text[0] != '\0');
    snprintf(h->text + n, sizeof(h->text) - n, "%s:%.40s;", names[what], token);
}

static struct heard heard;

static struct boot_options parse(const char *text)
{
    struct boot_options o;

    heard.text[0] = '\0';
    cmdline_defaults(&o);
    cmdline_parse(&o, text, CMDLINE_NAME_ABSENT, hear, &heard);
    return o;
}

static struct boot_options parse_clean(const char *text)
{
    struct boot_options o = parse(text);

    assert_string_equal(heard.text, "");
    return o;
}

static void defaults(void **state)
{
    struct boot_options o = parse_clean("");

    (void)state;
    assert_int_equal(o.console, CONSOLE_COM1 | CONSOLE_VGA);
    assert_int_equal(o.com1.io_base, 0x3f8);
    assert_int_equal(o.com1.irq, 4);
    assert_false(o.com1.given);
    assert_int_equal(o.loglvl, LOGLVL_WARNING);
    assert_false(o.dom0_mem.size.given || o.dom0_mem.min.given || o.dom0_mem.max.given);
    assert_int_equal(o.dom0_max_vcpus.max, UINT_MAX);
    assert_true(o.fast);
    assert_false(o.noreboot);
    assert_string_equal(o.sched, "");
}

static void console(void **state)
{
    (void)state;
    assert_int_equal(parse_clean("console=com1").console, CONSOLE_COM1);
    assert_int_equal(parse_clean("console=com1,vga").console, CONSOLE_COM1 | CONSOLE_VGA);
    assert_int_equal(parse_clean("console=none").console, 0);
    assert_int_equal(parse_clean("console=vga console=com2").console, CONSOLE_COM2);
    assert_int_equal(parse("console=com9").console, CONSOLE_COM1 | CONSOLE_VGA);
    assert_string_equal(heard.text, "bad:console=com9;");
    parse("console=com1, console= console");
    assert_string_equal(heard.text, "bad:console=com1,;bad:console=;bad:console;");
}

static void serial(void **state)
{
    struct serial_option s = parse_clean("com1=115200,8n1").com1;

    (void)state;
    assert_true(s.given);
    assert_int_equal(s.baud, 115200);
    assert_int_equal(s.data_bits, 8);
    assert_int_equal(s.parity, 'n');
    assert_int_equal(s.stop_bits, 1);
    assert_int_equal(s.io_base, 0x3f8);
    s = parse_clean("com1=9600/115200,7e2,0x2f8,3").com1;
    assert_int_equal(s.baud, 9600);
    assert_int_equal(s.clock, 1843200);
    assert_int_equal(s.data_bits, 7);
    assert_int_equal(s.parity, 'e');
    assert_int_equal(s.stop_bits, 2);
    assert_int_equal(s.io_base, 0x2f8);
    assert_int_equal(s.irq, 3);
    s = parse_clean("com2=auto,,0x3e8").com2;
    assert_int_equal(s.baud, 0);
    assert_int_equal(s.io_base, 0x3e8);
    assert_int_equal(s.irq, 3);
    s = parse("com1=115200,9n1").com1;
    assert_false(s.given);
    parse("com1=0 com1=115200,8n1,0x10000 com1=115200,8n1,0x3f8,256 com1=fast com1=115200,8n1,pci");
    assert_string_equal(heard.text, "bad:com1=0;bad:com1=115200,8n1,0x10000;"
                                    "bad:com1=115200,8n1,0x3f8,256;bad:com1=fast;"
                                    "bad:com1=115200,8n1,pci;");
}

static void dom0_mem(void **state)
{
    struct dom0_mem_option m = parse_clean("dom0_mem=512M").dom0_mem;

    (void)state;
    assert_true(m.size.given && !m.max.given && !m.min.given);
    assert_int_equal(m.size.bytes, 512 * MIB);
    m = parse_clean("dom0_mem=524288").dom0_mem; /* KiB */
    assert_int_equal(m.size.bytes, 512 * MIB);
    m = parse_clean("dom0_mem=512M,max:1G").dom0_mem;
    assert_int_equal(m.size.bytes, 512 * MIB);
    assert_int_equal(m.max.bytes, GIB);
    m = parse_clean("dom0_mem=min:256m,max:1g").dom0_mem;
    assert_false(m.size.given);
    assert_int_equal(m.min.bytes, 256 * MIB);
    assert_int_equal(m.max.bytes, GIB);
    m = parse_clean("dom0_mem=1G+25%,max:-128M").dom0_mem;
    assert_int_equal(mem_amount_bytes(&m.size, 8 * GIB), 3 * GIB);
    assert_int_equal(mem_amount_bytes(&m.max, 8 * GIB), 8 * GIB - 128 * MIB);
    assert_int_equal(mem_amount_bytes(&m.max, 64 * MIB), 0);
    assert_int_equal(mem_amount_bytes(&m.min, 8 * GIB), 0);
    m = parse_clean("dom0_mem=50%").dom0_mem;
    assert_int_equal(mem_amount_bytes(&m.size, 3 * GIB + 2), 3 * GIB / 2 + 1);
    m = parse_clean("dom0_mem=7G+25%").dom0_mem; /* more than there is: all of it */
    assert_int_equal(mem_amount_bytes(&m.size, 8 * GIB), 8 * GIB);
    m = parse_clean("dom0_mem=1T").dom0_mem;
    assert_int_equal(mem_amount_bytes(&m.size, GIB), GIB);
    m = parse("dom0_mem=512M dom0_mem=1X dom0_mem=").dom0_mem;
    assert_int_equal(m.size.bytes, 512 * MIB);
    assert_string_equal(heard.text, "bad:dom0_mem=1X;bad:dom0_mem=;");
    parse("dom0_mem=101% dom0_mem=max:1G, dom0_mem=99999999999999999999 dom0_mem=99999999999T");
    assert_string_equal(heard.text, "bad:dom0_mem=101%;bad:dom0_mem=max:1G,;"
                                    "bad:dom0_mem=99999999999999999999;bad:dom0_mem=99999999999T;");
}

static void vcpus(void **state)
{
    struct vcpus_option v = parse_clean("dom0_max_vcpus=4").dom0_max_vcpus;

    (void)state;
    assert_true(v.min == 4 && v.max == 4);
    v = parse_clean("dom0_max_vcpus=1-4").dom0_max_vcpus;
    assert_true(v.min == 1 && v.max == 4);
    v = parse_clean("dom0_max_vcpus=2-").dom0_max_vcpus;
    assert_true(v.min == 2 && v.max == UINT_MAX);
    v = parse_clean("dom0_max_vcpus=-3").dom0_max_vcpus;
    assert_true(v.min == 1 && v.max == 3);
    parse("dom0_max_vcpus=0 dom0_max_vcpus=4-1 dom0_max_vcpus=- dom0_max_vcpus=1-2-3");
    assert_string_equal(heard.text, "bad:dom0_max_vcpus=0;bad:dom0_max_vcpus=4-1;"
                                    "bad:dom0_max_vcpus=-;bad:dom0_max_vcpus=1-2-3;");
}

static void booleans(void **state)
{
    (void)state;
    assert_true(parse_clean("noreboot").noreboot);
    assert_true(parse_clean("noreboot=yes").noreboot);
    assert_false(parse_clean("noreboot noreboot=0").noreboot);
    assert_false(parse_clean("fast=off").fast);
    assert_int_equal(parse_clean("flight=64").flight, 64);
    assert_int_equal(parse_clean("fast").flight, 0);
    assert_false(parse_clean("no-fast").fast);
    assert_true(parse_clean("no-fast=no").fast);
    assert_true(parse_clean("watchdog nosmp sync-console").sync_console);
    assert_true(parse("fast=perhaps").fast);
    assert_string_equal(heard.text, "bad:fast=perhaps;");
    parse("no-maxcpus"); /* not a boolean */
    assert_string_equal(heard.text, "unknown:no-maxcpus;");
}

static void levels_words_numbers(void **state)
{
    struct boot_options o = parse_clean("loglvl=all guest_loglvl=error/debug sched=bvt maxcpus=2");

    (void)state;
    assert_int_equal(o.loglvl, LOGLVL_DEBUG);
    assert_int_equal(o.guest_loglvl, LOGLVL_ERROR);
    assert_string_equal(o.sched, "bvt");
    assert_int_equal(o.maxcpus, 2);
    assert_int_equal(parse_clean("conring_size=32k").conring_size, 32768);
    parse("loglvl=loud sched= sched=0123456789abcdef maxcpus=4294967296 maxcpus=0x");
    assert_string_equal(heard.text, "bad:loglvl=loud;bad:sched=;bad:sched=0123456789abcdef;"
                                    "bad:maxcpus=4294967296;bad:maxcpus=0x;");
}

static void unknown_and_ignored(void **state)
{
    (void)state;
    parse_clean("placeholder no-real-mode edd=off vga=text-80x50 no-hap dom0_ioports_disable=1-2");
    parse("foo=1 bar foo=2 console=vga baz");
    assert_string_equal(heard.text, "unknown:foo=1;unknown:bar;unknown:baz;");
}

static void too_long(void **state)
{
    static const char head[] = "maxcpus=", tail[] = " maxcpus=3";
    char line[600];

    (void)state;
    memset(line, '1', sizeof(line));
    memcpy(line, head, strlen(head));
    memcpy(line + sizeof(line) - sizeof(tail), tail, sizeof(tail));
    assert_int_equal(parse(line).maxcpus, 3);
    assert_memory_equal(heard.text, "long:maxcpus=1111", 17);
}

static void image_name(void **state)
{
    static const struct {
        const char *text;
        enum cmdline_name_rule rule;
        unsigned int maxcpus;
        const char *heard;
    } cases[] = {
        {"xen maxcpus=2", CMDLINE_NAME_PRESENT, 2, ""},
        {"maxcpus=3 maxcpus=2", CMDLINE_NAME_PRESENT, 2, ""},
        {"maxcpus=3 loglvl=all", CMDLINE_NAME_PRESENT, 0, ""},
        {"maxcpus=2", CMDLINE_NAME_ABSENT, 2, ""},
        {"xen maxcpus=2", CMDLINE_NAME_ABSENT, 2, "unknown:xen;"},
        {"radon maxcpus=2", CMDLINE_NAME_GUESS, 2, ""},
        {"/boot/a=b maxcpus=2", CMDLINE_NAME_GUESS, 2, ""},
        {"maxcpus=2 noreboot", CMDLINE_NAME_GUESS, 2, ""},
        {"noreboot maxcpus=2", CMDLINE_NAME_GUESS, 2, ""},
        {"placeholder maxcpus=2", CMDLINE_NAME_GUESS, 2, ""},
        {"new=/x maxcpus=2", CMDLINE_NAME_GUESS, 2, "unknown:new=/x;"},
        {"", CMDLINE_NAME_PRESENT, 0, ""},
        {"  xen  ", CMDLINE_NAME_PRESENT, 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct boot_options o;

        heard.text[0] = '\0';
        cmdline_defaults(&o);
        cmdline_parse(&o, cases[i].text, cases[i].rule, hear, &heard);
        assert_int_equal(o.maxcpus, cases[i].maxcpus);
        assert_string_equal(heard.text, cases[i].heard);
    }
    assert_int_equal(cmdline_name_rule("qemu"), CMDLINE_NAME_PRESENT);
    assert_int_equal(cmdline_name_rule("GRUB 0.97"), CMDLINE_NAME_PRESENT);
    assert_int_equal(cmdline_name_rule("GRUB 2.06-13+deb12u1"), CMDLINE_NAME_ABSENT);
    assert_int_equal(cmdline_name_rule(""), CMDLINE_NAME_GUESS);
}

static void separator_and_modules(void **state)
{
    struct boot_options o;
    const char *rest;

    (void)state;
    cmdline_defaults(&o);
    rest = cmdline_parse(&o, "maxcpus=2 --  quiet maxcpus=5", CMDLINE_NAME_ABSENT, NULL, NULL);
    assert_string_equal(rest, "quiet maxcpus=5");
    assert_int_equal(o.maxcpus, 2);
    assert_null(cmdline_parse(&o, "unknown --", CMDLINE_NAME_ABSENT, NULL, NULL));
}

static void module_arguments(void **state)
{
    static const struct {
        enum cmdline_name_rule rule;
        const char *string, *arguments;
    } rows[] = {
        { CMDLINE_NAME_PRESENT, "vmlinuz console=hvc0 quiet", "console=hvc0 quiet" },
        { CMDLINE_NAME_PRESENT, "a=b c=d", "c=d" },
        { CMDLINE_NAME_PRESENT, "/boot/vmlinuz", "" },
        { CMDLINE_NAME_PRESENT, "", "" },
        { CMDLINE_NAME_ABSENT, " placeholder  root=/dev/sda1 ro", "placeholder  root=/dev/sda1 ro" },
        { CMDLINE_NAME_ABSENT, "console=hvc0 quiet", "console=hvc0 quiet" },
        { CMDLINE_NAME_ABSENT, "", "" },
        { CMDLINE_NAME_GUESS, "/boot/vmlinuz  quiet", "quiet" },
        { CMDLINE_NAME_GUESS, "console=hvc0 quiet", "console=hvc0 quiet" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(cmdline_module_args(rows[i].string, rows[i].rule), rows[i].arguments);
}

static void help(void **state)
{
    (void)state;
    assert_true(boot_option_help_count > 10);
    for (size_t i = 0; i < boot_option_help_count; i++) {
        assert_true(boot_option_help[i].name[0] && boot_option_help[i].help[0]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(boot_option_help[i].name, boot_option_help[j].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(console),
        cmocka_unit_test(serial),
        cmocka_unit_test(dom0_mem),
        cmocka_unit_test(vcpus),
        cmocka_unit_test(booleans),
        cmocka_unit_test(levels_words_numbers),
        cmocka_unit_test(unknown_and_ignored),
        cmocka_unit_test(too_long),
        cmocka_unit_test(image_name),
        cmocka_unit_test(separator_and_modules),
        cmocka_unit_test(module_arguments),
        cmocka_unit_test(help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
