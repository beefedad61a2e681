/* SPDX-License-Identifier: MIT */
/*
 * Profiles: files whole and damaged, folded stacks, reports, and flame graphs that are well-formed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tracing/profile/flame.h"
#include "../../tracing/profile/report.h"

static void add(struct profile *p, enum stack_how how, uint32_t weight, const char *names)
{
    struct sample s = { .how = how, .weight = weight, .tsc = 0x123456789abcdef0, .rip = 0xffff0000,
                        .cpu = 1, .domain = 7, .vcpu = 2, .pid = 10, .tid = 11 };
    char copy[256], *save;
    uint32_t frame[32], nr = 0;

    /* "t:name k:name": letter of the kind, name */
    strcpy(copy, names);
    for (char *f = strtok_r(copy, " ", &save); f; f = strtok_r(NULL, " ", &save))
        frame[nr++] = profile_frame(p, (enum frame_kind)(strchr(frame_letters, *f) - frame_letters),
                                    f + 2, *f == 'u' ? "prog" : "");
    assert_true(profile_add(p, &s, frame, nr));
}

static void fill(struct profile *p)
{
    *p = (struct profile){ 0 };
    assert_true(profile_say(p, "lost_records", "%d", 0));
    assert_true(profile_say(p, "command", "a\tb\n<&>"));
    add(p, STACK_USER, 3, "t:prog u:main u:a<b>&\"c\"");
    add(p, STACK_ORC, 2, "t:prog u:main k:do_syscall_64 h:hypercall:mmu_update");
    add(p, STACK_USER, 1, "t:prog u:main");
    add(p, STACK_IDLE, 9, "i:idle");
    add(p, STACK_ORC, 4, "t:prog u:main k:do_syscall_64 k:again k:again f:handler");
}

/* What a writer writes, as text to be freed. */
static char *folded(const struct profile *p, bool idle)
{
    struct node *root = tree_new();
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert_true(tree_add(root, p, 0, idle));
    tree_fold(root, 1, f);
    fclose(f);
    tree_free(root);
    return text;
}

static char *written(const struct profile *p)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert_true(profile_write(p, f));
    fclose(f);
    return text;
}

struct noted {
    unsigned int nr;
    uint64_t line, offset;      /* of the first */
};

static void note(void *ctx, uint64_t line, uint64_t offset, const char *what)
{
    struct noted *n = ctx;

    assert_non_null(what);
    if (!n->nr++) {
        n->line = line;
        n->offset = offset;
    }
}

static bool read_text(struct profile *p, const char *text, size_t bytes, struct noted *n)
{
    FILE *f = fmemopen((void *)text, bytes, "r");
    bool ok;

    *p = (struct profile){ 0 };
    *n = (struct noted){ 0 };
    ok = profile_read(p, f, note, n);
    fclose(f);
    assert_int_equal(n->nr, p->defects);
    return ok;
}

static const char all_folded[] =
    "prog;main 1\n"
    "prog;main;a<b>&\"c\" 3\n"
    "prog;main;do_syscall_64_[k];again_[k];again_[k];handler_[f] 4\n"
    "prog;main;do_syscall_64_[k];hypercall:mmu_update_[h] 2\n";

static void stacks_fold(void **state)
{
    struct profile p;
    char *text;

    (void)state;
    fill(&p);
    text = folded(&p, false);
    assert_string_equal(text, all_folded);
    free(text);
    text = folded(&p, true);
    assert_string_equal(strstr(text, "idle") ? "idle 9\n" : "", "idle 9\n");
    assert_memory_equal(text, "idle 9\n", 7);
    free(text);
    profile_free(&p);
}

static void files_come_back(void **state)
{
    struct profile p, q;
    struct noted n;
    char *first, *second;

    (void)state;
    fill(&p);
    first = written(&p);
    assert_true(read_text(&q, first, strlen(first), &n));
    assert_int_equal(n.nr, 0);
    second = written(&q);
    assert_string_equal(first, second);
    assert_int_equal(q.nr_samples, p.nr_samples);
    assert_string_equal(profile_said(&q, "command"), "a?b?<&>");
    profile_free(&p);
    profile_free(&q);
    free(first);
    free(second);
}

