/* SPDX-License-Identifier: MIT */
/*
 * Tables for people and programs: text in columns, one JSON document, or CSV.  Cells are put in the
 * order of the columns; after the last one the next row begins.
 */
#ifndef PROFILE_TABLE_H
#define PROFILE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum table_format { TABLE_TEXT, TABLE_JSON, TABLE_CSV };

struct table_column {
    const char *name;    /* in JSON and CSV, with its unit: "cost_ns" */
    const char *title;   /* in text; NULL: not shown there */
    bool left;           /* text: aligned to the left */
};

struct table {
    enum table_format format;
    const struct table_column *column;
    unsigned int columns;
    const char *schema;  /* "radon-handler-list" */
    char **cell;         /* NULL: unknown */
    uint8_t *quoted;     /* JSON: is a string */
    size_t cells, room;
    bool failed;         /* out of memory */
};

void table_init(struct table *t, enum table_format format, const char *schema,
                const struct table_column *column, unsigned int columns);
void table_text(struct table *t, const char *text); /* NULL: unknown */
__attribute__((format(printf, 2, 3))) void table_textf(struct table *t, const char *format, ...);
void table_number(struct table *t, uint64_t value);
void table_real(struct table *t, double value, unsigned int digits);
void table_hex(struct table *t, uint64_t value);    /* a string in JSON */
void table_unknown(struct table *t);
/*
 * Prints what was put and frees it; false: not written.  complete: nothing is missing; lost: what is
 * (JSON says both).  The text of an empty table is `nothing`.
 */
bool table_print(struct table *t, FILE *out, bool complete, uint64_t lost, const char *nothing);

/* A string of JSON, with its quotes. */
void json_string(FILE *out, const char *s);

#endif
