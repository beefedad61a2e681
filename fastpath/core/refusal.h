/* SPDX-License-Identifier: MIT */
/* Reasons for which a program is refused: refusals.def as an enumeration and as text. */
#ifndef FASTPATH_REFUSAL_H
#define FASTPATH_REFUSAL_H

enum fast_refusal_id {
    FAST_OK = 0,
#define REFUSAL(name, category, reason, advice) FAST_##name,
#include "refusals.def"
    FAST_NR_REFUSALS,
};

enum fast_category {
    FAST_CATEGORY_NONE = 0,
    FAST_CATEGORY_FORMAT,
    FAST_CATEGORY_LIMIT,
    FAST_CATEGORY_INSTRUCTION,
    FAST_CATEGORY_FLOW,
    FAST_CATEGORY_TYPE,
    FAST_CATEGORY_MEMORY,
    FAST_CATEGORY_CONTEXT,
    FAST_CATEGORY_HELPER,
    FAST_CATEGORY_LEAK,
    FAST_CATEGORY_RETURN,
};

struct fast_refusal_text {
    const char *name;     /* the reason code: "UNINITIALISED" */
    const char *category; /* "type" */
    const char *reason;
    const char *advice;
};

/* The texts of a reason; of FAST_OK, and of a number that is none, empty strings. */
const struct fast_refusal_text *refusal_text(enum fast_refusal_id id);
enum fast_category refusal_category(enum fast_refusal_id id);

#endif
