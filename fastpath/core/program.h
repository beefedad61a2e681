/* SPDX-License-Identifier: MIT */
/*
 * What a fast handler is: the program format, the context it reads and writes, the helpers it
 * calls. This header is also the one that handlers written in C include (clang -target bpf
 * -ffreestanding); docs/handlers.md explains it.  Everything is little-endian.
 */
#ifndef FASTPATH_PROGRAM_H
#define FASTPATH_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/* What a handler returns in r0. */
enum fast_outcome {
    FAST_PASS = 0, /* nothing is changed; the guest kernel gets the trap */
    FAST_DONE = 1, /* the staged effects are taken and the guest resumes */
};

enum fast_attach_kind {
    FAST_ATTACH_NONE = 0,  /* refused */
    FAST_ATTACH_SYSCALL,   /* number: the system call's; address: zero */
    FAST_ATTACH_EXCEPTION, /* number: vector, 0..31; address: guest address of the instruction */
    FAST_ATTACH_HYPERCALL, /* number: the hypercall's; address: zero */
    FAST_NR_ATTACH,
};

#define FAST_MAX_INSNS 4096u
#define FAST_STACK_BYTES 512u
#define FAST_MAX_STAGED 64u  /* stores and page-table updates on any one path */
#define FAST_MAX_COST 20000u /* instructions, helpers by their weight (helpers.def), on any path   \
                              */
#define FAST_MAX_SYSCALL 1023u
#define FAST_MAX_HYPERCALL 63u
#define FAST_NAME_BYTES 32u

/* One instruction (RFC 9669, section 3). */
struct fast_insn {
    uint8_t code;
    uint8_t regs; /* low four bits: destination; high four: source */
    int16_t off;
    int32_t imm;
};

#define FAST_MAGIC 0x31484652u /* "RFH1" */
#define FAST_VERSION 1u

/* The head of a program; the instructions follow it at once. */
struct fast_header {
    uint32_t magic;
    uint16_t version;
    uint16_t header_bytes; /* sizeof(struct fast_header) */
    uint32_t total_bytes;  /* header and instructions */
    uint32_t insns;        /* 1..FAST_MAX_INSNS */
    uint32_t attach_kind;
    uint32_t attach_number;
    uint64_t attach_address;
    char name[FAST_NAME_BYTES]; /* letters, digits, '_', '-', '.'; zero-padded, zero-ended */
};

/*
 * The context: r1 points to it at the start.  It is a copy: what a handler writes reaches the guest
 * at DONE only.  ctx_fields.def says what may be read and written at which attach point.
 */
struct fast_ctx {
    uint32_t kind;       /* 0x00 enum fast_attach_kind */
    uint32_t number;     /* 0x04 system call, vector or hypercall */
    uint64_t error_code; /* 0x08 exceptions that push one; else zero */
    uint64_t cr2;        /* 0x10 page faults: the faulting address; else zero */
    uint64_t rax;        /* 0x18 */
    uint64_t rbx;        /* 0x20 */
    uint64_t rcx;        /* 0x28 */
    uint64_t rdx;        /* 0x30 */
    uint64_t rsi;        /* 0x38 */
    uint64_t rdi;        /* 0x40 */
    uint64_t rbp;        /* 0x48 */
    uint64_t rsp;        /* 0x50 */
    uint64_t r8;         /* 0x58 */
    uint64_t r9;         /* 0x60 */
    uint64_t r10;        /* 0x68 */
    uint64_t r11;        /* 0x70 */
    uint64_t r12;        /* 0x78 */
    uint64_t r13;        /* 0x80 */
    uint64_t r14;        /* 0x88 */
    uint64_t r15;        /* 0x90 */
    uint64_t rip;        /* 0x98 where the guest resumes */
    uint64_t rflags;     /* 0xa0 */
    uint64_t fs_base;    /* 0xa8 of the interrupted code */
    uint64_t gs_base;    /* 0xb0 of the interrupted code */
    uint64_t kernel_gs;  /* 0xb8 the guest kernel's per-CPU base on this vCPU */
    uint64_t kernel_sp;  /* 0xc0 the stack that the guest kernel would enter on */
    uint64_t cs;         /* 0xc8 the selectors of the interrupted code, as its frame shows them */
    uint64_t ss;         /* 0xd0 */
};

enum fast_helper {
    FAST_HELPER_NONE = 0,
#define HELPER(number, name, args, ret, attach, cost, flags) FAST_HELPER_##name = number,
#include "helpers.def"
};
#define FAST_NR_HELPERS 16u

#ifdef __bpf__
/* The helpers as C sees them; clang turns each call into `call NUMBER`. */
#define HELPER_ARGS_0 void
#define HELPER_ARGS_1 uint64_t
#define HELPER_ARGS_2 uint64_t, uint64_t
#define HELPER_ARGS_3 uint64_t, uint64_t, uint64_t
#define HELPER(number, name, args, ret, attach, cost, flags)                                       \
    static uint64_t (*const radon_##name)(HELPER_ARGS_##args)                                      \
        __attribute__((unused)) = (uint64_t(*)(HELPER_ARGS_##args))number;
#include "helpers.def"
#define RADON_STRING_(x) #x
#define RADON_STRING(x) RADON_STRING_(x)
#define RADON_SYSCALL(number) __attribute__((section("radon/syscall/" RADON_STRING(number)), used))
#define RADON_EXCEPTION(vector, address)                                                           \
    __attribute__((section("radon/exception/" RADON_STRING(vector) "/" RADON_STRING(address)),     \
                   used))
#define RADON_HYPERCALL(number)                                                                    \
    __attribute__((section("radon/hypercall/" RADON_STRING(number)), used))
#else
_Static_assert(sizeof(struct fast_insn) == 8, "RFC 9669");
_Static_assert(sizeof(struct fast_header) == 64, "no padding");
_Static_assert(sizeof(struct fast_ctx) == 0xd8, "no padding");

/* A program in memory that its owner keeps unchanged while it is verified and run. */
struct fast_program {
    struct fast_header head;       /* a copy: checked by program_parse */
    const struct fast_insn *insns; /* head.insns of them */
};

#include "refusal.h"

/*
 * Reads `size` bytes at `blob` (8-byte aligned) as a program.  Returns FAST_OK and fills *out,
 * whose instructions stay in the blob; or why the head is refused.  Says nothing about the
 * instructions: that is the verifier's work.
 */
enum fast_refusal_id program_parse(const void *blob, size_t size, struct fast_program *out);
/* Whether the attach point is one that exists. */
enum fast_refusal_id program_check_attach(const struct fast_header *head);
#endif

#endif
