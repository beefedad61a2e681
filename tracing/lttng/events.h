/* SPDX-License-Identifier: MIT */
/*
 * The LTTng-UST tracepoints of provider "radon": one for each event of the catalogue, by its name there,
 * and `unknown`.  lttng/tracepoint-event.h reads this file several times.
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER radon

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "lttng/events.h"

#if !defined(TRACING_LTTNG_EVENTS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define TRACING_LTTNG_EVENTS_H

#include <lttng/tracepoint.h>

#include "relayed.h"

/* One row for each type of types.def: the fields that a value of it becomes. */
#define TP_DEC(bits, f, i) lttng_ust_field_integer(uint##bits##_t, f, (uint##bits##_t)r->args[i])
#define TP_HEX(bits, f, i) lttng_ust_field_integer_hex(uint##bits##_t, f, (uint##bits##_t)r->args[i])
#define TP_SIGNED(bits, f, i) lttng_ust_field_integer(int##bits##_t, f, (int##bits##_t)r->args[i])
#define TP_NAMED(f, i) lttng_ust_field_string(f, r->text[i])
#define TP_u32(f, i) TP_DEC(32, f, i)
#define TP_u64(f, i) TP_DEC(64, f, i)
#define TP_x32(f, i) TP_HEX(32, f, i)
#define TP_x64(f, i) TP_HEX(64, f, i)
#define TP_s32(f, i) TP_SIGNED(32, f, i)
#define TP_s64(f, i) TP_SIGNED(64, f, i)
#define TP_who(f, i)                                                                               \
    lttng_ust_field_integer(uint16_t, f##_domain, (uint16_t)(r->args[i] >> 16))                    \
    lttng_ust_field_integer(uint16_t, f##_vcpu, (uint16_t)r->args[i])
#define TP_call_nr(f, i) TP_NAMED(f, i)
#define TP_page_use(f, i) TP_NAMED(f, i)
#define TP_cpu_mode(f, i) TP_NAMED(f, i)
#define TP_shutdown_code(f, i) TP_NAMED(f, i)
#define TP_attach_kind(f, i) TP_NAMED(f, i)
#define TP_fast_status(f, i) TP_NAMED(f, i)
#define TP_fast_why(f, i) TP_NAMED(f, i)
#define TP_pass_why(f, i) TP_NAMED(f, i)
#define TP_fault_why(f, i) TP_NAMED(f, i)
#define TP_verdict(f, i) TP_NAMED(f, i)
#define TP_capture_status(f, i) TP_NAMED(f, i)
#define TP_decided(f, i) TP_NAMED(f, i)

/* What every event has: of which CPU, who ran, the stamp as it was, the name of radon-trace's row. */
#define TP_COMMON                                                                                  \
    lttng_ust_field_integer(uint32_t, on_cpu, r->rec->cpu)                                         \
    lttng_ust_field_integer(int32_t, on_domain, r->domain)                                         \
    lttng_ust_field_integer(int32_t, on_vcpu, r->vcpu)                                             \
    lttng_ust_field_integer(uint64_t, tsc, r->rec->tsc)                                            \
    lttng_ust_field_string(name, r->name)

#define TP_EVENT(name, fields)                                                                     \
    LTTNG_UST_TRACEPOINT_EVENT(radon, name, LTTNG_UST_TP_ARGS(const struct relayed *, r),          \
                               LTTNG_UST_TP_FIELDS(TP_COMMON fields))

#define EVENT1(name, id, t1, f1, text) TP_EVENT(name, TP_##t1(f1, 0))
#define EVENT2(name, id, t1, f1, t2, f2, text) TP_EVENT(name, TP_##t1(f1, 0) TP_##t2(f2, 1))
#define EVENT3(name, id, t1, f1, t2, f2, t3, f3, text)                                             \
    TP_EVENT(name, TP_##t1(f1, 0) TP_##t2(f2, 1) TP_##t3(f3, 2))
#define EVENT4(name, id, t1, f1, t2, f2, t3, f3, t4, f4, text)                                     \
    TP_EVENT(name, TP_##t1(f1, 0) TP_##t2(f2, 1) TP_##t3(f3, 2) TP_##t4(f4, 3))
#define EVENT5(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, text)                             \
    TP_EVENT(name, TP_##t1(f1, 0) TP_##t2(f2, 1) TP_##t3(f3, 2) TP_##t4(f4, 3) TP_##t5(f5, 4))
#define EVENT6(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, t6, f6, text)                     \
    TP_EVENT(name, TP_##t1(f1, 0) TP_##t2(f2, 1) TP_##t3(f3, 2) TP_##t4(f4, 3) TP_##t5(f5, 4)      \
                       TP_##t6(f6, 5))
#define EVENT7(name, id, t1, f1, t2, f2, t3, f3, t4, f4, t5, f5, t6, f6, t7, f7, text)             \
    TP_EVENT(name, TP_##t1(f1, 0) TP_##t2(f2, 1) TP_##t3(f3, 2) TP_##t4(f4, 3) TP_##t5(f5, 4)      \
                       TP_##t6(f6, 5) TP_##t7(f7, 6))
/* Arguments of hypercalls and the like, in their order; the name says of what. */
#define EVENT_VAR(name, id, text)                                                                  \
    TP_EVENT(name, lttng_ust_field_sequence_hex(uint64_t, values, r->args, uint32_t, r->nr))
#include "../events.def"

LTTNG_UST_TRACEPOINT_EVENT(radon, unknown, LTTNG_UST_TP_ARGS(const struct relayed *, r),
                           LTTNG_UST_TP_FIELDS(TP_COMMON
                               lttng_ust_field_integer_hex(uint32_t, number, r->rec->event)
                               lttng_ust_field_sequence_hex(uint64_t, words, r->args, uint32_t,
                                                            r->nr)))

#endif

#include <lttng/tracepoint-event.h>
