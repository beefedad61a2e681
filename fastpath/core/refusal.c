/* SPDX-License-Identifier: MIT */
#include "refusal.h"

#define NAME_FORMAT "format"
#define NAME_LIMIT "limit"
#define NAME_INSTRUCTION "instruction"
#define NAME_FLOW "flow"
#define NAME_TYPE "type"
#define NAME_MEMORY "memory"
#define NAME_CONTEXT "context"
#define NAME_HELPER "helper"
#define NAME_LEAK "leak"
#define NAME_RETURN "return"

static const unsigned char categories[FAST_NR_REFUSALS] = {
#define REFUSAL(name, category, reason, advice) [FAST_##name] = FAST_CATEGORY_##category,
#include "refusals.def"
};

static const struct fast_refusal_text texts[FAST_NR_REFUSALS] = {
    [FAST_OK] = { "", "", "", "" },
#define REFUSAL(name, category, reason, advice)                                                    \
    [FAST_##name] = { #name, NAME_##category, reason, advice },
#include "refusals.def"
};

enum fast_category refusal_category(enum fast_refusal_id id)
{
    return (unsigned int)id < FAST_NR_REFUSALS ? categories[id] : FAST_CATEGORY_NONE;
}

const struct fast_refusal_text *refusal_text(enum fast_refusal_id id)
{
    if ((unsigned int)id >= FAST_NR_REFUSALS)
        id = FAST_OK;
    return &texts[id];
}