static void folded_files_come_back(void **state)
{
    struct profile p;
    struct noted n;
    char *text;

    (void)state;
    assert_true(read_text(&p, all_folded, strlen(all_folded), &n));
    assert_int_equal(n.nr, 0);
    text = folded(&p, false);
    assert_string_equal(text, all_folded);
    free(text);
    profile_free(&p);
}

/* Every cut is noticed, and what is before it is read. */
static void cut_files_are_noticed(void **state)
{
    struct profile p, q;
    struct noted n;
    char *text;

    (void)state;
    fill(&p);
    text = written(&p);
    for (size_t cut = strlen(PROFILE_MAGIC) + 1; cut < strlen(text) - 1; cut++) {
        assert_true(read_text(&q, text, cut, &n));
        assert_true(n.nr > 0);
        assert_true(q.nr_samples <= p.nr_samples);
        profile_free(&q);
    }
    profile_free(&p);
    free(text);
}

/* A byte anywhere may be anything: something is read or refused, and nothing breaks. */
static void damaged_files_do_no_harm(void **state)
{
    static const char bytes[] = { '\0', '\n', '\t', '9', '-', '\xff', ',' };
    struct profile p, q;
    struct noted n;
    char *text;

    (void)state;
    fill(&p);
    text = written(&p);
    for (size_t at = 0; at < strlen(text); at++)
        for (unsigned int i = 0; i < sizeof(bytes); i++) {
            char was = text[at];
            size_t length = strlen(text);

            text[at] = bytes[i];
            read_text(&q, text, length, &n);
            free(folded(&q, true));
            profile_free(&q);
            text[at] = was;
        }
    profile_free(&p);
    free(text);
}

static void bad_lines_are_named(void **state)
{
    static const char text[] = PROFILE_MAGIC "\n"
                               "frame\t0\tu\tmain\tprog\n"
                               "frame\t2\tu\tskipped\tprog\n"
                               "sample\t1\t0\t0\t0\t1\t1\t1\tuser\t0\t0\n"
                               "sample\t1\t0\t0\t0\t1\t1\t1\tuser\t0\t1\n"
                               "sample\t1\t0\t0\t0\t1\t1\t1\tguessed\t0\t0\n"
                               "sample\t1\t0\t0\t0\t1\t1\t1\tuser\t0\t\n"
                               "nonsense\n"
                               "end\t2\n";
    struct profile p;
    struct noted n;

    (void)state;
    assert_true(read_text(&p, text, strlen(text), &n));
    assert_int_equal(n.nr, 6);
    assert_int_equal(n.line, 3);
    assert_int_equal(n.offset, strlen(PROFILE_MAGIC) + 1 + strlen("frame\t0\tu\tmain\tprog\n"));
    assert_int_equal(p.nr_samples, 1);
    profile_free(&p);
    assert_false(read_text(&p, "\n", 1, &n));
    profile_free(&p);
}

/* ------------------------------------------------------------------ flame graphs */

