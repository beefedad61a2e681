/* SPDX-License-Identifier: MIT */
/*
 * A flame graph: one SVG file that needs nothing else, with a script in it that zooms and searches.
 */
#ifndef TRACING_PROFILE_FLAME_H
#define TRACING_PROFILE_FLAME_H

#include "tree.h"

struct flame {
    const char *title, *subtitle;
    unsigned int sides;         /* 2: widths are of side 1, colours show how it differs from side 0 */
};

void flame_write(const struct node *root, const struct flame *how, FILE *f);

/* s with what XML or a JSON string would take for something else written otherwise. */
void put_xml(const char *s, FILE *f);
void put_json(const char *s, FILE *f);

#endif
