/* SPDX-License-Identifier: MIT */
#include "prof_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/core/program.h"

#define PERIOD 499u

static void *at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static int sites_read(struct fake *f, struct radon_sites_read *op)
{
    struct radon_site *to = at(op->rows);
    uint32_t written = 0, skip = op->first, left = 0;

    if (op->cpu)
        return -EINVAL;
    for (unsigned int i = 0; i < f->sites; i++) {
        if (skip)
            skip--;
        else if (written == op->room)
            left++;
        else
            to[written++] = f->site[i];
    }
    op->room = written;
    op->first = left;
    op->mode = RADON_SITES_SAMPLED;
    op->period = PERIOD;
    op->since = 1;
    return 0;
}

struct radon_fast_info *fake_handler(struct fake *f, uint32_t id)
{
    for (unsigned int i = 0; i < f->handlers; i++)
        if (f->handler[i].id == id)
            return &f->handler[i];
    return NULL;
}

struct radon_fast_info *fake_add_handler(struct fake *f, uint32_t kind, uint32_t number)
{
    struct radon_fast_info *h = &f->handler[f->handlers++];

    *h = (struct radon_fast_info){ .id = ++f->last_id, .attach_kind = kind,
                                   .attach_number = number, .state = RADON_FAST_SHADOW };
    return h;
}

static int install(struct fake *f, struct radon_fast_install *op)
{
    const struct fast_header *head = at(op->program);
    const uint8_t *byte = at(op->program);
    struct radon_fast_info *h;

    f->installs++;
    op->id = 0;
    op->refusal = f->refusal;
    if (f->install_rc)
        return f->install_rc;
    if (f->refusal) {
        snprintf(at(op->text), op->text_bytes, "refused: for the test\n");
        return 0;
    }
    for (unsigned int i = 0; i < f->handlers; i++)
        if (f->handler[i].attach_kind == head->attach_kind &&
            f->handler[i].attach_number == head->attach_number &&
            f->handler[i].state != RADON_FAST_RETIRED) {
            f->handler[i].state = RADON_FAST_RETIRED;
            f->handler[i].reason = RADON_FAST_REPLACED;
        }
    h = fake_add_handler(f, head->attach_kind, head->attach_number);
    h->attach_address = head->attach_address;
    h->agreements = op->agreements;
    h->hash = RADON_FAST_HASH_START;
    for (uint32_t i = 0; i < op->bytes; i++)
        h->hash = (h->hash ^ byte[i]) * RADON_FAST_HASH_PRIME;
    op->id = h->id;
    return 0;
}

static int control(struct fake *f, const struct radon_fast_control *op)
{
    struct radon_fast_info *h = fake_handler(f, op->id);

    if (!h)
        return -ENOENT;
    if (op->state == RADON_FAST_RETIRED)
        *h = f->handler[--f->handlers];
    else
        h->state = (uint8_t)op->state;
    return 0;
}

static int list(struct fake *f, struct radon_fast_list *op)
{
    struct radon_fast_info *to = at(op->info);
    uint32_t n = 0;

    for (uint32_t id = op->first_id; id <= f->last_id && n < op->room; id++)
        if (fake_handler(f, id))
            to[n++] = *fake_handler(f, id);
    op->room = n;
    return 0;
}

/* ------------------------------------------------------------------ capture */

static bool over(const struct fake *f)
{
    return f->stops == f->captures || f->ns - f->capture_at >= f->capture_ms * 1000000ull;
}

static int capture_read(struct fake *f, struct radon_capture_read *op)
{
    struct radon_capture_head head = {
        .magic = RADON_CAPTURE_MAGIC, .kind = f->capture.kind, .number = f->capture.number,
        .end = f->capture_end, .steps = 0,
    };
    uint64_t n = f->ns - f->capture_at >= f->capture_ms * 1000000ull ? f->capture.occurrences : 0;

    op->state = over(f);
    op->total = n * sizeof(head);
    op->occurrences = (uint32_t)n;
    for (uint64_t i = 0; i < op->bytes; i++)
        ((uint8_t *)at(op->buffer))[i] = ((uint8_t *)&head)[(op->offset + i) % sizeof(head)];
    return 0;
}

static int capture_start(struct fake *f, struct radon_capture_start *op)
{
    if (f->capture_rc)
        return f->capture_rc;
    f->capture = *op;
    f->capture_at = f->ns;
    f->captures++;
    op->id = f->captures;
    return 0;
}

/* ------------------------------------------------------------------ radon_op */

static int fake_op(void *ctx, enum radon_cmd cmd, void *arg, size_t bytes)
{
    struct fake *f = ctx;
    struct radon_info *info = arg;
    struct radon_fast_switch *sw = arg;
    struct radon_fast_read *read = arg;

    (void)bytes;
    switch (cmd) {
    case RADON_INFO:
        *info = (struct radon_info){ .abi_version = RADON_ABI_VERSION, .nr_cpus = 1, .tsc_hz = 1000000000,
                                     .tsc = f->ns, .system_ns = f->ns };
        return 0;
    case RADON_SITES_READ:
        return sites_read(f, arg);
    case RADON_FAST_INSTALL:
        return install(f, arg);
    case RADON_FAST_CONTROL:
        return control(f, arg);
    case RADON_FAST_LIST:
        return list(f, arg);
    case RADON_FAST_READ:
        read->bytes = read->part == RADON_FAST_EVIDENCE ? sizeof(struct radon_fast_evidence) : 0;
        memset(at(read->buffer), 0, read->bytes);
        return 0;
    case RADON_FAST_SWITCH:
        sw->on = f->on;
        return 0;
    case RADON_CAPTURE_START:
        return capture_start(f, arg);
    case RADON_CAPTURE_STOP:
        f->stops = f->captures;
        return 0;
    case RADON_CAPTURE_READ:
        return capture_read(f, arg);
    default:
        return -ENOSYS;
    }
}

static void *buffer(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void buffer_free(void *ctx, void *what, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(what);
}

static unsigned int vcpus(void *ctx, uint16_t domain)
{
    (void)domain;
    return ((struct fake *)ctx)->vcpus;
}

void fake_begin(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    f->backend = (struct prof_backend){ .ctx = f, .op = fake_op, .buffer = buffer,
                                        .buffer_free = buffer_free, .vcpus = vcpus };
    f->ns = 1000000000;
    f->on = true;
    f->vcpus = 1;
    f->capture_ms = 5;
}

void fake_entries(struct fake *f, uint32_t number, uint64_t samples, uint64_t cycles)
{
    struct radon_site *s = f->site;
    unsigned int bin = 0;

    while (s < f->site + f->sites && (s->kind != RADON_SITE_SYSCALL || s->number != number))
        s++;
    if (s == f->site + f->sites)
        f->sites++;
    s->kind = RADON_SITE_SYSCALL;
    s->number = number;
    s->address = 0x400000;
    s->count += samples;
    s->bounced += samples;
    s->bounced_total += samples * cycles;
    while (32ull << bin <= cycles)
        bin++;
    s->bounced_cost[bin] += (uint32_t)samples;
}
