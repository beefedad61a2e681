/* SPDX-License-Identifier: MIT */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_ROOM 64u
#define SITE_ROOM 1024u
#define CHUNK (256u << 10)
#define CAPTURE_MOST ((uint64_t)256 << 20)

const char *hv_error(int rc)
{
    switch (-rc) {
    case ENOSYS:
        return "this hypervisor does not have it";
    case EPERM:
        return "not allowed: fast handlers are off (radon-handler on), or the domain is another one";
    case ESRCH:
        return "there is no such domain";
    case ENOENT:
        return "there is no such handler or capture";
    case EBUSY:
        return "busy: a page that it rests on is writable, it was made for one vCPU and there are more, or "
               "somebody else captures";
    case ENOSPC:
        return "the domain has as many handlers as it may have";
    case EOPNOTSUPP:
        return "a handler of a hypercall is not compared with anything: load it with --now";
    default:
        return strerror(-rc);
    }
}

int hv_list(const struct prof_backend *b, uint16_t domain, struct radon_fast_info **list,
            unsigned int *n)
{
    size_t bytes = LIST_ROOM * sizeof(**list);
    struct radon_fast_info *got = b->buffer(b->ctx, bytes), *all = NULL, *more;
    struct radon_fast_list op = { .domain = domain };
    int rc = got ? 0 : -ENOMEM;

    *n = 0;
    while (!rc) {
        op.room = LIST_ROOM;
        op.info = (uintptr_t)got;
        rc = b->op(b->ctx, RADON_FAST_LIST, &op, sizeof(op));
        if (!rc && op.room > LIST_ROOM)
            rc = -EIO;
        if (rc || !op.room)
            break;
        more = realloc(all, (*n + op.room) * sizeof(*all));
        if (!more) {
            rc = -ENOMEM;
            break;
        }
        all = more;
        memcpy(all + *n, got, op.room * sizeof(*all));
        *n += op.room;
        if (op.room < LIST_ROOM || all[*n - 1].id < op.first_id || all[*n - 1].id == UINT32_MAX)
            break;
        op.first_id = all[*n - 1].id + 1;
    }
    b->buffer_free(b->ctx, got, bytes);
    for (unsigned int i = 0; i < *n && all; i++)
        all[i].name[sizeof(all[i].name) - 1] = 0;
    if (rc) {
        free(all);
        all = NULL;
        *n = 0;
    }
    *list = all;
    return rc;
}

int hv_find(const struct prof_backend *b, uint32_t id, struct radon_fast_info *info)
{
    struct radon_fast_info *list;
    unsigned int n;
    int rc = hv_list(b, RADON_DOMID_ANY, &list, &n);

    if (rc)
        return rc;
    rc = -ENOENT;
    for (unsigned int i = 0; i < n && rc; i++) {
        if (list[i].id == id) {
            *info = list[i];
            rc = 0;
        }
    }
    free(list);
    return rc;
}

int hv_read(const struct prof_backend *b, uint32_t id, enum radon_fast_part part, size_t most,
            void **out, size_t *bytes)
{
    void *buffer = b->buffer(b->ctx, most);
    struct radon_fast_read op = { .id = id, .part = part, .bytes = most };
    int rc = buffer ? 0 : -ENOMEM;

    *out = NULL;
    op.buffer = (uintptr_t)buffer;
    if (!rc)
        rc = b->op(b->ctx, RADON_FAST_READ, &op, sizeof(op));
    if (!rc && op.bytes > most)
        rc = -EIO;
    if (!rc) {
        *out = malloc(op.bytes + 1);
        rc = *out ? 0 : -ENOMEM;
    }
    if (!rc)
        memcpy(*out, buffer, op.bytes);
    *bytes = rc ? 0 : op.bytes;
    b->buffer_free(b->ctx, buffer, most);
    return rc;
}

int hv_control(const struct prof_backend *b, uint32_t id, enum radon_fast_state state)
{
    struct radon_fast_control op = { .id = id, .state = state };

    return b->op(b->ctx, RADON_FAST_CONTROL, &op, sizeof(op));
}

int hv_oracle(const struct prof_backend *b, uint16_t domain, bool get, uint32_t *period)
{
    struct radon_fast_oracle op = { .domain = domain, .get_only = get, .period = *period };
    int rc = b->op(b->ctx, RADON_FAST_ORACLE, &op, sizeof(op));

    if (!rc)
        *period = op.period;
    return rc;
}

int hv_switch(const struct prof_backend *b, uint16_t domain, bool get, bool *on)
{
    struct radon_fast_switch op = { .domain = domain, .get_only = get, .on = *on };
    int rc = b->op(b->ctx, RADON_FAST_SWITCH, &op, sizeof(op));

    if (!rc)
        *on = op.on;
    return rc;
}

/* ------------------------------------------------------------------ install */

