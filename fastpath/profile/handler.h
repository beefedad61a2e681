/* SPDX-License-Identifier: MIT */
/* radon-handler: what its commands share. */
#ifndef PROFILE_HANDLER_H
#define PROFILE_HANDLER_H

#include "backend.h"
#include "table.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 4 };

struct handler_options {
    enum table_format format;
    const char *domain;  /* a name; NULL: not given */
    const char *output;  /* -o */
    const char *log;     /* --log: the file */
    uint32_t agreements; /* load */
    uint32_t budget_us;  /* load; 0: not given */
    bool now;            /* load: active at once */
    bool code, program;  /* dump: that part alone */
    bool follow;         /* log -f */
    char **word;         /* what is not an option */
    unsigned int words;
};

/* The hypervisor, opened when it is first needed; NULL: a message was printed. */
struct prof_backend *handler_backend(void);
/* The domain that was asked for, or `otherwise`; false: printed. */
bool handler_domain(const struct handler_options *o, uint16_t otherwise, uint16_t *domain);
/* A handler's number as a word; false: printed. */
bool handler_number(const char *word, uint32_t *id);

__attribute__((format(printf, 1, 2))) int handler_fail(const char *format, ...); /* EXIT_FAILED */
__attribute__((format(printf, 1, 2))) int handler_misuse(const char *format, ...);

/* The commands: the exit status. */
int handler_list(const struct handler_options *o);
int handler_show(const struct handler_options *o);
int handler_dump_command(const struct handler_options *o);
int handler_verify(const struct handler_options *o);
int handler_load(const struct handler_options *o);
int handler_export(const struct handler_options *o);
int handler_set(const struct handler_options *o, enum radon_fast_state state);
int handler_oracle(const struct handler_options *o);
int handler_switch(const struct handler_options *o, bool on);
int handler_log(const struct handler_options *o);

#endif
