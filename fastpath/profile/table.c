/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hv/revision.h"

void table_init(struct table *t, enum table_format format, const char *schema,
                const struct table_column *column, unsigned int columns)
{
    *t = (struct table){ .format = format, .schema = schema, .column = column, .columns = columns };
}

static void put(struct table *t, const char *text, bool quoted)
{
    if (t->cells == t->room) {
        size_t room = t->room ? 2 * t->room : 256;
        char **cell = realloc(t->cell, room * sizeof(*cell));
        uint8_t *flags;

        if (cell)
            t->cell = cell;
        flags = realloc(t->quoted, room);
        if (flags)
            t->quoted = flags;
        if (!cell || !flags) {
            t->failed = true;
            return;
        }
        t->room = room;
    }
    t->cell[t->cells] = text ? strdup(text) : NULL;
    t->failed |= text && !t->cell[t->cells];
    t->quoted[t->cells++] = quoted;
}

void table_text(struct table *t, const char *text)
{
    put(t, text, true);
}

void table_textf(struct table *t, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(t, text, true);
}

void table_number(struct table *t, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    put(t, text, false);
}

void table_real(struct table *t, double value, unsigned int digits)
{
    char text[48];

    snprintf(text, sizeof(text), "%.*f", (int)digits, value);
    put(t, text, false);
}

void table_hex(struct table *t, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "0x%" PRIx64, value);
    put(t, text, true);
}

void table_unknown(struct table *t)
{
    put(t, NULL, false);
}

void json_string(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

/* ------------------------------------------------------------------ the three forms */

static void print_json(const struct table *t, FILE *out, bool complete, uint64_t lost)
{
    fprintf(out, "{\n  \"schema\": \"%s\", \"schema_version\": 1, \"tool_version\": \"%s\",\n",
            t->schema, RADON_REVISION);
    fprintf(out, "  \"complete\": %s, \"lost_records\": %" PRIu64 ",\n  \"rows\": [",
            complete ? "true" : "false", lost);
    for (size_t i = 0; i < t->cells; i++) {
        unsigned int c = (unsigned int)(i % t->columns);

        fprintf(out, "%s\"%s\": ", c ? ", " : i ? ",\n    {" : "\n    {", t->column[c].name);
        if (!t->cell[i])
            fputs("null", out);
        else if (t->quoted[i])
            json_string(out, t->cell[i]);
        else
            fputs(t->cell[i], out);
        if (c + 1 == t->columns)
            fputc('}', out);
    }
    fputs("\n  ]\n}\n", out);
}

static void csv_value(FILE *out, const char *s)
{
    if (!strpbrk(s, ",\"\r\n")) {
        fputs(s, out);
        return;
    }
    fputc('"', out);
    for (; *s; s++)
        fprintf(out, *s == '"' ? "\"\"" : "%c", *s);
    fputc('"', out);
}

static void print_csv(const struct table *t, FILE *out)
{
    for (unsigned int c = 0; c < t->columns; c++)
        fprintf(out, "%s%s", c ? "," : "", t->column[c].name);
    fputc('\n', out);
    for (size_t i = 0; i < t->cells; i++) {
        csv_value(out, t->cell[i] ? t->cell[i] : "unknown");
        fputc((i + 1) % t->columns ? ',' : '\n', out);
    }
}

static const char *shown(const struct table *t, size_t i)
{
    return t->cell[i] ? t->cell[i] : "unknown";
}

static void print_text(const struct table *t, FILE *out)
{
    size_t width[64] = { 0 };
    unsigned int last = 0;

    for (unsigned int c = 0; c < t->columns; c++) {
        width[c] = t->column[c].title ? strlen(t->column[c].title) : 0;
        last = t->column[c].title ? c : last;
    }
    for (size_t i = 0; i < t->cells; i++)
        if (strlen(shown(t, i)) > width[i % t->columns])
            width[i % t->columns] = strlen(shown(t, i));
    for (size_t i = 0; i < t->cells + t->columns; i++) {
        unsigned int c = (unsigned int)(i % t->columns);
        const char *text = i < t->columns ? t->column[c].title : shown(t, i - t->columns);
        int room = c == last && t->column[c].left ? 0 : (int)width[c];

        if (t->column[c].title)
            fprintf(out, t->column[c].left ? "%-*s%s" : "%*s%s", room, text, c == last ? "" : "  ");
        if (c + 1 == t->columns)
            fputc('\n', out);
    }
}

bool table_print(struct table *t, FILE *out, bool complete, uint64_t lost, const char *nothing)
{
    bool ok = !t->failed;

    if (ok && t->format == TABLE_JSON)
        print_json(t, out, complete, lost);
    else if (ok && t->format == TABLE_CSV)
        print_csv(t, out);
    else if (ok && t->cells)
        print_text(t, out);
    else if (ok && nothing)
        fprintf(out, "%s\n", nothing);
    for (size_t i = 0; i < t->cells; i++)
        free(t->cell[i]);
    free(t->cell);
    free(t->quoted);
    *t = (struct table){ 0 };
    return ok && !fflush(out) && !ferror(out);
}
