/* SPDX-License-Identifier: MIT */
/* Code under test: a few instructions, with the address of the one that matters and of the next. */
#ifndef KTEST_SNIPPET_H
#define KTEST_SNIPPET_H

#include <stdint.h>

/*
 * name_code is entered, name_at is the instruction that should raise something, name_after the
 * one behind it: a ud2, so that an instruction which raises nothing is seen as #UD at name_after.
 */
#define SNIPPET(name, before, instruction)                                                         \
    extern const uint8_t name##_code[], name##_at[], name##_after[];                               \
    asm(".pushsection .text\n" #name "_code:\n" before "\n" #name "_at:\n" instruction             \
        "\n" #name "_after:\n ud2\n .popsection\n")

#endif
