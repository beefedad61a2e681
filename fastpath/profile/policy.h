/* SPDX-License-Identifier: MIT */
/* The policy of radon-prof: policy.def, and what a file says otherwise. */
#ifndef PROFILE_POLICY_H
#define PROFILE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define POLICY_FILE "/etc/radon/prof.conf"
#define POLICY_EXCLUDED 64

struct policy {
#define POLICY(name, value, least, most, meaning) uint32_t name;
#include "policy.def"
    /* "exclude = syscall:getpid": attach points as they are in the log. */
    char exclude[POLICY_EXCLUDED][96];
    unsigned int nr_exclude;
};

void policy_default(struct policy *p);
/* One "name = value"; false with the reason. */
bool policy_set(struct policy *p, const char *name, const char *value, char *error, size_t size);
/* The file's lines; false with the reason, which names the line.  A file that is not there is
 * false only if `must`. */
bool policy_read(struct policy *p, const char *path, bool must, char *error, size_t size);
/* As a file that policy_read() takes. */
void policy_print(FILE *out, const struct policy *p);

#endif
