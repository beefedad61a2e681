/* SPDX-License-Identifier: MIT */
#include "cmdline_value.h"

#include <string.h>

static const char *const yes_words[] = {"yes", "on", "true", "enable", "1"};
static const char *const no_words[] = {"no", "off", "false", "disable", "0"};
#define WORDS(list) (list), sizeof(list) / sizeof((list)[0])

static bool word_in(const char *s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s, words[i]) == 0)
            return true;
    }
    return false;
}

/*
 * The readers below take a cursor, consume what they understand and leave *s behind it. They return
 * false, with *s anywhere, when there is nothing to read or it does not fit.
 */
static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static bool take_text(const char **s, const char *text)
{
    size_t n = strlen(text);

    if (strncmp(*s, text, n) != 0)
        return false;
    *s += n;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* Decimal, or hexadecimal with 0x. */
static bool take_number(const char **s, uint64_t *out)
{
    int base = 10;
    uint64_t v = 0;

    if ((*s)[0] == '0' && ((*s)[1] == 'x' || (*s)[1] == 'X')) {
        base = 16;
        *s += 2;
    }
    const char *first = *s;

    for (; digit_of(**s) < base; (*s)++) {
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit_of(**s), &v))
            return false;
    }
    *out = v;
    return *s != first;
}

static bool take_number_up_to(const char **s, uint64_t limit, uint64_t *out)
{
    return take_number(s, out) && *out <= limit;
}

/* A number with an optional suffix B, K, M, G or T; default_shift is what no suffix means. */
static bool take_size(const char **s, unsigned int default_shift, uint64_t *out)
{
    unsigned int shift = default_shift;

    if (!take_number(s, out))
        return false;
    switch (**s | 0x20) {
    case 'b':
        shift = 0;
        break;
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    case 't':
        shift = 40;
        break;
    default:
        (*s)--; /* no suffix: undo the step below */
    }
    (*s)++;
    if (*out > UINT64_MAX >> shift)
        return false;
    *out <<= shift;
    return true;
}

bool read_value_BOOL(const char *s, option_BOOL *out)
{
    if (*s == '\0' || word_in(s, WORDS(yes_words)))
        *out = true;
    else if (word_in(s, WORDS(no_words)))
        *out = false;
    else
        return false;
    return true;
}

bool read_value_UINT(const char *s, option_UINT *out)
{
    uint64_t v;

    if (!take_number_up_to(&s, UINT32_MAX, &v) || *s)
        return false;
    *out = (uint32_t)v;
    return true;
}

bool read_value_SIZE(const char *s, option_SIZE *out)
{
    uint64_t v;

    if (!take_size(&s, 0, &v) || *s)
        return false;
    *out = v;
    return true;
}

bool read_value_WORD(const char *s, option_WORD *out)
{
    size_t n = strlen(s);

    if (n == 0 || n >= OPTION_WORD_MAX)
        return false;
    memcpy(*out, s, n + 1);
    return true;
}

bool read_value_CONSOLE(const char *s, option_CONSOLE *out)
{
    option_CONSOLE set = 0;

    do {
        if (take_text(&s, "com1"))
            set |= CONSOLE_COM1;
        else if (take_text(&s, "com2"))
            set |= CONSOLE_COM2;
        else if (take_text(&s, "vga"))
            set |= CONSOLE_VGA;
        else if (!take_text(&s, "none"))
            return false;
    } while (take_char(&s, ','));
    if (*s)
        return false;
    *out = set;
    return true;
}

/* "8n1": data bits, parity, stop bits. */
static bool take_frame(const char **s, struct serial_option *port)
{
    char bits = (*s)[0], parity, stop;

    if (bits < '5' || bits > '8')
        return false;
    parity = (*s)[1];
    if (parity != 'n' && parity != 'o' && parity != 'e' && parity != 'm' && parity != 's')
        return false;
    stop = (*s)[2];
    if (stop != '1' && stop != '2')
        return false;
    port->data_bits = (uint8_t)(bits - '0');
    port->parity = parity;
    port->stop_bits = (uint8_t)(stop - '0');
    *s += 3;
    return true;
}

/* A field between commas may be left empty, and so keeps its default. */
static bool next_field(const char **s)
{
    return take_char(s, ',') && **s != ',' && **s != '\0';
}