static size_t aligned(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

/* Everything that the call points to, in one buffer. */
int hv_install(const struct prof_backend *b, struct hv_install *in)
{
    size_t watches = in->nr_watches * sizeof(*in->watches);
    size_t tainted = in->nr_tainted * sizeof(*in->tainted);
    size_t at_watches = aligned(in->program_bytes), at_tainted = at_watches + aligned(watches);
    size_t at_text = at_tainted + aligned(tainted), bytes = at_text + OP_TEXT_BYTES;
    uint8_t *buffer = b->buffer(b->ctx, bytes);
    struct radon_fast_install op = {
        .domain = in->domain,
        .flags = (uint16_t)in->flags,
        .bytes = in->program_bytes,
        .nr_watches = in->nr_watches,
        .agreements = in->agreements,
        .nr_tainted = in->nr_tainted,
        .text_bytes = OP_TEXT_BYTES,
        .budget = in->budget,
    };
    int rc;

    in->id = in->refusal = in->instruction = 0;
    in->text[0] = 0;
    if (!buffer)
        return -ENOMEM;
    memcpy(buffer, in->program, in->program_bytes);
    if (watches)
        memcpy(buffer + at_watches, in->watches, watches);
    if (tainted)
        memcpy(buffer + at_tainted, in->tainted, tainted);
    op.program = (uintptr_t)buffer;
    op.watches = watches ? (uintptr_t)(buffer + at_watches) : 0;
    op.tainted = tainted ? (uintptr_t)(buffer + at_tainted) : 0;
    op.text = (uintptr_t)(buffer + at_text);
    rc = b->op(b->ctx, RADON_FAST_INSTALL, &op, sizeof(op));
    in->id = op.id;
    in->refusal = op.refusal;
    in->instruction = op.instruction;
    in->verify_ns = op.verify_ns;
    memcpy(in->text, buffer + at_text, OP_TEXT_BYTES - 1);
    in->text[OP_TEXT_BYTES - 1] = 0;
    b->buffer_free(b->ctx, buffer, bytes);
    return rc;
}

/* ------------------------------------------------------------------ capture */

int hv_capture_start(const struct prof_backend *b, struct radon_capture_start *start)
{
    return b->op(b->ctx, RADON_CAPTURE_START, start, sizeof(*start));
}

int hv_capture_stop(const struct prof_backend *b, uint32_t id)
{
    struct radon_capture_stop op = { .id = id };

    return b->op(b->ctx, RADON_CAPTURE_STOP, &op, sizeof(op));
}

int hv_capture_state(const struct prof_backend *b, uint32_t id, struct radon_capture_read *state)
{
    *state = (struct radon_capture_read){ .id = id };
    return b->op(b->ctx, RADON_CAPTURE_READ, state, sizeof(*state));
}

int hv_capture_read(const struct prof_backend *b, uint32_t id, void **out, size_t *bytes)
{
    struct radon_capture_read op;
    uint8_t *buffer, *all = NULL;
    uint64_t total, at = 0;
    int rc = hv_capture_state(b, id, &op);

    *out = NULL;
    *bytes = 0;
    if (rc)
        return rc;
    total = op.total;
    buffer = b->buffer(b->ctx, CHUNK);
    all = total <= CAPTURE_MOST ? malloc(total + 1) : NULL;
    rc = buffer && all ? 0 : -ENOMEM;
    while (!rc && at < total) {
        op = (struct radon_capture_read){ .id = id, .buffer = (uintptr_t)buffer, .offset = at,
                                          .bytes = total - at < CHUNK ? total - at : CHUNK };
        rc = b->op(b->ctx, RADON_CAPTURE_READ, &op, sizeof(op));
        if (!rc && (!op.bytes || op.bytes > total - at || op.bytes > CHUNK))
            rc = -EIO;
        if (!rc)
            memcpy(all + at, buffer, op.bytes);
        at += rc ? 0 : op.bytes;
    }
    b->buffer_free(b->ctx, buffer, CHUNK);
    if (rc) {
        free(all);
        return rc;
    }
    *out = all;
    *bytes = total;
    return 0;
}

/* ------------------------------------------------------------------ hot sites */

struct rows {
    struct radon_site *at;
    unsigned int n;
};

static int add(struct rows *rows, const struct radon_site *from, unsigned int n)
{
    struct radon_site *more = realloc(rows->at, (rows->n + n + 1) * sizeof(*more));

    if (!more)
        return -ENOMEM;
    memcpy(more + rows->n, from, n * sizeof(*more));
    rows->at = more;
    rows->n += n;
    return 0;
}

static int read_cpu(const struct prof_backend *b, struct radon_site *buffer, uint16_t domain,
                    unsigned int cpu, struct rows *rows, uint32_t *period, uint64_t *since)
{
    struct radon_sites_read op;
    uint32_t skip = 0;
    int rc;

    do {
        op = (struct radon_sites_read){ .domain = domain, .cpu = cpu, .room = SITE_ROOM,
                                        .first = skip, .rows = (uintptr_t)buffer };
        rc = b->op(b->ctx, RADON_SITES_READ, &op, sizeof(op));
        if (!rc && (op.room > SITE_ROOM || !op.period))
            rc = -EIO;
        if (!rc)
            rc = add(rows, buffer, op.room);
        if (rc)
            return rc;
        skip += op.room;
        *period = op.period;
        *since = op.since < *since ? op.since : *since;
    } while (op.first && op.room);
    return 0;
}

int hv_sites(const struct prof_backend *b, uint16_t domain, unsigned int cpus,
             struct radon_site **rows, unsigned int *n, uint32_t *period, uint64_t *since)
{
    size_t bytes = SITE_ROOM * sizeof(struct radon_site);
    struct radon_site *buffer = b->buffer(b->ctx, bytes);
    struct rows got = { 0 };
    int rc = buffer ? 0 : -ENOMEM;

    *since = UINT64_MAX;
    *period = 1;
    for (unsigned int cpu = 0; cpu < cpus && !rc; cpu++)
        rc = read_cpu(b, buffer, domain, cpu, &got, period, since);
    b->buffer_free(b->ctx, buffer, bytes);
    if (rc) {
        free(got.at);
        got = (struct rows){ 0 };
    }
    *rows = got.at;
    *n = got.n;
    return rc;
}
