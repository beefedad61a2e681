/* SPDX-License-Identifier: MIT */
/* The whole of it: captures checked, lifted, cleaned, emitted, verified. */
#include "synth.h"

#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "work.h"

#define COMPARED 4u    /* as the JIT's MAX_COMPARED (jit_guest.c) */
#define CALL_PRICE 100u

unsigned int synth_split(const void *buffer, size_t bytes, struct synth_capture *capture,
                         unsigned int room, bool *bad)
{
    const char *at = buffer;
    unsigned int n = 0;

    *bad = false;
    while (bytes >= sizeof(struct radon_capture_head) && n < room) {
        const struct radon_capture_head *h = (const void *)at;
        size_t need = sizeof(*h) + (size_t)h->steps * sizeof(struct radon_capture_step);

        if (h->magic != RADON_CAPTURE_MAGIC) {
            *bad = true;
            break;
        }
        if (need > bytes)
            break;
        capture[n].head = h;
        capture[n++].step = (const void *)(at + sizeof(*h));
        at += need;
        bytes -= need;
    }
    return n;
}

static void take_captures(struct work *w)
{
    static const char *const end[] = { "done",
                                       "longer than max_steps",
                                       "an event came in between",
                                       "the task was switched",
                                       "an exception",
                                       "an instruction that cannot be stepped unseen",
                                       "still running" };
    const struct radon_capture_head *first = NULL;

    for (unsigned int i = 0; i < w->in->nr_captures && w->nr < SYNTH_MAX_CAPTURES; i++) {
        const struct synth_capture *c = &w->in->capture[i];

        if (c->head->magic != RADON_CAPTURE_MAGIC || c->head->end != RADON_CAPTURE_DONE ||
            c->head->steps < 2) {
            explain(w, "capture %u left out: %s\n", i,
                    c->head->end <= RADON_CAPTURE_RUNNING ? end[c->head->end] : "bad");
            continue;
        }
        if (first && (c->head->kind != first->kind || c->head->number != first->number ||
                      c->head->address != first->address || c->head->domain != first->domain)) {
            refuse(w, SYNTH_MIXED_CAPTURES, "number %u and number %u", first->number,
                   c->head->number);
            return;
        }
        first = first ? first : c->head;
        w->capture_number[w->nr] = i;
        w->capture[w->nr++] = *c;
    }
    if (!first) {
        refuse(w, SYNTH_NO_CAPTURE, "of %u", w->in->nr_captures);
        return;
    }
    w->attach_kind = first->kind;
    w->attach_number = first->number;
    w->attach_address = first->kind == FAST_ATTACH_EXCEPTION ? first->address : 0;
    if (first->kind != FAST_ATTACH_SYSCALL && first->kind != FAST_ATTACH_EXCEPTION)
        refuse(w, SYNTH_ENTRY_FRAME, "attach kind %u", first->kind);
}

/* FNV-1a of a page of guest memory as it is now; 0 when it cannot be read. */
static uint64_t page_hash(struct work *w, uint64_t address)
{
    unsigned char page[4096];
    uint64_t hash = RADON_FAST_HASH_START;

    if (!w->in->live || !w->in->ro_read ||
        !w->in->ro_read(w->in->ro_arg, address, page, sizeof(page)))
        return 0;
    for (unsigned int i = 0; i < sizeof(page); i++)
        hash = (hash ^ page[i]) * RADON_FAST_HASH_PRIME;
    return hash;
}

static void give_watches(struct work *w)
{
    w->out->watches = calloc(w->nr_watch ? w->nr_watch : 1, sizeof(*w->out->watches));
    if (!w->out->watches) {
        refuse(w, SYNTH_NO_MEMORY, "watches");
        return;
    }
    for (uint32_t i = 0; i < w->nr_watch; i++) {
        w->out->watches[i].address = w->watch[i];
        w->out->watches[i].hash = page_hash(w, w->watch[i]);
    }
    w->out->nr_watches = w->nr_watch;
    if (w->one_vcpu_used && w->in->one_vcpu)
        w->out->flags |= RADON_FAST_ONE_VCPU;
}

static void work_free(struct work *w)
{
    for (uint32_t i = 0; i < w->nr_all; i++) {
        free(w->all[i]->effect);
        free(w->all[i]);
    }
    free(w->all);
    concrete_free(w);
    graph_free(&w->graph);
}

static int once(const struct synth_input *in, const struct limits *limits, struct synth_output *out)
{
    struct work *w = calloc(1, sizeof(*w));

    memset(out, 0, sizeof(*out));
    if (!w) {
        out->reason = SYNTH_NO_MEMORY;
        out->explanation = calloc(1, 1);
        return -1;
    }
    w->in = in;
    w->out = out;
    w->limits = *limits;
    take_captures(w);
    if (!w->failed && (!graph_init(&w->graph) || !concrete_init(w)))
        refuse(w, SYNTH_NO_MEMORY, "graph");
    if (!w->failed && lift(w))
        remove_dead(w);
    if (!w->failed && w->root) {
        emit(w);
    }
    if (!w->failed)
        give_watches(w);
    if (!w->failed)
        explain(w, "made: %u instructions, cost %u, %u guards, %u loads, %u stores, %u paths%s\n",
                out->insns, out->cost, out->guards, out->loads, out->stores, out->paths,
                out->flags & RADON_FAST_ONE_VCPU ? ", for one vCPU" : "");
    out->explanation = w->text ? w->text : calloc(1, 1);
    if (w->failed) {
        free(out->program);
        out->program = NULL;
        out->program_bytes = 0;
    } else {
        out->reason = SYNTH_OK;
    }
    work_free(w);
    free(w);
    return out->reason == SYNTH_OK ? 0 : -1;
}

/* About what the program takes: a load behind stores is compared with each of a few, or is a call. */
static uint32_t price(const struct synth_output *out)
{
    const struct fast_insn *insns = (const void *)((const char *)out->program + sizeof(struct fast_header));
    uint32_t sum = 0, stores = 0;
    struct isa_insn in;

    for (uint32_t i = 0; i < out->insns; i += in.length) {
        if (isa_decode(&insns[i], out->insns - i, &in) != FAST_OK)
            break;
        sum++;
        if (in.row->form == FORM_GUEST_LOAD)
            sum += stores <= COMPARED ? 4 * stores : CALL_PRICE;
        if (in.row->form == FORM_GUEST_STORE)
            stores++;
        if (in.row->form == FORM_EXIT)
            stores = 0;
    }
    return sum;
}

static bool better(const struct synth_output *a, const struct synth_output *b)
{
    if (a->reason != SYNTH_OK || b->reason != SYNTH_OK)
        return a->reason == SYNTH_OK;
    return a->paths != b->paths ? a->paths > b->paths : price(a) < price(b);
}

int synth(const struct synth_input *in, struct synth_output *out)
{
    static const struct limits few = { 12, 24, 24, 48, 24 },
                               many = { MAX_DISTANCES, MAX_BETWEEN, MAX_DISTANCES, MAX_APART, MAX_APART };
    struct synth_output other;
    int rc = once(in, &few, out), rc_other = once(in, &many, &other);

    if (!better(&other, out)) {
        synth_free(&other);
        return rc;
    }
    synth_free(out);
    *out = other;
    return rc_other;
}

void synth_free(struct synth_output *out)
{
    free(out->program);
    free(out->watches);
    free(out->tainted);
    free(out->explanation);
    memset(out, 0, sizeof(*out));
}
