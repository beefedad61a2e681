/* SPDX-License-Identifier: MIT */
#include "cmdline.h"

#include "bytes.h"
#include "cmdline_value.h"

enum option_type { BOOL, UINT, SIZE, WORD, CONSOLE, SERIAL, DOM0_MEM, VCPUS, LOGLVL };

struct option {
    const char *name;
    enum option_type type;
    size_t offset; /* of the field in struct boot_options */
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct option options_table[] = {
#define BOOT_OPTION(name, field, type, value, help)                                                \
    {name, type, offsetof(struct boot_options, field)},
#include "options.def"
#undef BOOT_OPTION
};

const struct boot_option_help boot_option_help[] = {
#define BOOT_OPTION(name, field, type, value, help) {name, help},
#include "options.def"
#undef BOOT_OPTION
};
const size_t boot_option_help_count = COUNT(boot_option_help);

static const char *const ignored_names[] = {
#define IGNORED_OPTION(name) name,
#include "ignored_options.def"
#undef IGNORED_OPTION
};

/* One "name=value" as typed. */
struct token {
    const char *text;
    size_t length;
    size_t name_length; /* up to '=' or the end */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_spaces(const char *s)
{
    while (is_space(*s))
        s++;
    return s;
}

/* The word that starts at s; length 0 at the end of the string. */
static struct token token_at(const char *s)
{
    struct token t = {.text = s};

    while (s[t.length] && !is_space(s[t.length]))
        t.length++;
    while (t.name_length < t.length && s[t.name_length] != '=')
        t.name_length++;
    return t;
}

static char fold(char c)
{
    return c == '_' ? '-' : c;
}

static bool same_name(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length != b_length)
        return false;
    for (size_t i = 0; i < a_length; i++) {
        if (fold(a[i]) != fold(b[i]))
            return false;
    }
    return true;
}

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(options_table); i++) {
        const struct option *o = &options_table[i];

        if (same_name(name, length, o->name, strlen(o->name)))
            return o;
    }
    return NULL;
}

/* True for "no-xyz". */
static bool is_negated(const char *name, size_t length)
{
    return length > 3 && name[0] == 'n' && name[1] == 'o' && fold(name[2]) == '-';
}

static bool is_ignored(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(ignored_names); i++) {
        size_t n = strlen(ignored_names[i]);

        if (same_name(name, length, ignored_names[i], n) ||
            (is_negated(name, length) && same_name(name + 3, length - 3, ignored_names[i], n)))
            return true;
    }
    return false;
}

/* The option that a token sets; *negated when it is the "no-" form of a BOOL. NULL: not ours. */
static const struct option *option_of(const struct token *t, bool *negated)
{
    const struct option *o = find_option(t->text, t->name_length);

    *negated = false;
    if (o || !is_negated(t->text, t->name_length))
        return o;
    o = find_option(t->text + 3, t->name_length - 3);
    *negated = true;
    return o && o->type == BOOL ? o : NULL;
}

static bool read_value(const struct option *o, const char *value, void *field)
{
    switch (o->type) {
    case BOOL:
        return read_value_BOOL(value, field);
    case UINT:
        return read_value_UINT(value, field);
    case SIZE:
        return read_value_SIZE(value, field);
    case WORD:
        return read_value_WORD(value, field);
    case CONSOLE:
        return read_value_CONSOLE(value, field);
    case SERIAL:
        return read_value_SERIAL(value, field);
    case DOM0_MEM:
        return read_value_DOM0_MEM(value, field);
    case VCPUS:
        return read_value_VCPUS(value, field);
    case LOGLVL:
        return read_value_LOGLVL(value, field);
    }
    return false;
}

struct complainer {
    cmdline_complain_fn fn;
    void *ctx;
};

static void complain(const struct complainer *c, enum cmdline_complaint what, const char *text,
                     const struct token *t)
{
    char copy[OPTION_TOKEN_MAX];

    if (!c->fn)
        return;
    copy_bounded(copy, sizeof(copy), t->text, t->length);
    c->fn(c->ctx, what, text, copy);
}

