/* SPDX-License-Identifier: MIT */
/* From captures to a handler that is compared with the guest kernel. */
#include "prof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/core/program.h"
#include "ops.h"

static unsigned int all_captures(const struct candidate *c, struct synth_capture *capture)
{
    unsigned int n = 0;
    bool bad;

    for (unsigned int i = 0; i < c->rounds; i++)
        n += synth_split(c->blob[i], c->blob_bytes[i], capture + n, SYNTH_MAX_CAPTURES - n, &bad);
    return n;
}

/* A name that the program format allows; NULL: synthesis finds one. */
static const char *name_of(const struct candidate *c)
{
    const char *name = c->point.kind == FAST_ATTACH_SYSCALL ? syscall_name(c->point.number) : NULL;

    return name && strlen(name) < FAST_NAME_BYTES ? name : NULL;
}

/* "in ksys_read+0x31: detail" */
static const char *where(const struct prof *p, const struct synth_output *out, char text[320])
{
    const char *symbol = NULL;
    uint64_t offset = 0;

    if (out->address && p->kernel && p->kernel->symbol)
        symbol = p->kernel->symbol(p->kernel->arg, out->address, &offset);
    if (symbol)
        snprintf(text, 320, "at %.80s+0x%" PRIx64 ": %.191s", symbol, offset, out->detail);
    else if (out->address)
        snprintf(text, 320, "at 0x%" PRIx64 ": %.191s", out->address, out->detail);
    else
        snprintf(text, 320, "%.191s", out->detail);
    return text;
}

/* No program: back to the handler that it has, or rest. */
static void not_made(struct prof *p, struct candidate *c, const char *by, const char *reason,
                     const char *text)
{
    if (c->second_look) {
        prof_log(p, DECIDED_keep, c, by, reason, c->handler, "%s", text);
        c->kept = true;
        prof_stage(p, c, STAGE_ACTIVE);
        return;
    }
    prof_log(p, DECIDED_refuse, c, by, reason, 0, "%s", text);
    record_forget(c);
    prof_rest(p, c, 1);
}

static unsigned int made_by_us(const struct prof *p)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < p->nr; i++)
        n += p->candidate[i].handler != 0;
    return n;
}

static void installed(struct prof *p, struct candidate *c, const struct synth_output *out,
                      uint32_t id)
{
    if (c->handler) /* the hypervisor put it out of use: forget it */
        hv_control(p->backend, c->handler, RADON_FAST_RETIRED);
    c->handler = id;
    c->paths = out->paths;
    c->judged_hits = c->judged_passes = c->first_hits = c->first_cycles = c->first_agreed = 0;
    c->second_look = false;
    keep_handler(p, c, out);
    prof_stage(p, c, STAGE_SHADOW);
    prof_log(p, DECIDED_shadow, c, "policy", why_name(WHY_MADE), id,
             "%u instructions, %u paths of %u, %u guards, %u loads, %u stores, %u pages watched",
             out->insns, out->paths, out->paths + out->paths_left_out, out->guards, out->loads,
             out->stores, out->nr_watches);
}

static void install(struct prof *p, struct candidate *c, const struct synth_output *out)
{
    static struct hv_install in;
    int rc;

    if (!c->handler && made_by_us(p) >= p->policy.max_handlers) {
        not_made(p, c, "policy", why_name(WHY_LIMIT), why_meaning(WHY_LIMIT));
        return;
    }
    in = (struct hv_install){
        .domain = c->point.domain,
        .flags = out->flags,
        .agreements = p->policy.agreements,
        .program = out->program,
        .program_bytes = out->program_bytes,
        .watches = out->watches,
        .nr_watches = out->nr_watches,
        .tainted = out->tainted,
        .nr_tainted = out->nr_tainted,
    };
    rc = hv_install(p->backend, &in);
    if (rc == -ENOSPC)
        not_made(p, c, "hypervisor", why_name(WHY_LIMIT), why_meaning(WHY_LIMIT));
    else if (rc)
        not_made(p, c, "hypervisor", why_name(WHY_INSTALL_FAILED), hv_error(rc));
    else if (in.refusal)
        not_made(p, c, "verifier", refusal_text(in.refusal)->name, in.text);
    else
        installed(p, c, out, in.id);
}

static void would_install(struct prof *p, struct candidate *c, const struct synth_output *out)
{
    prof_decide(p, DECIDED_refuse, c, WHY_DRY_RUN, "%u instructions, %u paths of %u", out->insns,
                out->paths, out->paths + out->paths_left_out);
    record_forget(c);
    c->retry_at = UINT64_MAX;
    prof_stage(p, c, STAGE_RESTING);
}

/* It takes long on a busy machine, and what comes of it has its time from then on. */
static int synthesise(struct prof *p, const struct synth_input *in, struct synth_output *out)
{
    int rc = p->synth(in, out);

    prof_now(p);
    return rc;
}

void make_handler(struct prof *p, struct candidate *c)
{
    struct synth_capture capture[SYNTH_MAX_CAPTURES];
    struct synth_input in = {
        .capture = capture,
        .nr_captures = all_captures(c, capture),
        .name = name_of(c),
        .one_vcpu = p->backend->vcpus(p->backend->ctx, c->point.domain) == 1,
    };
    struct synth_output out;
    char text[320];

    c->shared = false;
    if (p->kernel) {
        if (p->kernel->refresh)
            p->kernel->refresh(p->kernel->arg);
        in.ro_read = p->kernel->ro_read;
        in.live = true;
        in.symbol = p->kernel->symbol;
        in.ro_arg = in.symbol_arg = p->kernel->arg;
        in.vcpu_info = p->kernel->vcpu_info;
    }
    if (synthesise(p, &in, &out)) {
        keep_refusal(p, c, out.explanation);
        c->shared = !in.one_vcpu;
        not_made(p, c, "synthesis", synth_reason_name(out.reason), where(p, &out, text));
    } else if (c->second_look && out.paths <= c->paths) {
        not_made(p, c, "policy", why_name(WHY_ENOUGH_PASSES), why_meaning(WHY_ENOUGH_PASSES));
    } else {
        prof_decide(p, DECIDED_synthesise, c, WHY_MADE, "%u captures, %u steps", in.nr_captures,
                    out.steps);
        if (p->dry_run)
            would_install(p, c, &out);
        else
            install(p, c, &out);
    }
    p->synth_free(&out);
}
