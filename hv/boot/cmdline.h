/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line, in the syntax that Xen's command-line reference documents.
 * What options there are is said in options.def, and only there.
 *
 * Pure functions; the options structure is the caller's.
 */
#ifndef HV_BOOT_CMDLINE_H
#define HV_BOOT_CMDLINE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_WORD_MAX 16   /* bytes of a WORD value with its NUL */
#define OPTION_TOKEN_MAX 256 /* bytes of one "name=value" with its NUL */

enum console_device {
    CONSOLE_COM1 = 1u << 0,
    CONSOLE_COM2 = 1u << 1,
    CONSOLE_VGA = 1u << 2,
};

/* How many classes of messages are printed: 1 is errors only. */
enum log_threshold {
    LOGLVL_NONE,
    LOGLVL_ERROR,
    LOGLVL_WARNING,
    LOGLVL_INFO,
    LOGLVL_DEBUG, /* "all" is the same */
};

struct serial_option {
    uint32_t baud;  /* 0: leave as the firmware set it ("auto") */
    uint32_t clock; /* Hz, before the UART divides it by 16 */
    uint16_t io_base;
    uint8_t irq;
    uint8_t data_bits; /* 5 to 8 */
    uint8_t stop_bits; /* 1 or 2 */
    char parity;       /* 'n', 'o', 'e', 'm' or 's' */
    bool given;        /* named on the command line */
};

#define SERIAL_DEFAULT(base, line)                                                                 \
    {.clock = 1843200, .io_base = (base), .irq = (line), .data_bits = 8, .stop_bits = 1,           \
     .parity = 'n'}

/* An amount of memory, that may depend on the machine's: resolve it with mem_amount_bytes(). */
struct mem_amount {
    uint64_t bytes;
    uint8_t percent; /* of the machine, added to bytes */
    bool negative;   /* the machine less this many bytes */
    bool given;
};

#define MEM_AMOUNT_NONE {.given = false}

struct dom0_mem_option {
    struct mem_amount size, min, max;
};

struct vcpus_option {
    unsigned int min, max; /* clamp the number of physical CPUs to this range */
};

/* C types of the TYPE column of options.def. */
typedef bool option_BOOL;
typedef uint32_t option_UINT;
typedef uint64_t option_SIZE; /* bytes; a bare number means bytes, except in dom0_mem */
typedef char option_WORD[OPTION_WORD_MAX];
typedef uint32_t option_CONSOLE; /* set of enum console_device */
typedef struct serial_option option_SERIAL;
typedef struct dom0_mem_option option_DOM0_MEM;
typedef struct vcpus_option option_VCPUS;
typedef enum log_threshold option_LOGLVL;

struct boot_options {
#define BOOT_OPTION(name, field, type, ...) option_##type field;
#include "options.def"
#undef BOOT_OPTION
};

struct boot_option_help {
    const char *name;
    const char *help;
};

/* One row an option, in the order of options.def. */
extern const struct boot_option_help boot_option_help[];
extern const size_t boot_option_help_count;

enum cmdline_complaint {
    CMDLINE_UNKNOWN,   /* nobody knows this option: a warning, reported once a name */
    CMDLINE_BAD_VALUE, /* an error; the option keeps the value it had */
    CMDLINE_TOO_LONG,  /* longer than OPTION_TOKEN_MAX; skipped */
};

/*
 * Called for each thing wrong: text says what without a final stop ("unknown option"), token is the
 * option as typed, cut to OPTION_TOKEN_MAX. Neither outlives the call.
 */
typedef void (*cmdline_complain_fn)(void *ctx, enum cmdline_complaint what, const char *text,
                                    const char *token);

/* Does the first word of the string name the image file? */
enum cmdline_name_rule {
    CMDLINE_NAME_ABSENT,
    CMDLINE_NAME_PRESENT,
    CMDLINE_NAME_GUESS, /* it does unless it looks like an option */
};

/*
 * What is known about the loader of this name (multiboot's boot_loader_name): QEMU and GRUB 0.9x
 * put the file name first, GRUB 2 leaves it out.
 */
enum cmdline_name_rule cmdline_name_rule(const char *loader);

/* Fills *options with the defaults of options.def. */
void cmdline_defaults(struct boot_options *options);

/*
 * Applies a command line to *options, which must hold valid values (cmdline_defaults() first). A
 * later option overrides an earlier one. complain may be NULL. Reading stops at a lone "--"; what
 * follows it is extra text for domain 0's kernel, and is returned (a pointer into text, at the
 * first character that is not a space), or NULL when there is none.
 */
const char *cmdline_parse(struct boot_options *options, const char *text,
                          enum cmdline_name_rule rule, cmdline_complain_fn complain, void *ctx);

/*
 * The arguments in a module's string, by the same rule as the hypervisor's own line: all after the
 * file's name where the loader puts one. Points into string.
 */
const char *cmdline_module_args(const char *string, enum cmdline_name_rule rule);

/* Bytes that an amount means on a machine of total bytes, at most total; 0 when not given. */
uint64_t mem_amount_bytes(const struct mem_amount *amount, uint64_t total);

#endif