/* Has an option of this name been seen in [text, t->text)? */
static bool seen_before(const char *text, const struct token *t)
{
    for (const char *s = skip_spaces(text); s < t->text;) {
        struct token earlier = token_at(s);

        if (same_name(earlier.text, earlier.name_length, t->text, t->name_length))
            return true;
        s = skip_spaces(s + earlier.length);
    }
    return false;
}

/* options_text: where the options start, to tell a repetition. */
static void apply(struct boot_options *options, const char *options_text, const struct token *t,
                  const struct complainer *c)
{
    char value[OPTION_TOKEN_MAX];
    bool negated;
    const struct option *o = option_of(t, &negated);

    if (!o) {
        if (!is_ignored(t->text, t->name_length) && !seen_before(options_text, t))
            complain(c, CMDLINE_UNKNOWN, "unknown option", t);
        return;
    }
    if (t->length >= OPTION_TOKEN_MAX) {
        complain(c, CMDLINE_TOO_LONG, "option too long", t);
        return;
    }
    size_t skip = t->name_length < t->length ? t->name_length + 1 : t->length;
    void *field = (char *)options + o->offset;

    copy_bounded(value, sizeof(value), t->text + skip, t->length - skip);
    if (!read_value(o, value, field))
        complain(c, CMDLINE_BAD_VALUE, "bad value", t);
    else if (negated)
        *(option_BOOL *)field = !*(option_BOOL *)field;
}

/* "xen", "/boot/radon.gz", "./a=b": a file name. "com1=115200", "noreboot", "foo=1": an option. */
static bool looks_like_image_name(const struct token *t)
{
    bool negated;

    if (option_of(t, &negated) || is_ignored(t->text, t->name_length))
        return false;
    for (size_t i = 0; i < t->name_length; i++) {
        if (t->text[i] == '/')
            return true;
    }
    return t->name_length == t->length;
}

/* Whether t, the first word of a line, is the file's name. */
static bool skips_name(enum cmdline_name_rule rule, const struct token *t)
{
    return rule == CMDLINE_NAME_PRESENT || (rule == CMDLINE_NAME_GUESS && looks_like_image_name(t));
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

enum cmdline_name_rule cmdline_name_rule(const char *loader)
{
    if (starts_with(loader, "qemu") || starts_with(loader, "GRUB 0."))
        return CMDLINE_NAME_PRESENT;
    if (starts_with(loader, "GRUB"))
        return CMDLINE_NAME_ABSENT;
    return CMDLINE_NAME_GUESS;
}

void cmdline_defaults(struct boot_options *options)
{
    static const struct boot_options defaults = {
#define BOOT_OPTION(name, field, type, value, help) .field = value,
#include "options.def"
#undef BOOT_OPTION
    };

    *options = defaults;
}

const char *cmdline_parse(struct boot_options *options, const char *text,
                          enum cmdline_name_rule rule, cmdline_complain_fn fn, void *ctx)
{
    const struct complainer c = {fn, ctx};
    const char *s = skip_spaces(text);
    struct token t = token_at(s);

    if (skips_name(rule, &t))
        s = skip_spaces(s + t.length);
    for (const char *start = s; *s; s = skip_spaces(s + t.length)) {
        t = token_at(s);
        if (t.length == 2 && s[0] == '-' && s[1] == '-') {
            s = skip_spaces(s + 2);
            return *s ? s : NULL;
        }
        apply(options, start, &t, &c);
    }
    return NULL;
}

const char *cmdline_module_args(const char *string, enum cmdline_name_rule rule)
{
    const char *s = skip_spaces(string);
    struct token t = token_at(s);

    return skips_name(rule, &t) ? skip_spaces(s + t.length) : s;
}

uint64_t mem_amount_bytes(const struct mem_amount *amount, uint64_t total)
{
    /* total / 100 first: total * percent could overflow. */
    uint64_t share = total / 100 * amount->percent + total % 100 * amount->percent / 100;

    if (!amount->given)
        return 0;
    if (amount->negative)
        return amount->bytes < total ? total - amount->bytes : 0;
    return amount->bytes < total - share ? amount->bytes + share : total;
}
