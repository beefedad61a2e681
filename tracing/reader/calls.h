/* SPDX-License-Identifier: MIT */
/* Hypercalls, their arguments and operations (hv/include/public/hypercalls.def, hypercall_args.def). */
#ifndef TRACING_CALLS_H
#define TRACING_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_HYPERCALLS 64     /* numbers below */
#define TRACE_ARGS_MAX 6

enum trace_op_place { NO_OP, FIRST, IN_MEMORY };

struct trace_call {
    const char *name;                   /* NULL: no such hypercall */
    unsigned int nr_args;
    const char *args[TRACE_ARGS_MAX];   /* the names of the first nr_args; NULL: has none */
    enum trace_op_place where;
    uint32_t mask;
};

struct trace_op {
    uint32_t call, number;
    const char *name;
};

enum trace_op_index {
#define HYPERCALL_ARGS(call, where, mask, ...)
#define HYPERCALL_OP(call, number, name) TRACE_OP_##call##_##name,
#include "public/hypercall_args.def"
#undef HYPERCALL_ARGS
#undef HYPERCALL_OP
    TRACE_OPS
};

extern const struct trace_call trace_calls[TRACE_HYPERCALLS];
extern const struct trace_op trace_ops[TRACE_OPS];

/* The operation's place in trace_ops, or -1. */
int trace_op_find(uint32_t call, uint32_t number);

#endif