bool read_value_SERIAL(const char *s, option_SERIAL *out)
{
    struct serial_option port = *out;
    uint64_t v;

    if (take_text(&s, "auto")) {
        port.baud = 0;
    } else if (*s != ',') {
        if (!take_number_up_to(&s, 4000000, &v) || v == 0)
            return false;
        port.baud = (uint32_t)v;
    }
    if (take_char(&s, '/')) {
        /* The reference documents a base baud: a sixteenth of the clock. */
        if (!take_number_up_to(&s, UINT32_MAX / 16, &v) || v == 0)
            return false;
        port.clock = (uint32_t)v * 16;
    }
    if (next_field(&s) && !take_frame(&s, &port))
        return false;
    if (next_field(&s)) {
        if (!take_number_up_to(&s, 0xfff8, &v))
            return false;
        port.io_base = (uint16_t)v;
    }
    if (next_field(&s)) {
        if (!take_number_up_to(&s, 255, &v))
            return false;
        port.irq = (uint8_t)v;
    }
    if (*s)
        return false;
    port.given = true;
    *out = port;
    return true;
}

/* <size>, -<size>, <n>% or <size>+<n>%; a size without suffix counts KiB. */
static bool take_amount(const char **s, struct mem_amount *out)
{
    struct mem_amount a = {.given = true};
    const char *start = *s;
    uint64_t v;

    if (take_number_up_to(s, 100, &v) && take_char(s, '%')) {
        a.percent = (uint8_t)v;
        *out = a;
        return true;
    }
    *s = start;
    a.negative = take_char(s, '-');
    if (!take_size(s, 10, &a.bytes))
        return false;
    if (!a.negative && take_char(s, '+')) {
        if (!take_number_up_to(s, 100, &v) || !take_char(s, '%'))
            return false;
        a.percent = (uint8_t)v;
    }
    *out = a;
    return true;
}

bool read_value_DOM0_MEM(const char *s, option_DOM0_MEM *out)
{
    struct dom0_mem_option mem = {.size = MEM_AMOUNT_NONE};

    do {
        struct mem_amount *which = &mem.size;

        if (take_text(&s, "min:"))
            which = &mem.min;
        else if (take_text(&s, "max:"))
            which = &mem.max;
        if (!take_amount(&s, which))
            return false;
    } while (take_char(&s, ','));
    if (*s)
        return false;
    *out = mem;
    return true;
}

/* <n>, <min>-<max>, <min>- or -<max>. */
bool read_value_VCPUS(const char *s, option_VCPUS *out)
{
    struct vcpus_option range = {.min = 1, .max = UINT_MAX};
    uint64_t v;
    bool has_min = *s != '-';

    if (has_min) {
        if (!take_number_up_to(&s, UINT_MAX, &v) || v == 0)
            return false;
        range.min = (unsigned int)v;
    }
    if (!take_char(&s, '-')) {
        range.max = range.min;
    } else if (*s || !has_min) {
        if (!take_number_up_to(&s, UINT_MAX, &v) || v < range.min)
            return false;
        range.max = (unsigned int)v;
    }
    if (*s)
        return false;
    *out = range;
    return true;
}

/*
 * <level>[/<level of rate-limited messages>]: the second is checked and, as nothing is limited,
 * unused.
 */
bool read_value_LOGLVL(const char *s, option_LOGLVL *out)
{
    static const struct {
        const char *name;
        enum log_threshold level;
    } levels[] = {{"none", LOGLVL_NONE}, {"error", LOGLVL_ERROR}, {"warning", LOGLVL_WARNING},
                  {"info", LOGLVL_INFO}, {"debug", LOGLVL_DEBUG}, {"all", LOGLVL_DEBUG}};
    enum log_threshold found[2];
    int parts = 0;

    do {
        size_t i = 0;

        while (i < sizeof(levels) / sizeof(levels[0]) && !take_text(&s, levels[i].name))
            i++;
        if (parts == 2 || i == sizeof(levels) / sizeof(levels[0]))
            return false;
        found[parts++] = levels[i].level;
    } while (take_char(&s, '/'));
    if (*s)
        return false;
    *out = found[0];
    return true;
}
