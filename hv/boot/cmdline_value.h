/* SPDX-License-Identifier: MIT */
/* Readers of one option value each; for cmdline.c. They change *out only when they return true. */
#ifndef HV_BOOT_CMDLINE_VALUE_H
#define HV_BOOT_CMDLINE_VALUE_H

#include "cmdline.h"

bool read_value_BOOL(const char *s, option_BOOL *out);
bool read_value_UINT(const char *s, option_UINT *out);
bool read_value_SIZE(const char *s, option_SIZE *out);
bool read_value_WORD(const char *s, option_WORD *out);
bool read_value_CONSOLE(const char *s, option_CONSOLE *out);
bool read_value_SERIAL(const char *s, option_SERIAL *out);
bool read_value_DOM0_MEM(const char *s, option_DOM0_MEM *out);
bool read_value_VCPUS(const char *s, option_VCPUS *out);
bool read_value_LOGLVL(const char *s, option_LOGLVL *out);

#endif