/* Whether text is well-formed as far as our SVG goes: tags nest, < and & are escaped. */
static bool well_formed(const char *s)
{
    char open[64][16];
    unsigned int depth = 0;

    for (; *s; s++) {
        if (!strncmp(s, "<![CDATA[", 9)) {
            s = strstr(s, "]]>");
            if (!s)
                return false;
            s += 2;
        } else if (!strncmp(s, "<?", 2)) {
            s = strstr(s, "?>");
        } else if (!strncmp(s, "</", 2)) {
            if (!depth || strncmp(s + 2, open[depth - 1], strlen(open[depth - 1])))
                return false;
            depth--;
            s = strchr(s, '>');
        } else if (*s == '<') {
            size_t n = strcspn(s + 1, " >\n");
            const char *end = s;
            bool quoted = false;

            if (!isalpha((unsigned char)s[1]) || n >= 16 || depth == 64)
                return false;
            for (; *end && (quoted || *end != '>'); end++) {
                quoted ^= *end == '"';
                if (end > s && *end == '<')
                    return false;
            }
            if (end[-1] != '/')
                snprintf(open[depth++], 16, "%.*s", (int)n, s + 1);
            s = end;
        } else if (*s == '&' && strncmp(s, "&lt;", 4) && strncmp(s, "&gt;", 4) &&
                   strncmp(s, "&amp;", 5) && strncmp(s, "&quot;", 6)) {
            return false;
        }
    }
    return !depth;
}

static char *drawn(const struct profile *a, const struct profile *b)
{
    struct flame how = { .title = "<title> & \"co\"", .subtitle = "x", .sides = b ? 2 : 1 };
    struct node *root = tree_new();
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert_true(tree_add(root, a, 0, false));
    if (b)
        assert_true(tree_add(root, b, 1, false));
    flame_write(root, &how, f);
    fclose(f);
    tree_free(root);
    return text;
}

static unsigned int occurrences(const char *text, const char *what)
{
    unsigned int n = 0;

    for (text = strstr(text, what); text; text = strstr(text + 1, what))
        n++;
    return n;
}

static void flame_graphs_are_well_formed(void **state)
{
    struct profile p, none = { 0 };
    char *text;

    (void)state;
    fill(&p);
    text = drawn(&p, NULL);
    assert_true(well_formed(text));
    assert_int_equal(occurrences(text, "class=\"f kind-"), 8);
    assert_int_equal(occurrences(text, "class=\"f kind-h"), 1);
    /* 4 of 10 samples of 1180 pixels */
    assert_non_null(strstr(text, "data-w=\"472.000\" data-d=\"5\" data-n=\"handler_[f]\""));
    free(text);
    text = drawn(&p, &p);
    assert_true(well_formed(text));
    assert_int_equal(occurrences(text, "fill:#f7f7f7"), 8); /* nothing changed */
    free(text);
    text = drawn(&none, NULL);
    assert_true(well_formed(text));
    free(text);
    profile_free(&p);
}

static void differences_have_two_numbers(void **state)
{
    struct profile a = { 0 }, b = { 0 };
    struct node *root = tree_new();
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    add(&a, STACK_USER, 5, "t:p u:old");
    add(&a, STACK_USER, 5, "t:p u:both");
    add(&b, STACK_USER, 7, "t:p u:both");
    add(&b, STACK_USER, 3, "t:p u:new");
    assert_true(tree_add(root, &a, 0, false) && tree_add(root, &b, 1, false));
    tree_fold(root, 2, f);
    fclose(f);
    assert_string_equal(text, "p;both 5 7\np;new 0 3\np;old 5 0\n");
    free(text);
    tree_free(root);
    profile_free(&a);
    profile_free(&b);
}

/* ------------------------------------------------------------------ reports */

static void recursion_counts_once(void **state)
{
    struct report how = { .format = REPORT_CSV, .version = "test" };
    struct profile p;
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    fill(&p);
    assert_true(report_write(&p, &how, f));
    fclose(f);
    assert_non_null(strstr(text, "kernel,\"again\",\"\",0,0.000000,4,0.400000\n"));
    assert_non_null(strstr(text, "user,\"main\",\"prog\",1,0.100000,10,1.000000\n"));
    assert_non_null(strstr(text, "user,\"a<b>&\"\"c\"\"\",\"prog\",3,"));
    assert_null(strstr(text, "idle"));
    free(text);
    profile_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_fold),
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(folded_files_come_back),
        cmocka_unit_test(cut_files_are_noticed),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(flame_graphs_are_well_formed),
        cmocka_unit_test(differences_have_two_numbers),
        cmocka_unit_test(recursion_counts_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
